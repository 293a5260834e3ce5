import { numeric } from "../engine/sql.js";
import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import type { BinsPart, ScalePart } from "./fit-file.js";
import { snake } from "./naming.js";
import { changed, chosenColumns, planColumn, type Plan } from "./plan.js";
import type { Spec } from "./spec.js";
import { asNumber, checkNumeric, numericStatistics } from "./statistics.js";

/** Works out, from the train rows, what each scaler needs. */
export async function fitScalers(
  plan: Plan,
  train: string,
  asks: NonNullable<Spec["scale"]>,
): Promise<ScalePart[]> {
  const parts: ScalePart[] = [];
  for (const ask of asks) {
    const fields = chosenColumns(plan, ask.of);
    for (const field of fields) checkNumeric(field, `scaling`, plan.source.name);
    if (ask.with === "log1p")
      parts.push(...fields.map((field) => ({ step: "log1p" as const, column: field.name })));
    else if (ask.with === "quantile")
      for (const field of fields)
        parts.push({
          step: "quantile",
          column: field.name,
          cuts: await quantilesOf(plan, train, field, quantileSteps(ask.landmarks), "quantile_cont"),
        });
    else {
      const found = await numericStatistics(plan.engine, train, fields, plan.source.name);
      fields.forEach((field, i) => {
        const { mean, std, min, max, median, q25, q75 } = found[i];
        const column = field.name;
        if (ask.with === "standard") parts.push({ step: "standard", column, centre: mean, spread: std || 1 });
        else if (ask.with === "minmax")
          parts.push({ step: "minmax", column, centre: min, spread: max - min || 1 });
        else parts.push({ step: "robust", column, centre: median, spread: q75 - q25 || 1 });
      });
    }
  }
  return parts;
}

const quantileSteps = (landmarks: number): number[] =>
  Array.from({ length: landmarks }, (_, i) => i / (landmarks - 1));

/** Works out, from the train rows, where each column is cut into bins of equal share (exact quantiles). */
export async function fitBins(
  plan: Plan,
  train: string,
  asks: NonNullable<Spec["bins"]>,
): Promise<BinsPart[]> {
  const parts: BinsPart[] = [];
  for (const ask of asks) {
    const field = planColumn(plan, ask.of);
    checkNumeric(field, "binning", plan.source.name);
    const shares = Array.from({ length: ask.into - 1 }, (_, i) => (i + 1) / ask.into);
    parts.push({
      step: "bins",
      column: field.name,
      name: ask.as ?? `${snake(field.name)}_bin`,
      descending: ask.descending,
      cuts: await quantilesOf(plan, train, field, shares, "quantile_disc"),
    });
  }
  return parts;
}

async function quantilesOf(
  plan: Plan,
  train: string,
  field: Field,
  shares: readonly number[],
  how: "quantile_cont" | "quantile_disc",
): Promise<number[]> {
  const [{ cuts }] = await plan.engine.rows<{ cuts: number[] | null }>(
    `SELECT ${how}(${asNumber(field)}, [${shares.map(numeric).join(", ")}]) AS cuts FROM (${train})`,
  );
  if (!cuts || cuts.some((cut) => cut === null))
    throw new ShopaiError(
      "data",
      `${field.name} holds no value in the train rows, so nothing can be fitted`,
      {
        where: plan.source.name,
        try: "leaving the column out",
      },
    );
  return cuts;
}

/** Scales columns in their place; missing values stay missing. */
export function withScaled(plan: Plan, parts: readonly ScalePart[]): Promise<Plan> {
  const replace = new Map(
    parts.map((part) => {
      const field = planColumn(plan, part.column);
      return [field.name, scaledSql(part, asNumber(field, "t."))];
    }),
  );
  return changed(plan, "scaled", { replace });
}

function scaledSql(part: ScalePart, x: string): string {
  switch (part.step) {
    case "log1p":
      return `CASE WHEN ${x} > -1 THEN ln(1 + ${x}) END`;
    case "quantile":
      return rankSql(part.cuts, x);
    default:
      return `(${x} - ${numeric(part.centre)}) / ${numeric(part.spread)}`;
  }
}

/**
 * The share of train rows below a value, by linear interpolation between the cuts; a value that equals
 * several cuts gets the middle of their shares (scikit-learn's QuantileTransformer, uniform output).
 */
function rankSql(cuts: readonly number[], x: string): string {
  const list = `[${cuts.map(numeric).join(", ")}]`;
  const last = cuts.length - 1;
  const below = `len(list_filter(${list}, lambda c: c < ${x}))`;
  const upTo = `len(list_filter(${list}, lambda c: c <= ${x}))`;
  const between = `(${below} - 1 + (${x} - ${list}[${below}]) / (${list}[${below} + 1] - ${list}[${below}]))`;
  return `CASE WHEN ${x} IS NULL THEN NULL WHEN ${x} <= ${numeric(cuts[0])} THEN 0 WHEN ${x} >= ${numeric(cuts[last])} THEN 1 WHEN ${upTo} > ${below} THEN (${below} + ${upTo} - 1) / 2.0::DOUBLE / ${last} ELSE ${between} / ${last} END`;
}

/** Adds bin numbers from 1; values equal to a cut belong below it. With `descending` the smallest values get the highest number. */
export function withBins(plan: Plan, parts: readonly BinsPart[]): Promise<Plan> {
  const add = parts.map((part) => {
    const x = asNumber(planColumn(plan, part.column), "t.");
    const above = part.cuts.map((cut) => `CAST(${x} > ${numeric(cut)} AS INTEGER)`).join(" + ");
    const number = part.descending ? `${part.cuts.length + 1} - (${above})` : `1 + ${above}`;
    return [part.name, number] as const;
  });
  return changed(plan, "bins", { add });
}

import { ShopaiError } from "../core/errors.js";
import type { Engine, Field } from "../engine/engine.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { isNumeric, kindOf } from "../table/relation.js";
import type { ImputePart } from "./fit-file.js";
import { changed, chosenColumns, planColumn, type Plan } from "./plan.js";
import type { Spec } from "./spec.js";
import { asNumber, checkNumeric, numericStatistics } from "./statistics.js";

/** Works out, from the train rows, the value for the gaps of each column. */
export async function fitImputes(
  plan: Plan,
  train: string,
  asks: NonNullable<Spec["impute"]>,
): Promise<ImputePart[]> {
  const parts: ImputePart[] = [];
  for (const ask of asks) {
    const fields = chosenColumns(plan, ask.of);
    const how = ask.with;
    if (typeof how === "object")
      parts.push(
        ...fields.map((field) => ({ step: "impute" as const, column: field.name, value: how.constant })),
      );
    else if (how === "mode") for (const field of fields) parts.push(await modeOf(plan, train, field));
    else {
      for (const field of fields) checkNumeric(field, `imputing the ${how}`, plan.source.name);
      const found = await numericStatistics(plan.engine, train, fields, plan.source.name);
      parts.push(
        ...fields.map((field, i) => ({ step: "impute" as const, column: field.name, value: found[i][how] })),
      );
    }
  }
  return parts;
}

async function modeOf(plan: Plan, train: string, field: Field): Promise<ImputePart> {
  const value = mostFrequent(plan.engine, train, field);
  const found = await value;
  if (found === undefined)
    throw new ShopaiError("data", `${field.name} holds no value in the train rows, so it has no mode`, {
      where: plan.source.name,
      try: "with: { constant: … }",
    });
  return { step: "impute", column: field.name, value: found };
}

/** The most frequent value, the smallest of those that tie. */
async function mostFrequent(
  engine: Engine,
  train: string,
  field: Field,
): Promise<string | number | undefined> {
  const column = ident(field.name);
  const rows = await engine.rows<{ value: string }>(
    `SELECT CAST(${column} AS VARCHAR) AS value FROM (${train}) WHERE ${column} IS NOT NULL GROUP BY ${column} ORDER BY count(*) DESC, ${column} LIMIT 1`,
  );
  const value = rows[0]?.value;
  return value !== undefined && isNumeric(field.type) && Number.isFinite(Number(value))
    ? Number(value)
    : value;
}

/** Fills the gaps of columns (nulls; NaN and infinities of floats) in their place. */
export function withImputed(plan: Plan, parts: readonly ImputePart[]): Promise<Plan> {
  const replace = new Map(
    parts.map((part) => {
      const field = planColumn(plan, part.column);
      return [field.name, filled(field, part.value)];
    }),
  );
  return changed(plan, "imputed", { replace });
}

function filled(field: Field, value: string | number | boolean): string {
  const column = `t.${ident(field.name)}`;
  if (typeof value === "number" && isNumeric(field.type)) {
    const whole = kindOf(field.type) === "integer" && Number.isInteger(value);
    return whole
      ? `coalesce(${column}, ${numeric(value)})`
      : `coalesce(${asNumber(field, "t.")}, ${numeric(value)})`;
  }
  return `coalesce(${column}, CAST(${literal(String(value))} AS ${field.type}))`;
}

import { profileOf } from "../clean/profile.js";
import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import type { Relation } from "../table/relation.js";
import { readInputs, type Content, type Input } from "./inputs.js";
import type { Cell, Page, Part, Section } from "./page.js";
import { cleaningParts, rejectParts } from "./sections/cleaning.js";
import { forecastParts } from "./sections/forecast.js";
import { backtestParts, metricsParts } from "./sections/metrics.js";
import { modelParts } from "./sections/model.js";
import { mostColumns, qualityParts } from "./sections/quality.js";
import { recommendationParts } from "./sections/recommendations.js";

/** Titles of sections, in the order in which they stand: data first, then what was made of it. */
const titles: Record<Content["kind"], string> = {
  cleaning: "Cleaning",
  rejects: "Refused rows",
  table: "Data quality",
  profile: "Data quality",
  model: "Model",
  metrics: "Evaluation",
  backtest: "Backtest",
  forecasts: "Forecasts",
  recommendations: "Recommendations",
  result: "Results",
};
const order = Object.keys(titles);

/**
 * Gathers results into a page: every input gets the section of its kind.
 *
 * @param paths tables, model folders, JSON results, folders of results, names of pipelines
 * @throws ShopaiError "data" for an input of no known kind
 */
export async function reportOf(paths: readonly string[], title: string, run: Run): Promise<Page> {
  run.progress.stage("reading");
  const inputs = await readInputs(await run.engine(), paths, run.signal);
  run.progress.done(`${inputs.length} inputs`);
  if (inputs.length === 0)
    throw new ShopaiError("data", "there is nothing to report", {
      where: paths.join(" "),
      try: "shopai run, or shopai inspect",
    });
  const sorted = inputs
    .map((input, i) => ({ input, i }))
    .sort((a, b) => order.indexOf(a.input.kind) - order.indexOf(b.input.kind) || a.i - b.i)
    .map(({ input }) => input);
  const sections: Section[] = [];
  for (const input of sorted) {
    run.signal.throwIfAborted();
    sections.push({ title: titles[input.kind], about: input.name, parts: await partsOf(input, inputs, run) });
  }
  return { title, sections, sources: inputs.flatMap((input) => input.sources) };
}

async function partsOf(input: Input, all: readonly Input[], run: Run): Promise<Part[]> {
  switch (input.kind) {
    case "cleaning":
      return cleaningParts(input.result);
    case "rejects":
      return rejectParts(input.relation);
    case "table":
      return tableParts(input.relation, run);
    case "profile":
      return qualityParts(input.profile);
    case "model":
      return modelParts(input.card, input.folder);
    case "metrics":
      return metricsParts(input.result);
    case "backtest":
      return backtestParts(input.result);
    case "forecasts":
      return forecastParts(
        input.relation,
        input.columns,
        all.flatMap((other) => (other.kind === "table" ? [other.relation] : [])),
      );
    case "recommendations":
      return recommendationParts(input.relation);
    case "result":
      return resultParts(input.result);
  }
}

async function tableParts(relation: Relation, run: Run): Promise<Part[]> {
  const first = { ...relation, schema: relation.schema.slice(0, mostColumns) };
  return qualityParts(await profileOf(first, run.progress), relation.schema.length);
}

/** Any other result: its figures, and what is nested in it as tables. */
function resultParts(result: Record<string, unknown>): Part[] {
  const plain = Object.entries(result).filter(([, value]) => value !== null && typeof value !== "object") as [
    string,
    Cell,
  ][];
  const tables = Object.entries(result).filter((entry): entry is [string, Record<string, unknown>] => {
    const value = entry[1];
    return (
      typeof value === "object" &&
      value !== null &&
      Object.values(value).some((inner) => typeof inner !== "object")
    );
  });
  return [
    ...(plain.length > 0 ? [{ kind: "pairs" as const, rows: plain }] : []),
    ...tables.map(([name, value]) => ({
      kind: "table" as const,
      caption: name,
      head: Array.isArray(value) ? ["", "value"] : ["name", "value"],
      rows: Object.entries(value)
        .filter(([, inner]) => typeof inner !== "object")
        .slice(0, 50)
        .map(([key, inner]): Cell[] => [Array.isArray(value) ? Number(key) + 1 : key, inner as Cell]),
    })),
  ];
}

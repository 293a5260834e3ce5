import type { Comparison } from "../../metrics/against.js";
import type { GroupFairness } from "../../metrics/fairness.js";
import { metricFamilies } from "../../metrics/listing.js";
import { metricInfo, type MetricInfo } from "../../metrics/metric.js";
import type { SliceScore } from "../../metrics/scorecard.js";
import type { BacktestResult, MetricsResult } from "../inputs.js";
import { cellText } from "../numbers.js";
import type { Cell, Part } from "../page.js";

type Interval = [number, number] | null;

/** Metrics that are shares by their nature, whatever their value. */
const unitMetrics =
  /^(auc|pr_auc|ks|brier|ece|accuracy|balanced_accuracy|precision|recall|f1|macro_f1|auc_per_user|(precision|recall|ndcg|map|mrr|hit_rate|coverage|diversity)@\d+|coverage_\d+)$/;

/** The metric that slices are compared by. */
const leading: Record<string, string[]> = {
  classification: ["auc", "accuracy"],
  regression: ["rmse", "mae"],
  rating: ["rmse", "mae"],
  recommendation: ["ndcg@10"],
  ranking: ["ndcg@10"],
  clustering: ["silhouette"],
  forecast: ["wape"],
};

/** The figures of an evaluation with their intervals, as a whole and by slices. */
export function metricsParts(result: MetricsResult): Part[] {
  const { task, rows, metrics, intervals = {}, slices = {}, against, fairness } = result;
  const family = familyOf(task);
  const names = Object.keys(metrics);
  const lead = leadingOf(task, names);
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [["task", task], ["rows", rows], ...(lead ? [[lead, metrics[lead]] as [string, Cell]] : [])],
    },
  ];
  const shares = names.filter(
    (name) => unitMetrics.test(name) && isShare(metrics[name]) && (intervals[name] ?? [0, 1]).every(isShare),
  );
  if (shares.length > 0)
    parts.push({
      kind: "figure",
      caption: "Metrics between 0 and 1, with 95 % intervals",
      alt: `Metrics with intervals: ${shares.map((name) => `${name} ${cellText(metrics[name])}`).join(", ")}`,
      chart: {
        kind: "intervals",
        labels: shares,
        values: shares.map((name) => metrics[name]!),
        intervals: shares.map((name) => intervals[name] ?? null),
      },
      data: {
        head: ["metric", "value", "low", "high"],
        rows: shares.map((name) => [name, metrics[name], ...ends(intervals[name])]),
      },
    });
  parts.push({
    kind: "table",
    caption: "All metrics",
    head: ["metric", "value", "low", "high", "better", "what it says"],
    rows: names.map((name) => {
      const info = metricInfo(family, name);
      return [name, metrics[name], ...ends(intervals[name]), info?.better ?? "", info?.summary ?? ""];
    }),
  });
  if (names.some((name) => metrics[name] === null))
    parts.push({
      kind: "note",
      text: "A metric without a value is undefined on these rows (one class only, say).",
    });
  if (against) parts.push(comparisonPart(against));
  for (const [column, levels] of Object.entries(slices))
    if (Object.keys(levels).length > 0) parts.push(...sliceParts(column, levels, lead ?? names[0]));
  if (fairness) parts.push(fairnessPart(fairness));
  return parts;
}

/** Models of a backtest side by side. */
export function backtestParts({ metrics, horizon, series, chosen }: BacktestResult): Part[] {
  const models = Object.keys(metrics);
  const names = [...new Set(models.flatMap((model) => Object.keys(metrics[model])))].filter((name) =>
    models.some((model) => typeof metrics[model][name] === "number"),
  );
  const family = familyOf("forecast");
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [["horizon", horizon], ...(series === undefined ? [] : [["series", series] as [string, Cell]])],
    },
  ];
  if (models.length === 0) return [...parts, { kind: "note", text: "No backtest was run." }];
  const first = ["rmsse", "mase", "wape", "smape"].find((name) => names.includes(name));
  if (first) {
    const ranked = models
      .filter((model) => typeof metrics[model][first] === "number")
      .sort((a, b) => metrics[a][first]! - metrics[b][first]!);
    parts.push({
      kind: "figure",
      caption: `${first} of the backtest, lower is better`,
      alt: `${first} by model: ${ranked.map((model) => `${model} ${cellText(metrics[model][first])}`).join(", ")}`,
      chart: { kind: "bars", labels: ranked, values: ranked.map((model) => metrics[model][first]!) },
      data: { head: ["model", first], rows: ranked.map((model) => [model, metrics[model][first]]) },
    });
  }
  parts.push({
    kind: "table",
    caption: "Backtest by model",
    head: ["metric", ...models, "what it says"],
    rows: names.map((name) => [
      name,
      ...models.map((model) => metrics[model][name]),
      metricInfo(family, name)?.summary ?? "",
    ]),
  });
  if (chosen)
    parts.push({
      kind: "table",
      caption: "Model chosen for each series",
      head: ["model", "series"],
      rows: Object.entries(chosen),
    });
  return parts;
}

function sliceParts(column: string, levels: Record<string, SliceScore>, lead: string): Part[] {
  const names = Object.keys(levels);
  const drawn = names.filter((name) => typeof levels[name].metrics[lead] === "number").slice(0, 30);
  const others = [...new Set(names.flatMap((name) => Object.keys(levels[name].metrics)))]
    .filter((name) => name !== lead)
    .slice(0, 6);
  const title = `By ${column}`;
  const parts: Part[] = [{ kind: "heading", text: title }];
  if (drawn.length > 0)
    parts.push({
      kind: "figure",
      caption: `${lead}, with 95 % intervals`,
      alt: `${title}, ${lead}: ${drawn.map((name) => `${name} ${cellText(levels[name].metrics[lead])}`).join(", ")}`,
      chart: {
        kind: "intervals",
        labels: drawn,
        values: drawn.map((name) => levels[name].metrics[lead]!),
        intervals: drawn.map((name) => levels[name].intervals[lead] ?? null),
      },
      data: {
        head: [column, lead, "low", "high"],
        rows: drawn.map((name) => [name, levels[name].metrics[lead], ...ends(levels[name].intervals[lead])]),
      },
    });
  parts.push({
    kind: "table",
    caption: `${title}, all metrics`,
    head: [column, "rows", lead, ...others],
    rows: names.map((name) => [
      name,
      levels[name].rows,
      levels[name].metrics[lead],
      ...others.map((other) => levels[name].metrics[other]),
    ]),
  });
  return parts;
}

/** What changed since the metrics of another model. */
function comparisonPart({ file, differences }: Comparison): Part {
  return {
    kind: "table",
    caption: `Compared with ${file}`,
    head: ["metric", "value", "before", "difference", "low", "high"],
    rows: Object.entries(differences).map(([name, { value, before, difference, interval }]) => [
      name,
      value,
      before,
      difference,
      ...ends(interval),
    ]),
  };
}

function fairnessPart({ column, reference, groups }: NonNullable<MetricsResult["fairness"]>): Part {
  const figures = [...new Set(Object.values(groups).flatMap((group) => Object.keys(group)))].filter(
    (name) => name !== "intervals",
  ) as Exclude<keyof GroupFairness, "intervals">[];
  return {
    kind: "table",
    caption: `Fairness by ${column}, compared with ${reference}`,
    head: [column, ...figures.map((name) => name.replaceAll("_", " "))],
    rows: Object.entries(groups).map(([name, group]) => [name, ...figures.map((figure) => group[figure])]),
  };
}

function familyOf(task: string): MetricInfo[] {
  return (metricFamilies as Record<string, MetricInfo[]>)[task] ?? [];
}

function leadingOf(task: string, names: readonly string[]): string | undefined {
  return (leading[task] ?? []).find((name) => names.includes(name)) ?? names[0];
}

function isShare(value: number | null): boolean {
  return value !== null && value >= 0 && value <= 1;
}

function ends(interval: Interval | undefined): [Cell, Cell] {
  return interval ? [interval[0], interval[1]] : [null, null];
}

import type { PermutationImportance } from "../../learners/permutation-importance.js";
import type { Tables } from "../../learners/measured.js";
import type { Comparison } from "../../metrics/against.js";
import type { AlertFigures } from "../../metrics/alerts.js";
import type { CostMatrix } from "../../metrics/cost.js";
import type { Fairness } from "../../metrics/fairness.js";
import { metricFamilies } from "../../metrics/listing.js";
import { metricInfo, withoutCut, type MetricInfo } from "../../metrics/metric.js";
import type { SliceScore } from "../../metrics/scorecard.js";
import { briefText, numberText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { curveParts, importanceParts } from "./curves.js";
import { fairnessParts } from "./fairness.js";
import { ends, type Interval } from "./interval.js";
import { metricFacts } from "./metric-facts.js";
import { defineSection, has, isObject, type Making } from "./section.js";

/** The result of `evaluate`. */
export interface MetricsResult extends Tables {
  task: string;
  rows: number;
  users?: number;
  metrics: Record<string, number | null>;
  intervals?: Record<string, Interval>;
  slices?: Record<string, Record<string, SliceScore>>;
  against?: Comparison;
  fairness?: Fairness & { column: string };
  alerts?: AlertFigures;
  importance?: PermutationImportance;
  decision?: {
    positive?: string;
    negative?: string;
    threshold?: number;
    threshold_by?: string;
    cost?: CostMatrix;
  };
  model?: { path: string; learner: string };
}

/** Metrics that are shares by their nature, whatever their value. */
const unitMetrics =
  /^(auc|pr_auc|ks|brier|ece|accuracy|balanced_accuracy|precision|recall|f1|macro_f1|auc_per_user|(precision|recall|ndcg|map|mrr|hit_rate|coverage|diversity)@\d+|coverage_\d+)$/;

/** The metric that slices are compared by. */
const leading: Record<string, string[]> = {
  classification: ["auc", "accuracy"],
  anomaly: ["auc"],
  regression: ["rmse", "mae"],
  rating: ["rmse", "mae"],
  recommendation: ["ndcg@10"],
  ranking: ["ndcg@10"],
  clustering: ["silhouette"],
  forecast: ["wape"],
};

/** The figures of an evaluation with their intervals, as a whole and by slices, and the curves behind them. */
export const metrics = defineSection<MetricsResult>({
  name: "metrics",
  document: (document) =>
    has(document, "task", "metrics") && isObject(document.metrics)
      ? (document as unknown as MetricsResult)
      : undefined,
  parts({ content }, making) {
    const { say } = making;
    const words = say.metrics;
    const { task, rows, users, metrics: values, slices = {}, against, decision } = content;
    const names = Object.keys(values);
    const lead = leadingOf(task, names);
    const optional = (name: string, value: Cell): [string, Cell][] =>
      value === undefined ? [] : [[name, value]];
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.task, task],
          [words.rows, rows],
          ...optional(words.users, users),
          ...(lead ? [[lead, values[lead]] as [string, Cell]] : []),
          ...optional(words.positive, decision?.positive),
          ...optional(
            words.threshold,
            decision?.threshold === undefined ? undefined : briefText(decision.threshold),
          ),
          ...optional(words.thresholdBy, decision?.threshold_by),
        ],
      },
      ...sharesPart(content, making),
      tablePart(content, making),
    ];
    if (names.some((name) => values[name] === null)) parts.push({ kind: "note", text: words.undefinedNote });
    if (against?.paired) parts.push({ kind: "note", text: words.paired });
    parts.push(...curveParts(content, making));
    if (content.alerts)
      parts.push({
        kind: "table",
        caption: words.alerts(numberText(content.alerts.per_day)),
        head: [words.days, words.alertsPrecision, words.alertsRecall],
        rows: [[content.alerts.days, content.alerts.precision, content.alerts.recall]],
      });
    if (content.importance) parts.push(...importanceParts(content.importance, making));
    for (const [column, levels] of Object.entries(slices))
      if (Object.keys(levels).length > 0) parts.push(...sliceParts(column, levels, lead ?? names[0], making));
    if (content.fairness) parts.push(...fairnessParts(content.fairness, making));
    return parts;
  },
  facts: ({ content }, making) =>
    metricFacts(content, leadingOf(content.task, Object.keys(content.metrics)), making),
});

function sharesPart({ metrics: values, intervals = {}, against }: MetricsResult, { say }: Making): Part[] {
  const words = say.metrics;
  const shares = Object.keys(values).filter(
    (name) => unitMetrics.test(name) && isShare(values[name]) && (intervals[name] ?? [0, 1]).every(isShare),
  );
  if (shares.length === 0) return [];
  const before = shares.map((name) => against?.differences[name]?.before ?? null);
  const compared = before.some((value) => value !== null);
  const told = (name: string): string => `${name} ${numberText(values[name]!)}`;
  return [
    figure({
      caption: words.shares,
      alt: words.sharesAlt(shares.map(told).join(say.page.comma)),
      chart: {
        kind: "intervals",
        axis: words.value,
        labels: shares,
        values: shares.map((name) => values[name]!),
        intervals: shares.map((name) => intervals[name] ?? null),
        before: compared ? before : undefined,
        tips: shares.map((name, i) => {
          const ends = intervals[name];
          const now = ends
            ? `${told(name)}\n${say.page.interval(numberText(ends[0]), numberText(ends[1]))}`
            : told(name);
          return before[i] === null ? now : `${now}\n${words.before} ${numberText(before[i])}`;
        }),
      },
      data: {
        head: [words.metric, words.value, say.page.low, say.page.high, ...(compared ? [words.before] : [])],
        rows: shares.map((name, i) => [
          name,
          values[name],
          ...ends(intervals[name]),
          ...(compared ? [before[i]] : []),
        ]),
      },
    }),
  ];
}

function tablePart({ task, metrics: values, intervals = {}, against }: MetricsResult, { say }: Making): Part {
  const words = say.metrics;
  const family = (metricFamilies as Record<string, MetricInfo[]>)[task] ?? [];
  return {
    kind: "table",
    caption: against ? words.against(against.file) : words.all,
    head: [
      words.metric,
      words.value,
      say.page.low,
      say.page.high,
      ...(against ? [words.before, words.difference, say.page.low, say.page.high] : []),
      words.better,
      words.meaning,
    ],
    rows: Object.keys(values).map((name) => {
      const info = metricInfo(family, name);
      const change = against?.differences[name];
      return [
        name,
        values[name],
        ...ends(intervals[name]),
        ...(against ? [change?.before, change?.difference, ...ends(change?.interval)] : []),
        info ? words.direction[info.better] : "",
        words.summaries[info?.name ?? withoutCut(name)] ?? info?.summary ?? "",
      ];
    }),
  };
}

function sliceParts(
  column: string,
  levels: Record<string, SliceScore>,
  lead: string,
  { say }: Making,
): Part[] {
  const words = say.metrics;
  const names = Object.keys(levels);
  const drawn = names.filter((name) => typeof levels[name].metrics[lead] === "number").slice(0, 30);
  const others = [...new Set(names.flatMap((name) => Object.keys(levels[name].metrics)))]
    .filter((name) => name !== lead)
    .slice(0, 6);
  const told = (name: string): string => `${name} ${numberText(levels[name].metrics[lead]!)}`;
  const parts: Part[] = [{ kind: "heading", text: words.by(column) }];
  if (drawn.length > 0)
    parts.push(
      figure({
        caption: words.lead(lead),
        alt: `${words.by(column)}${say.page.comma}${lead}: ${drawn.map(told).join(say.page.comma)}`,
        chart: {
          kind: "intervals",
          axis: lead,
          labels: drawn,
          values: drawn.map((name) => levels[name].metrics[lead]!),
          intervals: drawn.map((name) => levels[name].intervals?.[lead] ?? null),
          tips: drawn.map((name) => {
            const own = levels[name].intervals?.[lead];
            const range = own ? `\n${say.page.interval(numberText(own[0]), numberText(own[1]))}` : "";
            return `${told(name)}${range}\n${numberText(levels[name].rows)} ${words.rows}`;
          }),
        },
        data: {
          head: [column, lead, say.page.low, say.page.high],
          rows: drawn.map((name) => [
            name,
            levels[name].metrics[lead],
            ...ends(levels[name].intervals?.[lead]),
          ]),
        },
      }),
    );
  parts.push({
    kind: "table",
    caption: words.byAll(column),
    head: [column, words.rows, lead, ...others],
    rows: names.map((name) => [
      name,
      levels[name].rows,
      levels[name].metrics[lead],
      ...others.map((other) => levels[name].metrics[other]),
    ]),
  });
  return parts;
}

function leadingOf(task: string, names: readonly string[]): string | undefined {
  const usual = (leading[task] ?? []).find((name) => names.includes(name));
  return usual ?? names.find((name) => name.startsWith("ndcg@")) ?? names[0];
}

function isShare(value: number | null): boolean {
  return value !== null && value >= 0 && value <= 1;
}

import { grouped } from "../core/quantity.js";
import type { RankedAmong } from "../learners/measured.js";
import type { Comparison } from "../metrics/against.js";
import type { PermutationImportance } from "../learners/permutation-importance.js";
import type { AlertFigures } from "../metrics/alerts.js";
import type { DecisionTables } from "../metrics/decision-tables.js";
import type { Fairness } from "../metrics/fairness.js";
import type { SliceScore } from "../metrics/scorecard.js";
import type { Block, Cell } from "../pipeline/command.js";
import { bar, whisker } from "./sparkline.js";

export type FairnessReport = Fairness & { column: string };

interface Shown extends Partial<DecisionTables> {
  importance?: PermutationImportance;
  alerts?: AlertFigures;
  task: string;
  rows: number;
  users?: number;
  ranked_among?: RankedAmong;
  metrics: Record<string, number | null>;
  intervals: Record<string, [number, number] | null>;
  slices: Record<string, Record<string, SliceScore>>;
  fairness?: FairnessReport;
  against?: Comparison;
  resamples: number;
  model: { path: string; learner: string };
}

/** Cells of a scale from 0 to 1. */
const scale = 24;
const narrow = 18;
const scaleHead = `0${" ".repeat(scale - 2)}1`;

/** A value between 0 and 1 with its interval, as a small plot; nothing for other values. */
function scaled(value: number | null, interval: readonly [number, number] | null | undefined): string {
  if (value === null || !interval || [value, ...interval].some((one) => one < 0 || one > 1)) return "";
  return whisker(value, interval, scale);
}

/** A measurement as people read it. */
export function evaluationBlocks(shown: Shown, out: string | undefined): Block[] {
  const { metrics, intervals, slices, users, against } = shown;
  const names = Object.keys(metrics);
  const counted =
    users === undefined
      ? `${grouped(shown.rows)} rows`
      : `${grouped(users)} users, ${grouped(shown.rows)} rows`;
  const blocks: Block[] = [
    {
      kind: "title",
      text: `${shown.model.learner} (${shown.task}) on ${counted}${amongText(shown.ranked_among)}${out === undefined ? "" : ` → ${out}`}`,
    },
    {
      kind: "table",
      head: ["metric", "value", "95 % from", "to", scaleHead],
      rows: names.map((name): Cell[] => [
        name,
        metrics[name],
        ...(intervals[name] ?? [null, null]),
        scaled(metrics[name], intervals[name]),
      ]),
    },
  ];
  if (shown.importance) {
    const { metric, repeats, features } = shown.importance;
    blocks.push(
      { kind: "title", text: `How much worse ${metric} gets when a feature is shuffled (${repeats} times)` },
      {
        kind: "table",
        head: ["feature", "worse by", "95 % from", "to", ""],
        rows: features.map(({ feature, drop, interval }): Cell[] => [
          feature,
          drop,
          ...interval,
          bar(drop / Math.max(features[0].drop, Number.MIN_VALUE), scale),
        ]),
      },
    );
  }
  if (against)
    blocks.push(
      { kind: "title", text: `Against ${against.file}${against.paired ? " (paired)" : " (not paired)"}` },
      {
        kind: "table",
        head: ["metric", "value", "before", "difference", "95 % from", "to"],
        rows: Object.entries(against.differences).map(([name, d]): Cell[] => [
          name,
          d.value,
          d.before,
          d.difference,
          ...(d.interval ?? [null, null]),
        ]),
      },
    );
  for (const [column, values] of Object.entries(slices))
    blocks.push(
      { kind: "title", text: `By ${column}` },
      {
        kind: "table",
        head: [column, "rows", ...names],
        rows: Object.entries(values).map(([value, slice]): Cell[] => [
          value,
          slice.rows,
          ...names.map((name) => slice.metrics[name]),
        ]),
      },
    );
  blocks.push(...tableBlocks(shown));
  if (shown.fairness) blocks.push(...fairnessBlocks(shown.fairness));
  return blocks;
}

function fairnessBlocks({ column, reference, groups, overall }: FairnessReport): Block[] {
  return [
    { kind: "title", text: `Fairness by ${column}, against ${reference}` },
    {
      kind: "table",
      head: [
        column,
        "rows",
        "positive",
        "selected",
        "parity difference",
        "disparate impact",
        "opportunity difference",
        "odds difference",
      ],
      rows: Object.entries(groups).map(([name, group]): Cell[] => [
        name,
        group.rows,
        group.base_rate,
        group.selection_rate,
        group.statistical_parity_difference,
        group.disparate_impact,
        group.equal_opportunity_difference,
        group.average_odds_difference,
      ]),
    },
    {
      kind: "table",
      head: ["over all groups", "value", "95 % from", "to"],
      rows: Object.entries(overall.intervals).map(([name, interval]): Cell[] => [
        name,
        overall[name as keyof typeof overall.intervals],
        ...(interval ?? [null, null]),
      ]),
    },
  ];
}

function amongText(ranked: RankedAmong | undefined): string {
  if (!ranked || ranked.candidates === "all items") return "";
  return ranked.candidates === "sampled"
    ? `, relevant items among ${ranked.negatives} drawn others`
    : `, relevant items among the ${ranked.negatives.toFixed(0)} others of ${ranked.file}`;
}

const percent = (share: number | null): string => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);

function tableBlocks({ confusion, gains, calibration, alerts }: Shown): Block[] {
  const blocks: Block[] = [];
  if (confusion)
    blocks.push(
      { kind: "title", text: "Decisions" },
      {
        kind: "table",
        head: ["", "predicted positive", "predicted negative"],
        rows: [
          ["positive", confusion.tp, confusion.fn],
          ["negative", confusion.fp, confusion.tn],
        ],
      },
    );
  if (gains)
    blocks.push(
      { kind: "title", text: "Gains by tenths of the rows, best scores first" },
      {
        kind: "table",
        head: ["rows", "score from", "positives", "of all", "lift", "of all; │ chance"],
        rows: gains.map(({ share, score, rate, gain, lift }): Cell[] => [
          percent(share),
          score,
          percent(rate),
          percent(gain),
          lift,
          bar(gain ?? 0, narrow, share),
        ]),
      },
    );
  if (calibration)
    blocks.push(
      { kind: "title", text: "Calibration" },
      {
        kind: "table",
        head: ["score from", "to", "rows", "mean score", "positives", "was; │ said"],
        rows: calibration.map(({ from, to, rows, score, rate }): Cell[] => [
          from.toFixed(1),
          to.toFixed(1),
          rows,
          score,
          rate,
          bar(rate, narrow, score),
        ]),
      },
    );
  if (alerts)
    blocks.push({
      kind: "pairs",
      rows: [
        [
          `precision of the first ${alerts.per_day} alerts a day, mean of ${alerts.days} days`,
          alerts.precision,
        ],
        ["share of the positives that they hold", alerts.recall],
      ],
    });
  return blocks;
}

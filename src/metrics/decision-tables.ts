import type { ClassificationRows } from "./classification.js";
import { curvesOf, type Curves } from "./curves.js";
import { byFallingScore, ratio } from "./metric.js";

/** Weights of the rows by truth and decision. */
export interface Confusion {
  tp: number;
  fp: number;
  fn: number;
  tn: number;
}

/** One tenth of the rows by falling score. */
export interface GainsRow {
  /** Share of the rows down to here, from the top. */
  share: number;
  rows: number;
  /** Lowest score of this tenth. */
  score: number;
  /** Positives among its rows, as a share. */
  rate: number | null;
  /** Share of all positives down to here. */
  gain: number | null;
  /** `gain` over `share`: how many times better than by chance, down to here. */
  lift: number | null;
}

/** Rows whose score falls into a bin. */
export interface CalibrationRow {
  from: number;
  to: number;
  rows: number;
  /** Mean score: what the model says. */
  score: number;
  /** Share of positives: what was. */
  rate: number;
}

export interface DecisionTables {
  confusion: Confusion;
  gains: GainsRow[];
  calibration: CalibrationRow[];
  /** Absent where one class is. */
  curves?: Curves;
}

/** Tables of a binary classifier beside its metrics: decisions, gains by tenths, calibration in ten bins of equal width. */
export function decisionTables(data: ClassificationRows, weights?: Float64Array): DecisionTables {
  const positive = data.positive!;
  const score = data.probability![positive];
  const weightOf = (row: number): number => (weights ? weights[row] : 1);
  return {
    confusion: confusionOf(data, positive, weightOf),
    gains: gainsOf(score, data.truth, positive, weightOf),
    calibration: calibrationOf(score, data.truth, positive, weightOf),
    curves: curvesOf(data, weights),
  };
}

function confusionOf(
  { truth, predicted }: ClassificationRows,
  positive: number,
  weightOf: (row: number) => number,
): Confusion {
  const found: Confusion = { tp: 0, fp: 0, fn: 0, tn: 0 };
  truth.forEach((own, row) => {
    const hit = own === positive;
    const chosen = predicted[row] === positive;
    found[hit ? (chosen ? "tp" : "fn") : chosen ? "fp" : "tn"] += weightOf(row);
  });
  return found;
}

function gainsOf(
  score: Float64Array,
  truth: Int32Array,
  positive: number,
  weightOf: (row: number) => number,
): GainsRow[] {
  const { order } = byFallingScore(score);
  let total = 0;
  let positives = 0;
  for (const row of order) {
    total += weightOf(row);
    if (truth[row] === positive) positives += weightOf(row);
  }
  const table: GainsRow[] = [];
  let seen = 0;
  let hits = 0;
  let place = 0;
  for (let tenth = 1; tenth <= 10; tenth++) {
    const begin = { seen, hits, place };
    const end = Math.round((order.length * tenth) / 10);
    for (; place < end; place++) {
      seen += weightOf(order[place]);
      if (truth[order[place]] === positive) hits += weightOf(order[place]);
    }
    if (place === begin.place) continue;
    const gain = ratio(hits, positives);
    table.push({
      share: seen / total,
      rows: place - begin.place,
      score: score[order[place - 1]],
      rate: orNull(ratio(hits - begin.hits, seen - begin.seen)),
      gain: orNull(gain),
      lift: orNull(ratio(gain, seen / total)),
    });
  }
  return table;
}

function calibrationOf(
  score: Float64Array,
  truth: Int32Array,
  positive: number,
  weightOf: (row: number) => number,
): CalibrationRow[] {
  const bins = Array.from({ length: 10 }, () => ({ rows: 0, weight: 0, score: 0, hits: 0 }));
  score.forEach((own, row) => {
    const bin = bins[Math.min(9, Math.max(0, Math.floor(own * 10)))];
    bin.rows++;
    bin.weight += weightOf(row);
    bin.score += weightOf(row) * own;
    if (truth[row] === positive) bin.hits += weightOf(row);
  });
  return bins.flatMap(({ rows, weight, score: sum, hits }, i) =>
    weight > 0 ? [{ from: i / 10, to: (i + 1) / 10, rows, score: sum / weight, rate: hits / weight }] : [],
  );
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

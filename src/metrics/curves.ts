import type { ClassificationRows } from "./classification.js";
import { byFallingScore, ratio } from "./metric.js";

/**
 * What a binary classifier would do at other thresholds, in columns of equal length: rows whose score is at
 * least `threshold` count as positive. The first point is "nobody", the last one "everybody".
 */
export interface Curves {
  /** Falling; null for the first point, above every score. */
  threshold: (number | null)[];
  /** Share of the rows that are taken. */
  share: number[];
  /** Share of the positives that are taken: recall, the y of ROC and gains. */
  tpr: number[];
  /** Share of the negatives that are taken: the x of ROC. */
  fpr: number[];
  /** Share of positives among those taken; null where none is. */
  precision: (number | null)[];
  /** Mean cost of a row, where decisions have costs. */
  cost?: number[];
}

/** At most about so many points: each is a step of a hundredth along one of the axes. */
const steps = 100;
const digits = 5;

/**
 * The curves of a binary classifier, thinned where nothing is lost to the eye: a point is kept when one of
 * its shares has moved by a hundredth since the last one.
 *
 * Fawcett (2006), An introduction to ROC analysis, Pattern Recognition Letters 27, algorithm 1.
 *
 * @param weights of the rows; all 1 when absent
 * @returns undefined where one class is absent
 */
export function curvesOf(
  { truth, positive, probability, cost }: ClassificationRows,
  weights?: Float64Array,
): Curves | undefined {
  const score = probability![positive!];
  const { order, last } = byFallingScore(score);
  const weightOf = (row: number): number => (weights ? weights[row] : 1);
  let [positives, negatives] = [0, 0];
  for (const row of order)
    if (truth[row] === positive) positives += weightOf(row);
    else negatives += weightOf(row);
  if (positives === 0 || negatives === 0) return undefined;
  const all = positives + negatives;
  const curves: Curves = { threshold: [], share: [], tpr: [], fpr: [], precision: [] };
  if (cost) curves.cost = [];
  let kept = [0, 0, 0];
  const keep = (threshold: number | null, hits: number, alarms: number): void => {
    curves.threshold.push(threshold === null ? null : rounded(threshold));
    curves.share.push(rounded((hits + alarms) / all));
    curves.tpr.push(rounded(hits / positives));
    curves.fpr.push(rounded(alarms / negatives));
    const precision = ratio(hits, hits + alarms);
    curves.precision.push(Number.isNaN(precision) ? null : rounded(precision));
    if (cost)
      curves.cost!.push(
        rounded(
          (cost.tp * hits +
            cost.fp * alarms +
            cost.fn * (positives - hits) +
            cost.tn * (negatives - alarms)) /
            all,
        ),
      );
    kept = [hits / positives, alarms / negatives, (hits + alarms) / all];
  };
  keep(null, 0, 0);
  let [hits, alarms] = [0, 0];
  for (let place = 0; place < order.length; place++) {
    const row = order[place];
    if (truth[row] === positive) hits += weightOf(row);
    else alarms += weightOf(row);
    if (!last[place]) continue;
    const now = [hits / positives, alarms / negatives, (hits + alarms) / all];
    const end = place === order.length - 1;
    if (end || now.some((share, axis) => share - kept[axis] >= 1 / steps)) keep(score[row], hits, alarms);
  }
  return curves;
}

export const rounded = (value: number): number => Number(value.toPrecision(digits));

/** Rows by true class (down) and predicted class (across). */
export interface ConfusionMatrix {
  classes: string[];
  counts: number[][];
}

/** Classes of a matrix that people can read: the most frequent. */
const mostClasses = 20;

/** The decisions of a classifier of several classes: its most frequent classes, the others left out. */
export function confusionMatrix(
  { classes, truth, predicted }: ClassificationRows,
  weights?: Float64Array,
): ConfusionMatrix {
  const size = classes.length;
  const cells = new Float64Array(size * size);
  const rows = new Float64Array(size);
  truth.forEach((own, row) => {
    const weight = weights ? weights[row] : 1;
    cells[own * size + predicted[row]] += weight;
    rows[own] += weight;
  });
  const shown = [...rows.keys()]
    .sort((a, b) => rows[b] - rows[a] || a - b)
    .slice(0, mostClasses)
    .sort((a, b) => a - b);
  return {
    classes: shown.map((k) => classes[k]),
    counts: shown.map((own) => shown.map((other) => cells[own * size + other])),
  };
}

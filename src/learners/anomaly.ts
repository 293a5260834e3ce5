import type { Column } from "../engine/frame.js";
import { quantileOfSorted } from "../metrics/bootstrap.js";
import { real } from "./params.js";

/** Which share of the training rows counts as anomalies: a parameter of every detector. */
export const contamination = real({
  default: 0.1,
  min: 0.0001,
  max: 0.5,
  help: "share of the training rows that stand out: where prediction becomes true",
});

/** Types of the columns below that differ from those of their arrays. */
export const anomalyTypes = { prediction: "BOOLEAN" } as const;

/**
 * The score above which a row stands out: the quantile 1 - share of the scores of the training rows,
 * linear between neighbours (as in PyOD).
 */
export function standOutFrom(scores: Float64Array, share: number): number {
  return quantileOfSorted(scores.slice().sort(), 1 - share);
}

/** Columns of a detector's predictions. @param scores larger stands out more */
export function anomalyColumns(scores: Float64Array, threshold: number): Map<string, Column> {
  return new Map<string, Column>([
    ["prediction", { kind: "i32", values: Int32Array.from(scores, (score) => (score > threshold ? 1 : 0)) }],
    ["score", { kind: "f64", values: scores }],
  ]);
}

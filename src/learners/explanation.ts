import type { Frame } from "../engine/frame.js";

/**
 * Splits the scores of rows among the features, exactly: the contributions of a row's features and
 * `expected` add up to its raw score.
 */
export interface Explainer {
  /** What contributes: feature columns. */
  names: readonly string[];
  /** Scores per row: 1, or the number of classes. */
  outputs: number;
  /** The raw score that contributions start from, by output: that of the training rows on average. */
  expected: Float64Array;
  /** In what raw scores are counted; undefined for the units of the target. Points start from the best card. */
  unit?: "log-odds" | "logarithm" | "points";
  /**
   * Contributions of rows of a frame of features.
   *
   * @returns those of the rows `from` to `to` (not included): rows x outputs x names
   */
  of(frame: Frame): (from: number, to: number) => Float64Array;
}

/** Contributions held in memory at once. */
const most = 4_000_000;

/** Goes through the rows of a frame in parts that memory holds, whatever the number of features and classes. */
export function explained(
  explainer: Explainer,
  frame: Frame,
  take: (contributions: Float64Array, from: number, to: number) => void,
): void {
  const part = Math.max(1, Math.floor(most / (explainer.outputs * Math.max(1, explainer.names.length))));
  const contributions = explainer.of(frame);
  for (let from = 0; from < frame.rows; from += part) {
    const to = Math.min(frame.rows, from + part);
    take(contributions(from, to), from, to);
  }
}

/**
 * The output that a row's reasons are about: of several the one with the highest raw score.
 *
 * @param at where the row's contributions begin
 */
export function leadingOutput(
  { outputs, expected, names }: Explainer,
  values: Float64Array,
  at: number,
): number {
  let best = 0;
  let highest = -Infinity;
  for (let o = 0; o < outputs; o++) {
    let score = expected[o];
    for (let i = 0; i < names.length; i++) score += values[at + o * names.length + i];
    if (score > highest) [best, highest] = [o, score];
  }
  return best;
}

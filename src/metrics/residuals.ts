import { quantileOfSorted } from "./bootstrap.js";
import { rounded } from "./curves.js";
import type { RegressionRows } from "./regression.js";

/** Rows with predictions of about the same size: what was said of them, and what was. */
export interface PredictionGroup {
  rows: number;
  /** Mean prediction. */
  predicted: number;
  /** Mean truth. */
  truth: number;
  /** Truths between which the middle 80 % lie. */
  p10: number;
  p90: number;
}

const groups = 20;

/** Truth against prediction in groups of equally many rows by prediction: a regression's calibration. */
export function predictionGroups({ truth, predicted }: RegressionRows): PredictionGroup[] {
  const order = new Uint32Array(truth.length);
  for (let row = 0; row < order.length; row++) order[row] = row;
  order.sort((a, b) => predicted[a] - predicted[b] || a - b);
  const count = Math.min(groups, order.length);
  return Array.from({ length: count }, (_, i) => {
    const rows = order.subarray(
      Math.floor((i * order.length) / count),
      Math.floor(((i + 1) * order.length) / count),
    );
    const truths = Float64Array.from(rows, (row) => truth[row]).sort();
    const said = rows.reduce((sum, row) => sum + predicted[row], 0);
    return {
      rows: rows.length,
      predicted: rounded(said / rows.length),
      truth: rounded(truths.reduce((sum, value) => sum + value, 0) / rows.length),
      p10: rounded(quantileOfSorted(truths, 0.1)),
      p90: rounded(quantileOfSorted(truths, 0.9)),
    };
  });
}

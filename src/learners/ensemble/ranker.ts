import type { Run } from "../../engine/run.js";
import { minimise } from "../../kernels/lbfgs.js";
import { breathe } from "../breathe.js";

/** Candidates of one user, and which of them were right. */
export interface Query {
  /** candidates x features; a ranker may look at the first of them alone. */
  features: Float32Array;
  relevant: Uint8Array;
}

/** A linear ranker over standardised features. */
export interface Ranker {
  weights: Float64Array;
  means: Float64Array;
  scales: Float64Array;
  /** Mean loss over the lists that it learned from, nats. */
  loss: number;
}

/**
 * Learns weights that put the right candidates of a list above the others: minimises the mean over lists of
 * -1/|R| sum over i in R of log(exp(s_i) / sum over j of exp(s_j)), plus lambda / (2 lists) |w|².
 *
 * This is logistic regression within lists (conditional logit, McFadden 1974), the cross-entropy of ListNet's
 * top-one probabilities (Cao et al. 2007, section 4.2); convex, so the result does not depend on a start.
 *
 * @param features how many of the features of a candidate, the first ones, it looks at
 */
export async function fitRanker(
  queries: readonly Query[],
  features: number,
  lambda: number,
  run: Run,
): Promise<Ranker> {
  const { means, scales } = moments(queries, features);
  const largest = queries.reduce((most, { relevant }) => Math.max(most, relevant.length), 0);
  const scores = new Float64Array(largest);
  const value = (weights: Float64Array, gradient: Float64Array): number => {
    gradient.fill(0);
    let loss = 0;
    for (const { features: x, relevant } of queries) {
      const count = relevant.length;
      const width = x.length / count;
      let top = -Infinity;
      let right = 0;
      for (let c = 0; c < count; c++) {
        let score = 0;
        for (let f = 0; f < features; f++) score += (weights[f] * (x[c * width + f] - means[f])) / scales[f];
        scores[c] = score;
        if (score > top) top = score;
        right += relevant[c];
      }
      let total = 0;
      for (let c = 0; c < count; c++) total += Math.exp(scores[c] - top);
      for (let c = 0; c < count; c++) {
        const excess = Math.exp(scores[c] - top) / total - relevant[c] / right;
        if (relevant[c]) loss -= (scores[c] - top - Math.log(total)) / right;
        for (let f = 0; f < features; f++)
          gradient[f] += (excess * (x[c * width + f] - means[f])) / scales[f];
      }
    }
    let penalty = 0;
    for (let f = 0; f < features; f++) {
      gradient[f] = (gradient[f] + lambda * weights[f]) / queries.length;
      penalty += (lambda * weights[f] ** 2) / 2;
    }
    return (loss + penalty) / queries.length;
  };
  const found = await minimise(value, new Float64Array(features), {
    tolerance: 1e-6,
    iterations: 200,
    tick: () => breathe(run),
  });
  return { weights: found.x, means, scales, loss: found.value };
}

/** Score of the candidate whose features begin at `at`. */
export function rankerScore({ weights, means, scales }: Ranker, x: Float32Array, at: number): number {
  let score = 0;
  for (let f = 0; f < weights.length; f++) score += (weights[f] * (x[at + f] - means[f])) / scales[f];
  return score;
}

/** Means and deviations of the features over all candidates; 1 for one that never changes. */
function moments(queries: readonly Query[], features: number): { means: Float64Array; scales: Float64Array } {
  const means = new Float64Array(features);
  const scales = new Float64Array(features);
  const count = queries.reduce((sum, { relevant }) => sum + relevant.length, 0);
  const each = (visit: (f: number, value: number) => void): void => {
    for (const { features: x, relevant } of queries)
      for (let at = 0; at < x.length; at += x.length / relevant.length)
        for (let f = 0; f < features; f++) visit(f, x[at + f]);
  };
  each((f, value) => (means[f] += value / count));
  each((f, value) => (scales[f] += (value - means[f]) ** 2 / count));
  return { means, scales: scales.map((square) => (square > 1e-20 ? Math.sqrt(square) : 1)) };
}

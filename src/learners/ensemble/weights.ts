import type { Rng } from "../../core/rng.js";
import { topK } from "../../kernels/top-k.js";

/** Candidates of one user of a validation cut. */
export interface Ballot {
  /** candidates x parts: what each part says of each, on a common scale. */
  said: Float32Array;
  /** 1 for candidates that the user has in the cut. */
  relevant: Uint8Array;
  /** Order of equal sums, ascending; values differ. */
  tie: Int32Array;
  /** Held-out items of the user, candidates or not. */
  held: number;
}

/** Places that count. */
const places = 10;
/** Points of the simplex tried before the climb. */
const draws = 48;
/** Weight that is moved from one part to another in a step of the climb, in turn. */
const steps = [0.2, 0.1, 0.05, 0.02];

/**
 * Weights of parts, not negative and adding up to 1, that give the best nDCG@10 on ballots: the best of
 * every part alone, all alike and random points, then moves of weight between pairs while they help.
 *
 * nDCG is piecewise constant in the weights, so there is no gradient to follow (Metzler & Croft 2007,
 * Linear Feature-Based Models for Information Retrieval, section 3.2: coordinate ascent).
 */
export function tunedWeights(
  ballots: readonly Ballot[],
  parts: number,
  rng: Rng,
): { weights: Float64Array; ndcg: number } {
  const measure = ndcgMeter(ballots, parts);
  let best: Float64Array = new Float64Array(parts).fill(1 / parts);
  let ndcg = measure(best);
  const consider = (weights: Float64Array): boolean => {
    const value = measure(weights);
    if (value <= ndcg) return false;
    best = weights;
    ndcg = value;
    return true;
  };
  for (let p = 0; p < parts; p++) consider(Float64Array.from({ length: parts }, (_, q) => (q === p ? 1 : 0)));
  for (let draw = 0; draw < draws; draw++) consider(onSimplex(parts, rng));
  for (const step of steps)
    for (let moved = true; moved;) {
      moved = false;
      for (let from = 0; from < parts; from++)
        for (let to = 0; to < parts; to++) {
          const amount = Math.min(step, best[from]);
          if (from === to || amount <= 0) continue;
          const next = best.slice();
          next[from] -= amount;
          next[to] += amount;
          if (consider(next)) moved = true;
        }
    }
  return { weights: best, ndcg };
}

/** A point drawn evenly from the weights that add up to 1. */
function onSimplex(parts: number, rng: Rng): Float64Array {
  const point = Float64Array.from({ length: parts }, () => -Math.log(1 - rng.uniform()));
  const sum = point.reduce((a, b) => a + b, 0);
  return point.map((value) => value / sum);
}

/** Mean nDCG@10 of the ballots under weights. */
export function ndcgMeter(ballots: readonly Ballot[], parts: number): (weights: Float64Array) => number {
  const largest = ballots.reduce((most, { relevant }) => Math.max(most, relevant.length), 0);
  const sums = new Float64Array(largest);
  const best = new Int32Array(places);
  const discount = Float64Array.from({ length: places }, (_, i) => 1 / Math.log2(i + 2));
  const ideal = new Float64Array(places + 1);
  for (let i = 0; i < places; i++) ideal[i + 1] = ideal[i] + discount[i];
  return (weights) => {
    let total = 0;
    for (const { said, relevant, tie, held } of ballots) {
      const count = relevant.length;
      for (let c = 0; c < count; c++) {
        let sum = 0;
        for (let p = 0; p < parts; p++) sum += weights[p] * said[c * parts + p];
        sums[c] = sum;
      }
      const found = topK(sums.subarray(0, count), tie, best);
      let gain = 0;
      for (let i = 0; i < found; i++) if (relevant[best[i]]) gain += discount[i];
      total += gain / ideal[Math.min(places, held)];
    }
    return total / Math.max(1, ballots.length);
  };
}

import { mix } from "../../core/rng.js";
import { writeGradients } from "./gradients.js";
import type { Judged, Labelled, Objective } from "./objectives.js";

/** Rows by query: those of query q are `rows[starts[q]]` to `rows[starts[q + 1] - 1]`. */
export interface Queries {
  starts: Uint32Array;
  rows: Uint32Array;
}

export interface LambdarankParams {
  /** Places that count: pairs whose better placed row is beyond bring nothing (k of nDCG@k). */
  top: number;
  /** Steepness of the chance that a pair is in order, by the difference of its scores. */
  sigmoid: number;
}

/** Largest relevance: gains 2^relevance - 1 stay exact. */
export const mostRelevant = 31;

/** Rows by query, from the number of the query of every row. */
export function queriesOf(numbers: Int32Array): Queries {
  let count = 0;
  for (const q of numbers) count = Math.max(count, q + 1);
  const starts = new Uint32Array(count + 1);
  for (const q of numbers) starts[q + 1]++;
  for (let q = 0; q < count; q++) starts[q + 1] += starts[q];
  const next = starts.slice(0, count);
  const rows = new Uint32Array(numbers.length);
  numbers.forEach((q, r) => (rows[next[q]++] = r));
  return { starts, rows };
}

/**
 * LambdaMART: every pair of rows of a query with different relevance pulls its two scores apart, by the
 * logistic loss of their difference times what nDCG@top would change if they swapped places.
 *
 * Burges (2010), "From RankNet to LambdaRank to LambdaMART", section 7; truncation, the division by the distance of
 * the scores and the damping of queries with many pairs as in LightGBM 4 (`lambdarank_norm`).
 *
 * @param data rows with their queries; labels are relevances, 0 to 31, of gain 2^relevance - 1
 */
export function lambdarank(data: Labelled, params: LambdarankParams): Objective {
  const { kernel, rows, labels, weights } = data;
  const lists = new Lists(data.queries!, labels, params.top);
  let watched = lists;
  const lambdas = new Float64Array(rows);
  const hessians = new Float64Array(rows);
  return {
    outputs: 1,
    base: Float64Array.of(0),
    gradients({ scores, g, h, partials }) {
      lambdas.fill(0);
      hessians.fill(0);
      const score = kernel.f32(scores[0], rows);
      for (let q = 0; q < lists.count; q++) addPairs(lists, q, score, params, lambdas, hessians);
      writeGradients(
        kernel,
        rows,
        g,
        h,
        partials,
        weights,
        (r) => lambdas[r],
        (r) => Math.max(hessians[r], 1e-16),
      );
    },
    loss: ([scores], judged) => 1 - meanNdcg(listsOf(judged), scores, judged.weights),
  };

  function listsOf({ labels, queries }: Judged): Lists {
    if (queries !== watched.queries) watched = new Lists(queries!, labels, params.top);
    return watched;
  }
}

/** Queries with their gains, and the order of the rows of one of them. */
class Lists {
  readonly count: number;
  /** 1 over the best DCG of every query; 0 where no order is better than another. */
  readonly inverse: Float64Array;
  /** Of the query that was last put in order, best first. */
  readonly order: Uint32Array;
  readonly discounts: Float64Array;
  private readonly gains: Float64Array;

  constructor(
    readonly queries: Queries,
    labels: Float32Array,
    readonly top: number,
  ) {
    const { starts, rows } = queries;
    this.count = starts.length - 1;
    this.gains = Float64Array.from(labels, (relevance) => 2 ** relevance - 1);
    let longest = 1;
    for (let q = 0; q < this.count; q++) longest = Math.max(longest, starts[q + 1] - starts[q]);
    this.order = new Uint32Array(longest);
    this.discounts = Float64Array.from({ length: longest }, (_, place) => 1 / Math.log2(place + 2));
    this.inverse = new Float64Array(this.count);
    for (let q = 0; q < this.count; q++) {
      const gains = Float64Array.from(rows.subarray(starts[q], starts[q + 1]), (r) => this.gains[r]).sort();
      const { length } = gains;
      if (length < 2 || gains[0] === gains[length - 1]) continue;
      let best = 0;
      for (let place = 0; place < Math.min(top, length); place++)
        best += gains[length - 1 - place] * this.discounts[place];
      this.inverse[q] = 1 / best;
    }
  }

  gainOf(row: number): number {
    return this.gains[row];
  }

  /** Orders the rows of a query by falling score; equal ones by a hash, so that the order of the table tells nothing. */
  sort(q: number, scores: Float32Array): Uint32Array {
    const { starts, rows } = this.queries;
    const order = this.order.subarray(0, starts[q + 1] - starts[q]);
    order.set(rows.subarray(starts[q], starts[q + 1]));
    return order.sort((a, b) => scores[b] - scores[a] || mix(a) - mix(b) || a - b);
  }
}

function addPairs(
  lists: Lists,
  q: number,
  scores: Float32Array,
  { top, sigmoid }: LambdarankParams,
  lambdas: Float64Array,
  hessians: Float64Array,
): void {
  const inverse = lists.inverse[q];
  if (inverse === 0) return;
  const order = lists.sort(q, scores);
  const { discounts } = lists;
  const { length } = order;
  const spread = scores[order[0]] !== scores[order[length - 1]];
  let sum = 0;
  for (let i = 0; i < Math.min(top, length - 1); i++) {
    const a = order[i];
    const gain = lists.gainOf(a);
    for (let j = i + 1; j < length; j++) {
      const b = order[j];
      const gap = gain - lists.gainOf(b);
      if (gap === 0) continue;
      const distance = scores[a] - scores[b];
      let change = Math.abs(gap) * (discounts[i] - discounts[j]) * inverse;
      if (spread) change /= 0.01 + distance;
      // The chance that the pair is in the wrong order.
      const wrong = 1 / (1 + Math.exp(sigmoid * (gap > 0 ? distance : -distance)));
      const lambda = sigmoid * change * wrong;
      const hessian = sigmoid * sigmoid * change * wrong * (1 - wrong);
      lambdas[a] -= gap > 0 ? lambda : -lambda;
      lambdas[b] += gap > 0 ? lambda : -lambda;
      hessians[a] += hessian;
      hessians[b] += hessian;
      sum += 2 * lambda;
    }
  }
  if (sum === 0) return;
  const damp = Math.log2(1 + sum) / sum;
  for (const r of order) {
    lambdas[r] *= damp;
    hessians[r] *= damp;
  }
}

/** Mean nDCG@top over the queries in which orders differ, weighted by the mean weight of their rows. */
function meanNdcg(lists: Lists, scores: Float32Array, weights: Float32Array | undefined): number {
  let sum = 0;
  let total = 0;
  for (let q = 0; q < lists.count; q++) {
    if (lists.inverse[q] === 0) continue;
    let weight = 1;
    if (weights) {
      const { starts, rows } = lists.queries;
      weight = 0;
      for (let i = starts[q]; i < starts[q + 1]; i++) weight += weights[rows[i]];
      weight /= starts[q + 1] - starts[q];
      if (weight === 0) continue;
    }
    const order = lists.sort(q, scores);
    let gain = 0;
    for (let place = 0; place < Math.min(lists.top, order.length); place++)
      gain += lists.gainOf(order[place]) * lists.discounts[place];
    sum += weight * gain * lists.inverse[q];
    total += weight;
  }
  return total > 0 ? sum / total : 1;
}

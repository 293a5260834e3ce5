import type { SharedKernel } from "../engine/pool.js";
import { transposed, withoutZeros, type Csr } from "./csr.js";
import { addGram } from "./gram.js";
import { packed } from "./similarity.js";
import { topK } from "./top-k.js";

/**
 * Weights w of every item j over the others, each the minimum of
 *
 *     1/2 |x_j - X w|² + l2 / 2 |w|² + l1 |w|₁  with w >= 0 and w_j = 0
 *
 * over the k items whose columns of X are most like x_j by the cosine. Only an item whose product with x_j is above l1
 * can have a weight, as X is nowhere below 0. Ning & Karypis (2011), eq. 3; over chosen items, section 4.4 (fsSLIM);
 * by coordinate descent on the products XᵀX, Friedman, Hastie & Tibshirani (2010), section 2.2, with active sets.
 *
 * @returns items x items: row j holds the weights of item j that are not 0
 */
export interface SlimProblem {
  /** X, users x items, no entry below 0. */
  matrix: Csr;
  l2: number;
  l1: number;
  /** Candidates for every item. */
  k: number;
  /** Stop when no step changes the loss by more than this share of |x_j|²; and after so many passes. */
  tolerance: number;
  epochs: number;
}

/** Bytes of shared memory that it takes: X is let go before the candidates come. */
export function sharedSlimBytes({ matrix, k: most }: SlimProblem, threads: number): number {
  const n = matrix.cols;
  const k = Math.min(most, n);
  const entries = 16 * matrix.columns.length + 4 * (n + matrix.rows);
  const candidates = 8 * n * k + 4 * n + threads * 4 * (k + 3) * (k + 2);
  return 4 * n * n + Math.max(entries, candidates) + 4096;
}

/** On shared memory; `kernel` is that of `slim.as.ts`. */
export function sharedSlim(kernel: SharedKernel, { matrix, l2, l1, k, tolerance, epochs }: SlimProblem): Csr {
  const n = matrix.cols;
  const most = Math.min(k, Math.max(1, n - 1));
  const gram = kernel.alloc(4 * n * n);
  kernel.f32(gram, n * n).fill(0);
  const counter = kernel.alloc(64);
  const shared = (fn: string, ...given: number[]): void => {
    kernel.i32(counter, 1)[0] = 0;
    kernel.each(fn, ...given);
  };
  const mark = kernel.mark();
  const sides = [transposed(matrix), matrix].flatMap(({ starts, columns, values }) => {
    const at = [starts, columns, values ?? columns].map((array) => kernel.alloc(4 * array.length));
    kernel.i32(at[0], starts.length).set(starts);
    kernel.i32(at[1], columns.length).set(columns);
    const into = kernel.f32(at[2], columns.length);
    if (values) into.set(values);
    else into.fill(1);
    return at;
  });
  shared("gramRows", ...sides, n, n, 0, gram, counter);
  kernel.release(mark);
  const ids = kernel.alloc(4 * n * most);
  const weights = kernel.alloc(4 * n * most);
  const counts = kernel.alloc(4 * n);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.scratchBytes(most));
  shared("solveItems", gram, n, most, l2, l1, tolerance, epochs, ids, weights, counts, counter, scratch);
  const found = packed(kernel.i32(counts, n), kernel.i32(ids, n * most), kernel.f32(weights, n * most), most);
  kernel.close();
  return withoutZeros(found);
}

/** The same in plain arrays. */
export function plainSlim({ matrix, l2, l1, k, tolerance, epochs }: SlimProblem): Csr {
  const n = matrix.cols;
  const most = Math.min(k, Math.max(1, n - 1));
  const gram = new Float64Array(n * n);
  addGram(matrix, 0, matrix.rows, gram);
  const product = (a: number, b: number): number => gram[Math.max(a, b) * n + Math.min(a, b)];
  const likeness = new Float64Array(n);
  const codes = Int32Array.from({ length: n }, (_, i) => i);
  const counts = new Int32Array(n);
  const ids = new Int32Array(n * most);
  const weights = new Float32Array(n * most);
  for (let item = 0; item < n; item++) {
    for (let other = 0; other < n; other++) {
      const shared = product(item, other);
      likeness[other] =
        other === item || shared <= l1 ? -Infinity : Math.fround(shared / Math.sqrt(product(other, other)));
    }
    const own = ids.subarray(item * most, (item + 1) * most);
    counts[item] = topK(likeness, codes, own);
    const w = weights.subarray(item * most, item * most + counts[item]);
    const left = Float64Array.from(w, (_, c) => product(own[c], item));
    let whole = true;
    for (let epoch = 0; epoch < epochs; epoch++) {
      let largest = 0;
      for (let c = 0; c < w.length; c++) {
        if (!whole && w[c] === 0) continue;
        const square = product(own[c], own[c]);
        const now = Math.fround(Math.max(0, (left[c] + square * w[c] - l1) / (square + l2)));
        const change = w[c] - now;
        if (change === 0) continue;
        w[c] = now;
        for (let b = 0; b < w.length; b++) left[b] += change * product(own[c], own[b]);
        largest = Math.max(largest, square * change * change);
      }
      if (largest > tolerance * product(item, item)) whole = false;
      else if (whole) break;
      else whole = true;
    }
  }
  return withoutZeros(packed(counts, ids, weights, most));
}

import type { Rng } from "../core/rng.js";
import { addRow, rowTimes, type DesignMatrix } from "./design.js";

export interface SvmFit {
  /** width + 1, the bias last. */
  weights: Float64Array;
  iterations: number;
  converged: boolean;
}

/**
 * A linear support vector machine by coordinate descent on its dual: minimises
 * |w|² / 2 + Σ_r cost_r · loss(sign_r · (X_r w + b)), the bias b penalised like a weight.
 *
 * Hsieh, Chang, Lin, Keerthi & Sundararajan (2008), A Dual Coordinate Descent Method for Large-scale
 * Linear SVM, ICML, algorithm 1 (LIBLINEAR).
 *
 * @param signs 1 or -1
 * @param costs C of every row
 */
export async function dualSvm(
  x: DesignMatrix,
  signs: Int8Array,
  costs: Float64Array,
  about: {
    loss: "hinge" | "squared_hinge";
    iterations: number;
    tolerance: number;
    rng: Rng;
    tick?: (iteration: number) => Promise<void>;
  },
): Promise<SvmFit> {
  const { rows, width } = x;
  const squaredLoss = about.loss === "squared_hinge";
  const weights = new Float64Array(width + 1);
  const alpha = new Float64Array(rows);
  const norms = Float64Array.from({ length: rows }, (_, r) => squaredNorm(x, r) + 1);
  const order = Int32Array.from({ length: rows }, (_, r) => r);
  for (let iteration = 1; ; iteration++) {
    await about.tick?.(iteration);
    about.rng.shuffle(order);
    let highest = -Infinity;
    let lowest = Infinity;
    for (const r of order) {
      if (costs[r] === 0) continue;
      const upper = squaredLoss ? Infinity : costs[r];
      const diagonal = squaredLoss ? 0.5 / costs[r] : 0;
      const gradient = signs[r] * (rowTimes(x, r, weights) + weights[width]) - 1 + diagonal * alpha[r];
      const projected =
        alpha[r] === 0 ? Math.min(gradient, 0) : alpha[r] === upper ? Math.max(gradient, 0) : gradient;
      highest = Math.max(highest, projected);
      lowest = Math.min(lowest, projected);
      if (Math.abs(projected) < 1e-12) continue;
      const next = Math.min(upper, Math.max(0, alpha[r] - gradient / (norms[r] + diagonal)));
      const step = (next - alpha[r]) * signs[r];
      alpha[r] = next;
      addRow(x, r, step, weights);
      weights[width] += step;
    }
    const converged = highest - lowest <= about.tolerance;
    if (converged || iteration === about.iterations) return { weights, iterations: iteration, converged };
  }
}

function squaredNorm({ numberWidth, numbers, starts }: DesignMatrix, r: number): number {
  let sum = starts[r + 1] - starts[r];
  for (let p = r * numberWidth; p < (r + 1) * numberWidth; p++) sum += numbers[p] ** 2;
  return sum;
}

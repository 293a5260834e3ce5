import { byColumns, descend, type Columns, type Penalties } from "./coordinate-descent.js";
import { rowTimes, type DesignMatrix } from "./design.js";

/** A loss of one row as a function of its linear predictor, with slope and curvature. */
export interface RowLoss {
  value(row: number, eta: number): number;
  slope(row: number, eta: number): number;
  /** Above 0. */
  curvature(row: number, eta: number): number;
}

/** Half the unit deviance of families with a log link (McCullagh & Nelder 1989, section 2.3). */
export const logLink = {
  poisson: (y: Float64Array): RowLoss => ({
    value: (r, eta) => Math.exp(eta) - y[r] * eta,
    slope: (r, eta) => Math.exp(eta) - y[r],
    curvature: (_, eta) => Math.exp(eta),
  }),
  gamma: (y: Float64Array): RowLoss => ({
    value: (r, eta) => eta + y[r] * Math.exp(-eta),
    slope: (r, eta) => 1 - y[r] * Math.exp(-eta),
    curvature: (r, eta) => y[r] * Math.exp(-eta),
  }),
};

/** Half the squared error. */
export const squaredLoss = (y: Float64Array): RowLoss => ({
  value: (r, eta) => (y[r] - eta) ** 2 / 2,
  slope: (r, eta) => eta - y[r],
  curvature: () => 1,
});

/** Loss of a row with class 1 or 0 under a logistic model. */
export const logisticLoss = (hits: ArrayLike<number>): RowLoss => ({
  value: (r, eta) =>
    (eta > 0 ? eta + Math.log1p(Math.exp(-eta)) : Math.log1p(Math.exp(eta))) - (hits[r] ? eta : 0),
  slope: (r, eta) => 1 / (1 + Math.exp(-eta)) - (hits[r] ? 1 : 0),
  curvature: (_, eta) => {
    const p = 1 / (1 + Math.exp(-eta));
    return Math.max(1e-9, p * (1 - p));
  },
});

export interface GlmFit {
  /** width + 1, the intercept last. */
  weights: Float64Array;
  /** Loss and penalties together. */
  value: number;
  iterations: number;
  converged: boolean;
}

/**
 * Minimises Σ_r weight_r loss_r(X_r b) + l2 / 2 |b|² + l1 |b|₁ by proximal Newton steps, each solved by
 * coordinate descent, halved until the sum falls.
 *
 * Lee, Sun & Saunders (2014), Proximal Newton-type methods, SIAM J. Optim. 24(3), algorithm 1.
 *
 * @param start width + 1; not changed
 */
export async function fitGlm(
  x: DesignMatrix,
  loss: RowLoss,
  rowWeights: Float64Array | undefined,
  penalties: Penalties,
  start: Float64Array,
  about: {
    iterations: number;
    tolerance: number;
    columns?: Columns;
    tick?: (iteration: number) => Promise<void>;
  },
): Promise<GlmFit> {
  const columns = about.columns ?? byColumns(x);
  const { rows, width } = x;
  const weightOf = (r: number): number => (rowWeights ? rowWeights[r] : 1);
  const predictors = (weights: Float64Array): Float64Array =>
    Float64Array.from({ length: rows }, (_, r) => rowTimes(x, r, weights) + weights[width]);
  const penalty = (weights: Float64Array): number => {
    let sum = 0;
    for (let c = 0; c < width; c++)
      sum += (penalties.l2 / 2) * weights[c] ** 2 + penalties.l1 * Math.abs(weights[c]);
    return sum;
  };
  const total = (etas: Float64Array, weights: Float64Array): number => {
    let sum = penalty(weights);
    for (let r = 0; r < rows; r++) sum += weightOf(r) * loss.value(r, etas[r]);
    return sum;
  };
  let weights = start.slice();
  let etas = predictors(weights);
  let value = total(etas, weights);
  const curvature = new Float64Array(rows);
  for (let iteration = 1; ; iteration++) {
    await about.tick?.(iteration);
    const residuals = new Float64Array(rows);
    for (let r = 0; r < rows; r++) {
      const bend = loss.curvature(r, etas[r]);
      curvature[r] = weightOf(r) * bend;
      residuals[r] = -loss.slope(r, etas[r]) / bend;
    }
    const next = weights.slice();
    descend(
      columns,
      curvature,
      residuals,
      next,
      penalties,
      about.tolerance * Math.max(1, Math.abs(value)) * 1e-3,
    );
    let found = next;
    let there = predictors(found);
    let now = total(there, found);
    for (let length = 0.5; !(now <= value) && length > 1e-9; length /= 2) {
      found = next.map((own, c) => weights[c] + length * (own - weights[c]));
      there = predictors(found);
      now = total(there, found);
    }
    const gain = value - now;
    if (!(gain >= 0)) return { weights, value, iterations: iteration, converged: true };
    [weights, etas, value] = [found, there, now];
    const converged = gain <= about.tolerance * Math.max(1, Math.abs(value));
    if (converged || iteration === about.iterations)
      return { weights, value, iterations: iteration, converged };
  }
}

/** The least L1 penalty under which every weight but the intercept is 0. */
export function largestL1(
  x: DesignMatrix,
  loss: RowLoss,
  rowWeights: Float64Array | undefined,
  intercept: number,
): number {
  const sums = new Float64Array(x.width);
  for (let r = 0; r < x.rows; r++) {
    const slope = (rowWeights ? rowWeights[r] : 1) * loss.slope(r, intercept);
    for (let c = 0; c < x.numberWidth; c++) sums[c] += slope * x.numbers[r * x.numberWidth + c];
    for (let p = x.starts[r]; p < x.starts[r + 1]; p++) sums[x.ones[p]] += slope;
  }
  return sums.reduce((most, sum) => Math.max(most, Math.abs(sum)), 0);
}

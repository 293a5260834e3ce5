import { choleskyFactor, choleskySolve } from "../kernels/cholesky.js";
import { isotonic } from "../kernels/isotonic.js";

export const calibrationKinds = ["platt", "isotonic", "beta"] as const;
export type CalibrationKind = (typeof calibrationKinds)[number];

/** How a score becomes a probability. */
export type Calibrator =
  /** 1 / (1 + exp(-(a · logit(s) + b))). */
  | { kind: "platt"; a: number; b: number }
  /** 1 / (1 + exp(-(a · ln s - b · ln(1 - s) + c))). */
  | { kind: "beta"; a: number; b: number; c: number }
  /** Linear between points, flat beyond: scores ascending, probabilities not falling. */
  | { kind: "isotonic"; scores: number[]; probabilities: number[] };

/** Scores are kept this far from 0 and 1 before their logarithms are taken. */
const margin = 1e-12;

/**
 * Fits a calibrator on scores of rows that the model did not learn from.
 *
 * - platt: Platt (1999), with his targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), on the log-odds of the score
 * - isotonic: Zadrozny & Elkan (2002), by pool adjacent violators
 * - beta: Kull, Silva Filho & Flach (2017), with a, b >= 0
 *
 * @param scores 0 to 1
 * @param hits   1 for rows of the class, 0 for others
 */
export async function fitCalibrator(
  kind: CalibrationKind,
  scores: Float64Array,
  hits: Uint8Array,
  weights?: Float64Array,
): Promise<Calibrator> {
  if (kind === "isotonic") {
    const { x, y } = isotonic(scores, Float64Array.from(hits), weights);
    return { kind, scores: [...x], probabilities: [...y] };
  }
  const near = scores.map(inside);
  if (kind === "platt") return { kind, ...(await fitSigmoid(near.map(logit), hits, weights)) };
  const targets = Float64Array.from(hits);
  const logs = [near.map(Math.log), near.map((s) => -Math.log1p(-s))];
  const [a, b, c] = await logisticFit(logs, targets, weights);
  if (a >= 0 && b >= 0) return { kind, a, b, c };
  // A negative slope would turn the order of scores round: the paper leaves that term out.
  const [slope, offset] = await logisticFit([logs[a < 0 ? 1 : 0]], targets, weights);
  if (slope >= 0) return a < 0 ? { kind, a: 0, b: slope, c: offset } : { kind, a: slope, b: 0, c: offset };
  return { kind, a: 0, b: 0, c: (await logisticFit([], targets, weights))[0] };
}

/** 1 / (1 + exp(-(a v + b))). */
export interface Sigmoid {
  a: number;
  b: number;
}

/** Platt's sigmoid of any values, with his targets. */
export async function fitSigmoid(
  values: Float64Array,
  hits: Uint8Array,
  weights?: Float64Array,
): Promise<Sigmoid> {
  const { yes, no } = plattTargets(hits, weights);
  const [a, b] = await logisticFit(
    [values],
    Float64Array.from(hits, (hit) => (hit ? yes : no)),
    weights,
  );
  return { a, b };
}

/** The probability that a calibrator gives for a score. */
export function calibrated(calibrator: Calibrator, score: number): number {
  if (calibrator.kind === "isotonic") return interpolated(calibrator, score);
  const s = inside(score);
  const z =
    calibrator.kind === "platt"
      ? calibrator.a * logit(s) + calibrator.b
      : calibrator.a * Math.log(s) - calibrator.b * Math.log1p(-s) + calibrator.c;
  return 1 / (1 + Math.exp(-z));
}

const inside = (score: number): number => Math.min(1 - margin, Math.max(margin, score));
const logit = (s: number): number => Math.log(s) - Math.log1p(-s);

function interpolated(
  { scores, probabilities }: Extract<Calibrator, { kind: "isotonic" }>,
  score: number,
): number {
  let low = 0;
  let high = scores.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scores[middle] <= score) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return probabilities[0];
  if (low === scores.length) return probabilities[low - 1];
  const share = (score - scores[low - 1]) / (scores[low] - scores[low - 1]);
  return probabilities[low - 1] + share * (probabilities[low] - probabilities[low - 1]);
}

function plattTargets(hits: Uint8Array, weights?: Float64Array): { yes: number; no: number } {
  let positives = 0;
  let negatives = 0;
  hits.forEach((hit, r) => {
    const weight = weights ? weights[r] : 1;
    if (hit) positives += weight;
    else negatives += weight;
  });
  return { yes: (positives + 1) / (positives + 2), no: 1 / (negatives + 2) };
}

/**
 * Slopes and intercept of a logistic regression of few columns, by Newton's method with halved steps
 * (Lin, Lin & Weng 2007, A note on Platt's probabilistic outputs). A penalty of 1e-9 on the slopes keeps
 * separable scores finite.
 */
async function logisticFit(
  columns: readonly Float64Array[],
  targets: Float64Array,
  weights?: Float64Array,
): Promise<number[]> {
  const n = columns.length + 1;
  const penalty = 1e-9;
  let solution = new Float64Array(n);
  const value = (at: Float64Array, r: number): number =>
    columns.reduce((sum, column, c) => sum + at[c] * column[r], at[n - 1]);
  const loss = (at: Float64Array): number => {
    let sum = 0;
    for (let r = 0; r < targets.length; r++) {
      const z = value(at, r);
      const soft = z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));
      sum += (weights ? weights[r] : 1) * (soft - targets[r] * z);
    }
    for (let c = 0; c + 1 < n; c++) sum += (penalty / 2) * at[c] * at[c];
    return sum;
  };
  let now = loss(solution);
  for (let round = 0; round < 100; round++) {
    const gradient = new Float64Array(n);
    const hessian = new Float64Array(n * n);
    for (let r = 0; r < targets.length; r++) {
      const p = 1 / (1 + Math.exp(-value(solution, r)));
      const weight = weights ? weights[r] : 1;
      for (let i = 0; i < n; i++) {
        const xi = i + 1 < n ? columns[i][r] : 1;
        gradient[i] += weight * (targets[r] - p) * xi;
        for (let j = 0; j <= i; j++)
          hessian[i * n + j] += weight * p * (1 - p) * xi * (j + 1 < n ? columns[j][r] : 1);
      }
    }
    for (let i = 0; i < n; i++) {
      hessian[i * n + i] += 1e-12;
      if (i + 1 < n) {
        gradient[i] -= penalty * solution[i];
        hessian[i * n + i] += penalty;
      }
    }
    if ((await choleskyFactor(hessian, n)) >= 0) break;
    choleskySolve(hessian, n, gradient);
    let length = 1;
    let next = solution.map((own, i) => own + gradient[i]);
    let there = loss(next);
    while (!(there <= now) && length > 1e-10) {
      length /= 2;
      next = solution.map((own, i) => own + length * gradient[i]);
      there = loss(next);
    }
    const gain = now - there;
    if (!(gain >= 0)) break;
    [solution, now] = [next, there];
    if (gain < 1e-14 * Math.abs(now)) break;
  }
  return [...solution];
}

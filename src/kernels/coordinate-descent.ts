import type { DesignMatrix } from "./design.js";

/** A design matrix by columns, with a last column of ones for the intercept. */
export interface Columns {
  rows: number;
  /** Columns without the intercept. */
  width: number;
  /** Dense columns first. */
  dense: Float64Array[];
  /** Rows of the ones of every other column. */
  sparse: Int32Array[];
}

/** The same matrix by columns. */
export function byColumns({ rows, width, numberWidth, numbers, starts, ones }: DesignMatrix): Columns {
  const dense = Array.from({ length: numberWidth }, (_, c) =>
    Float64Array.from({ length: rows }, (_, r) => numbers[r * numberWidth + c]),
  );
  const counts = new Int32Array(width);
  for (let p = 0; p < starts[rows]; p++) counts[ones[p]]++;
  const sparse = Array.from(
    { length: width - numberWidth },
    (_, i) => new Int32Array(counts[numberWidth + i]),
  );
  const filled = new Int32Array(width);
  for (let r = 0; r < rows; r++)
    for (let p = starts[r]; p < starts[r + 1]; p++) sparse[ones[p] - numberWidth][filled[ones[p]]++] = r;
  return { rows, width, dense, sparse };
}

export interface Penalties {
  /** Of the squares, halved. */
  l2: number;
  /** Of the absolute values. */
  l1: number;
}

/**
 * Minimises Σ_r h_r / 2 · (t_r - X_r b)² + l2 / 2 |b|² + l1 |b|₁ over b, one entry after the other; the
 * intercept bears no penalty.
 *
 * Friedman, Hastie & Tibshirani (2010), Regularization Paths for Generalized Linear Models via Coordinate
 * Descent, Journal of Statistical Software 33(1), eq. 10, with active sets.
 *
 * @param curvature h, one per row, 0 or more
 * @param residuals t - X b for the `weights` given; kept up to date
 * @param weights   width + 1, the intercept last; where to begin, and the result
 * @param tolerance stop when no step lowers the loss by more than this
 */
export function descend(
  x: Columns,
  curvature: Float64Array,
  residuals: Float64Array,
  weights: Float64Array,
  { l2, l1 }: Penalties,
  tolerance: number,
): void {
  const { rows, width } = x;
  const squares = new Float64Array(width + 1);
  for (let c = 0; c <= width; c++) squares[c] = curvatureOf(x, curvature, c);
  const active = new Uint8Array(width + 1).fill(1);
  for (let round = 0, whole = true; round < 10_000; round++) {
    let most = 0;
    for (let c = 0; c <= width; c++) {
      if (squares[c] === 0 || (!whole && !active[c])) continue;
      const before = weights[c];
      const slope = slopeOf(x, curvature, residuals, c) + squares[c] * before;
      const penalised = c < width;
      const shrunk = penalised ? Math.sign(slope) * Math.max(0, Math.abs(slope) - l1) : slope;
      const now = shrunk / (squares[c] + (penalised ? l2 : 0));
      active[c] = now === 0 ? 0 : 1;
      if (now === before) continue;
      weights[c] = now;
      shift(x, residuals, c, before - now, rows);
      most = Math.max(most, squares[c] * (now - before) ** 2);
    }
    if (most <= tolerance) {
      if (whole) return;
      whole = true;
    } else whole = false;
  }
}

function curvatureOf({ dense, sparse, width }: Columns, curvature: Float64Array, c: number): number {
  let sum = 0;
  if (c === width) for (const h of curvature) sum += h;
  else if (c < dense.length)
    for (let r = 0; r < curvature.length; r++) sum += curvature[r] * dense[c][r] ** 2;
  else for (const r of sparse[c - dense.length]) sum += curvature[r];
  return sum;
}

function slopeOf(
  { dense, sparse, width }: Columns,
  curvature: Float64Array,
  residuals: Float64Array,
  c: number,
): number {
  let sum = 0;
  if (c === width) for (let r = 0; r < residuals.length; r++) sum += curvature[r] * residuals[r];
  else if (c < dense.length) {
    const column = dense[c];
    for (let r = 0; r < residuals.length; r++) sum += curvature[r] * residuals[r] * column[r];
  } else for (const r of sparse[c - dense.length]) sum += curvature[r] * residuals[r];
  return sum;
}

/** Adds `change` times a column to the residuals. */
function shift(
  { dense, sparse, width }: Columns,
  residuals: Float64Array,
  c: number,
  change: number,
  rows: number,
): void {
  if (c === width) for (let r = 0; r < rows; r++) residuals[r] += change;
  else if (c < dense.length) {
    const column = dense[c];
    for (let r = 0; r < rows; r++) residuals[r] += change * column[r];
  } else for (const r of sparse[c - dense.length]) residuals[r] += change;
}

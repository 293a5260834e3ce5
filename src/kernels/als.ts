import type { SharedKernel } from "../engine/pool.js";
import type { Csr } from "./csr.js";

/**
 * One half-step of alternating least squares for implicit feedback: new factors of every row, given those
 * of the columns. Row u minimises Σ_i c_ui (p_ui - x_u·y_i)² + penalty_u |x_u|², with p_ui = 1 and
 * c_ui = 1 + w_ui where the matrix has an entry of weight w_ui, and p_ui = 0, c_ui = 1 elsewhere:
 *
 *     (YᵀY + Σ w_ui y_i y_iᵀ + penalty_u I) x_u = Σ (1 + w_ui) y_i
 *
 * Hu, Koren & Volinsky (2008), eq. 4; by conjugate gradient from the last x_u, Takács, Pilászy & Tikk (2011).
 * Rows without an entry get zeros. Factors are f32, `width` to a row.
 */
export interface HalfStep {
  matrix: Csr;
  /** Penalty of every row. */
  penalties: Float32Array;
  width: number;
  /** Steps of conjugate gradient; 0 solves exactly by Cholesky. */
  steps: number;
}

/** Parts that the products of all rows are added up in: fixed, so that threads change no bit. */
const parts = 64;

/** The two half-steps of a matrix, ready to run; arrays are those of the factors. */
export interface AlsSolver {
  /** Number of floats to a row: the factors and zeros up to a multiple of four. */
  width: number;
  users: Float32Array;
  items: Float32Array;
  solveUsers(): void;
  solveItems(): void;
  close(): void;
}

export interface AlsProblem {
  byUser: Csr;
  byItem: Csr;
  userPenalties: Float32Array;
  itemPenalties: Float32Array;
  factors: number;
  steps: number;
}

/** Width of a row of factors in memory. */
export const paddedWidth = (factors: number): number => Math.ceil(factors / 4) * 4;

/** The solver on shared memory; `kernel` is that of `als.as.ts`. */
export function sharedAls(kernel: SharedKernel, problem: AlsProblem): AlsSolver {
  const { byUser, byItem, steps } = problem;
  const width = paddedWidth(problem.factors);
  const i32 = (values: Int32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const f32 = (values: Float32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.f32(at, values.length).set(values);
    return at;
  };
  const side = (matrix: Csr, penalties: Float32Array) => ({
    rows: matrix.rows,
    starts: i32(matrix.starts),
    columns: i32(matrix.columns),
    weights: f32(weightsOf(matrix)),
    penalties: f32(penalties),
    factors: kernel.alloc(4 * width * matrix.rows),
  });
  const users = side(byUser, problem.userPenalties);
  const items = side(byItem, problem.itemPenalties);
  const gram = kernel.alloc(4 * width * width);
  const partial = kernel.alloc(4 * width * width * parts);
  const counter = kernel.alloc(64);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.scratchBytes(width));
  const solve = (x: typeof users, y: typeof users): void => {
    kernel.each("gramParts", y.factors, y.rows, width, parts, partial);
    kernel.exports.sumGram(partial, parts, width, gram);
    kernel.i32(counter, 1)[0] = 0;
    kernel.each(
      "solveRows",
      x.starts,
      x.columns,
      x.weights,
      x.rows,
      y.factors,
      x.factors,
      gram,
      x.penalties,
      width,
      steps,
      counter,
      scratch,
    );
  };
  return {
    width,
    users: kernel.f32(users.factors, width * users.rows),
    items: kernel.f32(items.factors, width * items.rows),
    solveUsers: () => solve(users, items),
    solveItems: () => solve(items, users),
    close: () => kernel.close(),
  };
}

/** The same in plain arrays. */
export function plainAls(problem: AlsProblem): AlsSolver {
  const { byUser, byItem, steps } = problem;
  const width = paddedWidth(problem.factors);
  const users = new Float32Array(width * byUser.rows);
  const items = new Float32Array(width * byItem.rows);
  const solve = (matrix: Csr, penalties: Float32Array, x: Float32Array, y: Float32Array): void => {
    const gram = gramOf(y, width);
    const weights = weightsOf(matrix);
    for (let row = 0; row < matrix.rows; row++) {
      const from = matrix.starts[row];
      const to = matrix.starts[row + 1];
      const into = x.subarray(row * width, (row + 1) * width);
      if (from === to) {
        into.fill(0);
        continue;
      }
      const columns = matrix.columns.subarray(from, to);
      const own = weights.subarray(from, to);
      if (steps > 0) conjugateGradient(gram, penalties[row], y, columns, own, steps, into);
      else into.set(exactFactors(gram, penalties[row], y, columns, own));
    }
  };
  return {
    width,
    users,
    items,
    solveUsers: () => solve(byUser, problem.userPenalties, users, items),
    solveItems: () => solve(byItem, problem.itemPenalties, items, users),
    close: () => undefined,
  };
}

function weightsOf({ columns, values }: Csr): Float32Array {
  return values ?? new Float32Array(columns.length).fill(1);
}

/** YᵀY of rows of factors, width x width. */
export function gramOf(y: Float32Array, width: number): Float64Array {
  const gram = new Float64Array(width * width);
  for (let at = 0; at < y.length; at += width)
    for (let a = 0; a < width; a++)
      for (let b = 0; b < width; b++) gram[a * width + b] += y[at + a] * y[at + b];
  return gram;
}

function conjugateGradient(
  gram: Float64Array,
  penalty: number,
  y: Float32Array,
  columns: Int32Array,
  weights: Float32Array,
  steps: number,
  x: Float32Array,
): void {
  const width = x.length;
  /** (YᵀY + Σ w y yᵀ + penalty I) v */
  const times = (v: ArrayLike<number>): Float64Array => {
    const product = Float64Array.from({ length: width }, (_, a) => {
      let sum = penalty * v[a];
      for (let b = 0; b < width; b++) sum += gram[a * width + b] * v[b];
      return sum;
    });
    columns.forEach((column, i) => {
      const scale = weights[i] * dotAt(y, column * width, v, width);
      for (let a = 0; a < width; a++) product[a] += scale * y[column * width + a];
    });
    return product;
  };
  const r = times(x).map((value) => -value);
  columns.forEach((column, i) => {
    for (let a = 0; a < width; a++) r[a] += (1 + weights[i]) * y[column * width + a];
  });
  const p = r.slice();
  let before = dotAt(r, 0, r, width);
  for (let step = 0; step < steps && before > 1e-20; step++) {
    const ap = times(p);
    const along = before / dotAt(p, 0, ap, width);
    for (let a = 0; a < width; a++) {
      x[a] += along * p[a];
      r[a] -= along * ap[a];
    }
    const now = dotAt(r, 0, r, width);
    for (let a = 0; a < width; a++) p[a] = r[a] + (now / before) * p[a];
    before = now;
  }
}

/** The exact solution for one row. */
export function exactFactors(
  gram: Float64Array,
  penalty: number,
  y: Float32Array,
  columns: Int32Array,
  weights: Float32Array,
): Float64Array {
  const width = Math.round(Math.sqrt(gram.length));
  const a = gram.slice();
  const b = new Float64Array(width);
  for (let i = 0; i < width; i++) a[i * width + i] += penalty;
  columns.forEach((column, n) => {
    const at = column * width;
    for (let i = 0; i < width; i++) {
      b[i] += (1 + weights[n]) * y[at + i];
      for (let j = 0; j <= i; j++) a[i * width + j] += weights[n] * y[at + i] * y[at + j];
    }
  });
  for (let i = 0; i < width; i++) {
    const diagonal = a[i * width + i];
    for (let j = 0; j <= i; j++) {
      let left = a[i * width + j];
      for (let k = 0; k < j; k++) left -= a[i * width + k] * a[j * width + k];
      // A pivot that is nothing belongs to a factor that nobody has: it stays 0.
      a[i * width + j] = j < i ? left * a[j * width + j] : left > diagonal * 1e-6 ? 1 / Math.sqrt(left) : 0;
    }
  }
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) b[i] -= a[i * width + k] * b[k];
    b[i] *= a[i * width + i];
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) b[i] -= a[k * width + i] * b[k];
    b[i] *= a[i * width + i];
  }
  return b;
}

function dotAt(a: ArrayLike<number>, at: number, b: ArrayLike<number>, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += a[at + i] * b[i];
  return sum;
}

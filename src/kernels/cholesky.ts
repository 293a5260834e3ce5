import type { SharedKernel } from "../engine/pool.js";
import type { Csr } from "./csr.js";

/**
 * Symmetric positive definite matrices, dense, row-major, float64.
 *
 * All three steps of an inverse (factor, invert the factor, multiply) are written as products of rows
 * by rows, `C -= A Bᵀ`, so that one kernel with a 4 x 4 register tile does nearly all the work and both
 * operands are read along their rows. The order of every sum is fixed: equal input, equal bits.
 */

/** Rows and columns of a block: three blocks of 64 x 64 float64 stay in a second-level cache. */
const block = 64;
/** Terms of a sum taken at once: 4 rows of so many stay in the first-level cache. */
const depth = 256;

/** Called between blocks with the share of the work that is done (0 to 1); may wait, may throw. */
export type Tick = (done: number) => Promise<void>;

/**
 * Cholesky factor L of a = L Lᵀ, in place: the lower triangle of `a` becomes L, the upper is not touched.
 *
 * @param a        n x n, row-major; only its lower triangle is read
 * @param dependent for positive semi-definite matrices: a pivot of at most this share of its diagonal
 *                 marks a row that depends on earlier ones, which gets 0 in every solution of
 *                 `choleskySolve` (its pivot becomes infinite)
 * @returns the first row where the matrix is not positive definite, or -1
 */
export async function choleskyFactor(
  a: Float64Array,
  n: number,
  tick?: Tick,
  dependent?: number,
): Promise<number> {
  const least = new Float64Array(n);
  if (dependent !== undefined) for (let i = 0; i < n; i++) least[i] = dependent * a[i * n + i];
  for (let start = 0; start < n; start += block) {
    const width = Math.min(block, n - start);
    for (let row = start; row < n; row += block) {
      const height = Math.min(block, n - row);
      subtractProduct(a, row * n + start, n, a, row * n, n, a, start * n, n, height, width, start);
      if (row === start) {
        const bad = factorBlock(a, start, width, n, least, dependent !== undefined);
        if (bad >= 0) return bad;
      } else solveRight(a, row, height, a, start, width, n);
    }
    await tick?.((start + width) / n);
  }
  return -1;
}

/** The diagonal block at `start`, whose earlier columns are subtracted already. */
function factorBlock(
  a: Float64Array,
  start: number,
  width: number,
  n: number,
  least: Float64Array,
  mark: boolean,
): number {
  for (let j = 0; j < width; j++) {
    const rowJ = (start + j) * n + start;
    let pivot = a[rowJ + j];
    for (let k = 0; k < j; k++) pivot -= a[rowJ + k] * a[rowJ + k];
    if (!(pivot > least[start + j]) && !mark) return start + j;
    const root = pivot > least[start + j] ? Math.sqrt(pivot) : Infinity;
    a[rowJ + j] = root;
    for (let i = j + 1; i < width; i++) {
      const rowI = (start + i) * n + start;
      let sum = a[rowI + j];
      for (let k = 0; k < j; k++) sum -= a[rowI + k] * a[rowJ + k];
      a[rowI + j] = sum / root;
    }
  }
  return -1;
}

/** Solves X Lᵀ = X in place, for `height` rows of x at columns `start…` and the diagonal block of l there. */
function solveRight(
  x: Float64Array,
  row: number,
  height: number,
  l: Float64Array,
  start: number,
  width: number,
  n: number,
): void {
  for (let i = row; i < row + height; i++) {
    const at = i * n + start;
    for (let j = 0; j < width; j++) {
      const rowL = (start + j) * n + start;
      let sum = x[at + j];
      for (let k = 0; k < j; k++) sum -= x[at + k] * l[rowL + k];
      x[at + j] = sum / l[rowL + j];
    }
  }
}

/**
 * Inverse of the matrix whose Cholesky factor stands in the lower triangle of `l` (see `choleskyFactor`).
 * The whole inverse, symmetric, replaces `l`.
 *
 * With U = L⁻ᵀ (upper triangular, its rows are the columns of L⁻¹), the inverse is U Uᵀ.
 */
export async function choleskyInverse(l: Float64Array, n: number, tick?: Tick): Promise<void> {
  const u = await invertedTranspose(l, n, async (done) => tick?.(done / 2));
  l.fill(0);
  for (let i = 0; i < n; i += block) {
    const height = Math.min(block, n - i);
    for (let j = 0; j <= i; j += block) {
      const width = Math.min(block, n - j);
      // Rows of U begin at their diagonal: the sum starts at the later of the two blocks.
      subtractProduct(l, i * n + j, n, u, i * n + i, n, u, j * n + i, n, height, width, n - i);
    }
    await tick?.(0.5 + (0.5 * (i + height)) / n);
  }
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const value = 0 - l[i * n + j];
      l[i * n + j] = value;
      l[j * n + i] = value;
    }
}

/** U = L⁻ᵀ: row j of U is column j of L⁻¹, found block by block from U Lᵀ = I. */
async function invertedTranspose(l: Float64Array, n: number, tick: Tick): Promise<Float64Array> {
  const u = new Float64Array(n * n);
  for (let start = 0; start < n; start += block) {
    const width = Math.min(block, n - start);
    for (let j = 0; j < width; j++) u[(start + j) * n + start + j] = 1;
    for (let row = 0; row <= start; row += block) {
      const height = Math.min(block, n - row);
      subtractProduct(
        u,
        row * n + start,
        n,
        u,
        row * n + row,
        n,
        l,
        start * n + row,
        n,
        height,
        width,
        start - row,
      );
      solveRight(u, row, height, l, start, width, n);
    }
    await tick((start + width) / n);
  }
  return u;
}

/** A matrix of the products of the columns of X, on shared memory, and its inverse in its place. */
export interface SharedInverse {
  /** Rows are so many floats apart. */
  stride: number;
  /** (XᵀX + lambda I)⁻¹ negated, f32: the upper triangle and the diagonal of its first rows hold it. */
  negated: Float32Array;
  close(): void;
}

/** Bytes of shared memory that the inverse of an n x n matrix of products of X takes, X included. */
export const sharedInverseBytes = (n: number, entries: number, rows: number, threads: number): number =>
  4 * (n + 127) * (n + 127 + 2 * 128) + 16 * entries + 4 * (n + rows) + threads * 131_072 + 4096;

/**
 * (XᵀX + lambda I)⁻¹ in 32 bits; `kernel` is that of `cholesky.as.ts`. The steps are those of `choleskyFactor` and
 * `choleskyInverse`, with blocks divided by a factor through its inverse; L fills the lower triangle, U the upper, and
 * the product overwrites U.
 *
 * @param byRow    X, every entry with a value
 * @param byColumn the same matrix by columns
 * @returns undefined when the matrix is not positive definite in 32 bits
 */
export async function sharedInverse(
  kernel: SharedKernel,
  byRow: Csr,
  byColumn: Csr,
  lambda: number,
  tick?: Tick,
): Promise<SharedInverse | undefined> {
  const n = byColumn.rows;
  const size = kernel.exports.blockSize();
  const blocks = Math.ceil(n / size);
  const stride = blocks * size;
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
  const a = kernel.alloc(4 * stride * stride);
  const negated = kernel.f32(a, stride * stride);
  negated.fill(0);
  const packed = kernel.alloc(4 * stride * size);
  const inverses = kernel.alloc(4 * stride * size);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.scratchBytes());
  const counter = kernel.alloc(64);
  const shared = (fn: string, ...given: number[]): void => {
    kernel.i32(counter, 1)[0] = 0;
    kernel.each(fn, ...given);
  };
  const mark = kernel.mark();
  const sides = [byColumn, byRow].flatMap(({ starts, columns, values }) => [
    i32(starts),
    i32(columns),
    f32(values!),
  ]);
  shared("gramRows", ...sides, n, stride, 1, a, counter);
  kernel.release(mark);
  for (let i = 0; i < n; i++) negated[i * stride + i] += lambda;
  for (let i = n; i < stride; i++) negated[i * stride + i] = 1;
  const inverseOf = (s: number): number => inverses + 4 * size * size * s;
  for (let s = 0; s < blocks; s++) {
    kernel.each("packRows", a, stride, s, 0, s * size, packed);
    shared("updateColumn", a, stride, s, packed, counter, scratch);
    if (kernel.exports.factorBlock(a, stride, s, inverseOf(s), scratch) >= 0) {
      kernel.close();
      return undefined;
    }
    shared("solveColumn", a, stride, s, inverseOf(s), counter, scratch);
    await tick?.((s + 1) / blocks / 3);
  }
  for (let s = 0; s < blocks; s++) {
    kernel.each("packRows", a, stride, s, 0, s * size, packed);
    shared("invertColumn", a, stride, s, packed, inverseOf(s), counter, scratch);
    await tick?.((1 + (s + 1) / blocks) / 3);
  }
  for (let s = 0; s < blocks; s++) {
    kernel.each("packRows", a, stride, s, s * size, stride, packed);
    shared("multiplyColumn", a, stride, s, packed, counter, scratch);
    await tick?.((2 + (s + 1) / blocks) / 3);
  }
  return { stride, negated, close: () => kernel.close() };
}

/**
 * How far a shared inverse P is from (XᵀX + lambda I)⁻¹, as a share of the diagonal: for a few columns p of it, the
 * step P (e - (XᵀX + lambda I) p) of Newton's iteration, whose length is the error to first order. 64-bit sums.
 */
export function inverseError(x: Csr, lambda: number, { negated, stride }: SharedInverse): number {
  const n = x.cols;
  const probes = [...new Set([0, 1, 2, 3].map((part) => Math.floor((part * (n - 1)) / 3)))];
  const columnOf = (j: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => -negated[Math.min(i, j) * stride + Math.max(i, j)]);
  let worst = 0;
  for (const j of probes) {
    const p = columnOf(j);
    const left = p.map((value) => -lambda * value);
    left[j] += 1;
    subtractGramTimes(x, p, left);
    const step = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const row = i * stride;
      step[i] -= negated[row + i] * left[i];
      for (let k = i + 1; k < n; k++) {
        step[i] -= negated[row + k] * left[k];
        step[k] -= negated[row + k] * left[i];
      }
    }
    for (let i = 0; i < n; i++) worst = Math.max(worst, Math.abs(step[i] / negated[i * stride + i]));
  }
  return Number.isNaN(worst) ? Infinity : worst;
}

/** into -= XᵀX v */
function subtractGramTimes(x: Csr, v: Float64Array, into: Float64Array): void {
  for (let r = 0; r < x.rows; r++) {
    let sum = 0;
    for (let p = x.starts[r]; p < x.starts[r + 1]; p++) sum += (x.values ? x.values[p] : 1) * v[x.columns[p]];
    for (let p = x.starts[r]; p < x.starts[r + 1]; p++)
      into[x.columns[p]] -= (x.values ? x.values[p] : 1) * sum;
  }
}

/**
 * Solves a x = b given the Cholesky factor of a in the lower triangle of `l`; `b` becomes x.
 */
export function choleskySolve(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i];
    for (let k = 0; k < i; k++) sum -= l[i * n + k] * b[k];
    b[i] = sum / l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    b[i] /= l[i * n + i];
    for (let k = 0; k < i; k++) b[k] -= l[i * n + k] * b[i];
  }
}

/**
 * C -= A Bᵀ for blocks of row-major matrices: C is m x n at `c[cAt]` with rows `cStride` apart, A is
 * m x k, B is n x k.
 */
export function subtractProduct(
  c: Float64Array,
  cAt: number,
  cStride: number,
  a: Float64Array,
  aAt: number,
  aStride: number,
  b: Float64Array,
  bAt: number,
  bStride: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let from = 0; from < k; from += depth) {
    const terms = Math.min(depth, k - from);
    for (let i = 0; i < m; i += 4)
      for (let j = 0; j < n; j += 4) {
        const at = cAt + i * cStride + j;
        const rowA = aAt + i * aStride + from;
        const rowB = bAt + j * bStride + from;
        if (i + 4 <= m && j + 4 <= n) tile(c, at, cStride, a, rowA, aStride, b, rowB, bStride, terms);
        else
          edge(
            c,
            at,
            cStride,
            a,
            rowA,
            aStride,
            b,
            rowB,
            bStride,
            Math.min(4, m - i),
            Math.min(4, n - j),
            terms,
          );
      }
  }
}

function tile(
  c: Float64Array,
  at: number,
  cStride: number,
  a: Float64Array,
  a0: number,
  aStride: number,
  b: Float64Array,
  b0: number,
  bStride: number,
  terms: number,
): void {
  let a1 = a0 + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  let b1 = b0 + bStride;
  let b2 = b1 + bStride;
  let b3 = b2 + bStride;
  let s00 = 0,
    s01 = 0,
    s02 = 0,
    s03 = 0;
  let s10 = 0,
    s11 = 0,
    s12 = 0,
    s13 = 0;
  let s20 = 0,
    s21 = 0,
    s22 = 0,
    s23 = 0;
  let s30 = 0,
    s31 = 0,
    s32 = 0,
    s33 = 0;
  for (const end = a0 + terms; a0 < end; a0++, a1++, a2++, a3++, b0++, b1++, b2++, b3++) {
    const y0 = b[b0];
    const y1 = b[b1];
    const y2 = b[b2];
    const y3 = b[b3];
    const x0 = a[a0];
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    const x1 = a[a1];
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
    const x2 = a[a2];
    s20 += x2 * y0;
    s21 += x2 * y1;
    s22 += x2 * y2;
    s23 += x2 * y3;
    const x3 = a[a3];
    s30 += x3 * y0;
    s31 += x3 * y1;
    s32 += x3 * y2;
    s33 += x3 * y3;
  }
  const c1 = at + cStride;
  const c2 = c1 + cStride;
  const c3 = c2 + cStride;
  c[at] -= s00;
  c[at + 1] -= s01;
  c[at + 2] -= s02;
  c[at + 3] -= s03;
  c[c1] -= s10;
  c[c1 + 1] -= s11;
  c[c1 + 2] -= s12;
  c[c1 + 3] -= s13;
  c[c2] -= s20;
  c[c2 + 1] -= s21;
  c[c2 + 2] -= s22;
  c[c2 + 3] -= s23;
  c[c3] -= s30;
  c[c3 + 1] -= s31;
  c[c3 + 2] -= s32;
  c[c3 + 3] -= s33;
}

function edge(
  c: Float64Array,
  at: number,
  cStride: number,
  a: Float64Array,
  aAt: number,
  aStride: number,
  b: Float64Array,
  bAt: number,
  bStride: number,
  m: number,
  n: number,
  terms: number,
): void {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < terms; p++) sum += a[aAt + i * aStride + p] * b[bAt + j * bStride + p];
      c[at + i * cStride + j] -= sum;
    }
}

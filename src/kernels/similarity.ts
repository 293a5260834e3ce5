import type { SharedKernel } from "../engine/pool.js";
import { transposed, type Csr } from "./csr.js";
import { topK } from "./top-k.js";

/**
 * How alike two rows x and y of a sparse matrix are, from their product `x·y`:
 *
 * - `ratio`: x·y / (left(x) right(y) + shrink): cosine, asymmetric cosine, transition probabilities
 * - `share`: x·y / (left(x) + right(y) + shared x·y + shrink): Jaccard, Dice, Tversky
 */
export interface Likeness {
  form: "ratio" | "share";
  left: Float32Array;
  right: Float32Array;
  /** Of form `share`: how often the product itself counts. */
  shared: number;
  /** Added to the denominator, 0 or more. */
  shrink: number;
}

/**
 * The k nearest other rows of every row of `a`: row r of the result holds them, columns ascending, with
 * their similarity. Rows that share nothing are no neighbours; of equal similarity the first is nearer.
 *
 * @param a rows x columns, no entry 0
 * @param b columns x rows: `a` by columns; with values of its own where the product is not symmetric
 */
export interface NearestProblem {
  a: Csr;
  b: Csr;
  likeness: Likeness;
  k: number;
}

/** On shared memory; `kernel` is that of `similarity.as.ts`. */
export function sharedNearest(kernel: SharedKernel, { a, b, likeness, k: most }: NearestProblem): Csr {
  const k = Math.min(most, Math.max(1, a.rows - 1));
  const i32 = (values: Int32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const floats = (values: Float32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.f32(at, values.length).set(values);
    return at;
  };
  const weighted = a.values !== undefined || b.values !== undefined;
  const valuesOf = ({ values, columns }: Csr): number =>
    weighted ? floats(values ?? new Float32Array(columns.length).fill(1)) : 0;
  const given = [i32(a.starts), i32(a.columns), valuesOf(a), i32(b.starts), i32(b.columns), valuesOf(b)];
  const left = floats(likeness.left);
  const right = floats(likeness.right);
  const nearest = kernel.alloc(4 * k * a.rows);
  const similarity = kernel.alloc(4 * k * a.rows);
  const counts = kernel.alloc(4 * a.rows);
  const counter = kernel.alloc(64);
  kernel.i32(counter, 1)[0] = 0;
  const scratch = kernel.alloc(kernel.threads * kernel.exports.scratchBytes(a.rows) + 4);
  kernel.each(
    "nearestRows",
    ...given,
    a.rows,
    left,
    right,
    likeness.form === "ratio" ? 0 : 1,
    likeness.shared,
    likeness.shrink,
    k,
    nearest,
    similarity,
    counts,
    counter,
    scratch,
  );
  const found = packed(
    kernel.i32(counts, a.rows),
    kernel.i32(nearest, k * a.rows),
    kernel.f32(similarity, k * a.rows),
    k,
  );
  kernel.close();
  return found;
}

/** The kept of every row, `k` places to a row, columns ascending: two transpositions sort them. */
export function packed(counts: Int32Array, nearest: Int32Array, similarity: Float32Array, k: number): Csr {
  const rows = counts.length;
  const starts = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) starts[row + 1] = starts[row] + counts[row];
  const columns = new Int32Array(starts[rows]);
  const values = new Float32Array(starts[rows]);
  for (let row = 0; row < rows; row++) {
    columns.set(nearest.subarray(row * k, row * k + counts[row]), starts[row]);
    values.set(similarity.subarray(row * k, row * k + counts[row]), starts[row]);
  }
  return transposed(transposed({ rows, cols: rows, starts, columns, values }));
}

/** Rounded to 32 bits, as every step of the kernel is. */
const f32 = Math.fround;

/** The same in plain arrays. */
export function plainNearest({ a, b, likeness, k: most }: NearestProblem): Csr {
  const k = Math.min(most, Math.max(1, a.rows - 1));
  const { form, left, right, shared, shrink } = likeness;
  const sums = new Float32Array(a.rows);
  const touched = new Int32Array(a.rows);
  const scores = new Float64Array(a.rows);
  const best = new Int32Array(k);
  const counts = new Int32Array(a.rows);
  const nearest = new Int32Array(k * a.rows);
  const similarity = new Float32Array(k * a.rows);
  for (let row = 0; row < a.rows; row++) {
    let count = 0;
    for (let p = a.starts[row]; p < a.starts[row + 1]; p++) {
      const column = a.columns[p];
      const value = a.values ? a.values[p] : 1;
      for (let q = b.starts[column]; q < b.starts[column + 1]; q++) {
        const other = b.columns[q];
        if (sums[other] === 0) touched[count++] = other;
        sums[other] += f32(value * (b.values ? b.values[q] : 1));
      }
    }
    const others = touched.subarray(0, count);
    for (let i = 0; i < count; i++) {
      const other = others[i];
      const below =
        form === "ratio"
          ? f32(f32(left[row] * right[other]) + f32(shrink))
          : f32(f32(f32(left[row] + right[other]) + f32(f32(shared) * sums[other])) + f32(shrink));
      scores[i] = other === row ? -Infinity : f32(sums[other] / below);
      sums[other] = 0;
    }
    counts[row] = topK(scores.subarray(0, count), others, best);
    for (let i = 0; i < counts[row]; i++) {
      nearest[row * k + i] = others[best[i]];
      similarity[row * k + i] = scores[best[i]];
    }
  }
  return packed(counts, nearest, similarity, k);
}

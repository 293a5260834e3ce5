import { power } from "../core/power.js";
import type { Run } from "../engine/run.js";
import { transposed, withoutZeros, type Csr } from "../kernels/csr.js";
import { plainNearest, sharedNearest, type Likeness } from "../kernels/similarity.js";
import { topK } from "../kernels/top-k.js";
import { choice, int, real } from "./learner.js";
import type { ParamsOf } from "./params.js";

/** Parameters of what is near to what, for items and for users. */
export const nearnessParams = {
  similarity: choice({
    default: "cosine",
    choices: ["cosine", "jaccard", "dice", "asymmetric", "tversky"],
    help: "what makes two alike: the cosine of their vectors, or the share that they have in common",
    search: ["cosine", "jaccard", "dice", "asymmetric", "tversky"],
  }),
  weighting: choice({
    default: "none",
    choices: ["none", "tf-idf", "bm25"],
    help: "what frequent ones count less by, before similarities are taken",
    search: ["none", "tf-idf", "bm25"],
  }),
  k: int({ default: 200, min: 1, help: "nearest that are kept", search: [5, 1000], log: true }),
  shrink: real({
    default: 10,
    min: 0,
    help: "added to the denominator: larger trusts pairs with little in common less",
    search: [0, 1000],
  }),
  alpha: real({
    default: 0.5,
    min: 0,
    max: 2,
    help: "asymmetric: exponent of the own length; tversky: weight of what only the one has",
    search: [0, 2],
  }),
  beta: real({
    default: 0.5,
    min: 0,
    max: 2,
    help: "tversky: weight of what only the other has",
    search: [0, 2],
  }),
} as const;
type Nearness = ParamsOf<typeof nearnessParams>;

/** The k nearest rows of every row of a matrix: row r holds them, columns ascending, with their similarity. */
export async function nearestRows(matrix: Csr, nearness: Nearness, run: Run): Promise<Csr> {
  const a = withoutZeros(weighted(matrix, nearness.weighting));
  const problem = { a, b: transposed(a), likeness: likenessOf(a, nearness), k: nearness.k };
  const kernel = await run.pool.kernel("similarity", 16 * a.columns.length + 8 * nearness.k * a.rows);
  return kernel ? sharedNearest(kernel, problem) : plainNearest(problem);
}

/** The k nearest rows of a row that is not in the matrix, by the same measure; nearest first. */
export function nearestOfOthers(
  matrix: Csr,
  nearness: Nearness,
): (columns: Int32Array, values?: Float32Array) => { row: number; similarity: number }[] {
  const weigh = weigher(matrix, nearness.weighting);
  const a = withoutZeros(weighted(matrix, nearness.weighting));
  const byColumn = transposed(a);
  const { form, shared, shrink, left, right } = measureOf(nearness);
  const lengths = squaredLengths(a).map(right);
  const products = new Float64Array(matrix.rows);
  const ties = Int32Array.from({ length: matrix.rows }, (_, row) => row);
  return (columns, values) => {
    const own = weigh(columns, values);
    const length = left(own.reduce((sum, value) => sum + value * value, 0));
    products.fill(0);
    columns.forEach((column, i) => {
      for (let p = byColumn.starts[column]; p < byColumn.starts[column + 1]; p++)
        products[byColumn.columns[p]] += own[i] * (byColumn.values ? byColumn.values[p] : 1);
    });
    const similarity = products.map((product, row) => {
      const below =
        form === "ratio" ? length * lengths[row] + shrink : length + lengths[row] + shared * product + shrink;
      return product === 0 ? -Infinity : product / below;
    });
    const best = new Int32Array(Math.min(nearness.k, matrix.rows));
    return Array.from(best.subarray(0, topK(similarity, ties, best)), (row) => ({
      row,
      similarity: similarity[row],
    }));
  };
}

/**
 * From squared lengths, with the letters of `Likeness`:
 *
 * - cosine: x·y / (|x| |y| + shrink); asymmetric, Aiolli (2013): x·y / (|x|^2alpha |y|^2(1-alpha) + shrink)
 * - tversky: x·y / (x·y + alpha (|x|² - x·y) + beta (|y|² - x·y) + shrink), Tversky (1977); jaccard is that with
 *   alpha = beta = 1, dice with 1/2
 */
function measureOf({ similarity, alpha, beta, shrink }: Nearness) {
  if (similarity === "cosine" || similarity === "asymmetric") {
    const own = similarity === "cosine" ? 0.5 : alpha;
    return {
      form: "ratio" as const,
      left: (square: number) => power(square, own),
      right: (square: number) => power(square, 1 - own),
      shared: 0,
      shrink,
    };
  }
  const [a, b] = { jaccard: [1, 1], dice: [0.5, 0.5], tversky: [alpha, beta] }[similarity];
  return {
    form: "share" as const,
    left: (square: number) => a * square,
    right: (square: number) => b * square,
    shared: 1 - a - b,
    shrink,
  };
}

function likenessOf(rows: Csr, nearness: Nearness): Likeness {
  const squares = squaredLengths(rows);
  const { left, right, ...measure } = measureOf(nearness);
  return { ...measure, left: Float32Array.from(squares, left), right: Float32Array.from(squares, right) };
}

function squaredLengths({ rows, starts, values }: Csr): Float64Array {
  const squares = new Float64Array(rows);
  for (let r = 0; r < rows; r++)
    if (!values) squares[r] = starts[r + 1] - starts[r];
    else for (let p = starts[r]; p < starts[r + 1]; p++) squares[r] += values[p] * values[p];
  return squares;
}

/**
 * Rows are documents and columns terms: idf = ln(rows / (1 + rows that have the term)), 0 at least.
 * tf-idf is sqrt(x) idf; BM25 (k1 1.2, b 0.75) divides by the length of the row, Robertson & Zaragoza (2009).
 * As `implicit` weighs.
 *
 * @returns the weights of a row of the matrix, or of one that could be
 */
function weigher(
  matrix: Csr,
  weighting: Nearness["weighting"],
): (columns: Int32Array, values?: Float32Array) => Float32Array {
  const { rows, cols, columns: all } = matrix;
  if (weighting === "none") return (columns, values) => values ?? new Float32Array(columns.length).fill(1);
  const frequency = new Float64Array(cols);
  for (const column of all) frequency[column]++;
  const idf = frequency.map((count) => Math.max(0, Math.log(rows) - Math.log1p(count)));
  if (weighting === "tf-idf")
    return (columns, values) =>
      Float32Array.from(columns, (column, i) => idf[column] * Math.sqrt(values ? values[i] : 1));
  const total = matrix.values ? matrix.values.reduce((sum, value) => sum + value, 0) : all.length;
  const mean = total / rows;
  const [k1, b] = [1.2, 0.75];
  return (columns, values) => {
    const length = values ? values.reduce((sum, value) => sum + value, 0) : columns.length;
    return Float32Array.from(columns, (column, i) => {
      const value = values ? values[i] : 1;
      return (idf[column] * value * (k1 + 1)) / (k1 * (1 - b + (b * length) / mean) + value);
    });
  };
}

function weighted(matrix: Csr, weighting: Nearness["weighting"]): Csr {
  if (weighting === "none") return matrix;
  const weigh = weigher(matrix, weighting);
  const { rows, starts, columns } = matrix;
  const values = new Float32Array(columns.length);
  for (let r = 0; r < rows; r++) {
    const row = columns.subarray(starts[r], starts[r + 1]);
    values.set(weigh(row, matrix.values?.subarray(starts[r], starts[r + 1])), starts[r]);
  }
  return { ...matrix, values };
}

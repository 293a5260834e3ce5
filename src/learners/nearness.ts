import type { Run } from "../engine/run.js";
import { transposed, withoutZeros, type Csr } from "../kernels/csr.js";
import { plainNearest, sharedNearest, type Likeness } from "../kernels/similarity.js";
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

/**
 * - cosine: x·y / (|x| |y| + shrink); asymmetric, Aiolli (2013): x·y / (|x|^2alpha |y|^2(1-alpha) + shrink)
 * - tversky: x·y / (x·y + alpha (|x|² - x·y) + beta (|y|² - x·y) + shrink), Tversky (1977); jaccard is that with
 *   alpha = beta = 1, dice with 1/2
 */
function likenessOf(rows: Csr, { similarity, alpha, beta, shrink }: Nearness): Likeness {
  const squares = squaredLengths(rows);
  const power = (exponent: number): Float32Array => Float32Array.from(squares, (s) => s ** exponent);
  if (similarity === "cosine" || similarity === "asymmetric") {
    const own = similarity === "cosine" ? 0.5 : alpha;
    return { form: "ratio", left: power(own), right: power(1 - own), shared: 0, shrink };
  }
  const [a, b] = { jaccard: [1, 1], dice: [0.5, 0.5], tversky: [alpha, beta] }[similarity];
  const times = (factor: number): Float32Array => Float32Array.from(squares, (s) => factor * s);
  return { form: "share", left: times(a), right: times(b), shared: 1 - a - b, shrink };
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
 */
function weighted(matrix: Csr, weighting: Nearness["weighting"]): Csr {
  if (weighting === "none") return matrix;
  const { rows, cols, starts, columns } = matrix;
  const frequency = new Float64Array(cols);
  for (const column of columns) frequency[column]++;
  const idf = frequency.map((count) => Math.max(0, Math.log(rows) - Math.log1p(count)));
  const value = (p: number): number => (matrix.values ? matrix.values[p] : 1);
  const lengths = new Float64Array(rows);
  for (let r = 0; r < rows; r++) for (let p = starts[r]; p < starts[r + 1]; p++) lengths[r] += value(p);
  const mean = lengths.reduce((sum, length) => sum + length, 0) / rows;
  const [k1, b] = [1.2, 0.75];
  const values = new Float32Array(columns.length);
  for (let r = 0; r < rows; r++)
    for (let p = starts[r]; p < starts[r + 1]; p++)
      values[p] =
        idf[columns[p]] *
        (weighting === "tf-idf"
          ? Math.sqrt(value(p))
          : (value(p) * (k1 + 1)) / (k1 * (1 - b + (b * lengths[r]) / mean) + value(p)));
  return { ...matrix, values };
}

/**
 * Decision trees made ready for the Shapley values of their scores, in flat arrays.
 *
 * Every node but the root stands for the edge from its parent. For one row an edge is open if the row
 * satisfies the edge's condition and those of all edges above it on the same column. The contribution of
 * a leaf to the score, when the columns of a set S are known and the others are averaged over training
 * rows, is its value times the product over its path's columns of o (1 if open, else 0) for columns in S
 * and z (the share of training rows that pass) for the others. The Shapley value of column j is the
 * integral over t in [0, 1] of (o_j - z_j) times the product over the other columns of t o + (1 - t) z
 * (Owen 1972, Management Science 18(5):64-79, eq. 6, for the multilinear extension of this game): a
 * polynomial of t, so Gauss-Legendre quadrature with half as many points as columns is exact. Products
 * are carried down and sums up the tree, at each point, so a tree costs its nodes times its points
 * (as in Yu et al. 2022, Linear TreeShap, NeurIPS).
 */
export interface ShapTrees {
  columns: number;
  outputs: number;
  /** First node of every tree; trees + 1. A parent stands before its children. */
  starts: Int32Array;
  /** Output of every tree. */
  output: Int32Array;
  /** Points of the quadrature of every tree. */
  points: Int32Array;
  /** Nodes x `linkWords`; node numbers count from the tree's root. */
  links: Int32Array;
  /**
   * Trees one after the other: `points` numbers for closed edges, then per node the threshold (at leaves
   * the value), the factor while the column is closed already, then `points` each of: factor if the edge
   * is open, factor if it closes the column, weight of what is below in the column's Shapley value if open.
   */
  factors: Float64Array;
  /** Where every tree begins in `factors`. */
  at: Int32Array;
  /** Sets of levels of categorical splits, 32 levels a word. */
  catWords: Uint32Array;
}

/** parent, column of the edge, nearest edge above on the same column or -1, 1 for a left child, column of the node's own split or -1 at leaves, 1 if missing values go left, first word of its set or -1, words of its set. */
export const linkWords = 8;

/** Columns in a row's result: `outputs` x `columns`. */
type Rows = Float64Array;

/**
 * Shapley values of rows, one after the other; the plain twin of tree-shap.as.ts, equal to the last bit.
 *
 * @param rows rows x columns, NaN for missing
 * @param out  rows x outputs x columns
 */
export function treeShap(trees: ShapTrees, rows: Rows, out: Rows): void {
  const { columns, outputs, starts, output } = trees;
  const most = workspace(trees);
  const products = new Float64Array(most.products);
  const sums = new Float64Array(most.products);
  const open = new Uint8Array(most.nodes);
  const left = new Uint8Array(most.nodes);
  out.fill(0);
  for (let row = 0; row * columns < rows.length; row++)
    for (let t = 0; t + 1 < starts.length; t++) {
      descend(trees, t, rows, row * columns, products, sums, open, left);
      ascend(trees, t, sums, open, out, (row * outputs + output[t]) * columns);
    }
}

/** Nodes, and nodes times points, of the tree that needs most. */
export function workspace({ starts, points }: ShapTrees): { nodes: number; products: number } {
  let nodes = 0;
  let products = 0;
  for (let t = 0; t < points.length; t++) {
    nodes = Math.max(nodes, starts[t + 1] - starts[t]);
    products = Math.max(products, (starts[t + 1] - starts[t]) * points[t]);
  }
  return { nodes, products };
}

/** Which edges are open, and the products of factors down to every node; at leaves times the value. */
function descend(
  { starts, points, links, factors, at, catWords }: ShapTrees,
  t: number,
  rows: Rows,
  from: number,
  products: Float64Array,
  sums: Float64Array,
  open: Uint8Array,
  left: Uint8Array,
): void {
  const nodes = starts[t + 1] - starts[t];
  const count = points[t];
  for (let n = 0; n < nodes; n++) {
    const link = (starts[t] + n) * linkWords;
    const node = at[t] + count + n * (2 + 3 * count);
    if (n === 0) {
      open[0] = 1;
      products.fill(1, 0, count);
    } else {
      const parent = links[link];
      const same = links[link + 2];
      const before = same < 0 ? 1 : open[same];
      const now = before & (links[link + 3] === left[parent] ? 1 : 0);
      open[n] = now;
      const factor = node + 2 + (now ? 0 : count);
      for (let k = 0; k < count; k++)
        products[n * count + k] =
          products[parent * count + k] * (before ? factors[factor + k] : factors[node + 1]);
    }
    const column = links[link + 4];
    const leaf = column < 0;
    for (let k = 0; k < count; k++) sums[n * count + k] = leaf ? products[n * count + k] * factors[node] : 0;
    if (!leaf) left[n] = goesLeft(rows[from + column], factors[node], links, link, catWords);
  }
}

function goesLeft(
  value: number,
  threshold: number,
  links: Int32Array,
  link: number,
  catWords: Uint32Array,
): number {
  if (Number.isNaN(value)) return links[link + 5];
  const start = links[link + 6];
  if (start < 0) return value < threshold ? 1 : 0;
  const word = value >> 5;
  return word < links[link + 7] ? (catWords[start + word] >>> (value & 31)) & 1 : 0;
}

/** Adds up what is below every edge, and its share in the Shapley value of the edge's column. */
function ascend(
  { starts, points, links, factors, at }: ShapTrees,
  t: number,
  sums: Float64Array,
  open: Uint8Array,
  out: Rows,
  to: number,
): void {
  const count = points[t];
  const stride = 2 + 3 * count;
  const gains = at[t] + count + 2 + 2 * count;
  for (let n = starts[t + 1] - starts[t] - 1; n > 0; n--) {
    const link = (starts[t] + n) * linkWords;
    const parent = links[link];
    const same = links[link + 2];
    const own = open[n] ? gains + n * stride : at[t];
    const above = same >= 0 && open[same] ? gains + same * stride : at[t];
    let share = 0;
    for (let k = 0; k < count; k++) {
      const sum = sums[n * count + k];
      // Leaves below a second edge of a column were counted with the first edge's factor: that is taken back.
      share += sum * (same < 0 ? factors[own + k] : factors[own + k] - factors[above + k]);
      sums[parent * count + k] += sum;
    }
    out[to + links[link + 1]] += share;
  }
}

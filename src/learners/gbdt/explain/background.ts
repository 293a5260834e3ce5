import { ShopaiError } from "../../../core/errors.js";
import type { Pool } from "../../../engine/pool.js";
import { backgroundShap, bitsOf, nodeWords, type BackgroundTrees } from "../../../kernels/background-shap.js";
import { childOf, rawScore, treeCount, type TreeEnsemble } from "../trees.js";
import { inBatches, laid, type Contributions } from "./contributions.js";

/** Columns on a path to a leaf that a pattern's bits can hold. */
const mostOnPath = 31;
/** Columns on a path up to which what every pattern gives is worked out beforehand, and bytes that all of it may take. */
const fewOnPath = 6;
const shareBytes = 1 << 27;

/**
 * Exact Shapley values of raw scores against background rows: columns that are not known take the values
 * that they have in the background rows, one row after the other, so that nothing is said about which
 * values go together (interventional). Worked out as src/kernels/background-shap.ts says: background rows are counted
 * by pattern, so the time hardly depends on how many there are.
 *
 * @param background rows x columns, one row or more
 */
export async function backgroundContributions(
  trees: TreeEnsemble,
  columns: number,
  background: Float64Array,
  pool: Pool,
): Promise<Contributions> {
  const count = background.length / columns;
  const expected = new Float64Array(trees.outputs);
  for (let b = 0; b < count; b++)
    rawScore(trees, background, b * columns).forEach((score, o) => (expected[o] += score / count));
  const made = backgroundTrees(trees, columns, background);
  const kernel = await pool.kernel("background-shap");
  if (!kernel) {
    const of = (rows: Float64Array): Float64Array => {
      const out = new Float64Array((rows.length / columns) * trees.outputs * columns);
      backgroundShap(made, rows, out);
      return out;
    };
    return { expected, of, close: () => undefined };
  }
  const model = [
    made.starts,
    made.output,
    made.nodes,
    made.thresholds,
    made.catWords,
    made.leafColumns,
    made.shares,
    made.patterns,
    made.weights,
    made.orders,
  ].map((array) => laid(kernel, array));
  const most = made.starts.reduce((sum, at, t) => Math.max(sum, t > 0 ? at - made.starts[t - 1] : 0), 0);
  const scratchBytes = Math.ceil((most * 4) / 64) * 64 + 64;
  const scratch = kernel.alloc(scratchBytes * kernel.threads);
  return {
    expected,
    of: inBatches(kernel, columns, trees.outputs, 1, (rowsAt, outAt, part) => {
      kernel.f64(outAt, part * trees.outputs * columns).fill(0);
      kernel.each(
        "backgroundShap",
        ...[rowsAt, outAt, part, columns, trees.outputs, made.output.length, ...model],
        ...[scratch, scratchBytes],
      );
    }),
    close: () => kernel.close(),
  };
}

interface Leaf {
  node: number;
  /** Inner nodes on the way, and the child that the way goes on to. */
  path: { node: number; next: number; bit: number }[];
  /** Distinct columns on the way, by bit. */
  columns: number[];
}

/** Lays trees and the patterns of background rows out for the kernel. */
function backgroundTrees(trees: TreeEnsemble, columns: number, background: Float64Array): BackgroundTrees {
  const { starts, output, outputs, threshold, catWords, feature } = trees;
  const nodes = new Int32Array(feature.length * nodeWords);
  const leafColumns: number[] = [];
  const shares: number[] = [];
  const patterns: number[] = [];
  const weights: number[] = [];
  const orders = ordersTable();
  for (let t = 0; t < treeCount(trees); t++)
    for (const leaf of leavesOf(trees, t)) {
      for (const { node, bit } of leaf.path) {
        const [left, right] = [trees.left[node] - starts[t], trees.right[node] - starts[t]];
        const set = [trees.missingLeft[node], trees.catStart[node], trees.catCount[node]];
        nodes.set([feature[node], left, right, ...set, bit], node * nodeWords);
      }
      const seen = counted(patternsOf(trees, leaf, background, columns));
      const value = trees.value[leaf.node] / (background.length / columns);
      const own = [...seen].map(([pattern, rows]): [number, number] => [pattern, rows * value]);
      const d = leaf.columns.length;
      const table = d <= fewOnPath && (shares.length + 2 ** d * d) * 8 <= shareBytes ? shares.length : -1;
      const about = [-1, leafColumns.length, d, table, patterns.length, own.length];
      nodes.set(about, leaf.node * nodeWords);
      leafColumns.push(...leaf.columns);
      if (table >= 0)
        for (let pattern = 0; pattern < 2 ** d; pattern++) shares.push(...sharesOf(pattern, own, d, orders));
      for (const [pattern, weight] of own) {
        patterns.push(pattern);
        weights.push(weight);
      }
    }
  return {
    columns,
    outputs,
    starts,
    output,
    nodes,
    thresholds: threshold,
    catWords,
    leafColumns: Int32Array.from(leafColumns),
    shares: Float64Array.from(shares),
    patterns: Int32Array.from(patterns),
    weights: Float64Array.from(weights),
    orders,
  };
}

function leavesOf(trees: TreeEnsemble, t: number): Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (node: number, path: Leaf["path"], columns: number[]): void => {
    const column = trees.feature[node];
    if (column < 0) return void leaves.push({ node, path, columns });
    const known = columns.indexOf(column);
    const bit = known < 0 ? columns.length : known;
    if (bit >= mostOnPath)
      throw new ShopaiError("model", `a tree has more than ${mostOnPath} features on one path`, {
        try: "--explain without --background",
      });
    const through = known < 0 ? [...columns, column] : columns;
    for (const next of [trees.left[node], trees.right[node]])
      walk(next, [...path, { node, next, bit }], through);
  };
  walk(trees.starts[t], [], []);
  return leaves;
}

/** Of every row which columns of a leaf's path it satisfies, as bits. */
function patternsOf(trees: TreeEnsemble, leaf: Leaf, rows: Float64Array, columns: number): Int32Array {
  const full = 2 ** leaf.columns.length - 1;
  return Int32Array.from({ length: rows.length / columns }, (_, row) => {
    let pattern = full;
    for (const { node, next, bit } of leaf.path)
      if (childOf(trees, node, rows[row * columns + trees.feature[node]]) !== next) pattern &= ~(1 << bit);
    return pattern;
  });
}

/** How many rows have each pattern. */
function counted(found: Int32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const pattern of found) counts.set(pattern, (counts.get(pattern) ?? 0) + 1);
  return counts;
}

/** What a leaf gives to each of its columns, for rows of one pattern. */
function sharesOf(
  pattern: number,
  background: readonly (readonly [number, number])[],
  columns: number,
  orders: Float64Array,
): Float64Array {
  const full = 2 ** columns - 1;
  const shares = new Float64Array(columns);
  for (const [other, weight] of background) {
    if ((pattern | other) !== full) continue;
    const [own, its] = [pattern & ~other, other & ~pattern];
    const [a, c] = [bitsOf(own), bitsOf(its)];
    for (let bit = 0; bit < columns; bit++)
      if ((own >> bit) & 1) shares[bit] += weight * orders[(a - 1) * 32 + c];
      else if ((its >> bit) & 1) shares[bit] -= weight * orders[a * 32 + c - 1];
  }
  return shares;
}

/** a! c! / (a + c + 1)!: the share of orders in which a column comes after a of one kind and before c of the other. */
function ordersTable(): Float64Array {
  const orders = new Float64Array(32 * 32);
  for (let a = 0; a < 32; a++)
    for (let c = 0; c < 32; c++) {
      let share = 1 / (a + c + 1);
      for (let i = 1; i <= c; i++) share *= i / (a + i);
      orders[a * 32 + c] = share;
    }
  return orders;
}

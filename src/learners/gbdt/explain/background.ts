import { ShopaiError } from "../../../core/errors.js";
import { childOf, rawScore, treeCount, type TreeEnsemble } from "../trees.js";
import type { Contributions } from "./contributions.js";

/** Columns on a path to a leaf that a pattern's bits can hold. */
const mostOnPath = 31;

/**
 * Exact Shapley values of raw scores against background rows: columns that are not known take the values
 * that they have in the background rows, one row after the other, so that nothing is said about which
 * values go together (interventional).
 *
 * At one leaf only two patterns matter: which columns of its path the row satisfies, and which the
 * background row does. A column that only the row satisfies gets v (a-1)! c! / (a+c)!, one that only the
 * background row satisfies -v a! (c-1)! / (a+c)!, where a and c count such columns and every column must be
 * satisfied by one of the two (Lundberg et al. 2020, Nature Machine Intelligence 2:56-67, algorithm 3).
 * Rows and background rows are counted by pattern, so the time hardly depends on how many of the latter there are.
 *
 * @param background rows x columns, one row or more
 */
export function backgroundContributions(
  trees: TreeEnsemble,
  columns: number,
  background: Float64Array,
): Contributions {
  const count = background.length / columns;
  const expected = new Float64Array(trees.outputs);
  for (let b = 0; b < count; b++)
    rawScore(trees, background, b * columns).forEach((score, o) => (expected[o] += score / count));
  const leaves = Array.from({ length: treeCount(trees) }, (_, t) => leavesOf(trees, t));
  const seen = leaves.map((own) =>
    own.map((leaf) => counted(patterns(trees, leaf, background, columns), count)),
  );
  return {
    expected,
    of(rows) {
      const out = new Float64Array((rows.length / columns) * trees.outputs * columns);
      leaves.forEach((own, t) =>
        own.forEach((leaf, i) => {
          const shares = new Map<number, Float64Array>();
          patterns(trees, leaf, rows, columns).forEach((pattern, row) => {
            let share = shares.get(pattern);
            if (!share) shares.set(pattern, (share = sharesOf(pattern, seen[t][i], leaf, trees)));
            const at = (row * trees.outputs + trees.output[t]) * columns;
            leaf.columns.forEach((column, bit) => (out[at + column] += share[bit]));
          });
        }),
      );
      return out;
    },
    close: () => undefined,
  };
}

interface Leaf {
  node: number;
  /** Inner nodes on the way, and the child that the way goes on to. */
  path: { node: number; next: number; bit: number }[];
  /** Distinct columns on the way, by bit. */
  columns: number[];
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
function patterns(trees: TreeEnsemble, leaf: Leaf, rows: Float64Array, columns: number): Int32Array {
  const full = 2 ** leaf.columns.length - 1;
  return Int32Array.from({ length: rows.length / columns }, (_, row) => {
    let pattern = full;
    for (const { node, next, bit } of leaf.path)
      if (childOf(trees, node, rows[row * columns + trees.feature[node]]) !== next) pattern &= ~(1 << bit);
    return pattern;
  });
}

/** Share of the rows that each pattern has. */
function counted(found: Int32Array, total: number): Map<number, number> {
  const shares = new Map<number, number>();
  for (const pattern of found) shares.set(pattern, (shares.get(pattern) ?? 0) + 1 / total);
  return shares;
}

/** What a leaf gives to each of its columns, for rows of one pattern. */
function sharesOf(
  pattern: number,
  background: ReadonlyMap<number, number>,
  { node, columns }: Leaf,
  trees: TreeEnsemble,
): Float64Array {
  const full = 2 ** columns.length - 1;
  const shares = new Float64Array(columns.length);
  for (const [other, weight] of background) {
    if ((pattern | other) !== full) continue;
    const [own, its] = [pattern & ~other, other & ~pattern];
    const [a, c] = [bitsOf(own), bitsOf(its)];
    if (a + c === 0) continue;
    const value = weight * trees.value[node];
    for (let bit = 0; bit < columns.length; bit++)
      if ((own >> bit) & 1) shares[bit] += value * orders(a - 1, c);
      else if ((its >> bit) & 1) shares[bit] -= value * orders(a, c - 1);
  }
  return shares;
}

function bitsOf(pattern: number): number {
  let count = 0;
  for (let rest = pattern; rest > 0; rest &= rest - 1) count++;
  return count;
}

/** a! c! / (a + c + 1)!: the share of orders in which a column comes after a of one kind and before c of the other. */
function orders(a: number, c: number): number {
  let share = 1 / (a + c + 1);
  for (let i = 1; i <= c; i++) share *= i / (a + i);
  return share;
}

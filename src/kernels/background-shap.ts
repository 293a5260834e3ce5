/**
 * Decision trees made ready for Shapley values against background rows, in flat arrays.
 *
 * At one leaf only two patterns matter: which columns of its path the row satisfies, and which the background row does, a bit
 * per distinct column. Every column must be satisfied by one of the two, else the leaf is never reached. A column that only the
 * row satisfies gets v (a-1)! c! / (a+c)!, one that only the background row satisfies -v a! (c-1)! / (a+c)!, where a and c count
 * such columns (Lundberg et al. 2020, Nature Machine Intelligence 2:56-67, algorithm 3).
 */
export interface BackgroundTrees {
  columns: number;
  outputs: number;
  /** First node of every tree; trees + 1. A parent stands before its children. */
  starts: Int32Array;
  /** Output of every tree. */
  output: Int32Array;
  /** Nodes x `nodeWords`. */
  nodes: Int32Array;
  thresholds: Float64Array;
  /** Sets of levels of categorical splits, 32 levels a word. */
  catWords: Uint32Array;
  /** Distinct columns of the leaves' paths, by bit, leaf after leaf. */
  leafColumns: Int32Array;
  /** Of leaves of few columns what each pattern of a row gives: patterns x columns. */
  shares: Float64Array;
  /** Patterns of the background rows, leaf after leaf, and the leaf's value times the share of the rows that have each. */
  patterns: Int32Array;
  weights: Float64Array;
  /** a! c! / (a + c + 1)! at 32 a + c. */
  orders: Float64Array;
}

/**
 * Inner nodes: column of the split, left and right child (from the root of the tree), 1 if missing values go left, first word of
 * its set or -1, words of its set, the column's bit. Leaves: -1, where their columns begin, how many, where their shares begin or
 * -1 for none, where their patterns begin, how many.
 */
export const nodeWords = 8;

/**
 * Shapley values of rows, one after the other; the plain twin of background-shap.as.ts, equal to the last bit.
 *
 * @param rows rows x columns, NaN for missing
 * @param out  rows x outputs x columns
 */
export function backgroundShap(trees: BackgroundTrees, rows: Float64Array, out: Float64Array): void {
  const { columns, outputs, starts, output, nodes } = trees;
  let most = 0;
  for (let t = 0; t + 1 < starts.length; t++) most = Math.max(most, starts[t + 1] - starts[t]);
  const failed = new Int32Array(most);
  out.fill(0);
  for (let row = 0; row * columns < rows.length; row++)
    for (let t = 0; t + 1 < starts.length; t++) {
      const to = (row * outputs + output[t]) * columns;
      failed[0] = 0;
      for (let n = starts[t]; n < starts[t + 1]; n++) {
        const at = n * nodeWords;
        const own = failed[n - starts[t]];
        const column = nodes[at];
        if (column < 0) {
          give(trees, at, ~own, out, to);
          continue;
        }
        const bit = 1 << nodes[at + 6];
        const left = goesLeft(trees, n, rows[row * columns + column]);
        failed[nodes[at + 1]] = left ? own : own | bit;
        failed[nodes[at + 2]] = left ? own | bit : own;
      }
    }
}

function goesLeft({ nodes, thresholds, catWords }: BackgroundTrees, n: number, value: number): boolean {
  const at = n * nodeWords;
  if (Number.isNaN(value)) return nodes[at + 3] === 1;
  const start = nodes[at + 4];
  if (start < 0) return value < thresholds[n];
  const word = value >> 5;
  return word < nodes[at + 5] && ((catWords[start + word] >>> (value & 31)) & 1) === 1;
}

/** Adds what a leaf gives a row of some pattern to the row's columns. */
function give(
  { nodes, leafColumns, shares, patterns, weights, orders }: BackgroundTrees,
  at: number,
  passed: number,
  out: Float64Array,
  to: number,
): void {
  const first = nodes[at + 1];
  const count = nodes[at + 2];
  const full = 2 ** count - 1;
  const pattern = passed & full;
  const table = nodes[at + 3];
  if (table >= 0) {
    for (let bit = 0; bit < count; bit++)
      out[to + leafColumns[first + bit]] += shares[table + pattern * count + bit];
    return;
  }
  const last = nodes[at + 4] + nodes[at + 5];
  for (let i = nodes[at + 4]; i < last; i++) {
    const other = patterns[i];
    if ((pattern | other) !== full) continue;
    const mine = pattern & ~other;
    const its = other & ~pattern;
    const a = bitsOf(mine);
    const c = bitsOf(its);
    const up = a > 0 ? weights[i] * orders[(a - 1) * 32 + c] : 0;
    const down = c > 0 ? weights[i] * orders[a * 32 + c - 1] : 0;
    for (let bit = 0; bit < count; bit++) {
      const column = to + leafColumns[first + bit];
      if ((mine >> bit) & 1) out[column] += up;
      else if ((its >> bit) & 1) out[column] -= down;
    }
  }
}

export function bitsOf(pattern: number): number {
  let count = 0;
  for (let rest = pattern; rest > 0; rest &= rest - 1) count++;
  return count;
}

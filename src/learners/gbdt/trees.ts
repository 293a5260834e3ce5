import type { FolderReader, FolderWriter } from "../model-folder.js";

/**
 * An ensemble of binary decision trees in flat arrays. The raw score of output k is `base[k]` plus the
 * values of the leaves that a row reaches in the trees of that output.
 *
 * A row is a vector of float64, one per column (`TreeColumn`): numbers as they are, categories as the
 * index of their level; NaN stands for missing, and for a level that training did not see.
 *
 * The nodes of tree t are `starts[t]` to `starts[t + 1] - 1`, its root first, parents before children.
 * All node indices are absolute. At an inner node a row goes
 *
 * - to `missingLeft[n] ? left[n] : right[n]` if its value of column `feature[n]` is NaN,
 * - numeric split (`catStart[n] < 0`): left if value < `threshold[n]`, else right,
 * - categorical split: left if the bit of the level is set, else right: bit `code & 31` of word
 *   `catStart[n] + (code >> 5)` of `catWords`, of which the node has `catCount[n]`; levels beyond go right.
 */
export interface TreeEnsemble {
  /** Scores per row: 1, or the number of classes. */
  outputs: number;
  /** Length `outputs`. */
  base: Float64Array;
  /** Length trees + 1. */
  starts: Int32Array;
  /** The output that each tree adds to. Length trees. */
  output: Int32Array;
  /** Column of the split; -1 at leaves. */
  feature: Int32Array;
  /** NaN at leaves and categorical splits. */
  threshold: Float64Array;
  /** -1 at leaves. */
  left: Int32Array;
  right: Int32Array;
  missingLeft: Uint8Array;
  /** What the node adds as a leaf, the learning rate included; inner nodes keep theirs for explanations. */
  value: Float64Array;
  /** Sum of the hessians times weights of the training rows that came here (of the weights in forests). */
  cover: Float64Array;
  /** Loss that the split saves, in the units of the objective; 0 at leaves. */
  gain: Float64Array;
  /** First word of the node's set of levels; -1 for leaves and numeric splits. */
  catStart: Int32Array;
  /** Words of the set. */
  catCount: Int32Array;
  catWords: Uint32Array;
}

/** What a column of the rows that trees see is made of. */
export type TreeColumn =
  | { kind: "number"; name: string }
  | { kind: "category"; name: string; levels: string[] }
  /** A category of many levels as a number per level (ordered target statistics); `other` for unseen levels. */
  | { kind: "statistic"; name: string; levels: string[]; values: number[]; other: number };

/** What becomes of raw scores: nothing, 1 / (1 + exp(-s)), softmax over the outputs, exp(s). */
export type Link = "identity" | "logistic" | "softmax" | "exp";

/** Trees with all that is needed to score a table, explain a score and export. */
export interface TreeModel {
  columns: readonly TreeColumn[];
  trees: TreeEnsemble;
  link: Link;
  /** What was minimised: `binary`, `squared`, `gini`… */
  objective: string;
}

export function treeCount(trees: TreeEnsemble): number {
  return trees.output.length;
}

/** The leaf of tree `t` that the row starting at `at` reaches. */
export function leafOf(trees: TreeEnsemble, t: number, row: Float64Array, at = 0): number {
  let node = trees.starts[t];
  while (trees.feature[node] >= 0) node = childOf(trees, node, row[at + trees.feature[node]]);
  return node;
}

/** Where a value of its column sends a row from an inner node. */
export function childOf(trees: TreeEnsemble, node: number, value: number): number {
  return goesLeft(trees, node, value) ? trees.left[node] : trees.right[node];
}

function goesLeft(trees: TreeEnsemble, node: number, value: number): boolean {
  if (Number.isNaN(value)) return trees.missingLeft[node] === 1;
  const start = trees.catStart[node];
  if (start < 0) return value < trees.threshold[node];
  const word = value >> 5;
  return word < trees.catCount[node] && ((trees.catWords[start + word] >>> (value & 31)) & 1) === 1;
}

/**
 * Raw scores of one row: the plain reading of the definition above, which faster code must equal.
 *
 * @param row    columns of the row, from index `at`
 * @param scores where the `outputs` scores go
 */
export function rawScore(
  trees: TreeEnsemble,
  row: Float64Array,
  at = 0,
  scores = new Float64Array(trees.outputs),
): Float64Array {
  scores.set(trees.base);
  for (let t = 0; t < treeCount(trees); t++)
    scores[trees.output[t]] += trees.value[leafOf(trees, t, row, at)];
  return scores;
}

/** Turns raw scores, rows x outputs, into predictions in place. */
export function applyLink(link: Link, scores: Float64Array, outputs: number): Float64Array {
  if (link === "exp") for (let i = 0; i < scores.length; i++) scores[i] = Math.exp(scores[i]);
  if (link === "logistic") for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]));
  if (link === "softmax")
    for (let at = 0; at < scores.length; at += outputs) {
      let most = -Infinity;
      for (let i = at; i < at + outputs; i++) most = Math.max(most, scores[i]);
      let sum = 0;
      for (let i = at; i < at + outputs; i++) sum += scores[i] = Math.exp(scores[i] - most);
      for (let i = at; i < at + outputs; i++) scores[i] /= sum;
    }
  return scores;
}

/** The first `count` trees. */
export function firstTrees(trees: TreeEnsemble, count: number): TreeEnsemble {
  const nodes = trees.starts[count];
  const sets = trees.catStart.slice(0, nodes);
  let words = 0;
  for (let n = 0; n < nodes; n++) if (sets[n] >= 0) words = Math.max(words, sets[n] + trees.catCount[n]);
  return {
    outputs: trees.outputs,
    base: trees.base,
    starts: trees.starts.slice(0, count + 1),
    output: trees.output.slice(0, count),
    feature: trees.feature.slice(0, nodes),
    threshold: trees.threshold.slice(0, nodes),
    left: trees.left.slice(0, nodes),
    right: trees.right.slice(0, nodes),
    missingLeft: trees.missingLeft.slice(0, nodes),
    value: trees.value.slice(0, nodes),
    cover: trees.cover.slice(0, nodes),
    gain: trees.gain.slice(0, nodes),
    catStart: sets,
    catCount: trees.catCount.slice(0, nodes),
    catWords: trees.catWords.slice(0, words),
  };
}

/** The mean of ensembles with the same outputs. */
export function meanOf(ensembles: readonly TreeEnsemble[]): TreeEnsemble {
  return joined(ensembles, 1 / ensembles.length);
}

/** The sum of ensembles with the same outputs, or a share of it: their trees one after the other. */
export function joined(ensembles: readonly TreeEnsemble[], share = 1): TreeEnsemble {
  const nodesBefore = running(ensembles.map((trees) => trees.feature.length));
  const wordsBefore = running(ensembles.map((trees) => trees.catWords.length));
  const moved = (array: Int32Array, by: number): Int32Array =>
    array.map((value) => (value < 0 ? value : value + by));
  const join = <A extends Int32Array | Float64Array | Uint8Array | Uint32Array>(
    of: (trees: TreeEnsemble, i: number) => A,
    arrayClass: { new (length: number): A },
  ): A => {
    const parts = ensembles.map(of);
    const all = new arrayClass(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  };
  return {
    outputs: ensembles[0].outputs,
    base: ensembles[0].base.map((_, k) => ensembles.reduce((sum, { base }) => sum + base[k], 0) * share),
    starts: Int32Array.from([
      0,
      ...join((trees, i) => moved(trees.starts.subarray(1), nodesBefore[i]), Int32Array),
    ]),
    output: join((trees) => trees.output, Int32Array),
    feature: join((trees) => trees.feature, Int32Array),
    threshold: join((trees) => trees.threshold, Float64Array),
    left: join((trees, i) => moved(trees.left, nodesBefore[i]), Int32Array),
    right: join((trees, i) => moved(trees.right, nodesBefore[i]), Int32Array),
    missingLeft: join((trees) => trees.missingLeft, Uint8Array),
    value: join((trees) => trees.value.map((value) => Math.fround(value * share)), Float64Array),
    cover: join((trees) => trees.cover, Float64Array),
    gain: join((trees) => trees.gain, Float64Array),
    catStart: join((trees, i) => moved(trees.catStart, wordsBefore[i]), Int32Array),
    catCount: join((trees) => trees.catCount, Int32Array),
    catWords: join((trees) => trees.catWords, Uint32Array),
  };
}

/** Sums of what comes before. */
function running(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((count) => (sum += count) - count);
}

interface TreeHead {
  columns: TreeColumn[];
  link: Link;
  objective: string;
  trees: number;
}

/** Writes a tree model into a model folder. */
export function saveTrees(folder: FolderWriter, { columns, trees, link, objective }: TreeModel): void {
  folder.json("trees", { columns, link, objective, trees: treeCount(trees) });
  folder.array("base", trees.base);
  folder.array("starts", trees.starts);
  folder.array("output", trees.output);
  folder.array("feature", trees.feature);
  folder.array("threshold", trees.threshold);
  folder.array("left", trees.left);
  folder.array("right", trees.right);
  folder.array("missing_left", trees.missingLeft);
  folder.array("value", trees.value);
  folder.array("cover", trees.cover);
  folder.array("gain", trees.gain);
  folder.array("cat_start", trees.catStart);
  folder.array("cat_count", trees.catCount);
  folder.array(
    "cat_words",
    new Int32Array(trees.catWords.buffer, trees.catWords.byteOffset, trees.catWords.length),
  );
}

/** Whether a model folder holds trees that `saveTrees` wrote. */
export function hasTrees(card: { files: Readonly<Record<string, string>> }): boolean {
  return "trees.json" in card.files && "threshold.bin" in card.files;
}

/** Reads what `saveTrees` wrote. @throws ShopaiError "model" when the arrays do not fit together */
export function loadTrees(folder: FolderReader): TreeModel {
  const { columns, link, objective, trees } = folder.json<TreeHead>("trees");
  const base = folder.array("base", "f64");
  const starts = folder.array("starts", "i32", [trees + 1]);
  const nodes = [starts[trees]];
  return {
    columns,
    link,
    objective,
    trees: {
      outputs: base.length,
      base,
      starts,
      output: folder.array("output", "i32", [trees]),
      feature: folder.array("feature", "i32", nodes),
      threshold: folder.array("threshold", "f64", nodes),
      left: folder.array("left", "i32", nodes),
      right: folder.array("right", "i32", nodes),
      missingLeft: folder.array("missing_left", "u8", nodes),
      value: folder.array("value", "f64", nodes),
      cover: folder.array("cover", "f64", nodes),
      gain: folder.array("gain", "f64", nodes),
      catStart: folder.array("cat_start", "i32", nodes),
      catCount: folder.array("cat_count", "i32", nodes),
      catWords: new Uint32Array(folder.array("cat_words", "i32").buffer),
    },
  };
}

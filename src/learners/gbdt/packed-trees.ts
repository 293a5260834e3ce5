import type { SharedKernel } from "../../engine/pool.js";
import { treeCount, type TreeColumn, type TreeEnsemble, type TreeModel } from "./trees.js";
import { MemoryViews } from "./workspace.js";

/** Rows that one thread takes at a time: few enough for their values to stay in the cache. As in the kernel. */
export const block = 128;
const nodeBytes = 16;
const topBytes = 88;

/** Kinds of trees, as in the kernel. */
const SPARSE = 0;
const MIXED = 1;
const COMPLETE = 2;
const COMPLETE_SETS = 3;
const MIXED_WORDS = 4;

/** Depth up to which a tree is laid out as if it were complete: at most 6 kB. */
const completeDepth = 8;

/** Levels of a column whose sets fit into a word of 64 bits, with one for missing values. */
const levelsOfWord = 62;

/** Trees in a kernel's memory. */
export interface PackedTrees {
  /** Per column 1 where its values are numbers of levels. */
  levels: number;
  nodes: number;
  /** 64 bits for every node, where some need them. */
  words: number;
  values: number;
  tops: number;
  heads: number;
}

/**
 * Whether the kernel can hold a model: its thresholds are float32, no column has some splits by thresholds and some by sets
 * of levels.
 */
export function fitsKernel(trees: TreeEnsemble): boolean {
  if (trees.output.length === 0) return false;
  for (const value of trees.threshold) if (!Number.isNaN(value) && Math.fround(value) !== value) return false;
  const byThreshold = featuresOf(trees, (node) => trees.catStart[node] < 0);
  const byLevel = featuresOf(trees, (node) => trees.catStart[node] >= 0);
  return ![...byLevel].some((f) => byThreshold.has(f));
}

/** The features that some inner nodes split on. */
function featuresOf({ feature }: TreeEnsemble, isSo: (node: number) => boolean): Set<number> {
  const found = new Set<number>();
  for (let node = 0; node < feature.length; node++)
    if (feature[node] >= 0 && isSo(node)) found.add(feature[node]);
  return found;
}

/** Whether a set of a column's levels fits into a word of 64 bits. */
const inWord = (column: TreeColumn): boolean =>
  column.kind === "category" && column.levels.length <= levelsOfWord;

/** Lays trees out for the kernel: siblings side by side, parents before them. */
export function packTrees(kernel: SharedKernel, { trees, columns: all }: TreeModel): PackedTrees {
  const columns = all.length;
  const byLevel = featuresOf(trees, (node) => trees.catStart[node] >= 0);
  const levels = kernel.alloc(columns);
  kernel.u8(levels, columns).set(all.map((_, f) => Number(byLevel.has(f))));
  const count = trees.feature.length;
  const nodes = kernel.alloc(count * nodeBytes);
  const values = kernel.alloc(count * 8);
  const noSet = kernel.alloc(8);
  kernel.u32(noSet, 2).fill(0);
  const sets = kernel.alloc(trees.catCount.reduce((sum, words) => sum + (words + 2) * 4, 8));
  const heads = kernel.alloc(treeCount(trees) * 16);
  const thresholds = kernel.f32(nodes, count * 4);
  const about = kernel.u32(nodes, count * 4);
  const leafValues = kernel.f64(values, count);
  const head = kernel.u32(heads, treeCount(trees) * 4);
  let set = sets;
  for (let t = 0; t < treeCount(trees); t++) {
    const first = trees.starts[t];
    const order = [{ node: first, level: 0 }];
    let depth = 0;
    let kind = SPARSE;
    let wide = false;
    for (let i = 0; i < order.length; i++) {
      const { node, level } = order[i];
      const at = first + i;
      leafValues[at] = trees.value[node];
      if (trees.feature[node] < 0) {
        thresholds[4 * at] = Infinity;
        about[4 * at + 1] = 2 * columns * block * 4;
        about[4 * at + 2] = nodes + at * nodeBytes;
        about[4 * at + 3] = noSet;
        continue;
      }
      depth = Math.max(depth, level + 1);
      thresholds[4 * at] = trees.threshold[node];
      const slot = trees.missingLeft[node] ? trees.feature[node] : columns + trees.feature[node];
      about[4 * at + 1] = slot * block * 4;
      about[4 * at + 2] = nodes + (first + order.length) * nodeBytes;
      about[4 * at + 3] = noSet;
      const start = trees.catStart[node];
      if (start >= 0) {
        kind = MIXED;
        about[4 * at + 3] = set;
        const words = trees.catCount[node];
        wide ||= !inWord(all[trees.feature[node]]);
        kernel.u32(set, words + 2).set([words, ...trees.catWords.subarray(start, start + words), 0]);
        set += (words + 2) * 4;
      }
      order.push({ node: trees.left[node], level: level + 1 }, { node: trees.right[node], level: level + 1 });
    }
    if (depth <= completeDepth && kind === SPARSE) kind = COMPLETE;
    if (kind === MIXED && !wide) kind = depth <= completeDepth ? COMPLETE_SETS : MIXED_WORDS;
    // Without a fourth level its places are those of leaves all the same.
    const levelsBelow = kind === COMPLETE_SETS ? depth : Math.max(3, depth);
    head.set([nodes + first * nodeBytes, levelsBelow, trees.output[t], kind], t * 4);
  }
  const packed = { levels, nodes, words: packWords(kernel, nodes, count, head), values, heads };
  return { ...packed, tops: packTops(kernel, packed, treeCount(trees)) };
}

/** The first three levels of every tree, as if it were complete there, and what follows. */
function packTops(
  kernel: SharedKernel,
  { nodes, values, heads }: Omit<PackedTrees, "tops" | "levels" | "words">,
  count: number,
): number {
  const tops = kernel.alloc(count * topBytes);
  let complete = kernel.alloc(completeBytes(kernel, heads, count));
  const { u32, f64 } = new MemoryViews(kernel.memory).now();
  /** A leaf stands for both of its children; nothing is at or above its threshold. */
  const under = (level: readonly number[]): number[] =>
    level.flatMap((node) => {
      const left = u32[node / 4 + 2];
      return [left, left === node ? left : left + nodeBytes];
    });
  for (let t = 0; t < count; t++) {
    const [root, depth, , kind] = u32.subarray(heads / 4 + t * 4, heads / 4 + t * 4 + 4);
    const after = (tops + t * topBytes + 56) / 4;
    let level = [root];
    let to = (tops + t * topBytes) / 4;
    let l = 0;
    if (kind !== COMPLETE_SETS)
      for (; l < 3; l++, level = under(level))
        for (const node of level) u32.set([u32[node / 4 + 1], u32[node / 4]], (to += 2) - 2);
    if (kind !== COMPLETE && kind !== COMPLETE_SETS) {
      u32.set(level, after);
      continue;
    }
    const from = complete;
    for (; l < depth; l++, level = under(level))
      for (const node of level) {
        u32.set(u32.subarray(node / 4, node / 4 + 2), complete / 4);
        if (kind === COMPLETE_SETS) u32.set(wordOf(u32, node / 4), complete / 4 + 2);
        complete += kind === COMPLETE_SETS ? 16 : 8;
      }
    u32.set([from, complete], after);
    for (const node of level) f64[(complete += 8) / 8 - 1] = f64[(values + (node - nodes) / 2) / 8];
  }
  return tops;
}

/**
 * Of a node with a set, a bit for every level that goes right; missing values read bit 62 where they are to go left, bit 63 where they
 * are to go right. Of another node, zeros.
 */
function wordOf(u32: Uint32Array, node: number): [number, number] {
  const isNaN = (u32[node] & 0x7fffffff) > 0x7f800000;
  if (!isNaN) return [0, 0];
  const set = u32[node + 3] / 4;
  const left = (word: number): number => (word < u32[set] ? u32[set + 1 + word] : 0);
  return [~left(0) >>> 0, ((~left(1) & 0x3fffffff) | 0x80000000) >>> 0];
}

/** The sets of all nodes as words, where trees of some kind are to be walked by them. */
function packWords(kernel: SharedKernel, nodes: number, count: number, heads: Uint32Array): number {
  if (!heads.some((kind, i) => i % 4 === 3 && kind === MIXED_WORDS)) return 0;
  const words = kernel.alloc(count * 8);
  const { u32 } = new MemoryViews(kernel.memory).now();
  for (let node = 0; node < count; node++) u32.set(wordOf(u32, nodes / 4 + node * 4), words / 4 + node * 2);
  return words;
}

/** Bytes of nodes and leaves of trees that are laid out as complete ones. */
function completeBytes(kernel: SharedKernel, heads: number, count: number): number {
  const words = kernel.u32(heads, count * 4);
  let sum = 0;
  for (let t = 0; t < count; t++) {
    const [, depth, , kind] = words.subarray(t * 4, t * 4 + 4);
    if (kind === COMPLETE) sum += (2 * 2 ** depth - 8) * 8;
    if (kind === COMPLETE_SETS) sum += (2 ** depth - 1) * 16 + 2 ** depth * 8;
  }
  return sum;
}

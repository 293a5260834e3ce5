import type { SharedKernel } from "../../engine/pool.js";
import { treeCount, type TreeEnsemble } from "./trees.js";
import { MemoryViews } from "./workspace.js";

/** Rows that one thread takes at a time: few enough for their values to stay in the cache. As in the kernel. */
export const block = 128;
const nodeBytes = 16;
const topBytes = 88;

/** Kinds of trees, as in the kernel. */
const SPARSE = 0;
const MIXED = 1;
const COMPLETE = 2;

/** Levels up to which a tree is laid out as if it were complete: at most 4 kB. */
const completeLevels = 8;

/** Trees in a kernel's memory. */
export interface PackedTrees {
  nodes: number;
  values: number;
  tops: number;
  heads: number;
}

/** Lays trees out for the kernel: siblings side by side, parents before them. */
export function packTrees(kernel: SharedKernel, trees: TreeEnsemble, columns: number): PackedTrees {
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
        kernel.u32(set, words + 2).set([words, ...trees.catWords.subarray(start, start + words), 0]);
        set += (words + 2) * 4;
      }
      order.push({ node: trees.left[node], level: level + 1 }, { node: trees.right[node], level: level + 1 });
    }
    if (kind === SPARSE && depth <= completeLevels) kind = COMPLETE;
    // Without a fourth level its places are those of leaves all the same.
    head.set([nodes + first * nodeBytes, Math.max(3, depth), trees.output[t], kind], t * 4);
  }
  const packed = { nodes, values, heads };
  return { ...packed, tops: packTops(kernel, packed, treeCount(trees)) };
}

/** The first three levels of every tree, as if it were complete there, and what follows. */
function packTops(
  kernel: SharedKernel,
  { nodes, values, heads }: Omit<PackedTrees, "tops">,
  count: number,
): number {
  const tops = kernel.alloc(count * topBytes);
  const whole = completeBytes(kernel, heads, count);
  let complete = whole > 0 ? kernel.alloc(whole) : 0;
  const { u32, f64 } = new MemoryViews(kernel.memory).now();
  for (let t = 0; t < count; t++) {
    const [root, depth, , kind] = u32.subarray(heads / 4 + t * 4, heads / 4 + t * 4 + 4);
    let level = [root];
    let to = (tops + t * topBytes) / 4;
    const descend = (): void => {
      // A leaf stands for both of its children; nothing is at or above its threshold.
      level = level.flatMap((node) => {
        const left = u32[node / 4 + 2];
        return [left, left === node ? left : left + nodeBytes];
      });
    };
    for (let l = 0; l < 3; l++) {
      for (const node of level) u32.set([u32[node / 4 + 1], u32[node / 4]], (to += 2) - 2);
      descend();
    }
    if (kind !== COMPLETE) {
      u32.set(level, to);
      continue;
    }
    const from = complete;
    for (let l = 3; l < depth; l++) {
      for (const node of level) u32.set([u32[node / 4], u32[node / 4 + 1]], (complete += 8) / 4 - 2);
      descend();
    }
    u32.set([from, complete], to);
    for (const node of level) f64[(complete += 8) / 8 - 1] = f64[(values + (node - nodes) / 2) / 8];
  }
  return tops;
}

/** Eight for every node from the fourth level on and every leaf of trees that are laid out as complete ones. */
function completeBytes(kernel: SharedKernel, heads: number, count: number): number {
  const words = kernel.u32(heads, count * 4);
  let sum = 0;
  for (let t = 0; t < count; t++)
    if (words[t * 4 + 3] === COMPLETE) sum += (2 * 2 ** words[t * 4 + 1] - 8) * 8;
  return sum;
}

import type { Frame } from "../../engine/frame.js";
import type { SharedKernel } from "../../engine/pool.js";
import type { Run } from "../../engine/run.js";
import { treeValues } from "./columns.js";
import { rawScore, treeCount, type TreeEnsemble, type TreeModel } from "./trees.js";

/** Raw scores of the rows of a frame, rows x outputs. */
export type Scorer = (frame: Frame) => Float64Array;

/** Rows that one thread takes at a time: few enough for their values to stay in the cache. */
const block = 64;
/** Bytes of values that are handed to the kernel at once. */
const stageBytes = 1 << 26;

/** Rows from which laying a model out for the kernel pays. */
const manyRows = 1000;

/**
 * Lends work the fastest way to score rows by a model: the kernel, where there is one, there are rows enough, and the
 * trees fit its nodes (thresholds that are float32, fewer than 65,536 nodes a tree, at most 32,767 columns), else
 * row by row.
 *
 * @param rows how many there are to score, where that is known
 */
export async function scoring<T>(
  model: TreeModel,
  rows: number | undefined,
  run: Run,
  work: (score: Scorer) => Promise<T>,
): Promise<T> {
  const plain: Scorer = (frame) => rawScores(model, frame);
  if ((rows !== undefined && rows < manyRows) || !fits(model.trees, model.columns.length)) return work(plain);
  const kernel = await run.pool.kernel("score-trees");
  if (!kernel) return work(plain);
  try {
    return await work(kernelScorer(kernel, model));
  } finally {
    kernel.close();
  }
}

function kernelScorer(kernel: SharedKernel, { trees, columns }: TreeModel): Scorer {
  const packed = pack(kernel, trees, columns.length);
  const room = Math.max(block, Math.min(1 << 17, Math.floor(stageBytes / (8 * columns.length))));
  const stage = kernel.alloc(columns.length * room * 8);
  const scores = kernel.alloc(room * trees.outputs * 8);
  const counter = kernel.alloc(64);
  const scratchBytes = (2 * columns.length + 1) * 4 * block + 64;
  const scratch = kernel.alloc(scratchBytes * kernel.threads);
  kernel.each("setup", columns.length, scratch, scratchBytes);
  return (frame) => {
    const values = treeValues(columns, frame);
    const all = new Float64Array(frame.rows * trees.outputs);
    for (let from = 0; from < frame.rows; from += room) {
      const rows = Math.min(room, frame.rows - from);
      values.forEach((column, f) => {
        kernel.f64(stage + f * room * 8, rows).set(column.subarray(from, from + rows));
      });
      const out = kernel.f64(scores, rows * trees.outputs);
      for (let i = 0; i < out.length; i++) out[i] = trees.base[i % trees.outputs];
      kernel.u32(counter, 1)[0] = 0;
      kernel.each(
        "score",
        stage,
        room,
        rows,
        packed.nodes,
        packed.values,
        packed.sets,
        packed.heads,
        treeCount(trees),
        scores,
        trees.outputs,
        counter,
        block,
      );
      all.set(out, from * trees.outputs);
    }
    return all;
  };
}

/** Raw scores of the rows of a frame, rows x outputs, in plain JavaScript. */
export function rawScores({ columns, trees }: TreeModel, frame: Frame): Float64Array {
  const values = treeValues(columns, frame);
  const row = new Float64Array(columns.length);
  const scores = new Float64Array(frame.rows * trees.outputs);
  for (let r = 0; r < frame.rows; r++) {
    for (let f = 0; f < row.length; f++) row[f] = values[f][r];
    rawScore(trees, row, 0, scores.subarray(r * trees.outputs, (r + 1) * trees.outputs));
  }
  return scores;
}

function fits({ threshold, starts, output }: TreeEnsemble, columns: number): boolean {
  if (columns > 32_767 || output.length === 0) return false;
  for (let t = 0; t < output.length; t++) if (starts[t + 1] - starts[t] > 65_535) return false;
  return threshold.every((value) => Number.isNaN(value) || Math.fround(value) === value);
}

interface Packed {
  nodes: number;
  values: number;
  sets: number;
  heads: number;
}

/** Lays trees out for the kernel: siblings side by side, parents before them. */
function pack(kernel: SharedKernel, trees: TreeEnsemble, columns: number): Packed {
  const count = trees.feature.length;
  const nodes = kernel.alloc(count * 8);
  const values = kernel.alloc(count * 8);
  const sets = kernel.alloc(count * 16);
  const words = kernel.alloc(Math.max(4, trees.catWords.length * 4));
  const heads = kernel.alloc(treeCount(trees) * 16);
  kernel.u32(words, trees.catWords.length).set(trees.catWords);
  const thresholds = kernel.f32(nodes, count * 2);
  const infos = kernel.u32(nodes, count * 2);
  const leafValues = kernel.f64(values, count);
  const about = kernel.u32(sets, count * 4);
  const head = kernel.u32(heads, treeCount(trees) * 4);
  for (let t = 0; t < treeCount(trees); t++) {
    const first = trees.starts[t];
    const order = [{ node: first, level: 0 }];
    let depth = 0;
    let mixed = 0;
    for (let i = 0; i < order.length; i++) {
      const { node, level } = order[i];
      const at = first + i;
      leafValues[at] = trees.value[node];
      if (trees.feature[node] < 0) {
        thresholds[2 * at] = Infinity;
        infos[2 * at + 1] = 2 * columns;
        continue;
      }
      depth = Math.max(depth, level + 1);
      thresholds[2 * at] = trees.threshold[node];
      const slot = trees.missingLeft[node] ? trees.feature[node] : columns + trees.feature[node];
      infos[2 * at + 1] = slot | ((order.length - i) << 16);
      if (trees.catStart[node] >= 0) {
        mixed = 1;
        about[4 * at] = words + trees.catStart[node] * 4;
        about[4 * at + 1] = trees.catCount[node];
      }
      order.push({ node: trees.left[node], level: level + 1 }, { node: trees.right[node], level: level + 1 });
    }
    head.set([nodes + first * 8, depth, trees.output[t], mixed], t * 4);
  }
  return { nodes, values, sets, heads };
}

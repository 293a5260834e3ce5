import type { Frame } from "../../engine/frame.js";
import type { SharedKernel } from "../../engine/pool.js";
import type { Run } from "../../engine/run.js";
import type { Relation } from "../../table/relation.js";
import { columnSql, treeValues } from "./columns.js";
import { inOrder, type Expression } from "./streaming.js";
import { block, fitsKernel, packTrees } from "./packed-trees.js";
import { rawScore, treeCount, type TreeColumn, type TreeModel } from "./trees.js";

/** Raw scores of the rows of a frame, rows x outputs. */
export type Scorer = (frame: Frame) => Float64Array;

/** Bytes of values that are handed to the kernel at once: what a cache holds. */
const stageBytes = 1 << 21;

/** Rows from which laying a model out for the kernel pays. */
const manyRows = 1000;

/** Raw scores of rows whose values are at hand, column by column as trees see them, rows x outputs. */
export type ValuesScorer = (values: readonly Float64Array[], rows: number) => Float64Array;

/**
 * Lends work the fastest way to score rows by a model: the kernel, where there is one, there are rows enough, and the
 * thresholds of the trees are float32, else row by row.
 *
 * @param rows how many there are to score, where that is known
 */
export async function scoringValues<T>(
  model: TreeModel,
  rows: number | undefined,
  run: Run,
  work: (score: ValuesScorer) => Promise<T>,
): Promise<T> {
  const plain: ValuesScorer = (values, count) => plainScores(model, values, count);
  if ((rows !== undefined && rows < manyRows) || !fitsKernel(model.trees)) return work(plain);
  const kernel = await run.pool.kernel("score-trees");
  if (!kernel) return work(plain);
  try {
    return await work(kernelScorer(kernel, model));
  } finally {
    kernel.close();
  }
}

/** The same for frames. */
export function scoring<T>(
  model: TreeModel,
  rows: number | undefined,
  run: Run,
  work: (score: Scorer) => Promise<T>,
): Promise<T> {
  return scoringValues(model, rows, run, (score) =>
    work((frame) => score(treeValues(model.columns, frame), frame.rows)),
  );
}

/**
 * Raw scores of the rows of a relation in the order of its key, rows x outputs; its values are never all in memory.
 *
 * @param given values of columns that are not read: those of statistics
 */
export function scoresInOrder(
  model: TreeModel,
  relation: Relation,
  rows: number,
  run: Run,
  given: (column: TreeColumn) => Float32Array | undefined = () => undefined,
): Promise<Float64Array> {
  const { columns, trees } = model;
  const expressions = new Map<string, Expression>();
  columns.forEach((column, f) => {
    if (!given(column)) expressions.set(`f${f}`, { sql: columnSql(column) });
  });
  const all = new Float64Array(rows * trees.outputs);
  return scoringValues(model, rows, run, async (score) => {
    await inOrder(relation, expressions, run, (found, from, count) => {
      const values = columns.map((column, f) => {
        const own = given(column)?.subarray(from, from + count);
        return own ? Float64Array.from(own) : (found.get(`f${f}`) as Float64Array);
      });
      all.set(score(values, count), from * trees.outputs);
    });
    return all;
  });
}

function kernelScorer(kernel: SharedKernel, model: TreeModel): ValuesScorer {
  const { trees, columns } = model;
  const packed = packTrees(kernel, model);
  const room = Math.max(1024, Math.floor(stageBytes / (8 * columns.length)));
  // One piece is laid down while the threads work on the one before.
  const stages = [0, 1].map(() => kernel.alloc(columns.length * room * 8));
  const scores = kernel.alloc(room * trees.outputs * 8);
  const counter = kernel.alloc(64);
  const scratchBytes = (2 * columns.length + 1) * 4 * block + 64;
  const scratch = kernel.alloc(scratchBytes * kernel.threads);
  kernel.each("setup", columns.length, scratch, scratchBytes);
  const layDown = (values: readonly Float64Array[], from: number, rows: number, stage: number): void =>
    values.forEach((column, f) => {
      kernel.f64(stage + f * room * 8, rows).set(column.subarray(from, from + rows));
    });
  return (values, total) => {
    const all = new Float64Array(total * trees.outputs);
    layDown(values, 0, Math.min(room, total), stages[0]);
    for (let from = 0; from < total; from += room) {
      const rows = Math.min(room, total - from);
      const out = kernel.f64(scores, rows * trees.outputs);
      if (trees.outputs === 1) out.fill(trees.base[0]);
      else for (let i = 0; i < out.length; i++) out[i] = trees.base[i % trees.outputs];
      kernel.u32(counter, 1)[0] = 0;
      const [stage, other] = stages;
      kernel.meanwhile(
        () => layDown(values, from + rows, Math.min(room, total - from - rows), other),
        "score",
        stage,
        packed.levels,
        room,
        rows,
        packed.nodes,
        packed.words,
        packed.values,
        packed.tops,
        packed.heads,
        treeCount(trees),
        scores,
        trees.outputs,
        counter,
      );
      stages.reverse();
      all.set(out, from * trees.outputs);
    }
    return all;
  };
}

/** Raw scores of the rows of a frame, rows x outputs, in plain JavaScript. */
export function rawScores(model: TreeModel, frame: Frame): Float64Array {
  return plainScores(model, treeValues(model.columns, frame), frame.rows);
}

function plainScores(
  { columns, trees }: TreeModel,
  values: readonly Float64Array[],
  rows: number,
): Float64Array {
  const row = new Float64Array(columns.length);
  const scores = new Float64Array(rows * trees.outputs);
  for (let r = 0; r < rows; r++) {
    for (let f = 0; f < row.length; f++) row[f] = values[f][r];
    rawScore(trees, row, 0, scores.subarray(r * trees.outputs, (r + 1) * trees.outputs));
  }
  return scores;
}

import type { Pool, SharedKernel } from "../../../engine/pool.js";
import { treeShap, workspace, type ShapTrees } from "../../../kernels/tree-shap.js";
import type { TreeEnsemble } from "../trees.js";
import { shapTrees } from "./shap-trees.js";

/** Splits raw scores among the columns of the rows. */
export interface Contributions {
  /** Raw score of every output that contributions start from. */
  expected: Float64Array;
  /**
   * Contributions: with `expected` they add up to the raw scores.
   *
   * @param rows rows x columns, as the trees see them
   * @returns rows x outputs x columns
   */
  of(rows: Float64Array): Float64Array;
  /** Lets the memory go. */
  close(): void;
}

/**
 * Exact Shapley values of an ensemble's raw scores, where columns that are not known are averaged over
 * the training rows that came the same way (path-dependent, from the covers of the nodes).
 *
 * Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees,
 * Nature Machine Intelligence 2:56-67, algorithm 1; worked out as src/kernels/tree-shap.ts says.
 *
 * @param columns columns of a row, used by the trees or not
 */
export async function pathContributions(
  trees: TreeEnsemble,
  columns: number,
  pool: Pool,
): Promise<Contributions> {
  const { shap, expected } = shapTrees(trees, columns);
  const kernel = await pool.kernel("tree-shap");
  if (kernel) return { expected, ...onKernel(kernel, shap) };
  const of = (rows: Float64Array): Float64Array => {
    const out = new Float64Array((rows.length / columns) * shap.outputs * columns);
    treeShap(shap, rows, out);
    return out;
  };
  return { expected, of, close: () => undefined };
}

/** Bytes of rows and results that a thread works on at once: what its cache holds. */
const chunkBytes = 1 << 18;
/** Bytes of rows and results in the kernel's memory at once. */
const batchBytes = 1 << 26;

function onKernel(kernel: SharedKernel, shap: ShapTrees): Pick<Contributions, "of" | "close"> {
  const { columns, outputs } = shap;
  const { starts, output, points, links, factors, at, catWords } = shap;
  const model = [starts, output, points, links, factors, at, catWords].map((array) => laid(kernel, array));
  const rowBytes = 8 * columns * (outputs + 1);
  const chunk = 4 * Math.min(16, Math.max(1, Math.floor(chunkBytes / rowBytes / 4)));
  const most = workspace(shap);
  const scratchBytes = Math.ceil((chunk * rowBytes + 64 * (most.products + most.nodes)) / 64) * 64;
  const scratch = kernel.alloc(scratchBytes * kernel.threads);
  return {
    of: inBatches(kernel, columns, outputs, chunk, (rowsAt, outAt, part) =>
      kernel.each(
        "treeShap",
        ...[rowsAt, outAt, part, columns, outputs, output.length, ...model],
        ...[chunk, most.nodes, most.products, scratch, scratchBytes],
      ),
    ),
    close: () => kernel.close(),
  };
}

/** Puts an array into a kernel's memory. */
export function laid(kernel: SharedKernel, values: Float64Array | Int32Array | Uint32Array): number {
  const at = kernel.alloc(values.byteLength);
  if (values instanceof Float64Array) kernel.f64(at, values.length).set(values);
  else kernel.i32(at, values.length).set(values);
  return at;
}

/**
 * Works rows off in batches that the kernel's memory holds.
 *
 * @param least rows of a batch at least
 * @param work  writes the contributions of `count` rows, both given as pointers
 */
export function inBatches(
  kernel: SharedKernel,
  columns: number,
  outputs: number,
  least: number,
  work: (rowsAt: number, outAt: number, count: number) => void,
): Contributions["of"] {
  const batch = Math.max(least, Math.floor(batchBytes / (8 * columns * (outputs + 1))));
  return (rows) => {
    const count = rows.length / columns;
    const out = new Float64Array(count * outputs * columns);
    const mark = kernel.mark();
    for (let from = 0; from < count; from += batch) {
      const part = Math.min(batch, count - from);
      const rowsAt = laid(kernel, rows.subarray(from * columns, (from + part) * columns));
      const outAt = kernel.alloc(8 * part * outputs * columns);
      work(rowsAt, outAt, part);
      out.set(kernel.f64(outAt, part * outputs * columns), from * outputs * columns);
      kernel.release(mark);
    }
    return out;
  };
}

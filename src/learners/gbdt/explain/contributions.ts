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
  const floats = (values: Float64Array): number => {
    const at = kernel.alloc(values.byteLength);
    kernel.f64(at, values.length).set(values);
    return at;
  };
  const integers = (values: Int32Array | Uint32Array): number => {
    const at = kernel.alloc(values.byteLength);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const model = [
    ...[shap.starts, shap.output, shap.points, shap.links].map(integers),
    floats(shap.factors),
    ...[shap.at, shap.catWords].map(integers),
  ];
  const rowBytes = 8 * columns * (outputs + 1);
  const chunk = 4 * Math.min(16, Math.max(1, Math.floor(chunkBytes / rowBytes / 4)));
  const most = workspace(shap);
  const scratchBytes = Math.ceil((chunk * rowBytes + 64 * (most.products + most.nodes)) / 64) * 64;
  const scratch = kernel.alloc(scratchBytes * kernel.threads);
  const batch = Math.max(chunk, Math.floor(batchBytes / rowBytes));
  return {
    of(rows) {
      const count = rows.length / columns;
      const out = new Float64Array(count * outputs * columns);
      const mark = kernel.mark();
      for (let from = 0; from < count; from += batch) {
        const part = Math.min(batch, count - from);
        const rowsAt = floats(rows.subarray(from * columns, (from + part) * columns));
        const outAt = kernel.alloc(8 * part * outputs * columns);
        kernel.each(
          "treeShap",
          ...[rowsAt, outAt, part, columns, outputs, shap.output.length, ...model],
          ...[chunk, most.nodes, most.products, scratch, scratchBytes],
        );
        out.set(kernel.f64(outAt, part * outputs * columns), from * outputs * columns);
        kernel.release(mark);
      }
      return out;
    },
    close: () => kernel.close(),
  };
}

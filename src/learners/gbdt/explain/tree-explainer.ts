import type { Frame } from "../../../engine/frame.js";
import type { Run } from "../../../engine/run.js";
import type { Explainer } from "../../explanation.js";
import { treeValues } from "../columns.js";
import type { TreeModel } from "../trees.js";
import { backgroundContributions } from "./background.js";
import { pathContributions } from "./contributions.js";

/**
 * Explains the scores of trees by features: a feature gets what all columns made of it contribute.
 *
 * @param background features of rows to compare with; without it training rows stand in, as the covers tell of them
 * @param sign       -1 where a smaller raw score is a larger prediction
 */
export async function treeExplainer(
  { columns, trees, link }: TreeModel,
  run: Run,
  { background, sign = 1 }: { background?: Frame; sign?: 1 | -1 } = {},
): Promise<Explainer> {
  const names = [...new Set(columns.map(({ name }) => name))];
  const { expected, of } = background
    ? await backgroundContributions(
        trees,
        columns.length,
        rowMajor(treeValues(columns, background), 0, background.rows),
        run.pool,
      )
    : await pathContributions(trees, columns.length, run.pool);
  const owner = columns.map(({ name }) => names.indexOf(name));
  const one = names.length === columns.length;
  return {
    names,
    outputs: trees.outputs,
    expected: expected.map((score) => sign * score),
    unit: link === "identity" ? undefined : link === "exp" ? "logarithm" : "log-odds",
    of(frame: Frame) {
      const values = treeValues(columns, frame);
      return (from, to) => {
        const contributions = of(rowMajor(values, from, to));
        if (one && sign === 1) return contributions;
        const gathered = new Float64Array((to - from) * trees.outputs * names.length);
        for (let i = 0; i < contributions.length; i++) {
          const c = i % columns.length;
          gathered[((i - c) / columns.length) * names.length + owner[c]] += sign * contributions[i];
        }
        return gathered;
      };
    },
  };
}

/** Rows of some columns, one after the other. */
function rowMajor(columns: readonly Float64Array[], from: number, to: number): Float64Array {
  const rows = new Float64Array((to - from) * columns.length);
  columns.forEach((values, c) => {
    for (let r = from; r < to; r++) rows[(r - from) * columns.length + c] = values[r];
  });
  return rows;
}

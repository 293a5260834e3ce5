import type { Frame } from "../../../engine/frame.js";
import type { Run } from "../../../engine/run.js";
import type { Explainer } from "../../explanation.js";
import type { TreeModel } from "../trees.js";
import { backgroundContributions } from "./background.js";
import { pathContributions } from "./contributions.js";
import { treeRows } from "./tree-rows.js";

/**
 * Explains the scores of trees by features: a feature gets what all columns made of it contribute.
 *
 * @param background features of rows to compare with; without it training rows stand in, as the covers tell of them
 */
export async function treeExplainer(
  { columns, trees, link }: TreeModel,
  run: Run,
  background?: Frame,
): Promise<Explainer> {
  const names = [...new Set(columns.map(({ name }) => name))];
  const { expected, of } = background
    ? backgroundContributions(trees, columns.length, treeRows(background, columns))
    : await pathContributions(trees, columns.length, run.pool);
  const owner = columns.map(({ name }) => names.indexOf(name));
  const one = names.length === columns.length;
  return {
    names,
    outputs: trees.outputs,
    expected,
    unit: link === "identity" ? undefined : link === "exp" ? "logarithm" : "log-odds",
    of(frame: Frame, from: number, to: number) {
      const values = of(treeRows(frame, columns, from, to));
      if (one) return values;
      const gathered = new Float64Array((to - from) * trees.outputs * names.length);
      for (let i = 0; i < values.length; i++) {
        const c = i % columns.length;
        gathered[((i - c) / columns.length) * names.length + owner[c]] += values[i];
      }
      return gathered;
    },
  };
}

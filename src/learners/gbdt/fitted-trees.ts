import type { Column } from "../../engine/frame.js";
import type { Fitted, Signature } from "../learner.js";
import { predictRows } from "../row-predictions.js";
import { treeExplainer } from "./explain/tree-explainer.js";
import { scoring } from "./predict.js";
import { saveTrees, type TreeModel } from "./trees.js";

/** What becomes of the raw scores of a learner of trees. */
export interface Answering {
  /** Columns of the predictions from raw scores, rows x outputs, which may be changed. */
  columns(scores: Float64Array): Map<string, Column>;
  /** Engine types of columns that are not what their arrays are. */
  types?: Readonly<Record<string, string>>;
  /** -1 where small scores are what is told. */
  sign?: 1 | -1;
}

/** A fitted model whose predictions are made of the scores of trees. */
export function fittedTrees(
  { features }: Pick<Signature, "features">,
  model: TreeModel,
  about: Record<string, unknown>,
  { columns, types, sign }: Answering,
): Fitted {
  return {
    about,
    trees: model,
    explainer: (run, background) => treeExplainer(model, run, { background, sign }),
    predict: (rows, ask, run) =>
      scoring(model, rows!.memory?.rows, run, (score) =>
        predictRows(rows!, features, ask, run, (frame) => columns(score(frame)), types),
      ),
    save: (folder) => saveTrees(folder, model),
  };
}

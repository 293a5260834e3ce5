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

/** The model without the columns that none of its trees asks for, which of a wide table are most. */
function narrowed(model: TreeModel): TreeModel {
  const { columns, trees } = model;
  const asked = new Set(trees.feature);
  // Rows are counted by what is read of them: trees of one leaf keep a column.
  const kept = Array.from(columns.keys()).filter((f) => asked.has(f) || (f === 0 && asked.size === 1));
  if (kept.length === columns.length) return model;
  const numberOf = new Map(kept.map((f, i) => [f, i]));
  const feature = trees.feature.map((f) => (f < 0 ? f : numberOf.get(f)!));
  return { ...model, columns: kept.map((f) => columns[f]), trees: { ...trees, feature } };
}

/** A fitted model whose predictions are made of the scores of trees. */
export function fittedTrees(
  { features }: Pick<Signature, "features">,
  model: TreeModel,
  about: Record<string, unknown>,
  { columns, types, sign }: Answering,
): Fitted {
  let asked: TreeModel | undefined;
  return {
    about,
    trees: model,
    explainer: (run, background) => treeExplainer(model, run, { background, sign }),
    predict(rows, ask, run) {
      asked ??= narrowed(model);
      const names = new Set(asked.columns.map(({ name }) => name));
      const read = features.filter(({ name }) => names.has(name));
      return scoring(asked, rows!.memory?.rows, run, (score) =>
        predictRows(rows!, features, ask, run, (frame) => columns(score(frame)), types, read),
      );
    },
    save: (folder) => saveTrees(folder, model),
  };
}

import type { Frame } from "../../engine/frame.js";
import { treeValues } from "./columns.js";
import { applyLink, rawScore, type TreeModel } from "./trees.js";

/** Raw scores of the rows of a frame, rows x outputs. */
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

/** Predictions of the rows of a frame, rows x outputs: probabilities, or numbers in units of the target. */
export function predictions(model: TreeModel, frame: Frame): Float64Array {
  return applyLink(model.link, rawScores(model, frame), model.trees.outputs);
}

import { codes, floats, type Column, type ColumnAsk, type Frame } from "../engine/frame.js";
import { frameOf } from "../table/relation.js";
import type { TrainingData } from "./learner.js";
import { flag } from "./params.js";

/** The parameter of classifiers that can weigh classes by their rarity. */
export const balancedParam = flag({
  default: false,
  help: "weigh classes so that each counts the same, whatever its number of rows",
  search: true,
});

/** Training rows of a classifier. */
export interface ClassFrame {
  frame: Frame;
  /** Number of the class of every row, in the order of `data.classes`. */
  classOf: Int32Array;
  weights?: Float64Array;
}

/** Reads features, classes and weights of training rows. */
export async function classFrame(data: TrainingData, asks: readonly ColumnAsk[]): Promise<ClassFrame> {
  const target = data.target!.name;
  const { weight } = data.roles;
  const frame = await frameOf(data.relation, [
    ...asks,
    { name: target, as: "code" },
    ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
  ]);
  const { values, levels } = codes(frame, target);
  const numberOf = Int32Array.from(levels, (level) => data.classes!.indexOf(level));
  return {
    frame,
    classOf: values.map((code) => numberOf[code]),
    weights: weight === undefined ? undefined : floats(frame, weight),
  };
}

/**
 * Columns of a classifier's predictions: `prediction` (the likelier class; for two, the positive one
 * from one half on), then `score`, or `score_<class>` for every class.
 *
 * @param probabilities of the positive class, one per row; or rows x classes, row-major, without one
 */
export function classScores(
  probabilities: Float64Array,
  classes: readonly string[],
  positive: string | undefined,
): Map<string, Column> {
  if (positive !== undefined) {
    const yes = classes.indexOf(positive);
    const values = Int32Array.from(probabilities, (p) => (p >= 0.5 ? yes : 1 - yes));
    return new Map<string, Column>([
      ["prediction", { kind: "code", values, levels: [...classes] }],
      ["score", { kind: "f64", values: probabilities }],
    ]);
  }
  const count = classes.length;
  const rows = probabilities.length / count;
  const values = new Int32Array(rows);
  for (let r = 0; r < rows; r++)
    for (let c = 1; c < count; c++)
      if (probabilities[r * count + c] > probabilities[r * count + values[r]]) values[r] = c;
  return new Map<string, Column>([
    ["prediction", { kind: "code", values, levels: [...classes] }],
    ...classes.map((name, c): [string, Column] => [
      `score_${name}`,
      { kind: "f64", values: Float64Array.from({ length: rows }, (_, r) => probabilities[r * count + c]) },
    ]),
  ]);
}

/** n / (classes · rows of the class), as scikit-learn's "balanced", times the row's own weight. */
export function balancedWeights(
  classOf: Int32Array,
  weights: Float64Array | undefined,
  classes: number,
): Float64Array {
  const counts = new Float64Array(classes);
  for (const code of classOf) counts[code]++;
  return Float64Array.from(
    classOf,
    (code, r) => (classOf.length / (classes * counts[code])) * (weights ? weights[r] : 1),
  );
}

import { seededRng } from "../../src/core/rng.js";
import type { Passport } from "../../src/learners/gbdt/exchange/foreign.js";
import { writeLightgbm } from "../../src/learners/gbdt/exchange/lightgbm-out.js";
import { writeXgboost } from "../../src/learners/gbdt/exchange/xgboost-out.js";
import type { TreeModel } from "../../src/learners/gbdt/trees.js";
import { columnsOf, randomRows, randomTrees, type Shape } from "./random-trees.js";

/** A model of ours, as it was handed to the other tools, with rows for them to predict. */
export interface Exported {
  model: TreeModel;
  passport: Passport;
  rows: Float64Array;
}

const rows = 40;

function exported(
  name: string,
  shape: Shape,
  about: { link: TreeModel["link"]; objective: string; base?: number[]; classes?: string[] },
): Exported {
  const rng = seededRng(9, name);
  const trees = randomTrees(rng, shape);
  // What boosting gives: shrunk leaves, rounded to float32 by none.
  trees.value.forEach((value, n) => (trees.value[n] = value * 0.2));
  if (about.base) trees.base.set(about.base);
  const columns = columnsOf(shape);
  const { link, objective, classes } = about;
  return {
    model: { columns, trees, link, objective },
    passport: {
      task: classes ? "classification" : "regression",
      columns,
      objective,
      classes,
      positive: link === "logistic" ? classes?.[1] : undefined,
      target: { name: "y", type: classes ? "VARCHAR" : "DOUBLE" },
      features: columns.map(({ name: column, kind }) => ({
        name: column,
        type: kind === "number" ? "DOUBLE" : "VARCHAR",
      })),
    },
    rows: randomRows(rng, rows, shape),
  };
}

const shape: Shape = { columns: 6, trees: 6, depth: 4, categories: 3 };

/** Seeded, so that the files can be made again and compared with those that the tools loaded. */
export const exports: Record<string, Exported> = {
  binary: exported("binary", shape, {
    link: "logistic",
    objective: "binary",
    base: [-1.7],
    classes: ["no", "yes"],
  }),
  "binary, likely": exported("likely", shape, {
    link: "logistic",
    objective: "binary",
    base: [6.5],
    classes: ["no", "yes"],
  }),
  numbers: exported(
    "numbers",
    { columns: 5, trees: 5, depth: 5 },
    { link: "identity", objective: "squared" },
  ),
  poisson: exported("poisson", { ...shape, trees: 4 }, { link: "exp", objective: "poisson", base: [0.8] }),
  multiclass: exported(
    "multiclass",
    { ...shape, outputs: 3, trees: 7 },
    { link: "softmax", objective: "multiclass", classes: ["a", "b", "c"] },
  ),
  "several outputs": exported(
    "outputs",
    { ...shape, outputs: 2, trees: 4, depth: 3 },
    { link: "identity", objective: "gini", classes: ["a", "b"] },
  ),
  "no trees": exported(
    "none",
    { columns: 3, trees: 0, depth: 0 },
    { link: "identity", objective: "squared" },
  ),
};

/** The files of every model, by name. */
export function files({ model, passport }: Exported): Record<"xgboost" | "lightgbm", string> {
  return { xgboost: writeXgboost(model, passport), lightgbm: writeLightgbm(model, passport) };
}

import { seededRng } from "../../src/core/rng.js";
import type { Passport } from "../../src/learners/gbdt/exchange/foreign.js";
import { writeLightgbm } from "../../src/learners/gbdt/exchange/lightgbm-out.js";
import { writeOnnx } from "../../src/learners/gbdt/exchange/onnx-out.js";
import { writeXgboost } from "../../src/learners/gbdt/exchange/xgboost-out.js";
import type { TreeColumn, TreeModel } from "../../src/learners/gbdt/trees.js";
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
      learner: "gbdt",
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
  "level statistics": withStatistic(
    exported(
      "statistics",
      { columns: 4, trees: 4, depth: 4, categories: 2 },
      { link: "logistic", objective: "binary", classes: ["no", "yes"] },
    ),
  ),
  "statistics of classes": withStatistics(
    exported(
      "classes",
      { columns: 4, outputs: 3, trees: 5, depth: 4 },
      { link: "softmax", objective: "multiclass", classes: ["a", "b", "c"] },
    ),
  ),
  "no trees": exported(
    "none",
    { columns: 3, trees: 0, depth: 0 },
    { link: "identity", objective: "squared" },
  ),
};

/** Its last column is made of the levels of a text. */
function withStatistic({ model, passport, rows }: Exported): Exported {
  const columns: TreeModel["columns"] = model.columns.map((column, c) =>
    c === 3
      ? { kind: "statistic", name: column.name, levels: ["a", "b"], values: [-0.5, 0.4], other: 0.1 }
      : column,
  );
  rows.forEach((value, i) => {
    if (i % 4 === 3 && !Number.isNaN(value)) rows[i] = value < -0.3 ? -0.5 : value < 0.3 ? 0.1 : 0.4;
  });
  return { model: { ...model, columns }, passport: { ...passport, columns: [...columns] }, rows };
}

/** Two of its columns are made of the levels of one text. */
function withStatistics({ model, passport, rows }: Exported): Exported {
  const levels = ["a", "b", "c"];
  const made = [
    { values: [-0.5, 0.4, 0], other: 0.1 },
    { values: [0.3, -0.2, 1], other: -0.6 },
  ].map((about): TreeColumn => ({ kind: "statistic", name: "text", levels, ...about }));
  const columns = [...model.columns.slice(0, 2), ...made];
  for (let at = 0; at < rows.length; at += 4) {
    const level = Math.floor(Math.abs(rows[at] * 8) || 0) % 4;
    made.forEach((column, i) => {
      if (column.kind === "statistic") rows[at + 2 + i] = column.values[level] ?? column.other;
    });
  }
  return { model: { ...model, columns }, passport: { ...passport, columns }, rows };
}

/** The files of every model, by name. */
export function files({ model, passport }: Exported): {
  xgboost: string;
  lightgbm: string;
  onnx: Uint8Array;
} {
  return {
    xgboost: writeXgboost(model, passport),
    lightgbm: writeLightgbm(model, passport),
    onnx: writeOnnx(model, passport),
  };
}

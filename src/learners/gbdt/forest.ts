import type { Run } from "../../engine/run.js";
import { breathe } from "../breathe.js";
import { classScores } from "../classes.js";
import {
  choice,
  defineLearner,
  flag,
  int,
  real,
  type Fitted,
  type Signature,
  type TrainingData,
} from "../learner.js";
import type { ParamsOf } from "../params.js";
import { boost } from "./boost.js";
import { mostLevels } from "./columns.js";
import { meanOfTargets } from "./forest-objective.js";
import { fittedTrees } from "./fitted-trees.js";
import type { ReadAsk, Reading } from "./reading.js";
import { readPart, shareBins } from "./shared-bins.js";
import { loadTrees, treeCount, type TreeEnsemble, type TreeModel } from "./trees.js";

const params = {
  trees: int({
    default: 300,
    min: 1,
    max: 100_000,
    help: "trees whose answers are averaged (of each class)",
  }),
  kind: choice({
    default: "random",
    choices: ["random", "extra"],
    help: "random: rows drawn with replacement, best thresholds; extra: all rows, drawn thresholds",
    search: ["random", "extra"],
  }),
  depth: int({ default: 64, min: 1, max: 64, help: "most levels of splits" }),
  leaf_rows: real({
    default: 3,
    min: 1,
    max: 1_000_000,
    help: "least rows (weights) of a leaf",
    search: [1, 50],
    log: true,
  }),
  node_columns: real({
    default: 0,
    min: 0,
    max: 1,
    help: "share of the columns that each split may use; 0: the square root of their number, a third for regression",
  }),
  bins: int({ default: 255, min: 2, max: 255, help: "most bins of a number" }),
  balanced: flag({
    default: false,
    help: "weigh classes so that each counts the same, whatever its number of rows",
  }),
} as const;
type Params = ParamsOf<typeof params>;

/**
 * Random forests and extremely randomised trees: the mean of deep trees that each see other rows, and other
 * columns at each split. Breiman (2001); Geurts, Ernst & Wehenkel (2006). A split minimises the squared error of
 * the target, or of a class against the others, which for two classes is the Gini impurity.
 */
export default defineLearner({
  name: "forest",
  task: "classification",
  tasks: ["classification", "regression"],
  summary: "the mean of many deep random trees: robust, and hardly anything to tune",
  source:
    "Breiman (2001), Random Forests, Machine Learning 45(1); Geurts et al. (2006), Extremely randomized trees",
  roles: { target: "required", weight: "optional" },
  features: true,
  params,
  async fit(data, params, run) {
    const classes = classesOf(data);
    const reading = await readPart(data, readAsk(params, classes), run);
    try {
      const trees = await grown(data, reading, classes, params, run);
      const columns = reading.rows.layout.features;
      const objective = data.classes ? "gini" : "squared";
      return fitted(data, { columns, trees, link: "identity", objective }, { trees: treeCount(trees) });
    } finally {
      reading.close();
    }
  },
  share: (data, params, run) => shareBins(data, readAsk(params, classesOf(data)), run),
  load: (folder) => fitted(folder.card, loadTrees(folder), folder.card.about),
});

/** Classes that have trees of their own: of two, one is enough. */
const classesOf = ({ classes, positive }: TrainingData): number =>
  classes && positive === undefined ? classes.length : 1;

function readAsk({ bins }: Params, classes: number): ReadAsk {
  return { bins, levels: mostLevels, oneHot: 2, categories: [], statistics: Math.min(classes, 20) };
}

function fitted(signature: Signature, model: TreeModel, about: Record<string, unknown>): Fitted {
  const { classes, positive, target } = signature;
  return fittedTrees(signature, model, about, {
    types: classes ? { prediction: target!.type } : {},
    columns: (values) =>
      classes
        ? classScores(shares(values, model.trees.outputs), classes, positive)
        : new Map([["prediction", { kind: "f64", values }]]),
  });
}

/** Means of trees as probabilities: within 0 and 1, and, for several classes, of sum 1. */
function shares(values: Float64Array, outputs: number): Float64Array {
  for (let at = 0; at < values.length; at += outputs) {
    let sum = 0;
    for (let i = at; i < at + outputs; i++) sum += values[i] = Math.min(1, Math.max(0, values[i]));
    if (outputs > 1)
      for (let i = at; i < at + outputs; i++) values[i] = sum > 0 ? values[i] / sum : 1 / outputs;
  }
  return values;
}

async function grown(
  data: TrainingData,
  { kernel, rows }: Reading,
  classes: number,
  params: Params,
  run: Run,
): Promise<TreeEnsemble> {
  const columns = rows.layout.columns.length;
  const usual = data.classes ? Math.sqrt(columns) / columns : Math.max(1, columns / 3) / columns;
  const weights = rows.weightsAt ? kernel.f32(rows.weightsAt, rows.rows) : undefined;
  run.progress.stage("forest: growing");
  const objective = meanOfTargets({
    kernel,
    rows: rows.rows,
    labels: rows.labels,
    classes,
    weights:
      params.balanced && data.classes ? balancedWeights(rows.labels, weights, data.classes.length) : weights,
    bootstrap: params.kind === "random",
    seed: run.seed,
  });
  const { trees } = await boost(
    kernel,
    rows,
    objective,
    {
      trees: params.trees,
      eta: 1 / params.trees,
      depth: params.depth,
      leaves: Infinity,
      grow: "leaf",
      rules: {
        lambda: 0,
        alpha: 0,
        childWeight: params.leaf_rows,
        catLambda: 0,
        catSmooth: 1,
        maxStep: 0,
      },
      gamma: 0,
      rowShare: 1,
      treeColumns: 1,
      nodeColumns: params.node_columns > 0 ? params.node_columns : usual,
      drawn: params.kind === "extra" ? 1 : 0,
      patience: 0,
      seed: run.seed,
    },
    undefined,
    async (tree) => {
      run.progress.update(tree, params.trees, "trees");
      await breathe(run);
    },
  );
  run.progress.done(`${params.trees} trees`);
  return trees;
}

function balancedWeights(
  labels: Float32Array,
  weights: Float32Array | undefined,
  classes: number,
): Float32Array {
  const sizes = new Float64Array(classes);
  for (const label of labels) sizes[label]++;
  return labels.map((label, r) => (labels.length / (classes * sizes[label])) * (weights ? weights[r] : 1));
}

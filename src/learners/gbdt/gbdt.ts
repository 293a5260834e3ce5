import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { ident, literal } from "../../engine/sql.js";
import type { Relation } from "../../table/relation.js";
import { breathe } from "../breathe.js";
import { classScores } from "../classes.js";
import {
  choice,
  defineLearner,
  flag,
  int,
  real,
  text,
  type Fitted,
  type Signature,
  type Task,
  type TrainingData,
} from "../learner.js";
import type { ParamsOf } from "../params.js";
import { predictRows } from "../row-predictions.js";
import { boost, rowFloats, type Boosted, type BoostParams, type Watch } from "./boost.js";
import { mostLevels } from "./columns.js";
import { treeExplainer } from "./explain/tree-explainer.js";
import { interactionGroups, monotoneSigns, namedColumns } from "./constraints.js";
import { mostRelevant, type Queries } from "./lambdarank.js";
import {
  linkOf,
  objectiveNames,
  objectiveOf,
  type Labelled,
  type Objective,
  type ObjectiveName,
} from "./objectives.js";
import { scoring } from "./predict.js";
import { readRows, type Reading, type ReadRows } from "./reading.js";
import {
  applyLink,
  firstTrees,
  loadTrees,
  meanOf,
  saveTrees,
  treeCount,
  type TreeEnsemble,
  type TreeModel,
} from "./trees.js";

const params = {
  objective: choice({
    default: "auto",
    choices: objectiveNames,
    help: "loss to minimise; auto: binary or multiclass for classes, squared for numbers, lambdarank with --query",
  }),
  trees: int({
    default: 0,
    min: 0,
    max: 100_000,
    help: "rounds of boosting; 0: as many as do good, found on held-out parts of the training rows or on --valid",
  }),
  eta: real({ default: 0.05, min: 0.001, max: 1, help: "learning rate", search: [0.01, 0.3], log: true }),
  grow: choice({
    default: "depth",
    choices: ["depth", "leaf"],
    help: "grow trees level by level, or the best leaf first",
    search: ["depth", "leaf"],
  }),
  depth: int({
    default: 0,
    min: 0,
    max: 64,
    help: "most levels of splits; 0: 4 for up to 5,000 rows, else 5",
    search: [3, 10],
  }),
  leaves: int({
    default: 0,
    min: 0,
    max: 65_536,
    help: "most leaves of a tree; 0: any number, or 31 with grow=leaf",
  }),
  lambda: real({ default: 1, min: 0, help: "L2 penalty of leaf values", search: [0.01, 100], log: true }),
  alpha: real({ default: 0, min: 0, help: "L1 penalty of leaf values" }),
  gamma: real({ default: 0, min: 0, help: "least gain of a split" }),
  child_weight: real({
    default: 1,
    min: 0,
    help: "least sum of hessians (rows, for squared errors) of a leaf",
    search: [0.1, 100],
    log: true,
  }),
  max_step: real({ default: 0, min: 0, help: "largest size of a leaf value before eta; 0: any" }),
  rows: real({
    default: 0.8,
    min: 0.01,
    max: 1,
    help: "share of the rows that each tree sees",
    search: [0.5, 1],
  }),
  columns: real({
    default: 0.5,
    min: 0.01,
    max: 1,
    help: "share of the columns that each tree may use",
    search: [0.3, 1],
  }),
  node_columns: real({
    default: 1,
    min: 0.01,
    max: 1,
    help: "share of those columns that each split may use",
  }),
  bins: int({ default: 255, min: 2, max: 255, help: "most bins of a number" }),
  levels: int({
    default: mostLevels,
    min: 1,
    max: mostLevels,
    help: "most levels of a text that is split level by level; texts of more get target statistics",
  }),
  one_hot: int({
    default: 50,
    min: 0,
    max: mostLevels,
    help: "texts of at most that many levels are split one level against the rest",
  }),
  cat_smooth: real({ default: 10, min: 0, help: "hessian added to every level when levels are ordered" }),
  cat_lambda: real({ default: 10, min: 0, help: "L2 penalty added for splits of texts" }),
  categories: text({
    default: "",
    help: "columns of numbers that are codes and are split as texts are: browser,region",
  }),
  balanced: flag({
    default: false,
    help: "weigh classes so that each counts the same, whatever its number of rows",
  }),
  scale_pos_weight: real({
    default: 1,
    min: 0.000001,
    max: 1_000_000,
    help: "weight of rows of the positive class",
  }),
  quantile: real({ default: 0.5, min: 0.001, max: 0.999, help: "the quantile of objective=quantile" }),
  delta: real({ default: 1, min: 1e-9, help: "residual from which objective=huber counts absolute errors" }),
  power: real({ default: 1.5, min: 1.01, max: 1.99, help: "variance power of objective=tweedie" }),
  top: int({ default: 30, min: 1, max: 100_000, help: "ranking: places that count, k of nDCG@k" }),
  sigmoid: real({
    default: 1,
    min: 0.001,
    max: 1000,
    help: "ranking: how steeply the chance of a right order grows with the distance of two scores",
  }),
  stop: int({
    default: 50,
    min: 1,
    max: 100_000,
    help: "rounds without progress after which to stop, on --valid or, with trees=0, on parts of the training rows",
  }),
  monotone: text({
    default: "",
    help: "columns that predictions must rise (1) or fall (-1) with: price:-1,visits:1",
  }),
  interactions: text({ default: "", help: "columns that may stand on one path: price+brand,age+visits" }),
} as const;
type Params = ParamsOf<typeof params>;

/**
 * Gradient boosted decision trees on histograms. Friedman (2001); second-order steps and missing directions of
 * Chen & Guestrin (2016); leaf-wise growth and gradient-ordered categories of Ke et al. (2017), ordered target
 * statistics of Prokhorenkova et al. (2018), quantised gradients of Shi et al. (2022), LambdaMART of Burges (2010).
 */
export default defineLearner({
  name: "gbdt",
  task: "classification",
  tasks: ["classification", "regression", "ranking"],
  summary: "gradient boosted trees: the best for most tables, with missing values and texts as they are",
  source: "Friedman (2001), Annals of Statistics 29(5); Chen & Guestrin (2016), XGBoost, KDD",
  roles: { target: "required", weight: "optional", query: "optional" },
  features: true,
  params,
  async fit(data, params, run) {
    const objective = objectiveFor(data, params);
    const reading = await readRows(
      data,
      {
        bins: params.bins,
        levels: params.levels,
        oneHot: params.one_hot,
        categories: namedColumns(
          params.categories,
          data.features.map(({ name }) => name),
          "categories",
        ),
        statistics: data.classes && data.positive === undefined ? Math.min(data.classes.length, 20) : 1,
      },
      run,
    );
    try {
      const { trees, about } = await grown(data, reading, objective, params, run);
      const model: TreeModel = {
        columns: reading.layout.columns.map(({ column }) => column),
        trees,
        link: linkOf[objective],
        objective,
      };
      return fitted(data, model, { objective, trees: treeCount(trees), ...about });
    } finally {
      reading.kernel.close();
    }
  },
  load: (folder) => fitted(folder.card, loadTrees(folder), folder.card.about),
});

function fitted(
  { features, classes, positive, target }: Signature,
  model: TreeModel,
  about: Record<string, unknown>,
): Fitted {
  return {
    about,
    trees: model,
    explainer: (run, background) => treeExplainer(model, run, { background }),
    predict: (rows, ask, run) =>
      scoring(model, rows!.memory?.rows, run, (score) =>
        predictRows(
          rows!,
          features,
          ask,
          run,
          (frame) => {
            const values = applyLink(model.link, score(frame), model.trees.outputs);
            return classes
              ? classScores(values, classes, positive)
              : new Map([["prediction", { kind: "f64", values }]]);
          },
          classes ? { prediction: target!.type } : {},
        ),
      ),
    save: (folder) => saveTrees(folder, model),
  };
}

type Chosen = Exclude<ObjectiveName, "auto">;

/** What an objective is for. */
function taskOf(objective: Chosen): Task {
  if (objective === "lambdarank") return "ranking";
  return objective === "binary" || objective === "multiclass" ? "classification" : "regression";
}

function objectiveFor({ task, classes, positive }: TrainingData, { objective }: Params): Chosen {
  if (objective !== "auto" && taskOf(objective) !== task) {
    const fitting = taskOf(objective);
    throw new ShopaiError("usage", `objective=${objective} is for ${fitting}, and this is ${task}`, {
      where: "--param objective of gbdt",
      try: `--task ${fitting}`,
    });
  }
  if (task === "ranking") return "lambdarank";
  if (task === "regression") return objective === "auto" ? "squared" : (objective as Chosen);
  if (positive !== undefined) return "binary";
  if (objective === "binary")
    throw new ShopaiError("usage", `objective=binary is for two classes, and there are ${classes!.length}`, {
      where: "--param objective of gbdt",
      try: "--param objective=multiclass",
    });
  return "multiclass";
}

/** Up to so many rows, trees are a level shallower by default. */
const shallowRows = 5000;
/** Up to so many rows, the mean of the models of all folds is kept; more rows bear one model well. */
const fewRows = 50_000;
/** Folds of few rows; of many, one of twice as many tells the number of rounds. */
const folds = 5;

/** The most rounds, where their number is found. */
const mostRounds = 2000;

async function grown(
  data: TrainingData,
  reading: Reading,
  objective: Chosen,
  params: Params,
  run: Run,
): Promise<{ trees: TreeEnsemble; about: Record<string, unknown> }> {
  const { rows, layout } = reading;
  checkLabels(rows, objective, data);
  const plan = boostParams(
    data,
    layout.columns.map(({ column }) => column.name),
    params,
    run.seed,
  );
  const whole = labelled(reading, rows, data, params);
  const classes = data.classes?.length ?? 1;
  const boosted = (weights: Labelled, rounds: number, watch?: (of: Objective) => Watch): Promise<Boosted> => {
    const of = objectiveOf(objective, weights, classes, params);
    const ask = { ...plan, trees: rounds, patience: watch ? params.stop : 0 };
    return boost(reading.kernel, layout, rows, of, ask, watch?.(of), async (round) => {
      run.progress.update(round, rounds, "rounds");
      if (round % 8 === 0) await breathe(run);
    });
  };

  if (data.valid) {
    const valid = await reading.other(knownClasses(data.valid, data));
    const judged = labelled(reading, valid, data, params);
    run.progress.stage("gbdt: boosting");
    const { trees, best, history } = await boosted(whole, params.trees || mostRounds, (of) => ({
      rows: valid,
      loss: (scores) => of.loss(scores, judged),
    }));
    run.progress.done(`${best} rounds`);
    return {
      trees: firstTrees(trees, best * trees.outputs),
      about: { rounds: best, valid_loss: history[best - 1] },
    };
  }
  if (params.trees === 0 && rows.rows <= fewRows) {
    const found = await boostedFolds(reading, whole, folds, folds, boosted, run);
    const trees = meanOf(found.map(({ trees, best }) => firstTrees(trees, best * trees.outputs)));
    return {
      trees,
      about: { rounds: found.map(({ best }) => best), held_out_loss: mean(found.map(lossOf)) },
    };
  }
  const found = params.trees > 0 ? [] : await boostedFolds(reading, whole, 2 * folds, 1, boosted, run);
  const rounds = found.length > 0 ? found[0].best : params.trees;
  run.progress.stage("gbdt: boosting");
  const { trees } = await boosted(whole, rounds);
  run.progress.done(`${rounds} rounds`);
  return { trees, about: { rounds, ...(found.length > 0 ? { held_out_loss: lossOf(found[0]) } : {}) } };
}

const lossOf = ({ history, best }: Boosted): number => history[best - 1];
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Rows whose class was seen in training. */
function knownClasses(valid: Relation, { classes, target }: TrainingData): Relation {
  if (!classes) return valid;
  const among = classes.map(literal).join(", ");
  return {
    ...valid,
    sql: `SELECT * FROM (${valid.sql}) WHERE ${ident(target!.name)}::VARCHAR IN (${among})`,
  };
}

/** Models of all rows but one part, which stop when they do best on that; its rows bear no weight. */
async function boostedFolds(
  { kernel }: Reading,
  whole: Labelled,
  parts: number,
  wanted: number,
  boosted: (data: Labelled, rounds: number, watch: (of: Objective) => Watch) => Promise<Boosted>,
  run: Run,
): Promise<Boosted[]> {
  const { rows } = whole;
  const partOf = dealt(whole, parts, run);
  const mark = kernel.mark();
  const weightsAt = rowFloats(kernel, rows);
  const weights = kernel.f32(weightsAt, rows);
  const found: Boosted[] = [];
  for (let part = 0; part < wanted; part++) {
    run.progress.stage(`gbdt: boosting, part ${part + 1} of ${wanted}`);
    const held = new Float32Array(rows);
    for (let r = 0; r < rows; r++) {
      const weight = whole.weights ? whole.weights[r] : 1;
      weights[r] = partOf[r] === part ? 0 : weight;
      held[r] = partOf[r] === part ? weight : 0;
    }
    found.push(
      await boosted({ ...whole, weights, weightsAt }, mostRounds, (of) => ({
        loss: (scores) => of.loss(scores, { ...whole, weights: held }),
      })),
    );
    run.progress.done(`${found[part].best} rounds`);
  }
  kernel.release(mark);
  return found;
}

/** Deals rows to parts at random: evenly within every class, or whole queries. */
function dealt({ rows, labels, queries }: Labelled, parts: number, run: Run): Uint8Array {
  const rng = run.rng("gbdt folds");
  const shuffled = (count: number): Uint32Array =>
    rng.shuffle(Uint32Array.from({ length: count }, (_, i) => i));
  const part = new Uint8Array(rows);
  if (queries) {
    const { starts, rows: rowsOf } = queries;
    shuffled(starts.length - 1).forEach((q, i) => {
      for (const r of rowsOf.subarray(starts[q], starts[q + 1])) part[r] = i % parts;
    });
    return part;
  }
  const next = new Map<number, number>();
  for (const r of shuffled(rows)) {
    const own = Number.isInteger(labels[r]) ? labels[r] : -1;
    const at = next.get(own) ?? 0;
    part[r] = at % parts;
    next.set(own, at + 1);
  }
  return part;
}

function boostParams(
  data: TrainingData,
  names: readonly string[],
  params: Params,
  seed: number,
): BoostParams {
  const leafWise = params.grow === "leaf";
  return {
    trees: params.trees,
    eta: params.eta,
    depth: params.depth || (data.rows <= shallowRows ? 4 : 5),
    leaves: params.leaves || (leafWise ? 31 : Infinity),
    grow: params.grow,
    rules: {
      lambda: params.lambda,
      alpha: params.alpha,
      childWeight: params.child_weight,
      catLambda: params.cat_lambda,
      catSmooth: params.cat_smooth,
      maxStep: params.max_step,
      extraSeed: 0,
    },
    gamma: params.gamma,
    rowShare: params.rows,
    treeColumns: params.columns,
    nodeColumns: params.node_columns,
    signs: monotoneSigns(params.monotone, names, data.features),
    groups: interactionGroups(params.interactions, names),
    patience: 0,
    seed,
  };
}

/** Labels with the weights of rows and classes together. */
function labelled(
  { kernel }: Reading,
  rows: ReadRows,
  { classes, positive }: TrainingData,
  { balanced, scale_pos_weight: scale }: Params,
): Labelled {
  const { labels, labelsAt, queries } = rows;
  const plain = { kernel, rows: rows.rows, labels, labelsAt, queries };
  const given = rows.weightsAt ? kernel.f32(rows.weightsAt, rows.rows) : undefined;
  const count = classes?.length ?? 0;
  if ((!balanced && scale === 1) || count === 0)
    return { ...plain, weights: given, weightsAt: rows.weightsAt };
  const weightsAt = rowFloats(kernel, rows.rows);
  const weights = kernel.f32(weightsAt, rows.rows);
  const sizes = new Float64Array(count);
  for (const label of rows.labels) sizes[label]++;
  for (let r = 0; r < rows.rows; r++) {
    const label = rows.labels[r];
    weights[r] = given ? given[r] : 1;
    if (balanced) weights[r] *= rows.rows / (count * sizes[label]);
    if (positive !== undefined && label === 1) weights[r] *= scale;
  }
  return { ...plain, weights, weightsAt };
}

/** The values that the targets of an objective may have, both ends included. */
const targets: Partial<Record<Chosen, { least: number; most: number; words: string; sql: string }>> = {
  poisson: { least: 0, most: Infinity, words: "of 0 or more", sql: ">= 0" },
  tweedie: { least: 0, most: Infinity, words: "of 0 or more", sql: ">= 0" },
  gamma: { least: Number.MIN_VALUE, most: Infinity, words: "above 0", sql: "> 0" },
  lambdarank: {
    least: 0,
    most: mostRelevant,
    words: `of 0 to ${mostRelevant}`,
    sql: `BETWEEN 0 AND ${mostRelevant}`,
  },
};

function checkLabels(
  { labels, queries }: ReadRows,
  objective: Chosen,
  { target, relation, roles }: TrainingData,
): void {
  const allowed = targets[objective];
  if (!allowed) return;
  const bad = labels.find((label) => label < allowed.least || label > allowed.most);
  if (bad !== undefined)
    throw new ShopaiError(
      "data",
      `objective=${objective} is for values ${allowed.words}, and ${target!.name} holds ${bad}`,
      {
        where: relation.name,
        try: `--where '"${target!.name}" ${allowed.sql}'${queries ? "" : ", or --param objective=squared"}`,
      },
    );
  if (queries && !someOrder(queries, labels))
    throw new ShopaiError(
      "data",
      `all rows of every ${roles.query} have the same ${target!.name}: there is no order to learn`,
      { where: relation.name, try: "rows that were not chosen beside those that were" },
    );
}

/** Whether the rows of some query differ in relevance. */
function someOrder({ starts, rows }: Queries, labels: Float32Array): boolean {
  for (let q = 0; q + 1 < starts.length; q++)
    for (let i = starts[q] + 1; i < starts[q + 1]; i++)
      if (labels[rows[i]] !== labels[rows[starts[q]]]) return true;
  return false;
}

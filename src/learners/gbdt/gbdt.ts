import { ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { ident, literal } from "../../engine/sql.js";
import type { Relation } from "../../table/relation.js";
import { breathe } from "../breathe.js";
import { classScores } from "../classes.js";
import {
  defineLearner,
  type Fitted,
  type Model,
  type Signature,
  type Task,
  type TrainingData,
} from "../learner.js";
import { boost, type Boosted, type BoostParams, type Start, type Watch } from "./boost.js";
import { interactionGroups, monotoneSigns, namedColumns } from "./constraints.js";
import { fittedTrees } from "./fitted-trees.js";
import { params, type Params } from "./gbdt-params.js";
import { checkLabels, labelled } from "./labels.js";
import {
  alikeModels,
  bestDepth,
  lossOf,
  unlikeModels,
  withoutParts,
  type Style,
  type Without,
} from "./members.js";
import { linkOf, objectiveOf, type Chosen, type Labelled, type Objective } from "./objectives.js";
import { scoresInOrder } from "./predict.js";
import { statisticsOf, type ReadAsk, type Reading } from "./reading.js";
import { readPart, shareBins } from "./shared-bins.js";
import {
  applyLink,
  firstTrees,
  joined,
  loadTrees,
  meanOf,
  treeCount,
  type TreeColumn,
  type TreeEnsemble,
  type TreeModel,
} from "./trees.js";

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
  continues: true,
  params,
  async fit(data, params, run) {
    const objective = objectiveFor(data, params);
    if (params.boosting === "dart" && params.trees === 0)
      throw new ShopaiError(
        "usage",
        "boosting=dart wants a number of rounds: later ones change what earlier ones count, so the first ones alone are no model",
        { where: "--param boosting of gbdt", try: "--param trees=300" },
      );
    const before = data.init && trunkOf(data.init, data, objective, params);
    const ask = { ...readAsk(data, params), columns: before?.columns };
    const reading = await readPart(data, ask, run);
    try {
      const { trees, about } = await grown(data, reading, objective, params, before, run);
      const model: TreeModel = {
        columns: reading.rows.layout.features,
        trees,
        link: linkOf[objective],
        objective,
      };
      return fitted(data, model, { objective, trees: treeCount(trees), ...about });
    } finally {
      reading.close();
    }
  },
  share: (data, params, run) => shareBins(data, readAsk(data, params), run),
  load: (folder) => fitted(folder.card, loadTrees(folder), folder.card.about),
});

function readAsk({ features, classes, positive }: TrainingData, params: Params): ReadAsk {
  const names = features.map(({ name }) => name);
  return {
    bins: params.bins,
    levels: params.levels,
    oneHot: params.one_hot,
    categories: namedColumns(params.categories, names, "categories"),
    statistics: classes && positive === undefined ? Math.min(classes.length, 20) : 1,
  };
}

function fitted(signature: Signature, model: TreeModel, about: Record<string, unknown>): Fitted {
  const { classes, positive, target } = signature;
  return fittedTrees(signature, model, about, {
    types: classes ? { prediction: target!.type } : {},
    columns(scores) {
      const values = applyLink(model.link, scores, model.trees.outputs);
      return classes
        ? classScores(values, classes, positive)
        : new Map([["prediction", { kind: "f64", values }]]);
    },
  });
}

/**
 * The trees of a model that is gone on from.
 *
 * @throws ShopaiError "usage" when they were grown for another objective, or nothing says how many are to follow
 */
function trunkOf(
  { trees }: Model,
  { valid }: TrainingData,
  objective: Chosen,
  { trees: more }: Params,
): TreeModel {
  if (trees!.objective !== objective)
    throw new ShopaiError(
      "usage",
      `the model of --init was trained with objective=${trees!.objective}, and this is ${objective}`,
      { where: "--init of gbdt", try: `--param objective=${trees!.objective}` },
    );
  if (more === 0 && !valid)
    throw new ShopaiError("usage", "nothing says how many rounds are to follow those of --init", {
      where: "--init of gbdt",
      try: "--param trees=100, or --valid <table>, which tells when to stop",
    });
  return trees!;
}

/** What the trees that are gone on from give the rows. */
async function startOf(
  before: TreeModel,
  rows: Relation,
  count: number,
  statistics: ReadonlyMap<TreeColumn, Float32Array>,
  run: Run,
): Promise<Float64Array[]> {
  const { outputs } = before.trees;
  const scores = await scoresInOrder(before, rows, count, run, (column) => statistics.get(column));
  return Array.from({ length: outputs }, (_, k) => scores.filter((_, i) => i % outputs === k));
}

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

/** So many columns, where there are so many, each tree may use by default: fewer would not meet in one tree. */
const fewestColumns = 8;
/** Up to so many rows, the mean of the models of all folds is kept; more rows bear one model well. */
const fewRows = 50_000;
/** Up to so many, these models are unlike each other; of more rows single trees err less than the mean of unlike ones. */
const fewerRows = 20_000;
/** Up to so many, trees are a level shallower than up to `fewerRows`; of more, rows that are held out tell which depth is good. */
const shallowRows = 5000;
const depthsOfMany = [5, 8, 12];
/** Where the number of leaves is what bounds a tree. */
const anyDepth = 64;
/** Folds of few rows; of many, one of twice as many tells the number of rounds. */
const folds = 5;

/** The most rounds, where their number is found. */
const mostRounds = 2000;

async function grown(
  data: TrainingData,
  reading: Reading,
  objective: Chosen,
  params: Params,
  before: TreeModel | undefined,
  run: Run,
): Promise<{ trees: TreeEnsemble; about: Record<string, unknown> }> {
  const { rows } = reading;
  checkLabels(rows, objective, data);
  const plan = boostParams(
    data,
    rows.layout.features.map(({ name }) => name),
    params,
    run.seed,
  );
  const given = params.depth > 0 || params.grow === "leaf";
  const depths = given || rows.rows <= fewerRows ? [plan.depth] : depthsOfMany;
  const whole = labelled(reading, rows, data, params);
  const classes = data.classes?.length ?? 1;
  const start: Start | undefined = before && {
    scores: await startOf(before, data.relation, rows.rows, reading.statistics, run),
    trees: treeCount(before.trees),
  };
  const after = (trees: TreeEnsemble): TreeEnsemble => (before ? joined([before.trees, trees]) : trees);
  const boosted = (
    weights: Labelled,
    rounds: number,
    watch?: (of: Objective) => Watch,
    style?: Style,
  ): Promise<Boosted> => {
    const of = objectiveOf(objective, weights, classes, params);
    const ask = { ...plan, ...style, trees: rounds, patience: watch && !plan.dropout ? params.stop : 0 };
    const tick = async (round: number): Promise<void> => {
      run.progress.update(round, rounds, "rounds");
      if (round % 8 === 0) await breathe(run);
    };
    return boost(reading.kernel, rows, of, ask, watch?.(of), tick, start);
  };

  if (data.valid) {
    const watched = knownClasses(data.valid, data);
    const valid = await reading.other(watched);
    if (start) {
      const statistics = await statisticsOf(before!.columns, watched);
      start.watched = await startOf(before!, watched, valid.rows, statistics, run);
    }
    const judged = labelled(reading, valid, data, params);
    const watch = (of: Objective): Watch => ({ rows: valid, loss: (scores) => of.loss(scores, judged) });
    const { model, depth } = await bestDepth(depths, async (style) => {
      run.progress.stage("gbdt: boosting");
      const model = await boosted(whole, params.trees || mostRounds, watch, style);
      run.progress.done(`depth ${style.depth}, ${model.best} rounds`);
      return model;
    });
    return {
      trees: after(firstTrees(model.trees, model.best * model.trees.outputs)),
      about: { rounds: model.best, depth, valid_loss: lossOf(model) },
    };
  }
  const judged = <T>(parts: number, work: (without: Without) => Promise<T>): Promise<T> => {
    const one = (data: Labelled, watch: (of: Objective) => Watch, style?: Style): Promise<Boosted> =>
      boosted(data, mostRounds, watch, style);
    return withoutParts(reading, whole, parts, one, work, run);
  };
  if (params.trees === 0 && rows.rows <= fewRows) {
    const unlike = rows.rows <= fewerRows && params.thresholds === "auto" && usualColumns(params);
    const { models, depth } = await judged(folds, async (without) =>
      unlike
        ? { models: await unlikeModels(without, plan.treeColumns, rows.rows / folds), depth: plan.depth }
        : await alikeModels(without, folds, depths),
    );
    const trees = meanOf(models.map(({ trees, best }) => firstTrees(trees, best * trees.outputs)));
    return {
      trees,
      about: { rounds: models.map(({ best }) => best), depth, held_out_loss: mean(models.map(lossOf)) },
    };
  }
  const found =
    params.trees > 0
      ? undefined
      : await judged(2 * folds, (without) => bestDepth(depths, (style) => without(0, style)));
  const rounds = found?.model.best ?? params.trees;
  run.progress.stage("gbdt: boosting");
  const { trees } = await boosted(whole, rounds, undefined, found && { depth: found.depth });
  run.progress.done(`${rounds} rounds`);
  return {
    trees: after(trees),
    about: {
      rounds,
      depth: found?.depth ?? plan.depth,
      ...(found ? { held_out_loss: lossOf(found.model) } : {}),
    },
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Whether the share of columns is the default. */
const usualColumns = ({ columns, node_columns: node }: Params): boolean => columns === 0 && node === 1;

/** Rows whose class was seen in training. */
function knownClasses(valid: Relation, { classes, target }: TrainingData): Relation {
  if (!classes) return valid;
  const among = classes.map(literal).join(", ");
  return {
    ...valid,
    sql: `SELECT * FROM (${valid.sql}) WHERE ${ident(target!.name)}::VARCHAR IN (${among})`,
  };
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
    eta: params.eta || (data.rows <= fewRows ? 0.05 : 0.1),
    depth: params.depth || (leafWise ? anyDepth : data.rows <= shallowRows ? 4 : 5),
    leaves: params.leaves || (leafWise ? 31 : Infinity),
    grow: params.grow,
    rules: {
      lambda: params.lambda,
      alpha: params.alpha,
      childWeight: params.child_weight,
      catLambda: params.cat_lambda,
      catSmooth: params.cat_smooth,
      maxStep: params.max_step,
    },
    gamma: params.gamma,
    rowShare: params.rows,
    goss: params.goss > 0 ? { top: params.goss, rest: params.goss_rest } : undefined,
    treeColumns: params.columns || Math.min(1, Math.max(0.5, fewestColumns / names.length)),
    nodeColumns: params.node_columns,
    drawn: { auto: 0, searched: 0, mixed: 0.5, drawn: 1 }[params.thresholds],
    signs: monotoneSigns(params.monotone, names, data.features),
    groups: interactionGroups(params.interactions, names),
    dropout: params.boosting === "dart" ? { rate: params.drop, skip: params.skip } : undefined,
    patience: 0,
    seed,
  };
}

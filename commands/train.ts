import { trainingBlocks } from "../src/cli/training-blocks.js";
import { ShopaiError } from "../src/core/errors.js";
import { version } from "../src/core/version.js";
import type { Run } from "../src/engine/run.js";
import { calibrationKinds } from "../src/learners/calibration.js";
import type { CrossValidation } from "../src/learners/cross-validation.js";
import { groupAims } from "../src/learners/group-thresholds.js";
import {
  roleHelp,
  type Learner,
  type RoleName,
  type Roles,
  type SharedRows,
  type TrainingData,
} from "../src/learners/learner.js";
import { parametersText } from "../src/learners/listing.js";
import type { Procedure } from "../src/learners/procedure.js";
import { learnerNamed, learnerNames } from "../src/learners/registry.js";
import { parseCost, parseThreshold } from "../src/learners/threshold.js";
import type { TrainingAsk } from "../src/learners/training.js";
import { openStore } from "../src/learners/tune/state.js";
import { studyMethods } from "../src/learners/tune/study.js";
import { defineCommand, option, readingOptions, telling, type OptionsOf } from "../src/pipeline/command.js";
import { provenanceOf } from "../src/table/provenance.js";
import type { Relation } from "../src/table/relation.js";
import { summaries } from "./summaries.js";

/** What a training needs and a usage error does not: loaded by the first. */
async function workshop() {
  const rooms = await Promise.all([
    import("../src/learners/cross-validation.js"),
    import("../src/learners/draw.js"),
    import("../src/learners/procedure.js"),
    import("../src/learners/reference.js"),
    import("../src/learners/suspicions.js"),
    import("../src/learners/training.js"),
    import("../src/table/open.js"),
    import("../src/table/write.js"),
  ]);
  const [crossValidation, draw, procedure, reference, looks, training, open, write] = rooms;
  return {
    ...crossValidation,
    ...draw,
    ...procedure,
    ...reference,
    ...looks,
    ...training,
    ...open,
    ...write,
  };
}

const role = (name: RoleName) => option.text(roleHelp[name], { arg: "<column>" }).optional();
const roleOptions = {
  target: role("target"),
  user: role("user"),
  item: role("item"),
  rating: role("rating"),
  time: role("time"),
  weight: role("weight"),
  query: role("query"),
  segment: role("segment"),
};

const options = {
  out: option.path("model folder to write", { short: "o" }),
  ...roleOptions,
  task: option
    .choice("for learners of several tasks (default: the target tells)", [
      "classification",
      "regression",
      "ranking",
    ])
    .optional(),
  features: option
    .names("feature columns: names and globs, -name excludes (default: all but the roles and split)")
    .optional(),
  positive: option.text("the class that score is the probability of", { arg: "<class>" }).optional(),
  parts: option
    .names(
      "of a hybrid, two-stage or stack: learners, name=learner, or model folders; parameters as name.param",
      {
        arg: "<a,b>",
      },
    )
    .optional(),
  items: option
    .path("table with a row per item (titles, categories, prices), for learners that use it", {
      arg: "<table>",
    })
    .optional(),
  valid: option
    .path("table of validation rows: --tune scores on it, and learners that stop early stop by it", {
      arg: "<table>",
    })
    .optional(),
  cv: option
    .integer("also measure by cross-validation with so many folds; the model is trained on all rows", {
      min: 2,
      max: 100,
    })
    .optional(),
  cvGroup: option
    .text("deal folds by this column: rows of one value stay together", { arg: "<column>" })
    .optional(),
  cvTime: option
    .text("deal folds in the order of this column: models learn from what is earlier", { arg: "<column>" })
    .optional(),
  cvGap: option
    .text("with --cv-time: leave so much time out before every fold: 7d, 12h, 4w", { arg: "<time>" })
    .optional(),
  oof: option
    .path("with --cv: table to write, the predictions of every row by the model that did not see it", {
      table: true,
    })
    .optional(),
  keep: option.names("columns to carry over into --oof").optional(),
  tune: option
    .integer("search the parameters with so many trials; with --cv within every fold, too (nested)", {
      min: 1,
      max: 100_000,
    })
    .optional(),
  tuneBy: option
    .choice("tpe, random, or halving: tpe that gives up poor trials early (default: tpe)", studyMethods)
    .optional(),
  tuneMetric: option
    .text("metric to search for (default: log_loss, rmse, ndcg@10, silhouette, auc)", { arg: "<metric>" })
    .optional(),
  tuneFolds: option
    .integer("folds that trials are scored on without --valid (default: 5)", { min: 2, max: 100 })
    .optional(),
  calibrate: option
    .choice("make probabilities of the scores, fitted on out-of-fold scores", calibrationKinds)
    .optional(),
  threshold: option
    .text(
      "score from which on prediction is the positive class: 0.3, or found out of fold for f1, f2, balanced_accuracy or cost",
      {
        arg: "<score|f1|cost>",
      },
    )
    .optional(),
  cost: option
    .pairs("what errors cost: fp=1, fn=5; sets the threshold by expected cost unless --threshold does")
    .default({}),
  classWeight: option
    .pairs("what rows of a class count, repeatable: fraud=10; others count as they are")
    .default({}),
  alertsPerDay: option
    .integer("set the threshold so that at most so many rows a day are positive; needs --time", { min: 1 })
    .optional(),
  fair: option
    .choice("treat the groups of --group alike: by row weights, or by a threshold for each", [
      "reweigh",
      ...groupAims,
    ] as const)
    .optional(),
  group: option
    .text('with --fair: a column, or an SQL expression such as "age < 25"', { arg: "<column>" })
    .optional(),
  init: option
    .path("model to go on from, of the same learner, target and columns: gbdt adds trees to it", {
      arg: "<model>",
    })
    .optional(),
  resume: option
    .flag("networks: go on from the checkpoint that a stopped training left beside the model")
    .default(false),
  tensorboard: option
    .path("networks: folder for event files with the losses of every epoch, which TensorBoard draws", {
      arg: "<folder>",
    })
    .optional(),
  param: option.pairs("parameter of the learner, repeatable").default({}),
  ...readingOptions,
};
type TrainOptions = OptionsOf<typeof options>;

const train = defineCommand({
  name: "train",
  summary: summaries.train,
  inputs: {
    usage: "<learner> <table...>",
    min: 2,
    max: Infinity,
    help: "the learner, then the tables to learn from",
    choices: learnerNames,
  },
  examples: [
    "shopai train ease interactions.csv --where \"split = 'train'\" --user user --item item -o model/",
    "shopai train logistic sessions.parquet --target bought --features 'page_*,visitor' -o model/ --param lambda=0.1",
    "shopai train hybrid interactions.csv --user user --item item --parts ease,near=item-knn --param near.k=20 -o model/",
    "shopai train logistic orders.parquet --target returned --cv 5 --tune 40 -o model/",
    "shopai train logistic payments.parquet --target fraud --time at --alerts-per-day 100 --calibrate isotonic -o model/",
    "shopai train gbdt impressions.parquet --target clicked --query search -o model/",
    "shopai train ease --help",
  ],
  options,
  reads: (o) => [
    ...o.in.slice(1),
    ...[o.valid, o.items, o.init].filter((path) => path !== undefined),
    ...(o.parts ?? [])
      .map((part) => part.replace(/^[\w-]+=/, ""))
      .filter((part) => !learnerNames.includes(part)),
  ],
  writes: (o) => [o.out, ...(o.oof === undefined ? [] : [o.oof])],
  moreHelp: async ([name]) => (name === undefined ? undefined : parametersText(await learnerNamed(name))),
  async run(o, run) {
    const [name, ...tables] = o.in;
    if (!learnerNames.includes(name) && /[./\\]/.test(name))
      throw new ShopaiError("usage", `the learner comes first, before ${name}`, { try: "shopai learners" });
    const { openTable, writeTable, trainingData, withSample, asRead, trained, ...rooms } = await workshop();
    const { laidDown, suspicions, referenceName, referenceOf } = rooms;
    const learner = await learnerNamed(name);
    const table = await openTable(await run.engine(), tables, { ...o, signal: run.signal, copied: true });
    const roles = Object.fromEntries(
      (Object.keys(roleOptions) as RoleName[]).map((known) => [known, o[known]]),
    ) as Roles;
    const procedure = await procedureOf(learner, table, roles, o, run);
    const said: string[] = [];
    const heard = { ...run, warn: (message: string) => void said.push(message) };
    const data = await trainingData(learner, table, procedure, heard);
    const checked = { rows: table, data, warnings: said };
    const sample = await laidDown(table, seenColumns(data));
    const warnings = await suspicions(asRead(withSample(data, sample)), learner.readsWords);
    for (const warning of warnings) run.warn(warning);
    const measured =
      o.cv === undefined ? undefined : await measuredByFolds(learner, table, procedure, o, run);
    const about = { ...(measured && { cv: measured.validation }), ...(warnings.length > 0 && { warnings }) };
    const model = await trained(
      learner,
      table,
      { ...procedure, about, sample, checked },
      watched(learner, o, run),
    );
    const reference = await referenceOf(model, table, sample, run);
    await model.save(o.out, (folder) => folder.json(referenceName, reference));
    if (measured?.outOfFold)
      await writeTable(
        measured.outOfFold,
        o.oof!,
        provenanceOf("train", telling(train, o), o.seed, table.inputs),
        o,
      );
    const { card } = model;
    return {
      json: {
        model: o.out,
        learner: card.learner,
        task: card.task,
        rows: card.rows,
        features: card.features.map((field) => field.name),
        target: card.target?.name,
        classes: card.classes,
        positive: card.positive,
        params: card.params,
        decision: card.decision,
        seed: card.seed,
        about: card.about,
        ...(o.oof !== undefined && { oof: o.oof }),
      },
      blocks: trainingBlocks(card, learner.params, o.out),
    };
  },
});
export default train;

/** Columns that a model learns from, learns or names; who rated, because a rating is answered for a user and an item. */
function seenColumns({ features, target, roles, task }: TrainingData): string[] {
  const rater = task === "rating" ? roles.user : undefined;
  const named = [target?.name, rater, roles.item, roles.rating].filter((name) => name !== undefined);
  return [...new Set([...features.map(({ name }) => name), ...named])];
}

/** What the options ask of the learners' room. */
async function procedureOf(
  learner: Learner,
  table: Relation,
  roles: Roles,
  o: TrainOptions,
  run: Run,
): Promise<Procedure> {
  refuseLonely(o);
  const { openTable } = await workshop();
  const valid =
    o.valid === undefined ? undefined : await openTable(table.engine, [o.valid], { signal: run.signal });
  const items =
    o.items === undefined
      ? undefined
      : await openTable(table.engine, [o.items], { ...o, where: undefined, signal: run.signal });
  const dealing = { group: o.cvGroup, time: o.cvTime, gap: o.cvGap };
  const cost = parseCost(o.cost);
  const ask: TrainingAsk = {
    roles,
    task: o.task,
    features: o.features,
    positive: o.positive,
    params: o.param,
    where: o.where,
    valid,
    parts: o.parts,
    items,
    init: o.init,
  };
  const key = {
    version,
    learner: learner.name,
    seed: o.seed,
    inputs: table.inputs.map(({ sha256 }) => sha256),
    valid: valid?.inputs.map(({ sha256 }) => sha256),
    items: items?.inputs.map(({ sha256 }) => sha256),
    asked: { ...ask, valid: undefined, items: undefined },
    classWeight: o.classWeight,
    fair: o.fair && [o.fair, o.group],
    by: o.tuneBy ?? "tpe",
    metric: o.tuneMetric,
    folds: [o.tuneFolds, dealing],
  };
  const store =
    o.tune === undefined
      ? undefined
      : await openStore(`${o.out.replace(/\/+$/, "")}.tune.ndjson`, key, (differs) =>
          run.warn(`the trials beside ${o.out} are of another search (${differs}): it begins anew`),
        );
  return {
    ...ask,
    tune:
      o.tune === undefined
        ? undefined
        : {
            trials: o.tune,
            by: o.tuneBy,
            metric: o.tuneMetric,
            folds: { folds: o.tuneFolds ?? 5, ...dealing },
            valid,
            store,
          },
    calibrate: o.calibrate,
    threshold:
      o.alertsPerDay !== undefined
        ? { by: "alerts", perDay: o.alertsPerDay }
        : o.threshold === undefined
          ? undefined
          : parseThreshold(o.threshold, cost),
    cost,
    classWeights: Object.keys(o.classWeight).length > 0 ? o.classWeight : undefined,
    fair: o.fair && { by: o.fair, group: o.group! },
    folds: { folds: o.cv ?? 5, ...dealing },
  };
}

/** A network leaves checkpoints beside the model, and event files, where it is trained once and not many times. */
function watched(learner: Learner, o: TrainOptions, run: Run): Run {
  const many = o.tune ?? o.calibrate ?? o.threshold ?? o.alertsPerDay ?? o.fair ?? o.cost?.fp ?? o.cost?.fn;
  const network = "epochs" in learner.params && "patience" in learner.params;
  if (o.resume && !network)
    throw new ShopaiError("usage", `${learner.name} leaves no checkpoints to resume from`, {
      try: "leaving --resume out",
    });
  if (o.tensorboard !== undefined && !network)
    throw new ShopaiError("usage", `${learner.name} is no network: it has no losses of epochs to draw`, {
      try: "leaving --tensorboard out",
    });
  if ((o.resume || o.tensorboard !== undefined) && many !== undefined)
    throw new ShopaiError(
      "usage",
      `${o.resume ? "--resume" : "--tensorboard"} is for a model that is trained once`,
      {
        try: "leaving out --tune, --calibrate, thresholds and --fair",
      },
    );
  if (!network || many !== undefined) return run;
  const path = `${o.out.replace(/\/+$/, "")}.checkpoint`;
  return { ...run, checkpoint: { path, resume: o.resume }, tensorboard: o.tensorboard };
}

/** Refuses options that mean nothing without another one. */
function refuseLonely(o: TrainOptions): void {
  const alone = (option: string, needs: string): ShopaiError =>
    new ShopaiError("usage", `${option} goes with ${needs}`, { try: `${option} and ${needs}` });
  const tuned = o.tuneBy ?? o.tuneMetric ?? o.tuneFolds;
  if (tuned !== undefined && o.tune === undefined)
    throw alone("--tune-by, --tune-metric and --tune-folds", "--tune");
  const many = o.cv ?? o.tune ?? o.calibrate ?? o.threshold ?? o.alertsPerDay ?? o.fair;
  if (o.init !== undefined && many !== undefined)
    throw new ShopaiError(
      "usage",
      "a model that has seen the rows cannot be measured or tuned on parts of them",
      {
        where: "--init",
        try: "leaving out --cv, --tune, --calibrate, thresholds and --fair, or --init",
      },
    );
  if (o.oof !== undefined && o.cv === undefined) throw alone("--oof", "--cv");
  if (o.keep !== undefined && o.oof === undefined) throw alone("--keep", "--oof");
  if (o.fair !== undefined && o.group === undefined) throw alone("--fair", "--group");
  if (o.group !== undefined && o.fair === undefined) throw alone("--group", "--fair");
  if (o.threshold !== undefined && o.alertsPerDay !== undefined)
    throw new ShopaiError("usage", "--threshold and --alerts-per-day both set the threshold", {
      try: "one of them",
    });
}

/** Cross-validation of the whole procedure: every fold searches, calibrates and sets thresholds on its own rows. */
async function measuredByFolds(
  learner: Learner,
  table: Relation,
  procedure: Procedure,
  { cv, cvGroup, cvTime, cvGap, oof, keep }: TrainOptions,
  run: Run,
): Promise<{ validation: CrossValidation; outOfFold?: Relation }> {
  const { crossValidated, outOfFold, trained } = await workshop();
  const folds = { folds: cv!, group: cvGroup, time: cvTime, gap: cvGap };
  const work = {
    ...folds,
    keep,
    train: (rows: Relation, within: Run, fold: number, shared?: SharedRows) =>
      trained(learner, rows, { ...procedure, shared }, within, `fold ${fold}`),
  };
  if (oof !== undefined) return outOfFold(learner, table, procedure, work, run);
  return { validation: await crossValidated(learner, table, procedure, work, run) };
}

import { nearest, ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { scoped } from "../../engine/scope.js";
import { literal } from "../../engine/sql.js";
import { metricFamilies } from "../../metrics/listing.js";
import { metricInfo } from "../../metrics/metric.js";
import { scoreOf } from "../../metrics/scorecard.js";
import { materialised, orderSql, type Relation, rowColumn, visible } from "../../table/relation.js";
import { foldPlan, repeated } from "../cross-validation.js";
import { dealt, type Fold, type FoldAsk } from "../folds.js";
import type { Learner, SharedRows, Task } from "../learner.js";
import { measured } from "../measured.js";
import type { Params } from "./space.js";
import { searchSpace } from "./space.js";
import type { StudyStore } from "./state.js";
import { bestTrial, searched, type StudyMethod, type Trial } from "./study.js";
import { sharedRows, taskOf, trainModel, type TrainingAsk } from "../training.js";

/** How parameters are searched. */
export interface TuneAsk {
  trials: number;
  by?: StudyMethod;
  /** Metric of `evaluate` that the search is for; by default that of `usualMetric`. */
  metric?: string;
  /** How the training rows are dealt for the scores; unused with `valid`. */
  folds: FoldAsk;
  /** Rows to score on instead of folds. */
  valid?: Relation;
  store?: StudyStore;
}

/** What came of a search: on the model card as `about.tune`. */
export interface Tuning {
  by: StudyMethod;
  metric: string;
  /** Folds of the scores, or that they are those of the validation rows. */
  scored_by: string;
  params: Params;
  score: number;
  trials: Trial[];
}

/** What a search is for when nothing is said: proper scores where there are probabilities. */
const usualMetric: Record<Task, string> = {
  classification: "log_loss",
  regression: "rmse",
  recommendation: "ndcg@10",
  rating: "rmse",
  ranking: "ndcg@10",
  clustering: "silhouette",
  anomaly: "auc",
};

/** Shares of the rows that the steps of a search with validation rows learn from. */
const shares = [1 / 9, 1 / 3, 1];

/**
 * Searches the parameters of a learner that have a search range and are not given.
 *
 * @param study name of this search in the store: searches of different rows are kept apart
 * @throws ShopaiError "usage" when there is nothing to search or no such metric, "data" when no trial has a score
 */
export async function tuned(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  tune: TuneAsk,
  run: Run,
  study = "all rows",
): Promise<Tuning> {
  const axes = searchSpace(learner.params, ask.params);
  if (axes.length === 0)
    throw new ShopaiError("usage", `${learner.name} has no parameter left to search`, {
      where: "--tune",
      try: `shopai learners ${learner.name}, which shows what is searched`,
    });
  const by = tune.by ?? "tpe";
  const task = await taskOf(learner, relation, ask.roles, ask);
  const metric = tune.metric ?? usualMetric[task];
  const better = directionOf(task, metric);
  const { steps, fold, shared, drop } = await scoring(learner, relation, ask, tune, by, run);
  const quiet = repeated(run);
  let refused: ShopaiError | undefined;
  run.progress.stage(`tuning ${learner.name} for ${metric}`);
  const trials = await searched({
    axes,
    trials: tune.trials,
    by,
    better,
    steps,
    combine: tune.valid ? "last" : "mean",
    rng: (name) => run.rng(`tune ${study} ${name}`),
    done: tune.store?.done(study),
    tell(trial) {
      tune.store?.add(study, trial);
      run.progress.update(trial.trial, tune.trials, "trials");
    },
    async objective(params, step) {
      run.signal.throwIfAborted();
      const scope = scoped(relation.engine);
      const within = (rows: Relation): Relation => ({ ...rows, engine: scope.engine });
      const { train, held } = await fold(step);
      try {
        const model = await trainModel(
          learner,
          within(train),
          { ...ask, params: { ...ask.params, ...params }, shared },
          quiet,
        );
        const { subject } = await measured(model, within(held), { cuts: cutsOf(metric), by: [] }, quiet);
        const { metrics } = await scoreOf(subject, run.rng("bootstrap"), { only: [metric], resamples: 0 });
        return metrics[metric] ?? undefined;
      } catch (cause) {
        // Some values of one parameter do not go with the rows or with another: such a point has no score.
        if (!(cause instanceof ShopaiError) || !["usage", "data"].includes(cause.kind)) throw cause;
        refused ??= cause;
        quiet.warn(`a trial has no score: ${cause.message}`);
        return undefined;
      } finally {
        await scope.drop();
      }
    },
  });
  await drop();
  const best = bestTrial(trials, { better });
  if (!best && refused) throw refused;
  if (!best)
    throw new ShopaiError("data", `${metric} has no value in any of ${trials.length} trials`, {
      where: relation.name,
      try: "another --tune-metric, or more rows",
    });
  run.progress.done(`${metric} ${best.score!.toPrecision(4)} in trial ${best.trial} of ${trials.length}`);
  return {
    by,
    metric,
    scored_by: tune.valid ? "validation rows" : `${steps} folds`,
    params: best.params,
    score: best.score!,
    trials,
  };
}

/** What the steps of a trial learn from and are measured on. */
async function scoring(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  { valid, folds }: TuneAsk,
  by: StudyMethod,
  run: Run,
): Promise<{
  steps: number;
  fold: (step: number) => Promise<Fold>;
  shared?: SharedRows;
  drop: () => Promise<void>;
}> {
  if (!valid) {
    const cut = await dealt(relation, await foldPlan(learner, relation, ask, folds), run);
    const shared = await sharedRows(learner, cut.all, ask, run);
    const drop = async (): Promise<void> => {
      shared?.close();
      await cut.drop();
    };
    return { steps: cut.folds.length, fold: async (step) => cut.folds[step], shared, drop };
  }
  const held = await materialised(valid, "valid");
  const used = by === "halving" ? shares : [1];
  const parts = used.map((share) => (share === 1 ? relation : shareOf(relation, share, run.seed)));
  return {
    steps: used.length,
    fold: async (step) => ({ train: parts[step], held }),
    drop: async () => undefined,
  };
}

/** A share of the rows by md5 of the seed and their number: a larger share holds the smaller. */
function shareOf(relation: Relation, share: number, seed: number): Relation {
  const order = orderSql(relation);
  const numbered = `SELECT ${visible(relation).join(", ")}, row_number() OVER (${order}) - 1 AS ${rowColumn} FROM (${relation.sql})`;
  const drawn = `('0x' || substr(md5(${literal(`${seed}:`)} || ${rowColumn}), 1, 8))::UINTEGER < ${Math.floor(share * 2 ** 32)}`;
  return { ...relation, sql: `SELECT * FROM (${numbered}) WHERE ${drawn}`, key: [rowColumn] };
}

/** Which way a metric of a task is better. @throws ShopaiError "usage" for one that the task does not have */
function directionOf(task: Task, metric: string): "higher" | "lower" {
  const family = metricFamilies[task];
  const info = metricInfo(family, metric);
  if (!info || info.better === "neither") {
    const names = family
      .filter(({ better }) => better !== "neither")
      .map(({ name }) => name.replace("@k", "@10"));
    const near = nearest(metric, names);
    throw new ShopaiError("usage", `"${metric}" is no metric to tune ${task} for (${names.join(", ")} are)`, {
      try: near ? `--tune-metric ${near}` : "leaving --tune-metric out",
    });
  }
  return info.better;
}

/** The cut-off that a ranking metric names, 10 for others. */
function cutsOf(metric: string): number[] {
  const cut = /@(\d+)$/.exec(metric);
  return [cut ? Number(cut[1]) : 10];
}

import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { unheard, type Run } from "../engine/run.js";
import { scoped } from "../engine/scope.js";
import { ident } from "../engine/sql.js";
import { scoreOf } from "../metrics/scorecard.js";
import { materialised, relationOf, rowColumn, type Relation } from "../table/relation.js";
import { dealt, foldRow, type Fold, type FoldAsk } from "./folds.js";
import type { Learner, Model, SharedRows } from "./learner.js";
import { measured } from "./measured.js";
import { sharedRows, taskOf, trainModel, type TrainingAsk } from "./training.js";

/** What one metric was over the folds. */
export interface FoldFigures {
  mean: number | null;
  /** Standard deviation over the folds (n - 1), null for folds without a value. */
  std: number | null;
  folds: (number | null)[];
}

export interface CrossValidation {
  folds: number;
  metrics: Record<string, FoldFigures>;
}

/**
 * A way to make a model of rows: `trainModel` itself, or a whole procedure with tuning and calibration. Folds count from 1;
 * `shared` is what the learner has read of all rows.
 */
export type Trainer = (rows: Relation, run: Run, fold: number, shared?: SharedRows) => Promise<Model>;

export interface FoldWork extends FoldAsk {
  /** How the model of a fold is made. */
  train?: Trainer;
  /** Columns to carry over into the out-of-fold predictions. */
  keep?: readonly string[];
}

/** What a model says about the rows of one fold, beside what is measured of it. */
interface FoldAnswers {
  metrics: Record<string, number | null>;
  /** Predictions with `foldRow`; for tasks whose predictions are rows. */
  answers?: Relation;
}

/**
 * Trains on all folds but one (for folds in the order of time: on what is earlier) and measures on that
 * one, for every fold in turn. The metrics of a fold are those of `evaluate`.
 *
 * @throws ShopaiError "data" when the rows cannot be dealt to so many folds
 */
export async function crossValidated(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  work: FoldWork,
  run: Run,
): Promise<CrossValidation> {
  const { validation, drop } = await overFolds(learner, relation, ask, work, run);
  await drop();
  return validation;
}

/**
 * As `crossValidated`, with the predictions of every row by the model that did not see it.
 *
 * @returns `outOfFold`: kept columns, the target, `fold` (from 1), and the prediction's columns; rows in
 *   the order of the table, without those that no fold measures
 * @throws ShopaiError "usage" for tasks whose predictions are not rows
 */
export async function outOfFold(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  work: FoldWork,
  run: Run,
): Promise<{ validation: CrossValidation; outOfFold: Relation }> {
  const { validation, answers, drop } = await overFolds(learner, relation, ask, work, run);
  if (answers.length === 0)
    throw new ShopaiError("usage", `${learner.name} has no prediction for every row to save`, {
      try: "leaving --oof out",
    });
  const parts = answers.map(
    (part, fold) =>
      `SELECT ${foldRow} AS ${rowColumn}, * EXCLUDE (${foldRow}, ${rowColumn}), ${fold + 1} AS fold FROM (${part.sql})`,
  );
  const table = relation.engine.fresh("out_of_fold");
  await relation.engine.run(`CREATE TABLE ${ident(table)} AS ${parts.join(" UNION ALL ")}`);
  await drop();
  return {
    validation,
    outOfFold: await relationOf(relation.engine, `SELECT * FROM ${ident(table)}`, {
      key: [rowColumn],
      inputs: relation.inputs,
      name: relation.name,
    }),
  };
}

async function overFolds(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  work: FoldWork,
  run: Run,
): Promise<{ validation: CrossValidation; answers: Relation[]; drop: () => Promise<void> }> {
  const plan = await foldPlan(learner, relation, ask, work);
  const { engine, drop } = scoped(relation.engine);
  const { folds, all } = await dealt({ ...relation, engine }, plan, run);
  const heard = repeated(run);
  run.progress.stage(`${learner.name}: ${grouped(folds.length)} folds`);
  const shared = await sharedRows(learner, all, ask, heard);
  const found: Record<string, (number | null)[]> = {};
  const answers: Relation[] = [];
  try {
    for (const [i, fold] of folds.entries()) {
      const one = await answeredFold(fold, i + 1, { ...ask, shared }, work, learner, heard);
      for (const [name, value] of Object.entries(one.metrics)) (found[name] ??= []).push(value);
      if (one.answers) answers.push(one.answers);
      run.progress.update(i + 1, folds.length, "folds");
    }
  } finally {
    shared?.close();
  }
  run.progress.done();
  const metrics = Object.fromEntries(
    Object.entries(found).map(([name, values]) => [name, figuresOf(values)]),
  );
  return { validation: { folds: folds.length, metrics }, answers, drop };
}

/** The ways to deal rows that suit a task: within every class of a target, or every user. */
export async function foldPlan(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  plan: FoldAsk,
): Promise<FoldAsk> {
  const task = await taskOf(learner, relation, ask.roles, ask);
  const classes = task === "classification" || task === "anomaly";
  // The rows of a query are ranked against each other: they stay together.
  if (task === "ranking" && plan.time === undefined && plan.group === undefined)
    return { ...plan, group: ask.roles.query };
  return { ...plan, stratum: classes ? ask.roles.target : ask.roles.user };
}

/** The same run for work that is repeated: without progress of its own, and saying every warning once. */
export function repeated(run: Run): Run {
  const said = new Set<string>();
  return {
    ...run,
    progress: unheard,
    warn: (message) => {
      if (!said.has(message)) run.warn(message);
      said.add(message);
    },
  };
}

async function answeredFold(
  { train, held }: Fold,
  number: number,
  ask: TrainingAsk,
  work: FoldWork,
  learner: Learner,
  run: Run,
): Promise<FoldAnswers> {
  const scope = scoped(held.engine);
  const within = (rows: Relation): Relation => ({ ...rows, engine: scope.engine });
  const fitted = work.train ?? ((rows) => trainModel(learner, rows, ask, run));
  const model = await fitted(within(train), run, number, ask.shared);
  const { task, target, roles } = model.card;
  const byRow = ["classification", "regression", "ranking", "anomaly"].includes(task);
  const own = [target?.name, roles.query].filter((name) => name !== undefined);
  const carried = [...new Set([...(work.keep ?? []), ...own, foldRow])];
  const answers = byRow
    ? await kept(await model.predict(within(held), { keep: carried }, run), held)
    : undefined;
  const answering: Model = answers ? { ...model, predict: async () => within(answers) } : model;
  const { subject } = await measured(answering, within(held), { cuts: [10], by: [] }, run);
  const { metrics } = await scoreOf(subject, run.rng("bootstrap"), { resamples: 0 });
  await scope.drop();
  return { metrics, answers };
}

/** A copy of predictions that outlives the scope of their fold. */
async function kept(answers: Relation, { engine }: Relation): Promise<Relation> {
  return materialised({ ...answers, engine }, "answers");
}

function figuresOf(values: (number | null)[]): FoldFigures {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < values.length) return { mean: null, std: null, folds: values };
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (known.length - 1)), folds: values };
}

import { ShopaiError } from "../core/errors.js";
import { codes, floats, type ColumnAsk } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { scoped } from "../engine/scope.js";
import { ident } from "../engine/sql.js";
import type { CostMatrix } from "../metrics/cost.js";
import { columnNamed, frameOf, isNumeric, withExpression, type Relation } from "../table/relation.js";
import { calibrated, fitCalibrator, type CalibrationKind, type Calibrator } from "./calibration.js";
import { outOfFold } from "./cross-validation.js";
import type { Decision } from "./decision.js";
import type { FoldAsk } from "./folds.js";
import { withClassWeights } from "./class-weights.js";
import type { Learner, Model } from "./learner.js";
import type { ParamValue } from "./params.js";
import { reweighed } from "./reweighing.js";
import { thresholdFor, type Scored, type ThresholdAsk } from "./threshold.js";
import { taskOf, trainingData, trainModel, type TrainingAsk } from "./training.js";
import { groupThresholds, type GroupAim } from "./group-thresholds.js";
import { tuned, type TuneAsk } from "./tune/tuned.js";

/** How a model is made, from the search of its parameters to its decisions. */
export interface Procedure extends TrainingAsk {
  tune?: TuneAsk;
  calibrate?: CalibrationKind;
  threshold?: ThresholdAsk;
  cost?: CostMatrix;
  /** What rows count by their class; those of other classes count as they are. */
  classWeights?: Readonly<Record<string, ParamValue>>;
  /** Weights or thresholds that treat groups alike; `group` is a column or an SQL expression. */
  fair?: { by: "reweigh" | GroupAim; group: string };
  /** How rows are dealt for the scores that calibration and threshold are fitted on. */
  folds: FoldAsk;
}

/**
 * Makes a model: weights of classes and weights that treat groups alike, then parameters by search, then calibration and
 * thresholds from out-of-fold scores, then a fit on all rows.
 *
 * @param study name of its search in the store of trials
 * @throws ShopaiError as `trainModel`; "usage" for what does not go with the learner's task
 */
export async function trained(
  learner: Learner,
  relation: Relation,
  procedure: Procedure,
  run: Run,
  study?: string,
): Promise<Model> {
  // What the sample tells of rows that a fold holds out must not reach the model of the fold.
  const { tune, calibrate, threshold, cost, classWeights, fair, folds, sample, ...asked } = procedure;
  await checkTask(learner, relation, procedure);
  let ask: TrainingAsk = asked;
  let rows = relation;
  if (classWeights) {
    const made = await withClassWeights(rows, ask.roles, classWeights);
    rows = made.relation;
    ask = { ...ask, roles: made.roles, about: { ...ask.about, class_weights: classWeights } };
  }
  if (fair?.by === "reweigh") {
    const made = await reweighed(rows, ask.roles, fair.group);
    rows = made.relation;
    ask = { ...ask, roles: made.roles, about: { ...ask.about, reweighing: made.about } };
  }
  if (tune) {
    const found = await tuned(learner, rows, ask, tune, run, study);
    ask = { ...ask, params: { ...ask.params, ...found.params }, about: { ...ask.about, tune: found } };
  }
  const decision = await decisionOf(learner, rows, ask, { calibrate, threshold, cost, fair, folds }, run);
  return trainModel(learner, rows, { ...ask, decision, sample }, run);
}

async function checkTask(learner: Learner, relation: Relation, procedure: Procedure): Promise<void> {
  const { calibrate, threshold, cost, classWeights, fair } = procedure;
  const options = {
    "--calibrate": calibrate,
    "--threshold": threshold,
    "--cost": cost,
    "--class-weight": classWeights,
    "--fair": fair,
  };
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (!given) return;
  const task = await taskOf(learner, relation, procedure.roles, procedure);
  if (task !== "classification")
    throw new ShopaiError("usage", `${given[0]} is for classification, and this is ${task}`, {
      try: "leaving it out",
    });
}

type DecisionAsk = Pick<Procedure, "calibrate" | "threshold" | "cost" | "fair" | "folds">;

/** Calibration and thresholds; undefined when nothing was asked for. */
async function decisionOf(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  { calibrate, threshold, cost, fair, folds }: DecisionAsk,
  run: Run,
): Promise<Decision | undefined> {
  const aim = fair && fair.by !== "reweigh" ? fair.by : undefined;
  if (!calibrate && !threshold && !cost && !aim) return undefined;
  const by: ThresholdAsk | undefined = threshold ?? (cost && { by: "expected_cost", cost });
  const decision: Decision = { cost, threshold_by: by && inWords(by) };
  if (!calibrate && !aim && (by!.by === "value" || by!.by === "expected_cost"))
    return { ...decision, threshold: await binary(learner, relation, ask, run, thresholdFor(by!, noRows)) };
  const scope = scoped(relation.engine);
  const scores = await heldOutScores(
    learner,
    { ...relation, engine: scope.engine },
    ask,
    folds,
    aim && fair!.group,
    by?.by === "alerts",
    run,
  );
  await scope.drop();
  if (calibrate) {
    decision.calibration = [];
    for (const [i, own] of scores.byClass.entries()) {
      const calibrator = await fitCalibrator(calibrate, own.scores, own.hits, own.weights);
      decision.calibration.push(calibrator);
      scores.byClass[i] = { ...own, scores: mapped(own.scores, calibrator) };
    }
  }
  if (!by && !aim) return decision;
  if (!scores.binary) throw severalClasses();
  const [own] = scores.byClass;
  decision.threshold = by ? thresholdFor(by, own) : 0.5;
  if (aim) {
    const { code, levels } = scores.groups!;
    decision.groups = {
      column: fair!.group,
      thresholds: groupThresholds(aim, own, decision.threshold, code, levels),
    };
  }
  return decision;
}

const noRows: Scored = { scores: new Float64Array(0), hits: new Uint8Array(0) };

const mapped = (scores: Float64Array, calibrator: Calibrator): Float64Array =>
  scores.map((score) => calibrated(calibrator, score));

function severalClasses(): ShopaiError {
  return new ShopaiError("usage", "thresholds and costs are for two classes", { try: "leaving them out" });
}

/** A threshold that needs no scores, once the target is known to have two classes. */
async function binary(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  run: Run,
  threshold: number,
): Promise<number> {
  const { positive } = await trainingData(learner, relation, ask, { ...run, warn: () => undefined });
  if (positive === undefined) throw severalClasses();
  return threshold;
}

interface HeldOutScores {
  binary: boolean;
  /** One for the positive class of two, else one per class. */
  byClass: Scored[];
  groups?: { code: Int32Array; levels: string[] };
}

/** Scores of every row by a model that did not see it. */
async function heldOutScores(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  folds: FoldAsk,
  group: string | undefined,
  byDay: boolean,
  run: Run,
): Promise<HeldOutScores> {
  const { time, weight } = ask.roles;
  if (byDay && time === undefined)
    throw new ShopaiError("usage", "alerts a day are counted by a column of times, and none is named", {
      where: "--alerts-per-day",
      try: "--time <column>",
    });
  const data = await trainingData(learner, relation, ask, { ...run, warn: () => undefined });
  const grouped = group === undefined ? undefined : await withExpression(data.relation, group, "--group");
  const target = data.target!.name;
  const keep = [grouped?.column, weight, byDay ? time : undefined].filter((name) => name !== undefined);
  // What the groups are is not to be learned from where it is no column of the table.
  const own: TrainingAsk = {
    ...ask,
    features: data.features.map(({ name }) => name),
    positive: data.positive,
  };
  const { outOfFold: answers } = await outOfFold(
    learner,
    grouped?.relation ?? data.relation,
    own,
    { ...folds, keep },
    run,
  );
  const names = data.positive === undefined ? data.classes!.map((name) => `score_${name}`) : ["score"];
  const frame = await frameOf(answers, [
    { name: target, as: "code" },
    ...names.map((name): ColumnAsk => ({ name, as: "f64" })),
    ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
  ]);
  const days = byDay ? await countDays(answers, time!) : undefined;
  const truth = codes(frame, target);
  const classes = data.positive === undefined ? data.classes! : [data.positive];
  return {
    binary: data.positive !== undefined,
    byClass: classes.map((name, i) => ({
      scores: floats(frame, names[i]),
      hits: Uint8Array.from(truth.values, (code) => (truth.levels[code] === name ? 1 : 0)),
      weights: weight === undefined ? undefined : floats(frame, weight),
      days,
    })),
    groups: grouped && (await groupCodes(answers, grouped.column)),
  };
}

async function groupCodes(
  answers: Relation,
  column: string,
): Promise<{ code: Int32Array; levels: string[] }> {
  const { values, levels } = codes(await frameOf(answers, [{ name: column, as: "code" }]), column);
  return { code: values, levels };
}

/** Different days of a column of dates, timestamps or seconds. */
export function dayExpression(relation: Relation, time: string): string {
  const { name, type } = columnNamed(relation, time, "--time");
  return isNumeric(type) ? `floor(${ident(name)} / 86400)::BIGINT` : `${ident(name)}::DATE`;
}

async function countDays(answers: Relation, time: string): Promise<number> {
  const [{ days }] = await answers.engine.rows<{ days: bigint }>(
    `SELECT count(DISTINCT ${dayExpression(answers, time)}) AS days FROM (${answers.sql})`,
  );
  return Number(days);
}

function inWords(ask: ThresholdAsk): string {
  switch (ask.by) {
    case "value":
      return "given";
    case "fbeta":
      return `f${ask.beta} out of fold`;
    case "balanced_accuracy":
      return "balanced accuracy out of fold";
    case "cost":
      return "average cost out of fold";
    case "expected_cost":
      return "expected cost";
    case "alerts":
      return `${ask.perDay} alerts a day out of fold`;
  }
}

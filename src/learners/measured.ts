import { createHash } from "node:crypto";
import { listed, ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { codes, floats, integers, type ColumnAsk, type Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import {
  classificationSubset,
  measureClassification,
  type ClassificationRows,
} from "../metrics/classification.js";
import {
  clusterSubset,
  measureClustering,
  silhouetteRows,
  silhouetteSample,
  type ClusterRows,
} from "../metrics/clustering.js";
import { alertFigures, type AlertFigures } from "../metrics/alerts.js";
import type { CostMatrix } from "../metrics/cost.js";
import { confusionMatrix, type ConfusionMatrix } from "../metrics/curves.js";
import { decisionTables, type DecisionTables } from "../metrics/decision-tables.js";
import { taken } from "../metrics/metric.js";
import { predictionGroups, type PredictionGroup } from "../metrics/residuals.js";
import { measureRegression, regressionSubset, type RegressionRows } from "../metrics/regression.js";
import type { Slicing, Subject } from "../metrics/scorecard.js";
import {
  columnNamed,
  frameOf,
  isNumeric,
  kindOf,
  materialised,
  withExpression,
  type Relation,
} from "../table/relation.js";
import type { Model } from "./learner.js";
import { measuredQueries } from "./measured-queries.js";
import { measuredRanking } from "./measured-ranking.js";

/** What is asked of a measurement beside model and rows. */
export interface MeasureAsk {
  /** Cut-offs of ranking metrics, ascending. */
  cuts: readonly number[];
  /** Columns whose values are measured apart. */
  by: readonly string[];
  /** Column of the groups of a fairness report, or an SQL expression. */
  group?: string;
  /** Two classes: what decisions cost; by default what the model was trained with. */
  cost?: CostMatrix;
  /** Two classes: the first alerts of every day are measured. */
  alerts?: { perDay: number; time: string; card?: string };
  /** Column of weights of the rows, 0 or more. */
  weight?: string;
  /** Recommendation: interactions since training, which users are answered from too. */
  history?: Relation;
  /** Recommendation: rank relevant items among these only: so many drawn by the seed, or a table of users and items. */
  negatives?: number | Relation;
  /** Give the negatives that were ranked among, too. */
  keepNegatives?: boolean;
  /** Recommendation: where the categories of items stand. */
  categories?: { items: Relation; column: string };
}

/** Recommendation: what the relevant items of a user were ranked among. */
export type RankedAmong =
  | { candidates: "all items" }
  | { candidates: "sampled"; negatives: number; seed: number }
  | { candidates: "stored"; negatives: number; file: string };

/** What stands beside the metrics of a task, small enough for a metrics file. */
export type Tables = Partial<DecisionTables> & {
  /** Several classes. */
  confusion_matrix?: ConfusionMatrix;
  /** Regression. */
  by_prediction?: PredictionGroup[];
};

/** A model's answers on held-out rows beside the truth, ready for src/metrics. */
export interface Measured {
  subject: Subject;
  /** Rows that were measured. */
  rows: number;
  /** Ranking: users that were measured. */
  users?: number;
  /** Ranking: the candidates. */
  ranked?: RankedAmong;
  /** Ranking, asked by `keepNegatives`: a row per user and negative. */
  negatives?: Relation;
  /** A digest of the units and their truths, in order: equal where two measurements can be paired. */
  units: string;
  slicings: Slicing[];
  /** Binary classification with `group`: what a fairness report needs. */
  groups?: { data: ClassificationRows; slicing: Slicing; weights?: Float64Array };
  /** Tables beside the metrics, by what the task has. */
  tables?: Tables;
  alerts?: AlertFigures;
}

/**
 * Lets a model answer on rows that hold the truth.
 *
 * @throws ShopaiError "data" when a column is missing or no row can be measured, "usage" for what does not go with the model's task
 */
export async function measured(model: Model, rows: Relation, ask: MeasureAsk, run: Run): Promise<Measured> {
  const { task, positive } = model.card;
  if (ask.group !== undefined && (task !== "classification" || positive === undefined))
    throw new ShopaiError("usage", `--group compares a binary classifier's decisions, and this is ${task}`, {
      try: "--by, which measures every value apart",
    });
  if (ask.weight !== undefined && (task === "recommendation" || task === "ranking"))
    throw new ShopaiError(
      "usage",
      task === "ranking"
        ? "--weight weighs rows, and a ranking is measured by query"
        : "--weight weighs rows, and recommendations are measured by user",
      { try: "leaving it out" },
    );
  for (const name of ["history", "negatives"] as const)
    if (ask[name] !== undefined && task !== "recommendation")
      throw new ShopaiError("usage", `--${name} is for recommendations, and this is ${task}`, {
        try: "leaving it out",
      });
  if ((ask.cost ?? ask.alerts) !== undefined && (task !== "classification" || positive === undefined))
    throw new ShopaiError(
      "usage",
      `${ask.cost ? "--cost" : "--alerts-per-day"} is for the decisions of a binary classifier, and this is ${task}`,
      { try: "leaving it out" },
    );
  if (ask.group !== undefined) {
    const grouped = await withExpression(rows, ask.group, "--group");
    return measuredClasses(model, grouped.relation, { ...ask, group: grouped.column }, run);
  }
  switch (task) {
    case "classification":
      return measuredClasses(model, rows, ask, run);
    case "regression":
    case "rating":
      return measuredNumbers(model, rows, ask, run);
    case "ranking":
      return measuredQueries(model, rows, ask, run);
    case "clustering":
      return measuredClusters(model, rows, ask, run);
    case "anomaly":
      return measuredAnomalies(model, rows, ask, run);
    case "recommendation":
      return measuredRanking(model, rows, ask, run);
  }
}

export interface Answers {
  frame: Frame;
  weights?: Float64Array;
  /** Codes of the rows by a column of `by` or `group`. */
  slicing(asked: string, kept?: Uint32Array): Slicing;
}

/** Predictions with the columns that a measurement needs beside them, in memory, in the order of the rows. */
export async function answered(
  model: Model,
  rows: Relation,
  ask: MeasureAsk,
  kept: readonly string[],
  own: readonly ColumnAsk[],
  run: Run,
): Promise<Answers> {
  const weight = ask.weight === undefined ? undefined : columnNamed(rows, ask.weight, "--weight");
  if (weight && !isNumeric(weight.type))
    throw new ShopaiError("data", `the weights in ${weight.name} are ${weight.type}, not numbers`, {
      where: rows.name,
    });
  const sliced = ask.by.map((name) => columnNamed(rows, name, "--by").name);
  if (ask.alerts) sliced.push(columnNamed(rows, ask.alerts.time, "--time").name);
  if (ask.alerts?.card !== undefined) sliced.push(columnNamed(rows, ask.alerts.card, "--card").name);
  if (ask.group !== undefined) sliced.push(columnNamed(rows, ask.group, "--group").name);
  const keep = [...new Set([...kept, ...sliced, ...(weight ? [weight.name] : [])])];
  const predictions = await materialised(await model.predict(rows, { keep }, run), "answers");
  const frame = await frameOf(predictions, own);
  if (frame.rows === 0)
    throw new ShopaiError("data", "there are no rows to measure", {
      where: rows.name,
      try: "a table with rows, or another --where",
    });
  // Frames of their own: a column may be a slice or a weight beside being the truth.
  const weights =
    weight && floats(await frameOf(predictions, [{ name: weight.name, as: "f64" }]), weight.name);
  const asks = [...new Set(sliced)].map((name): ColumnAsk => ({ name, as: "code" }));
  const slices = asks.length > 0 ? await frameOf(predictions, asks) : undefined;
  const bad = weights?.findIndex((value) => !(value >= 0 && value < Infinity)) ?? -1;
  if (bad >= 0)
    throw new ShopaiError("data", `a weight in ${weight!.name} is ${weights![bad]}, not a number >= 0`, {
      where: `${rows.name}, row ${bad + 1} of those measured`,
    });
  const slicing = (asked: string, kept?: Uint32Array): Slicing => {
    const column = columnNamed(rows, asked).name;
    const { values, levels } = codes(slices!, column);
    return { column, code: kept ? taken(values, kept) : values, levels };
  };
  return { frame, weights, slicing };
}

/** Rows with a truth, as numbers; says how many have none. */
function withTruth(
  rows: number,
  has: (row: number) => boolean,
  target: string,
  where: string,
  run: Run,
): Uint32Array {
  const kept = Uint32Array.from({ length: rows }, (_, row) => row).filter(has);
  if (kept.length === 0)
    throw new ShopaiError("data", `no row has a value in the target ${target}`, {
      where,
      try: "a table that holds the truth",
    });
  if (kept.length < rows)
    run.warn(`${grouped(rows - kept.length)} rows without a value in ${target} are not measured`);
  return kept;
}

async function measuredClasses(model: Model, rows: Relation, ask: MeasureAsk, run: Run): Promise<Measured> {
  const { classes = [], positive } = model.card;
  const target = columnNamed(rows, model.card.target!.name).name;
  const scores = positive === undefined ? classes.map((name) => `score_${name}`) : ["score"];
  const { frame, weights, slicing } = await answered(
    model,
    rows,
    ask,
    [target],
    [
      { name: target, as: "code" },
      { name: "prediction", as: "code" },
      ...scores.map((name): ColumnAsk => ({ name, as: "f64" })),
    ],
    run,
  );
  const truth = codes(frame, target);
  const names = [...classes, ...truth.levels.filter((level) => !classes.includes(level))];
  if (names.length === classes.length + truth.levels.length && truth.levels.length > 0)
    throw new ShopaiError(
      "data",
      `no value of ${target} is a class of the model: the table has ${listed(truth.levels, 5)}, the model ${listed(classes, 5)}`,
      { where: rows.name, try: "the same values as in training" },
    );
  const unseen = names.slice(classes.length);
  if (unseen.length > 0)
    run.warn(`${target} holds ${listed(unseen, 5)}, which training did not: rows with it count as wrong`);
  const kept = withTruth(frame.rows, (row) => truth.values[row] >= 0, target, rows.name, run);
  const numberOf = (levels: readonly string[]) => Int32Array.from(levels, (level) => names.indexOf(level));
  const recoded = ({ values, levels }: { values: Int32Array; levels: string[] }): Int32Array => {
    const numbers = numberOf(levels);
    return Int32Array.from(kept, (row) => numbers[values[row]]);
  };
  const given = scores.map((name) => taken(floats(frame, name), kept));
  const data: ClassificationRows = {
    classes: names,
    positive: positive === undefined ? undefined : names.indexOf(positive),
    cost: ask.cost ?? model.card.decision?.cost,
    truth: recoded(truth),
    predicted: recoded(codes(frame, "prediction")),
    probability: names.map((name) => probabilityOf(name, given, classes, positive, kept.length)),
  };
  const own = weights && taken(weights, kept);
  const groups = ask.group === undefined ? undefined : slicing(ask.group, kept);
  return {
    subject: classSubject(data, own),
    rows: kept.length,
    units: digestOf(names, data.truth),
    slicings: ask.by.map((name) => slicing(name, kept)),
    groups: groups && { data, slicing: groups, weights: own },
    tables:
      positive === undefined ? { confusion_matrix: confusionMatrix(data, own) } : decisionTables(data, own),
    ...(ask.alerts && {
      alerts: alertFigures(
        data.probability![data.positive!],
        Uint8Array.from(data.truth, (code) => (code === data.positive ? 1 : 0)),
        daysOf(rows, slicing(ask.alerts.time, kept), ask.alerts.time),
        ask.alerts.card === undefined ? undefined : slicing(ask.alerts.card, kept).code,
        ask.alerts.perDay,
      ),
    }),
  };
}

/** Codes of days, ascending, from the codes of times. @throws ShopaiError "data" for a column that holds no times */
function daysOf(rows: Relation, { code, levels }: Slicing, time: string): Int32Array {
  const { name, type } = columnNamed(rows, time, "--time");
  const kind = kindOf(type);
  if (!isNumeric(type) && kind !== "date" && kind !== "timestamp")
    throw new ShopaiError("data", `the times in ${name} are ${type}, not dates, timestamps or seconds`, {
      where: rows.name,
      try: "clean, which makes timestamps of texts",
    });
  const dayOf = levels.map((level) =>
    isNumeric(type)
      ? Math.floor(Number(level) / 86400)
      : Date.parse(`${level.slice(0, 10)}T00:00:00Z`) / 86_400_000,
  );
  return code.map((own) => (own < 0 ? -1 : dayOf[own]));
}

function classSubject(data: ClassificationRows, weights?: Float64Array): Subject {
  return {
    measure: measureClassification(data),
    weights,
    subset: (units) => classSubject(classificationSubset(data, units), weights && taken(weights, units)),
  };
}

async function measuredAnomalies(model: Model, rows: Relation, ask: MeasureAsk, run: Run): Promise<Measured> {
  const { classes = [], positive } = model.card;
  if (!model.card.target)
    throw new ShopaiError("usage", "the model does not know which column says what is an anomaly", {
      where: rows.name,
      try: "training it with --target: the column is not learned from, it is for evaluate",
    });
  const target = columnNamed(rows, model.card.target.name).name;
  const { frame, weights, slicing } = await answered(
    model,
    rows,
    ask,
    [target],
    [
      { name: target, as: "code" },
      { name: "prediction", as: "f64" },
      { name: "score", as: "f64" },
    ],
    run,
  );
  const truth = codes(frame, target);
  const yes = truth.levels.indexOf(positive!);
  const kept = withTruth(frame.rows, (row) => truth.values[row] >= 0, target, rows.name, run);
  const standsOut = floats(frame, "prediction");
  const data: ClassificationRows = {
    classes: [classes.find((name) => name !== positive)!, positive!],
    positive: 1,
    truth: Int32Array.from(kept, (row) => (truth.values[row] === yes ? 1 : 0)),
    predicted: Int32Array.from(kept, (row) => standsOut[row]),
    rankedBy: taken(floats(frame, "score"), kept),
  };
  return {
    subject: classSubject(data, weights && taken(weights, kept)),
    rows: kept.length,
    units: digestOf([], data.truth),
    slicings: ask.by.map((name) => slicing(name, kept)),
  };
}

/** Probability of a class from what the model gives: `score` of the positive one, or one score per class. */
function probabilityOf(
  name: string,
  scores: readonly Float64Array[],
  classes: readonly string[],
  positive: string | undefined,
  rows: number,
): Float64Array {
  const index = classes.indexOf(name);
  if (index < 0) return new Float64Array(rows);
  if (positive === undefined) return scores[index];
  return name === positive ? scores[0] : scores[0].map((p) => 1 - p);
}

async function measuredNumbers(model: Model, rows: Relation, ask: MeasureAsk, run: Run): Promise<Measured> {
  const field = columnNamed(rows, model.card.target!.name);
  if (!isNumeric(field.type) && kindOf(field.type) !== "boolean")
    throw new ShopaiError("data", `the target ${field.name} is ${field.type}, not a number`, {
      where: rows.name,
      try: "the same type as in training",
    });
  const target = field.name;
  const { frame, weights, slicing } = await answered(
    model,
    rows,
    ask,
    [target],
    [
      { name: target, as: "f64" },
      { name: "prediction", as: "f64" },
    ],
    run,
  );
  const truth = floats(frame, target);
  const kept = withTruth(frame.rows, (row) => Number.isFinite(truth[row]), target, rows.name, run);
  const { quantile } = model.card.params;
  const data: RegressionRows = {
    truth: taken(truth, kept),
    predicted: taken(floats(frame, "prediction"), kept),
    quantile: typeof quantile === "number" ? quantile : undefined,
  };
  const subjectOf = (part: RegressionRows, partWeights?: Float64Array): Subject => ({
    measure: measureRegression(part),
    weights: partWeights,
    subset: (units) => subjectOf(regressionSubset(part, units), partWeights && taken(partWeights, units)),
  });
  return {
    subject: subjectOf(data, weights && taken(weights, kept)),
    rows: kept.length,
    units: digestOf([], data.truth),
    slicings: ask.by.map((name) => slicing(name, kept)),
    tables: { by_prediction: predictionGroups(data) },
  };
}

async function measuredClusters(model: Model, rows: Relation, ask: MeasureAsk, run: Run): Promise<Measured> {
  if (!model.space)
    throw new ShopaiError("model", `${model.card.learner} does not say in which space its segments lie`, {
      try: "another learner",
    });
  const { frame, weights, slicing } = await answered(
    model,
    rows,
    ask,
    [],
    [{ name: "prediction", as: "i32" }],
    run,
  );
  const { values, width } = await model.space(rows);
  const cluster = integers(frame, "prediction");
  const data: ClusterRows = {
    points: values,
    dimensions: width,
    cluster,
    clusters: cluster.reduce((most, own) => Math.max(most, own + 1), 0),
  };
  if (frame.rows > silhouetteRows)
    run.warn(
      `the silhouette is that of ${grouped(silhouetteRows)} of ${grouped(frame.rows)} rows, drawn by the seed: it takes all pairs`,
    );
  const subjectOf = (part: ClusterRows, partWeights?: Float64Array): Subject => ({
    measure: measureClustering(part, silhouetteSample(part.cluster.length, run.rng("silhouette"))),
    weights: partWeights,
    subset: (units) => subjectOf(clusterSubset(part, units), partWeights && taken(partWeights, units)),
  });
  return {
    subject: subjectOf(data, weights),
    rows: frame.rows,
    units: digestOf([], data.points),
    slicings: ask.by.map((name) => slicing(name)),
  };
}

export function digestOf(names: readonly string[], values: Int32Array | Float64Array): string {
  return createHash("sha256")
    .update(JSON.stringify(names))
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

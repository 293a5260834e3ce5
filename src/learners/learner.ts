import type { Field } from "../engine/engine.js";
import type { Column, Frame } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import type { InputRecord } from "../table/provenance.js";
import type { Points } from "../kernels/lloyd.js";
import type { Relation } from "../table/relation.js";
import type { Explainer } from "./explanation.js";
import type { TreeModel } from "./gbdt/trees.js";
import type { Decision } from "./decision.js";
import type { Part } from "./ensemble/parts.js";
import type { FeatureReading } from "./readings.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import type { Catalogue } from "./recommendations.js";
import type { ReasonsAsk } from "./reasons.js";
import type { Rules } from "./rerank.js";
import type { Scorer } from "./scorer.js";
import type { ParamsOf, ParamTable, ParamValue } from "./params.js";

export { choice, flag, int, real, text } from "./params.js";

/** What a model's predictions are; each task has one shape of prediction (see `Model.predict`). */
export const tasks = [
  "classification",
  "regression",
  "recommendation",
  "rating",
  "ranking",
  "clustering",
  "anomaly",
] as const;
export type Task = (typeof tasks)[number];

/** Columns with a meaning of their own: each is an option of `train` of the same name. */
export const roleHelp = {
  target: "column to predict",
  user: "column of the user (customer, session)",
  item: "column of the item (product)",
  rating: "column of the strength of an interaction: stars, units, 0 or more",
  time: "column of the time of a row or interaction: date, timestamp or number of seconds",
  weight: "column of row weights, 0 or more",
  query: "column of the list (search, session, basket) that rows are ranked within",
  segment: "column of the user's group (country, tier): newcomers get what is popular in theirs",
} as const;
export type RoleName = keyof typeof roleHelp;
export type RoleNeeds = Partial<Record<RoleName, "required" | "optional">>;
/** Column names by role, spelled as in the table. */
export type Roles = Partial<Record<RoleName, string>>;

/** What goes in and what comes out: the same for the training rows and for the model's card. */
export interface Signature {
  /** Column names by role. */
  roles: Roles;
  /** Feature columns, in the order of the table. Empty for learners that take none. */
  features: readonly Field[];
  /** The column to predict, with its type in the table. */
  target?: Field;
  /**
   * Classification: the classes as texts, sorted in the order of the target's type; two or more.
   * Anomaly detection with a target: its two classes, for evaluation alone.
   */
  classes?: readonly string[];
  /** Binary classification: the class that `score` is the probability of. */
  positive?: string;
}

/** What a learner learns from: a checked relation, never empty. */
export interface TrainingData extends Signature {
  /** One of the learner's tasks. */
  task: Task;
  relation: Relation;
  rows: number;
  /** Features and target of `tellingRows`, at hand, for a learner that looks before it reads. */
  sample?: Relation;
  /** How features are read that are no numbers or categories in `relation` and `valid`; a learner sees them read. */
  readings?: readonly FeatureReading[];
  /** Rows that are not learned from, with the same columns: to stop early by, or to choose by. */
  valid?: Relation;
  /** Learners that go on from a model: that model, of the same columns and task. */
  init?: Model;
  /** Learners that `share`: what was read of the table that these rows are a part of, whose numbers are their key. */
  shared?: SharedRows;
  /** Learners with parts: the models to work with. */
  parts?: readonly Part[];
  /** Learners that know items by their texts and categories: the table of `--items`, a row per item. */
  items?: Relation;
  /** Names and globs of the columns of `items` to use; all by default. */
  itemFeatures?: readonly string[];
}

/** Rows that a learner has read once for fits on many parts of them; what it holds is its own affair. */
export interface SharedRows {
  close(): void;
}

/** What is asked of a model beside the rows. */
export interface Ask extends ReasonsAsk {
  /** Recommendations per user; 10 by default. */
  k?: number;
  /** Recommend items that the user has in the training rows too. */
  includeSeen?: boolean;
  /** Columns to carry over from the rows. */
  keep?: readonly string[];
  /**
   * Also say why. Recommendations: where each comes from (`source`) and which of the user's items speak for
   * it (`reason`). Scores of rows: `reasons` in words, as `reasons` and `contributions` ask.
   */
  explain?: boolean;
  /** Recommendations: interactions since training, in the columns of training; users are answered from these too. */
  history?: Relation;
  /** Explanations: rows that scores are compared with, instead of the training rows on average. */
  background?: Relation;
  /** Columns beside the predictions of rows, worked out from a frame of features. */
  also?(frame: Frame): Map<string, Column>;
  /** Recommendations: what the shop wants of its lists beside the user's taste. */
  rules?: Rules;
}

/** What a fit leaves behind. */
export interface Fitted {
  /** Figures of the fit that belong on the model card: iterations, loss, inertia. Deterministic. */
  about?: Record<string, unknown>;
  predict(rows: Relation | undefined, ask: Ask, run: Run): Promise<Relation>;
  /** Recommenders: the users and items of the training rows, and how they are scored. */
  catalogue?: Catalogue;
  scorer?: Scorer;
  /** Opens what the scorer works with, where it needs more than was loaded; `predict` does so by itself. */
  prepare?(run: Run): Promise<void>;
  /**
   * Recommenders: the k nearest of every item of `rows`, or of every item when `rows` is undefined:
   * the item (name and type of training), `similar_<item>`, `score`, `rank` (from 1).
   */
  similar?(rows: Relation | undefined, ask: Pick<Ask, "k">, run: Run): Promise<Relation>;
  /** Clustering: rows, in the order of their key, in the space that distances are taken in. */
  space?(rows: Relation): Promise<Points>;
  /**
   * Learners whose scores can be split among the features exactly.
   *
   * @param background features of rows that scores are compared with; by default the training rows on average
   */
  explainer?(run: Run, background?: Frame): Promise<Explainer>;
  /** Learners of trees: the trees behind the scores, for explanations and export. */
  trees?: TreeModel;
  /** Writes everything that `load` needs; the card is written by the caller. */
  save(folder: FolderWriter): void;
}

/** What is known of a model without running it: `model.json` of its folder. */
export interface ModelCard extends Signature {
  format: "shopai-model";
  format_version: number;
  /** Version of shopai that fitted it. */
  version: string;
  learner: string;
  task: Task;
  params: Record<string, ParamValue>;
  /** Learners with parts: the parts as they were named. */
  parts?: readonly string[];
  /** How features are read that are no numbers or categories in a table. */
  readings?: readonly FeatureReading[];
  /** Types of the role columns in the training table. */
  role_types: Partial<Record<RoleName, string>>;
  seed: number;
  /** Rows it was fitted on. */
  rows: number;
  /** Classification: how scores become probabilities and decisions. */
  decision?: Decision;
  /** The files that those rows came from, and the predicate that chose them. */
  inputs: InputRecord[];
  where?: string;
  about: Record<string, unknown>;
  /** sha256 of every other file of the folder. */
  files: Record<string, string>;
}

/** A fitted model, just trained or loaded. */
export interface Model extends Pick<
  Fitted,
  "catalogue" | "scorer" | "prepare" | "similar" | "space" | "explainer" | "trees"
> {
  readonly card: ModelCard;
  /**
   * Predictions as a lazy relation:
   *
   * - classification: a row per input row, in order: kept columns, `prediction` (the target's type),
   *   `score` (probability of the positive class; `score_<class>` each for more than two classes)
   * - regression: kept columns, `prediction`
   * - ranking: the same; larger comes first within the rows of a query
   * - rating: the same, for the pair of user and item of the row, within the range of the training ratings
   * - clustering: kept columns, `prediction` (segment, from 0), `distance`
   * - anomaly: kept columns, `prediction` (true for rows that stand out), `score` (larger stands out more)
   * - recommendation: user, item (names and types of the training rows), `score`, `rank` (from 1), for
   *   every distinct user of `rows`, or every user seen in training when `rows` is undefined; users that
   *   training did not see are answered from their items in `rows` and `ask.history`, where there are any
   *
   * @throws ShopaiError "data" naming the columns that are missing or of another type
   */
  predict(rows: Relation | undefined, ask: Ask, run: Run): Promise<Relation>;
  /** Writes the model folder, atomically. @param beside writes more files of the folder, such as the reference */
  save(path: string, beside?: (folder: FolderWriter) => void): Promise<void>;
  /** Writes everything but the card into the folder of a model that holds this one. */
  store(folder: FolderWriter): void;
}

/** One way to learn. A new one is a file (or folder) of this room and its line in registry.ts. */
export interface Learner<T extends ParamTable = ParamTable> {
  name: string;
  /** What its predictions are; for a learner of several tasks, the first of them. */
  task: Task;
  /** A learner of several tasks: all of them. `train --task` names one, else the target tells which. */
  tasks?: readonly Task[];
  /** One line: what it gives a shop. */
  summary: string;
  /** Paper or manual, with its year. */
  source: string;
  roles: RoleNeeds;
  /** Whether it learns from feature columns beside its roles; optional: only from those that are named. */
  features: boolean | "optional";
  params: T;
  /** A learner that works with others: those that it takes when `train --parts` names none. */
  parts?: readonly string[];
  /** Others that it then takes beside them where a time or a table of items is named. */
  moreParts?: Readonly<Record<"time" | "items", readonly string[]>>;
  /** Whether it can go on from a model of its own (`train --init`). */
  continues?: boolean;
  /** Whether it learns from the words of texts, so that no two texts need be alike. */
  readsWords?: boolean;
  /** Whether it can use a table of items (`train --items`). */
  items?: boolean;
  /**
   * @param data   checked rows, roles and features
   * @param params every parameter of the table, in range
   * @param run    the only source of random numbers, threads and progress
   */
  fit(data: TrainingData, params: ParamsOf<T>, run: Run): Promise<Fitted>;
  /**
   * Reads rows once for fits on many parts of them (folds, trials): of their features alone, never of their target.
   * Undefined where that does not pay.
   */
  share?(data: TrainingData, params: ParamsOf<T>, run: Run): Promise<SharedRows | undefined>;
  load(folder: FolderReader): Fitted | Promise<Fitted>;
}

/**
 * The roles of a learner: its own, and for those that learn a target from features the time of a row, which
 * they do not learn from: alerts are counted by day, and what is newer than the row is warned of.
 */
export function rolesOf({ roles, features }: Pick<Learner, "roles" | "features">): RoleNeeds {
  return features && roles.target ? { time: "optional", ...roles } : roles;
}

/** Declares a learner; nothing but a place for the types to meet. */
export function defineLearner<const T extends ParamTable>(learner: Learner<T>): Learner {
  return learner as unknown as Learner;
}

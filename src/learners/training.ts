import { listed, nearest, ShopaiError } from "../core/errors.js";
import { version } from "../core/version.js";
import type { Field } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { fieldOfRole } from "../features/roles.js";
import { columnNamed, countRows, isNumeric, kindOf, typedInstead, type Relation } from "../table/relation.js";
import { chosenFeatures, isFeature, isReadable } from "./chosen-features.js";
import type { Decision } from "./decision.js";
import type {
  Learner,
  Model,
  ModelCard,
  RoleName,
  Roles,
  SharedRows,
  Task,
  TrainingData,
} from "./learner.js";
import { checkFeatures } from "./design-matrix.js";
import { roleHelp, rolesOf } from "./learner.js";
import { formatVersion } from "./model-folder.js";
import { loadModel, modelOf } from "./model.js";
import { checkParams, type ParamValue } from "./params.js";
import { readFeatures, readingsOf, readRows } from "./readings.js";
import {
  checkNumericTarget,
  classesOf,
  having,
  positiveClass,
  warnOfFewNumbers,
  withTarget,
} from "./targets.js";

/** Rows that were checked, what came of it (`trainingData`), and what is to be said of it when they are learned from. */
export interface Checked {
  rows: Relation;
  data: TrainingData;
  warnings: readonly string[];
}

/** What a user says about the rows to learn from. */
export interface TrainingAsk {
  roles: Roles;
  /** For a learner of several tasks; by default the target tells (`taskOf`). */
  task?: Task;
  /** Names and globs of feature columns, `-name` excludes; all but roles and `split` by default. */
  features?: readonly string[];
  /** The class that `score` is the probability of. */
  positive?: string;
  params?: Readonly<Record<string, ParamValue>>;
  /** Rows to stop early by, for learners that do. */
  valid?: Relation;
  /** Some of the rows, laid down (`laidDown`): what is there to see in them need not be read anew. */
  sample?: Relation;
  /** What was found of the rows before. */
  checked?: Checked;
  /** What becomes of the scores. */
  decision?: Decision;
  /** For learners with parts: learners and model folders (`partsOf`). */
  parts?: readonly string[];
  /** For learners that use one: a table with a row per item. */
  items?: Relation;
  /** For learners that go on from a model: its folder. */
  init?: string;
  /** The predicate that chose the rows, for the card. */
  where?: string;
  /** What the learner has read of the table that the rows are a part of (`sharedRows`). */
  shared?: SharedRows;
  /** Figures for the card beside the fit's own: those of a cross-validation. */
  about?: Readonly<Record<string, unknown>>;
}

/**
 * Fits a learner on a relation.
 *
 * @throws ShopaiError "usage" for a parameter or role that the learner does not take, "data" for rows it cannot learn from
 */
export async function trainModel(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  run: Run,
): Promise<Model> {
  const { own, ofParts } = divided(learner, ask.params ?? {});
  const params = checkParams(learner.name, learner.params, own);
  const checked = await checkedData(learner, relation, ask, run);
  const read = asRead(checked);
  const features = learner.features === true ? read.features.map(({ name }) => name) : ask.features;
  const beside = await besideRows(learner, read.relation, checked.roles, { ...ask, features });
  const init = ask.init === undefined ? undefined : await goneOnFrom(learner, checked, ask.init);
  const data = { ...read, ...beside, init, shared: ask.shared };
  const fitted = await learner.fit(data, params, run);
  const card: ModelCard = {
    format: "shopai-model",
    format_version: formatVersion,
    version,
    learner: learner.name,
    task: data.task,
    params: { ...(params as Record<string, ParamValue>), ...ofParts },
    parts: ask.parts ?? beside.parts?.map(({ name }) => name),
    roles: data.roles,
    role_types: Object.fromEntries(
      Object.entries(data.roles).map(([role, name]) => [role, columnNamed(relation, name).type]),
    ),
    features: checked.features.map(({ name, type }) => ({ name, type })),
    readings: checked.readings,
    target: data.target,
    classes: data.classes,
    positive: data.positive,
    decision: ask.decision,
    seed: run.seed,
    rows: data.rows,
    inputs: [...relation.inputs],
    where: ask.where,
    about: { ...fitted.about, ...ask.about },
    files: {},
  };
  return modelOf(card, fitted);
}

async function checkedData(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  run: Run,
): Promise<TrainingData> {
  const { checked, sample } = ask;
  // Weights of classes and groups make other rows of them.
  if (checked?.rows !== relation) return trainingData(learner, relation, ask, run);
  for (const warning of checked.warnings) run.warn(warning);
  return sample ? withSample(checked.data, sample) : checked.data;
}

/**
 * What a learner reads once of rows for fits on many parts of them; undefined for learners that read every part anew.
 * Rows that cannot be learned from are left to the parts to refuse.
 */
export async function sharedRows(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  run: Run,
): Promise<SharedRows | undefined> {
  if (!learner.share) return undefined;
  const { own } = divided(learner, ask.params ?? {});
  const quiet = { ...run, warn: () => undefined };
  try {
    const params = checkParams(learner.name, learner.params, own);
    return await learner.share(asRead(await trainingData(learner, relation, ask, quiet)), params, quiet);
  } catch (cause) {
    if (cause instanceof ShopaiError) return undefined;
    throw cause;
  }
}

/** Parameters of a learner, and those of its parts: `near.k`. */
function divided(
  learner: Learner,
  given: Readonly<Record<string, ParamValue>>,
): Record<"own" | "ofParts", Record<string, ParamValue>> {
  const entries = Object.entries(given);
  const isOfPart = ([name]: [string, ParamValue]): boolean =>
    learner.parts !== undefined && name.includes(".");
  return {
    own: Object.fromEntries(entries.filter((entry) => !isOfPart(entry))),
    ofParts: Object.fromEntries(entries.filter(isOfPart)),
  };
}

/** What a learner works with beside the rows: its parts, the table of items. */
async function besideRows(
  learner: Learner,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<Pick<TrainingData, "parts" | "items" | "itemFeatures">> {
  if (ask.parts && !learner.parts)
    throw new ShopaiError("usage", `${learner.name} has no parts`, {
      try: "leaving --parts out, or train hybrid",
    });
  if (ask.items && !learner.items)
    throw new ShopaiError("usage", `${learner.name} uses no table of items`, {
      try: "leaving --items out, or train content",
    });
  const parts =
    learner.parts && (await (await import("./ensemble/parts.js")).partsOf(learner, relation, roles, ask));
  // Of learners that take features of interactions, --features are those.
  return { parts, items: ask.items, itemFeatures: ask.items && !learner.features ? ask.features : undefined };
}

/** The data as a learner sees them: dates and texts of numbers as numbers. */
export function asRead(data: TrainingData): TrainingData {
  const { relation, valid, sample, features, readings } = data;
  return {
    ...data,
    relation: readRows(relation, features, readings),
    valid: valid && readRows(valid, features, readings),
    sample: sample && readRows(sample, features, readings),
    features: readFeatures(features, readings),
  };
}

/** A model that is gone on from. @throws ShopaiError "usage" or "model" when it is of another learner, task or table */
async function goneOnFrom(learner: Learner, data: TrainingData, path: string): Promise<Model> {
  if (!learner.continues)
    throw new ShopaiError("usage", `${learner.name} cannot go on from a model`, {
      try: "leaving --init out, or train gbdt",
    });
  const model = await loadModel(path);
  const { card } = model;
  const names = (features: readonly Field[]): string => features.map(({ name }) => name).join(", ");
  const differs =
    card.learner !== learner.name
      ? `it is a model of ${card.learner}`
      : card.task !== data.task || card.classes?.join() !== data.classes?.join()
        ? `it is for ${card.task}${card.classes ? ` of ${listed([...card.classes])}` : ""}, and this is ${data.task}${data.classes ? ` of ${listed([...data.classes])}` : ""}`
        : card.positive !== data.positive
          ? `its positive class is ${card.positive}, and here it is ${data.positive}`
          : names(card.features) !== names(data.features)
            ? `it was trained on ${names(card.features)}, and here the features are ${names(data.features)}`
            : undefined;
  if (differs !== undefined)
    throw new ShopaiError("model", `cannot go on from the model: ${differs}`, {
      where: path,
      try: "a model of the same learner, target and columns",
    });
  return model;
}

/** Checks the rows against what the learner wants: roles, features, target, weights. */
export async function trainingData(
  learner: Learner,
  relation: Relation,
  ask: TrainingAsk,
  run: Run,
): Promise<TrainingData> {
  const roles = resolvedRoles(learner, relation, ask.roles);
  const chosen =
    learner.features === true || (learner.features && ask.features)
      ? chosenFeatures(relation, roles, ask.features, learner.features === true ? isReadable : isFeature)
      : [];
  if (!learner.features && !(learner.items && ask.items) && ask.features)
    throw new ShopaiError("usage", `${learner.name} takes no feature columns`, {
      try: "leaving --features out",
    });
  const task = await taskOf(learner, relation, roles, ask);
  if (task !== "classification" && task !== "anomaly" && ask.positive !== undefined)
    throw new ShopaiError(
      "usage",
      `--positive is for classification, and ${learner.tasks ? `this is ${task}` : `${learner.name} is for ${task}`}`,
      {
        try: "leaving --positive out",
      },
    );
  if ((await countRows(relation)) === 0)
    throw new ShopaiError("data", "there are no rows to learn from", {
      where: relation.name,
      try: ask.where === undefined ? "a table with rows" : "another --where",
    });
  if (roles.weight) await checkWeights(relation, roles.weight);
  // What a model of ratings predicts is the rating.
  const wanted = task === "rating" ? roles.rating : roles.target;
  const target = wanted ? columnNamed(relation, wanted) : undefined;
  // Detectors of anomalies do not learn from the target: rows without it are as good as others.
  const rows = target && task !== "anomaly" ? await withTarget(relation, target.name, run) : relation;
  if (target && task === "regression" && ask.task === undefined && learner.tasks?.includes("classification"))
    await warnOfFewNumbers(rows, target, run);
  const relevance = task === "ranking" && target && kindOf(target.type) === "boolean";
  if (target && (task === "regression" || task === "rating" || task === "ranking") && !relevance)
    await checkNumericTarget(rows, target);
  if ((task === "ranking") !== (roles.query !== undefined))
    throw new ShopaiError(
      "usage",
      roles.query === undefined
        ? `ranking needs --query, the ${roleHelp.query}`
        : `--query is for ranking, and this is ${task}`,
      { where: relation.name, try: roles.query === undefined ? "--query <column>" : "--task ranking" },
    );
  const classes =
    target && (task === "classification" || task === "anomaly") ? await classesOf(rows, target) : undefined;
  if (task === "anomaly" && classes && classes.length > 2)
    throw new ShopaiError("data", `the target ${target!.name} has ${classes.length} classes, not two`, {
      where: relation.name,
      try: "a column that says yes or no, or leaving --target out: it is used by evaluate alone",
    });
  const byName = (ask.features ?? []).some((pattern) => !pattern.startsWith("-"));
  const { features, readings } =
    learner.features === true
      ? await readingsOf(rows, chosen, { named: byName, readsWords: learner.readsWords === true }, run)
      : { features: chosen, readings: [] };
  const data: TrainingData = {
    task,
    relation: rows,
    rows: await countRows(rows),
    roles,
    features,
    readings: readings.length > 0 ? readings : undefined,
    target,
    classes: classes?.map(({ name }) => name),
    valid: ask.valid && (await validRows(ask.valid, features, target, roles)),
    positive: classes && positiveClass(classes, ask.positive, rows, target!.name),
  };
  return ask.sample ? withSample(data, ask.sample) : data;
}

/** The data with a sample of the table beside it: of those of its rows that are learned from. */
export function withSample(data: TrainingData, sample: Relation): TrainingData {
  const { target, task } = data;
  return { ...data, sample: target && task !== "anomaly" ? having(sample, target.name) : sample };
}

/** Validation rows, checked to have what the training rows have. */
async function validRows(
  valid: Relation,
  features: readonly Field[],
  target: Field | undefined,
  roles: Roles,
): Promise<Relation> {
  checkFeatures(valid, features);
  if (roles.query !== undefined) columnNamed(valid, roles.query, "--query");
  if (!target) return valid;
  const { name, type } = columnNamed(valid, target.name, "--target");
  if (kindOf(type) !== kindOf(target.type) && !(isNumeric(type) && isNumeric(target.type)))
    throw new ShopaiError(
      "data",
      `the target ${name} is ${type} here and ${target.type} in the training rows`,
      {
        where: valid.name,
        try: "clean with the same contract as for training",
      },
    );
  return having(valid, name);
}

/**
 * What a learner is to do: its only task; or, of several, the one that was asked for; or what the target
 * tells: ranking with a column of queries, else classification for texts, booleans and columns of two values at
 * most, regression for other numbers.
 *
 * @throws ShopaiError "usage" for a task that the learner does not have
 */
export async function taskOf(
  learner: Learner,
  relation: Relation,
  roles: Roles,
  { task }: Pick<TrainingAsk, "task">,
): Promise<Task> {
  const tasks = learner.tasks ?? [learner.task];
  if (task !== undefined && !tasks.includes(task))
    throw new ShopaiError("usage", `${learner.name} is for ${tasks.join(" and ")}, not for ${task}`, {
      try: "shopai learners",
    });
  if (task !== undefined || tasks.length === 1 || roles.target === undefined) return task ?? tasks[0];
  if (roles.query !== undefined && tasks.includes("ranking")) return "ranking";
  const target = columnNamed(relation, roles.target);
  if (!isNumeric(target.type)) return "classification";
  const [{ two }] = await relation.engine.rows<{ two: boolean }>(
    `SELECT count(*) <= 2 AS two FROM (SELECT DISTINCT ${ident(target.name)} FROM (${relation.sql}) WHERE ${ident(target.name)} IS NOT NULL LIMIT 3)`,
  );
  return two ? "classification" : "regression";
}

/** The column that its name makes the likeliest for a role, or `<role>`. */
function likelyColumn(role: RoleName, { schema }: Relation): string {
  const names = schema.map((field) => field.name);
  return fieldOfRole(role, schema)?.name ?? nearest(role, names) ?? `<${role}>`;
}

function resolvedRoles(learner: Learner, relation: Relation, given: Roles): Roles {
  const roles: Roles = {};
  const needs = rolesOf(learner);
  const known = Object.keys(roleHelp) as RoleName[];
  const missing = known.filter((role) => needs[role] === "required" && given[role] === undefined);
  if (missing.length > 0) {
    const [role] = missing;
    throw new ShopaiError("usage", `${learner.name} needs --${role}, the ${roleHelp[role]}`, {
      try: missing.map((one) => `--${one} ${likelyColumn(one, relation)}`).join(" "),
    });
  }
  for (const role of known) {
    const name = given[role];
    const need = needs[role];
    if (name === undefined) continue;
    if (!need)
      throw new ShopaiError("usage", `${learner.name} does not use --${role}`, {
        try: `leaving it out (it uses ${
          Object.keys(needs)
            .map((known) => `--${known}`)
            .join(", ") || "no roles"
        })`,
      });
    roles[role] = columnNamed(relation, name, `--${role}`).name;
  }
  const taken = new Map<string, string>();
  for (const [role, name] of Object.entries(roles)) {
    const other = taken.get(name);
    if (other)
      throw new ShopaiError("usage", `--${other} and --${role} name the same column, ${name}`, {
        where: relation.name,
      });
    taken.set(name, role);
  }
  return roles;
}

async function checkWeights(relation: Relation, name: string): Promise<void> {
  const field = columnNamed(relation, name, "--weight");
  if (!isNumeric(field.type))
    throw new ShopaiError("data", `the weights in ${name} are ${field.type}, not numbers`, {
      where: relation.name,
      try: typedInstead(field, relation.name, "a column of numbers"),
    });
  const column = `${ident(name)}::DOUBLE`;
  const [{ bad, total }] = await relation.engine.rows<{ bad: bigint; total: number }>(
    `SELECT count(*) FILTER (${column} IS NULL OR NOT isfinite(${column}) OR ${column} < 0) AS bad, max(${column}) AS total FROM (${relation.sql})`,
  );
  if (bad > 0n)
    throw new ShopaiError("data", `${bad} weights in ${name} are missing, negative or not finite`, {
      where: relation.name,
      try: `--where '${ident(name)} >= 0'`,
    });
  if (total === 0) throw new ShopaiError("data", `every weight in ${name} is 0`, { where: relation.name });
}

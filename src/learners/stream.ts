import { ShopaiError } from "../core/errors.js";
import type { Engine, Field, Schema } from "../engine/engine.js";
import type { Column, Frame } from "../engine/frame.js";
import { unheard, type Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { isNumeric, kindOf, rowColumn, selectOrdered, type Relation } from "../table/relation.js";
import type { Ask, Model } from "./learner.js";
import { levelTable } from "./levels.js";
import type { Catalogue } from "./recommendations.js";
import { rerankerOf, type Reranker, type Rules } from "./rerank.js";
import { recommendAnswerer } from "./stream-recommend.js";

type Request = Readonly<Record<string, unknown>>;
/** What is answered to one request: the columns of a prediction, or `error`. */
export type Answer = Record<string, unknown>;

/**
 * Answers requests, each a JSON object, in their order. A request that cannot be answered gets
 * `{"error": {"kind", "message", "try"}}` and disturbs no other.
 *
 * - recommenders: see `recommendAnswerer`
 * - other models: an object of feature columns (absent is null); the answer holds the columns that
 *   `predict` writes, with those of `ask.keep`
 *
 * @param lines NDJSON without the line ends; empty lines get no answer
 */
export type Answerer = (lines: readonly string[]) => Promise<Answer[]>;

export async function answererOf(
  model: Model,
  ask: Ask & { similar?: boolean },
  run: Run,
): Promise<Answerer> {
  if (model.card.task !== "recommendation") return rowAnswerer(model, ask, run);
  const { catalogue, scorer } = model;
  if (!catalogue || !scorer)
    throw new ShopaiError("model", `${model.card.learner} cannot answer one by one`, {
      try: "predict with a table",
    });
  const reranker = ask.rules && (await rulesInMemory(catalogue, ask.rules, run));
  const answer = recommendAnswerer(catalogue, scorer, ask, ask.similar ?? false, reranker);
  return async (lines) => {
    await model.prepare?.(run);
    return requests(lines).map((request) => tried(() => answer(request())));
  };
}

async function rulesInMemory(catalogue: Catalogue, rules: Rules, run: Run): Promise<Reranker> {
  const engine = rules.items?.engine ?? (await run.engine());
  return rerankerOf(
    catalogue,
    rules,
    await levelTable(engine, "items", catalogue.items, catalogue.item.type),
  );
}

/** What the lines ask, each read when it is called. */
function requests(lines: readonly string[]): (() => Request)[] {
  return lines
    .filter((line) => line.trim() !== "")
    .map((line) => () => {
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch (cause) {
        throw new ShopaiError("data", `a request is no JSON: ${shortened(line)}`, { cause });
      }
      if (typeof value !== "object" || value === null || Array.isArray(value))
        throw new ShopaiError("data", `a request must be a JSON object, got ${shortened(line)}`);
      return value as Request;
    });
}

const shortened = (line: string): string => (line.length <= 80 ? line : `${line.slice(0, 79)}…`);

function tried<T extends object>(answer: () => T): T | Answer {
  try {
    return answer();
  } catch (error) {
    return refusal(error);
  }
}

/** Answers that are refusals; a request may well have a feature called error. */
const refused = new WeakSet<object>();

function refusal(error: unknown): Answer {
  if (!(error instanceof ShopaiError)) throw error;
  const answer = { error: { kind: error.kind, message: error.message, try: error.try } };
  refused.add(answer);
  return answer;
}

/** Scores what stands in the lines of one call together, as one small table. */
function rowAnswerer(model: Model, ask: Ask, run: Run): Answerer {
  const predict = rowPredictor(model, ask, run);
  return async (lines) => {
    const asked = requests(lines).map((request): Request => tried(() => checked(model, request())));
    const rows = asked.filter((row) => !refused.has(row));
    let answers: Answer[] = [];
    try {
      if (rows.length > 0) answers = await predict(rows);
    } catch (error) {
      answers = rows.map(() => refusal(error));
    }
    let next = 0;
    return asked.map((row) => (refused.has(row) ? row : answers[next++]));
  };
}

/** What a request may hold: the features, and user and item of a rating. */
function inputsOf({ card: { task, roles, role_types, features } }: Model): readonly Field[] {
  if (task !== "rating") return features;
  const pair = (["user", "item"] as const).map((role) => ({ name: roles[role]!, type: role_types[role]! }));
  return [...pair, ...features];
}

/** Refuses values that are not of the type of their feature, by name. */
function checked(model: Model, row: Request): Request {
  for (const { name, type } of inputsOf(model)) {
    const value = row[name] ?? null;
    const fits =
      value === null ||
      (isNumeric(type)
        ? typeof value === "number"
        : kindOf(type) === "boolean"
          ? typeof value === "boolean"
          : typeof value === "string");
    if (!fits)
      throw new ShopaiError("data", `${name} is ${JSON.stringify(value)}, and was ${type} in training`, {
        try: "the same types as in training",
      });
  }
  return row;
}

/**
 * Predictions of requests. Learners that score columns in memory (`predictRows`) are asked without SQL,
 * which takes a hundredth of the time; what the first answer shows holds for all.
 */
function rowPredictor(model: Model, ask: Ask, run: Run): (rows: readonly Request[]) => Promise<Answer[]> {
  const features = inputsOf(model);
  const keep = ask.keep ?? [];
  const silent = quiet(run);
  let direct: boolean | undefined;
  return async (rows) => {
    const engine = await run.engine();
    const before = direct ? undefined : await tableNames(engine);
    const memory: Frame = {
      rows: rows.length,
      columns: new Map(features.map((f) => [f.name, featureColumn(rows, f)])),
    };
    const relation: Relation = {
      engine,
      sql: direct ? "" : await requestTable(engine, memory, features),
      schema: features,
      key: [rowColumn],
      inputs: [],
      name: "the request",
      memory,
    };
    const predictions = await model.predict(relation, { ...ask, keep: [] }, silent);
    direct = predictions.memory !== undefined;
    const found = predictions.memory
      ? memoryRows(predictions.memory, predictions.schema)
      : await engine.rows<Answer>(selectOrdered(predictions));
    if (before)
      for (const name of await tableNames(engine))
        if (!before.includes(name)) await engine.run(`DROP TABLE ${ident(name)}`);
    return found.map((answer, i) => ({
      ...Object.fromEntries(keep.map((name) => [name, rows[i][name] ?? null])),
      ...answer,
    }));
  };
}

async function tableNames(engine: Engine): Promise<string[]> {
  const tables = await engine.rows<{ name: string }>("SELECT table_name AS name FROM duckdb_tables()");
  return tables.map(({ name }) => name);
}

/** The requests as a table of the engine, for learners that want SQL. @returns a SELECT in their types */
async function requestTable(engine: Engine, memory: Frame, features: readonly Field[]): Promise<string> {
  const table = engine.fresh("requests");
  const numbered: Column = { kind: "i32", values: Int32Array.from({ length: memory.rows }, (_, i) => i) };
  await engine.load(table, { ...memory, columns: new Map([[rowColumn, numbered], ...memory.columns]) });
  const list = features.map(({ name, type }) => `${ident(name)}::${type} AS ${ident(name)}`);
  return `SELECT ${[rowColumn, ...list].join(", ")} FROM ${ident(table)}`;
}

/** A feature of all requests, in the kind of column that learners read it as. */
function featureColumn(rows: readonly Request[], { name, type }: Field): Column {
  const values = rows.map((row) => row[name] ?? null);
  if (isNumeric(type) || kindOf(type) === "boolean")
    return {
      kind: "f64",
      values: Float64Array.from(values, (value) => (value === null ? NaN : Number(value))),
    };
  const levels = [...new Set(values.filter((value) => value !== null))].map(String).sort();
  return { kind: "code", values: Int32Array.from(values, (value) => levels.indexOf(String(value))), levels };
}

/** Rows of typed columns as objects, in the types of their schema. */
function memoryRows({ rows, columns }: Frame, schema: Schema): Answer[] {
  const readers = schema.map(({ name, type }) => ({ name, at: valueReader(columns.get(name)!, type) }));
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(readers.map(({ name, at }) => [name, at(row)])),
  );
}

function valueReader(column: Column, type: string): (row: number) => unknown {
  const raw = (row: number): unknown =>
    column.kind === "code" ? (column.levels[column.values[row]] ?? null) : column.values[row];
  if (kindOf(type) === "boolean") return (row) => raw(row) === "true" || raw(row) === 1;
  if (!isNumeric(type)) return raw;
  return (row) => {
    const value = raw(row);
    return value === null || Number.isNaN(value) ? null : Number(value);
  };
}

/** A stream has no stages: it answers. */
const quiet = (run: Run): Run => ({ ...run, progress: unheard });

import { listed } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Field } from "../engine/engine.js";
import { scoped } from "../engine/scope.js";
import { ident, literal } from "../engine/sql.js";
import {
  columnNamed,
  countRows,
  findColumn,
  isNumeric,
  kindOf,
  materialised,
  source,
  type Relation,
} from "../table/relation.js";
import { isNumberLike } from "./design-matrix.js";
import { spread } from "./draw.js";
import type { TrainingData } from "./learner.js";
import { numberColumns } from "./number-columns.js";
import { lookAt, type ClassCounts, type Look } from "./number-look.js";
import { differs, holdsWords } from "./readings.js";

/** Rows that features are looked at in. */
const sampled = 20_000;
/** A feature that ranks the classes this well on its own knows the answer. */
const tooGood = 0.99;
/** Most bins of a number when it is looked at alone, and fewest rows of a bin. */
const mostBins = 64;
const binRows = 20;
/** Values of a text beyond which it ranks rows by chance. */
const mostLevels = 0.05;
/** Share of the rows with one value from which on a feature says nothing. */
const constant = 0.999;
/** Columns of one query. */
const columnsAtOnce = 64;
/** Fewer rows show nothing. */
const fewest = 50;

/**
 * What is suspicious about training rows, in words: features that alone separate the target, ids, texts of
 * words, columns that are newer than the row, columns of one value, rare classes. Worked out on a sample.
 *
 * @param readsWords whether the learner learns from words, and texts may differ in every row
 */
export async function suspicions(data: TrainingData, readsWords = false): Promise<string[]> {
  const { relation, rows, features, target, task, positive } = data;
  if (rows < fewest || features.length === 0) return [];
  const { engine, drop } = scoped(relation.engine);
  const looked = data.sample
    ? await atMost(data.sample, rows)
    : await materialised({ ...spread(relation, rows, sampled), engine }, "looked_at");
  const hit =
    task === "classification" && positive !== undefined
      ? `(${ident(target!.name)}::VARCHAR = ${literal(positive)})::INTEGER`
      : "NULL::INTEGER";
  const looks = await numberLooks(looked, features, hit);
  const others = features.filter(({ name }) => !looks.has(name));
  for (const [name, look] of await valueLooks(looked, others, hit)) looks.set(name, look);
  const found: string[] = [];
  const flat: string[] = [];
  const ids: string[] = [];
  const wordy: string[] = [];
  for (const field of features) {
    const look = looks.get(field.name)!;
    if (look.most >= constant * look.rows) flat.push(field.name);
    else if (isId(field, look) && (await differs(relation, field.name))) {
      if (kindOf(field.type) !== "text" || !(await holdsWords(looked, field.name))) ids.push(field.name);
      else if (!readsWords) wordy.push(field.name);
    } else if (positive !== undefined && task === "classification") {
      const auc = aucOf(look.bins);
      if (auc >= tooGood)
        found.push(
          `${field.name} alone separates ${target!.name} (AUC ${auc.toFixed(4)}): is it known before ${target!.name} is? If not, leave it out: --features -${field.name}`,
        );
    }
  }
  await drop();
  if (ids.length > 0)
    found.push(
      `${ids.length === 1 ? "a feature looks" : "features look"} like an id, a value for every row: ${listed(ids)} (--features ${ids.map((name) => `-${name}`).join(",")})`,
    );
  if (wordy.length > 0)
    found.push(
      `hardly two texts of ${listed(wordy)} are alike, and a text counts as one value here: text-cnn learns from its words (or leave it out: --features ${wordy.map((name) => `-${name}`).join(",")})`,
    );
  if (flat.length > 0)
    found.push(
      `${flat.length === 1 ? "a feature has" : "features have"} one value in nearly every row and can teach little: ${listed(flat)}`,
    );
  found.push(...(await newerColumns(data)), ...(await rareClasses(data)));
  return found;
}

/** Some rows of a sample, where it has more than are looked at. */
async function atMost(sample: Relation, total: number): Promise<Relation> {
  return (await countRows(sample)) <= sampled ? sample : spread(sample, total, sampled);
}

/** Numbers are looked at in memory; whole ones that float64 does not tell apart are left out. */
async function numberLooks(
  looked: Relation,
  features: readonly Field[],
  hit: string,
): Promise<Map<string, Look>> {
  const looks = new Map<string, Look>();
  const numbers = features.filter(({ type }) => isNumberLike(type));
  if (numbers.length === 0) return looks;
  const told = { ...looked, sql: `SELECT ${hit} AS hit FROM ${source(looked)}` };
  let hits = new Uint8Array(0);
  for await (const [, values] of numberColumns(told, [{ name: "hit" }])) hits = Uint8Array.from(values);
  const bins = Math.min(mostBins, Math.max(2, Math.floor(hits.length / binRows)));
  for await (const [{ name, type }, values] of numberColumns(looked, numbers)) {
    const beyond = /^U?(BIG|HUGE)INT$/.test(type) && values.some((one) => Math.abs(one) > 2 ** 53);
    if (!beyond) looks.set(name, lookAt(values, hits, bins));
  }
  return looks;
}

/** Columns of one type each, at most so many: what one query looks at, so that wide tables take few. */
function* alike(columns: readonly Field[]): Generator<Field[]> {
  for (const type of new Set(columns.map((column) => column.type))) {
    const own = columns.filter((column) => column.type === type);
    for (let at = 0; at < own.length; at += columnsAtOnce) yield own.slice(at, at + columnsAtOnce);
  }
}

/** Texts, dates and whatever else are counted value by value by the engine. */
async function valueLooks(
  looked: Relation,
  features: readonly Field[],
  hit: string,
): Promise<Map<string, Look>> {
  const looks = new Map<string, Look>();
  for (const part of alike(features)) {
    const names = part.map((_, i) => `f${i}`).join(", ");
    const list = part.map(({ name }, i) => `${ident(name)} AS f${i}`).join(", ");
    const long = `(SELECT ${list}, ${hit} AS hit FROM ${source(looked)}) UNPIVOT INCLUDE NULLS (value FOR name IN (${names}))`;
    const found = await looked.engine.rows<
      { name: string; hits: bigint[] | null; misses: bigint[] | null } & Record<
        "rows" | "distinct" | "most" | "missing",
        bigint
      >
    >(
      `SELECT name, sum(n)::BIGINT AS rows, count(value) AS distinct, max(n) AS most, coalesce(sum(n) FILTER (value IS NULL), 0)::BIGINT AS missing, CASE WHEN count(value) <= ${mostLevels} * sum(n) THEN list(h) END AS hits, CASE WHEN count(value) <= ${mostLevels} * sum(n) THEN list(n - h) END AS misses FROM (SELECT name, value, count(*) AS n, coalesce(sum(hit), 0)::BIGINT AS h FROM ${long} GROUP BY name, value) GROUP BY name`,
    );
    for (const { name, rows, distinct, most, missing, hits, misses } of found)
      looks.set(part[Number(name.slice(1))].name, {
        rows: Number(rows),
        distinct: Number(distinct),
        most: Number(most),
        missing: Number(missing),
        bins: (hits ?? []).map((own, i) => ({ hits: Number(own), misses: Number(misses![i]) })),
      });
  }
  return looks;
}

/** Texts and whole numbers that differ in (nearly) every row; prices do so too, but have a fraction. */
function isId({ type }: Field, { rows, distinct, missing }: Look): boolean {
  const known = rows - missing;
  const kind = kindOf(type);
  if (known < fewest) return false;
  if (kind === "text") return distinct >= 0.95 * known;
  return kind === "integer" && distinct === known;
}

/** Area under the ROC curve of bins that are ranked by their share of positives. */
function aucOf(bins: readonly ClassCounts[]): number {
  const ranked = [...bins].sort((a, b) => b.hits * (a.hits + a.misses) - a.hits * (b.hits + b.misses));
  let above = 0;
  let area = 0;
  let misses = 0;
  for (const bin of ranked) {
    area += bin.misses * (above + bin.hits / 2);
    above += bin.hits;
    misses += bin.misses;
  }
  // A handful of rows of one class are separated by chance.
  return Math.min(above, misses) < 10 ? 0 : area / (above * misses);
}

/** Columns of times that lie after the time of the row. */
async function newerColumns({ relation, roles }: TrainingData): Promise<string[]> {
  if (roles.time === undefined) return [];
  const time = columnNamed(relation, roles.time);
  if (isNumeric(time.type)) return [];
  const others = relation.schema.filter(
    ({ name, type }) => name !== time.name && (kindOf(type) === "timestamp" || kindOf(type) === "date"),
  );
  if (others.length === 0) return [];
  const list = others.map(
    ({ name }, i) => `count(*) FILTER (${ident(name)}::TIMESTAMP > ${ident(time.name)}::TIMESTAMP) AS n${i}`,
  );
  const [counts] = await relation.engine.rows<Record<string, bigint>>(
    `SELECT ${list.join(", ")}, count(*) AS n FROM (${relation.sql})`,
  );
  return others.flatMap(({ name }, i) => {
    const later = counts[`n${i}`];
    if (later === 0n) return [];
    const related = relation.schema
      .map((field) => field.name)
      .filter((other) => other !== name && sharesStem(other, name) && findColumn(relation.schema, other));
    return [
      `${name} is later than ${time.name} in ${grouped(later)} of ${grouped(counts.n)} rows: what became known with it must not be a feature${related.length > 0 ? ` (${listed(related, 5)}?)` : ""}`,
    ];
  });
}

/** `refund_at` and `refund_reason`. */
function sharesStem(a: string, b: string): boolean {
  const stem = (name: string): string => name.toLowerCase().split(/[_\s]/)[0];
  return stem(a) === stem(b) && stem(a).length > 2;
}

/** A class that is too rare to learn from without a word. */
async function rareClasses({ relation, target, task, classes, rows }: TrainingData): Promise<string[]> {
  if (task !== "classification") return [];
  const [{ name, n }] = await relation.engine.rows<{ name: string; n: bigint }>(
    `SELECT ${ident(target!.name)}::VARCHAR AS name, count(*) AS n FROM (${relation.sql}) GROUP BY ${ident(target!.name)} ORDER BY n, name LIMIT 1`,
  );
  if (Number(n) < 10)
    return [`only ${n} rows have ${target!.name} = ${name}: metrics and folds of it will say little`];
  if (classes!.length === 2 && Number(n) < 0.01 * rows)
    return [
      `${target!.name} = ${name} is rare (${grouped(n)} of ${grouped(rows)} rows): look at pr_auc, and choose the threshold (--threshold, --cost or --alerts-per-day)`,
    ];
  return [];
}

import { listed } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Field } from "../engine/engine.js";
import { scoped } from "../engine/scope.js";
import { ident, literal } from "../engine/sql.js";
import { columnNamed, findColumn, isNumeric, kindOf, type Relation } from "../table/relation.js";
import { isNumberLike } from "./design-matrix.js";
import { spread } from "./draw.js";
import type { TrainingData } from "./learner.js";
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
/** Fewer rows show nothing. */
const fewest = 50;

/**
 * What is suspicious about training rows, in words: features that alone separate the target, ids, texts of
 * words, columns that are newer than the row, columns of one value, rare classes. Worked out by the engine on
 * a sample.
 *
 * @param readsWords whether the learner learns from words, and texts may differ in every row
 */
export async function suspicions(data: TrainingData, readsWords = false): Promise<string[]> {
  const { relation, rows, features, target, task, positive } = data;
  if (rows < fewest || features.length === 0) return [];
  const { engine, drop } = scoped(relation.engine);
  const sample = engine.fresh("looked_at");
  const hit =
    task === "classification" && positive !== undefined
      ? `(${ident(target!.name)}::VARCHAR = ${literal(positive)})::INTEGER`
      : "NULL::INTEGER";
  const list = features.map(({ name }, i) => `${ident(name)} AS f${i}`);
  const drawn = spread(data.sample ?? relation, rows, sampled);
  await engine.run(
    `CREATE TABLE ${ident(sample)} AS SELECT ${list.join(", ")}, ${hit} AS hit FROM (${drawn.sql})`,
  );
  const looked = { engine, sql: `SELECT * FROM ${ident(sample)}` };
  const found: string[] = [];
  const flat: string[] = [];
  const ids: string[] = [];
  const wordy: string[] = [];
  for (const [i, field] of features.entries()) {
    const column = { name: `f${i}`, type: field.type };
    const shape = await shapeOf(sample, column.name, { engine });
    if (shape.most >= constant * shape.rows) flat.push(field.name);
    else if (isId(field, shape) && (await differs(relation, field.name))) {
      if (kindOf(field.type) !== "text" || !(await holdsWords(looked, column.name))) ids.push(field.name);
      else if (!readsWords) wordy.push(field.name);
    } else if (positive !== undefined && task === "classification") {
      const auc = await aucAlone(sample, column, shape, { engine });
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

interface Shape {
  rows: number;
  /** Different values, a missing one not counted. */
  distinct: number;
  /** Rows of the most frequent value, or without a value. */
  most: number;
  missing: number;
}

async function shapeOf(sample: string, name: string, { engine }: Pick<Relation, "engine">): Promise<Shape> {
  const [found] = await engine.rows<Record<keyof Shape, bigint>>(
    `SELECT sum(n)::BIGINT AS rows, count(v) AS distinct, max(n) AS most, coalesce(sum(n) FILTER (v IS NULL), 0)::BIGINT AS missing FROM (SELECT ${name} AS v, count(*) AS n FROM ${ident(sample)} GROUP BY v)`,
  );
  return {
    rows: Number(found.rows),
    distinct: Number(found.distinct),
    most: Number(found.most),
    missing: Number(found.missing),
  };
}

/** Texts and whole numbers that differ in (nearly) every row; prices do so too, but have a fraction. */
function isId({ type }: Field, { rows, distinct, missing }: Shape): boolean {
  const known = rows - missing;
  const kind = kindOf(type);
  if (known < fewest) return false;
  if (kind === "text") return distinct >= 0.95 * known;
  return kind === "integer" && distinct === known;
}

/**
 * Area under the ROC curve of one feature: its bins (values of a text, a missing one too, or 64 bins of a
 * number) ranked by their share of positives.
 */
async function aucAlone(
  sample: string,
  { name, type }: Field,
  { rows, distinct, most }: Shape,
  { engine }: Pick<Relation, "engine">,
): Promise<number> {
  const number = isNumberLike(type);
  const bins = Math.min(mostBins, Math.max(2, Math.floor(rows / binRows)));
  if (!number && distinct > mostLevels * rows) return 0;
  // A frequent value of a number is a bin of its own: it may be what gives the answer away.
  const frequent =
    most * 4 * bins >= rows ? ` OR count(*) OVER (PARTITION BY ${name}) * ${4 * bins} >= ${rows}` : "";
  const bin =
    number && distinct > bins
      ? `CASE WHEN ${name} IS NULL${frequent} THEN ${name} END AS value, CASE WHEN NOT (${name} IS NULL${frequent}) THEN (rank() OVER (ORDER BY ${name}) - 1) * ${bins} // ${rows} END AS bin`
      : `${name} AS value, NULL AS bin`;
  const counts = await engine.rows<{ hits: bigint; misses: bigint }>(
    `SELECT sum(hit)::BIGINT AS hits, sum(1 - hit)::BIGINT AS misses FROM (SELECT ${bin}, hit FROM ${ident(sample)}) GROUP BY value, bin ORDER BY avg(hit) DESC, value, bin`,
  );
  let above = 0;
  let area = 0;
  let hits = 0;
  let misses = 0;
  for (const one of counts) {
    area += Number(one.misses) * (above + Number(one.hits) / 2);
    above += Number(one.hits);
    hits += Number(one.hits);
    misses += Number(one.misses);
  }
  // A handful of rows of one class are separated by chance.
  return Math.min(hits, misses) < 10 ? 0 : area / (hits * misses);
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

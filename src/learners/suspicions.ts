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
/** Columns of one query. */
const columnsAtOnce = 64;
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
  const columns = await shapesOf(
    sample,
    features.map(({ type }, i) => ({ name: `f${i}`, type })),
    { engine },
  );
  const telling: Column[] = [];
  for (const [i, field] of features.entries()) {
    const { shape } = columns[i];
    if (shape.most >= constant * shape.rows) flat.push(field.name);
    else if (isId(field, shape) && (await differs(relation, field.name))) {
      if (kindOf(field.type) !== "text" || !(await holdsWords(looked, columns[i].name))) ids.push(field.name);
      else if (!readsWords) wordy.push(field.name);
    } else telling.push(columns[i]);
  }
  if (positive !== undefined && task === "classification") {
    const aucs = await aucsAlone(sample, telling, { engine });
    for (const [i, { name }] of features.entries()) {
      const auc = aucs.get(`f${i}`) ?? 0;
      if (auc >= tooGood)
        found.push(
          `${name} alone separates ${target!.name} (AUC ${auc.toFixed(4)}): is it known before ${target!.name} is? If not, leave it out: --features -${name}`,
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

interface Column extends Field {
  shape: Shape;
}

/** Columns of one type each, at most so many: what one query looks at, so that wide tables take few. */
function* alike<T extends Field>(columns: readonly T[]): Generator<T[]> {
  for (const type of new Set(columns.map((column) => column.type))) {
    const own = columns.filter((column) => column.type === type);
    for (let at = 0; at < own.length; at += columnsAtOnce) yield own.slice(at, at + columnsAtOnce);
  }
}

/** A row per column and row of the sample: `name`, `value` and `hit`. */
function longSql(sample: string, columns: readonly Field[]): string {
  const names = columns.map(({ name }) => name).join(", ");
  return `FROM (SELECT ${names}, hit FROM ${ident(sample)}) UNPIVOT INCLUDE NULLS (value FOR name IN (${names}))`;
}

async function shapesOf(
  sample: string,
  columns: readonly Field[],
  { engine }: Pick<Relation, "engine">,
): Promise<Column[]> {
  const shapes = new Map<string, Shape>();
  for (const part of alike(columns)) {
    const found = await engine.rows<{ name: string } & Record<keyof Shape, bigint>>(
      `SELECT name, sum(n)::BIGINT AS rows, count(value) AS distinct, max(n) AS most, coalesce(sum(n) FILTER (value IS NULL), 0)::BIGINT AS missing FROM (SELECT name, value, count(*) AS n ${longSql(sample, part)} GROUP BY name, value) GROUP BY name`,
    );
    for (const { name, rows, distinct, most, missing } of found)
      shapes.set(name, {
        rows: Number(rows),
        distinct: Number(distinct),
        most: Number(most),
        missing: Number(missing),
      });
  }
  return columns.map((column) => ({ ...column, shape: shapes.get(column.name)! }));
}

/** Texts and whole numbers that differ in (nearly) every row; prices do so too, but have a fraction. */
function isId({ type }: Field, { rows, distinct, missing }: Shape): boolean {
  const known = rows - missing;
  const kind = kindOf(type);
  if (known < fewest) return false;
  if (kind === "text") return distinct >= 0.95 * known;
  return kind === "integer" && distinct === known;
}

interface Counts {
  hits: bigint;
  misses: bigint;
}

/**
 * Area under the ROC curve of each feature alone: its bins (values of a text, a missing one too, or 64 bins of a
 * number) ranked by their share of positives. Texts of many values are left out.
 */
async function aucsAlone(
  sample: string,
  columns: readonly Column[],
  { engine }: Pick<Relation, "engine">,
): Promise<Map<string, number>> {
  const sums = "sum(hit)::BIGINT AS hits, sum(1 - hit)::BIGINT AS misses";
  const binsOf = ({ shape }: Column): number =>
    Math.min(mostBins, Math.max(2, Math.floor(shape.rows / binRows)));
  const told = columns.filter(
    ({ type, shape }) => isNumberLike(type) || shape.distinct <= mostLevels * shape.rows,
  );
  const isBinned = (column: Column): boolean =>
    isNumberLike(column.type) && column.shape.distinct > binsOf(column);
  const aucs = new Map<string, number>();
  for (const column of told.filter(isBinned)) {
    const { name, shape } = column;
    const bins = binsOf(column);
    // A frequent value of a number is a bin of its own: it may be what gives the answer away.
    const frequent =
      shape.most * 4 * bins >= shape.rows
        ? ` OR count(*) OVER (PARTITION BY ${name}) * ${4 * bins} >= ${shape.rows}`
        : "";
    const bin = `CASE WHEN ${name} IS NULL${frequent} THEN ${name} END AS value, CASE WHEN NOT (${name} IS NULL${frequent}) THEN (rank() OVER (ORDER BY ${name}) - 1) * ${bins} // ${shape.rows} END AS bin`;
    const counts = await engine.rows<Counts>(
      `SELECT ${sums} FROM (SELECT ${bin}, hit FROM ${ident(sample)}) GROUP BY value, bin ORDER BY avg(hit) DESC, value, bin`,
    );
    aucs.set(name, aucOf(counts));
  }
  for (const part of alike(told.filter((column) => !isBinned(column)))) {
    const found = await engine.rows<{ name: string } & Counts>(
      `SELECT name, ${sums} ${longSql(sample, part)} GROUP BY name, value ORDER BY name, avg(hit) DESC, value`,
    );
    for (const { name } of part) aucs.set(name, aucOf(found.filter((own) => own.name === name)));
  }
  return aucs;
}

/** @param counts of bins, those of the largest share of positives first */
function aucOf(counts: readonly Counts[]): number {
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

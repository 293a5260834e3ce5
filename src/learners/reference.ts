import type { Run } from "../engine/run.js";
import { ident, literal, numeric } from "../engine/sql.js";
import { countRows, isNumeric, materialised, source, type Relation } from "../table/relation.js";
import { spread } from "./draw.js";
import type { Model } from "./learner.js";
import { numberColumns } from "./number-columns.js";

/**
 * The distribution of one column: counts in bins of numbers, or of the most frequent values. Numbers of a large table
 * are counted in a sample of its rows, values in all of them: one that the sample lacks must not look new later.
 */
export type Sketch = NumberSketch | ValueSketch;
interface About {
  name: string;
  /** The type in the table. */
  type: string;
  /** Rows without a value (or with NaN or an infinity). */
  missing: number;
}
export interface NumberSketch extends About {
  kind: "numbers";
  /** Ascending ends of the bins `(-inf, e0], (e0, e1] … (eLast, inf)`: the percentiles. */
  edges: number[];
  /** One more than there are edges. */
  counts: number[];
}
export interface ValueSketch extends About {
  kind: "values";
  /** The most frequent values, sorted by their text. */
  values: string[];
  /** One for each value, and at last all others together. */
  counts: number[];
}

/** What a model was trained on, in brief: kept in `reference.json` of its folder, and compared with by `monitor`. */
export interface Reference {
  rows: number;
  columns: Sketch[];
  /** What the model answers on (a sample of) the rows it was trained on. */
  answers?: Sketch;
}

/** The name of the file in a model folder, without its ending. */
export const referenceName = "reference";

/** Rows that a model answers for the distribution of its answers. */
export const answerRows = 20_000;
/** Values of a column that are counted apart. */
const mostValues = 100;
/** Columns of one query, so that memory is bounded for wide tables. */
const columnsAtOnce = 32;
/** Different values up to which they are counted, not sorted. */
const fewValues = 32;

/**
 * Sketches of all that a model reads and of what it answers, from the rows that it was trained on.
 *
 * @param sample some of the rows, or all (`laidDown`)
 */
export async function referenceOf(
  model: Model,
  rows: Relation,
  sample: Relation,
  run: Run,
): Promise<Reference> {
  const total = await countRows(rows);
  const columns = await sketchesOf(rows, sample, columnsOf(model));
  return { rows: total, columns, answers: await answersOf(model, sample, total, run) };
}

/** The columns whose distribution matters: features but instants, which never come back, the target, items and ratings. */
export function columnsOf({ card }: Pick<Model, "card">): { name: string; type: string }[] {
  const roles = (["item", "rating"] as const).flatMap((role) =>
    card.roles[role] === undefined ? [] : [{ name: card.roles[role], type: card.role_types[role] ?? "" }],
  );
  const instants = (card.readings ?? []).filter(({ parts }) => parts).map(({ column }) => column);
  const features = card.features.filter(({ name }) => !instants.includes(name));
  return [...features, ...(card.target ? [card.target] : []), ...roles];
}

/**
 * The answers of a model on a sample of rows, as one sketch; undefined for recommenders, which answer by user.
 *
 * @param total rows that there are, of which `rows` may be a sample
 */
export async function answersOf(
  model: Model,
  rows: Relation,
  total: number,
  run: Run,
  like?: Sketch,
): Promise<Sketch | undefined> {
  const { task, positive } = model.card;
  if (task === "recommendation") return undefined;
  const column =
    task === "anomaly" || (task === "classification" && positive !== undefined) ? "score" : "prediction";
  const sample = spread(rows, total, answerRows);
  const answers = await materialised(await model.predict(sample, {}, run), "answers");
  if (like) return (await sketchesLike(answers, [{ ...like, name: column }]))[0];
  const type = task === "clustering" ? "VARCHAR" : answers.schema.find(({ name }) => name === column)!.type;
  return (await sketchesOf(answers, answers, [{ name: column, type }]))[0];
}

async function sketchesOf(
  rows: Relation,
  sample: Relation,
  columns: readonly { name: string; type: string }[],
): Promise<Sketch[]> {
  const numbers = await numberSketches(
    sample,
    columns.filter(({ type }) => isNumeric(type)),
  );
  const values: ValueSketch[] = [];
  for (const { name, type } of columns.filter(({ type }) => !isNumeric(type)))
    values.push({ kind: "values", name, type, missing: 0, counts: [], values: await valuesOf(sample, name) });
  const made = [...numbers, ...(await sketchesLike(rows, values))];
  return columns.map(({ name }) => made.find((sketch) => sketch.name === name)!);
}

/** The percentiles of columns as they occur (quantile_disc), without repetitions, and what lies between them. */
async function numberSketches(
  rows: Relation,
  columns: readonly { name: string; type: string }[],
): Promise<NumberSketch[]> {
  const found: NumberSketch[] = [];
  for await (const [{ name, type }, all] of numberColumns(rows, columns)) {
    const values = sorted(all);
    const n = values.length;
    const place = (percent: number): number => Math.max(1, n - Math.floor((n * (100 - percent)) / 100)) - 1;
    const percentiles = n === 0 ? [] : Array.from({ length: 99 }, (_, i) => values[place(i + 1)] + 0);
    const edges = [...new Set(percentiles)];
    found.push({
      kind: "numbers",
      name,
      type,
      edges,
      counts: countsUpTo(values, edges),
      missing: all.length - n,
    });
  }
  return found;
}

/** Finite values, ascending. Of few different ones as many as there are of each are written; others are sorted. */
function sorted(values: Float64Array): Float64Array {
  const seen: number[] = [];
  const counts = new Uint32Array(fewValues);
  let last = 0;
  let n = 0;
  for (let r = 0; r < values.length; r++) {
    const value = values[r];
    // Of what is not finite the difference is NaN.
    if (value - value !== 0) continue;
    if (value !== seen[last]) {
      last = seen.indexOf(value);
      if (last < 0) {
        if (seen.length === fewValues) return values.filter(Number.isFinite).sort();
        last = seen.push(value) - 1;
      }
    }
    counts[last]++;
    n++;
  }
  const written = new Float64Array(n);
  let at = 0;
  for (const i of Array.from(seen.keys()).sort((a, b) => seen[a] - seen[b]))
    written.fill(seen[i], at, (at += counts[i]));
  return written;
}

/** How many of ascending values lie in each of the bins that ascending edges end. */
function countsUpTo(values: Float64Array, edges: readonly number[]): number[] {
  let from = 0;
  const counts = edges.map((edge) => {
    const before = from;
    while (from < values.length && values[from] <= edge) from++;
    return from - before;
  });
  return [...counts, values.length - from];
}

async function valuesOf(rows: Relation, name: string): Promise<string[]> {
  const found = await rows.engine.rows<{ value: string }>(
    `SELECT ${ident(name)}::VARCHAR AS value FROM ${source(rows)} WHERE ${ident(name)} IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value LIMIT ${mostValues}`,
  );
  return found.map(({ value }) => value).sort();
}

/** Counts of rows in the bins and values of given sketches, in one pass over the rows. */
export async function sketchesLike(rows: Relation, sketches: readonly Sketch[]): Promise<Sketch[]> {
  const made: Sketch[] = [];
  for (let at = 0; at < sketches.length; at += columnsAtOnce) {
    const part = sketches.slice(at, at + columnsAtOnce);
    const asks = part.flatMap((sketch, i) => [
      `count(*) FILTER (${presentIn(sketch)}) AS present_${i}`,
      `to_json(${sketch.kind === "numbers" ? "map_values" : "map_entries"}(${histogramOf(sketch)} FILTER (${presentIn(sketch)})))::VARCHAR AS bins_${i}`,
    ]);
    const [found] = await rows.engine.rows<Record<string, bigint | string | null>>(
      `SELECT count(*) AS total, ${asks.join(", ")} FROM ${source(rows)}`,
    );
    part.forEach((sketch, i) => {
      const present = Number(found[`present_${i}`]);
      const bins = JSON.parse((found[`bins_${i}`] as string | null) ?? "[]") as number[] | Bin[];
      made.push({
        ...sketch,
        missing: Number(found.total) - present,
        counts: countsOf(sketch, bins, present),
      });
    });
  }
  return made;
}

interface Bin {
  key: string;
  value: number;
}

const presentIn = ({ kind, name }: Sketch): string =>
  kind === "numbers" ? `isfinite(${ident(name)}::DOUBLE)` : `${ident(name)} IS NOT NULL`;

/** The engine's histogram in given bins; values get a mark in front, because the empty text stands for all others there. */
function histogramOf(sketch: Sketch): string {
  const name = ident(sketch.name);
  if (sketch.kind === "numbers") {
    const edges = sketch.edges.length > 0 ? sketch.edges : [0];
    return `histogram(${name}::DOUBLE, [${edges.map(numeric).join(", ")}])`;
  }
  const values = sketch.values.length > 0 ? sketch.values : [""];
  return `histogram_exact('=' || ${name}::VARCHAR, [${values.map((value) => literal(`=${value}`)).join(", ")}])`;
}

function countsOf(sketch: Sketch, bins: readonly number[] | readonly Bin[], present: number): number[] {
  const found = new Map(
    (sketch.kind === "values" ? (bins as Bin[]) : []).map(({ key, value }) => [key, value]),
  );
  const own =
    sketch.kind === "numbers"
      ? sketch.edges.map((_, i) => (bins as number[])[i] ?? 0)
      : sketch.values.map((value) => found.get(`=${value}`) ?? 0);
  return [...own, present - own.reduce((sum, count) => sum + count, 0)];
}

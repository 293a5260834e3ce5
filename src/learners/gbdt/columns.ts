import type { Engine, Field } from "../../engine/engine.js";
import { codes, floats, type ColumnAsk, type Frame } from "../../engine/frame.js";
import { ident, literal } from "../../engine/sql.js";
import { seededRng } from "../../core/rng.js";
import { isNumeric, kindOf, selectOrdered, type Relation } from "../../table/relation.js";
import type { TreeColumn } from "./trees.js";

/** Levels of a category that a bin each can be given to. */
export const mostLevels = 254;
/** Levels of a column of statistics; rarer ones count as unseen. */
const mostStatisticLevels = 1_000_000;

/** Whether a feature is read as a number. */
export function isNumber(field: Field): boolean {
  return isNumeric(field.type) || kindOf(field.type) === "boolean";
}

/** Columns whose levels one query finds: the engine counts all of them at once. */
const columnsAtOnce = 4;

/** The levels of text columns in order, at most `most` of each: the most frequent. */
export async function levelsOf(
  { engine, sql }: Relation,
  names: readonly string[],
  most: number,
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>(names.map((name) => [name, []]));
  for (let at = 0; at < names.length; at += columnsAtOnce) {
    const part = names.slice(at, at + columnsAtOnce);
    const counted = part.map(
      (name, i) =>
        `(SELECT ${i} AS c, level FROM (SELECT ${ident(name)}::VARCHAR AS level, count(*) AS n FROM (${sql}) WHERE ${ident(name)} IS NOT NULL GROUP BY ALL ORDER BY n DESC, level LIMIT ${most}))`,
    );
    const rows = await engine.rows<{ c: number; level: string }>(
      `SELECT c, level FROM (${counted.join(" UNION ALL ")}) ORDER BY c, level`,
    );
    for (const { c, level } of rows) found.get(part[c])!.push(level);
  }
  return found;
}

/** The engine's hashes of the levels of categories. Two levels of a column have the same one in one of 10^14 columns. */
export async function hashesOf(
  engine: Engine,
  columns: readonly TreeColumn[],
): Promise<Map<TreeColumn, BigUint64Array>> {
  const categories = columns.filter((column) => column.kind === "category");
  const levels = categories.flatMap((column) => column.levels);
  if (levels.length === 0) return new Map(categories.map((column) => [column, new BigUint64Array()]));
  const rows = await engine.rows<{ hash: bigint }>(
    `SELECT hash(level) AS hash FROM (SELECT unnest([${levels.map(literal).join(", ")}]) AS level)`,
  );
  let from = 0;
  return new Map(
    categories.map((column) => [
      column,
      BigUint64Array.from(rows.slice(from, (from += column.levels.length)), ({ hash }) => hash),
    ]),
  );
}

/** SQL for a column of the trees as a number: NULL for what is missing or unseen. */
export function columnSql(column: TreeColumn, narrow = false): string {
  const name = ident(column.name);
  if (column.kind !== "number") return codeSql(name, column.levels);
  return `${name}::${narrow ? "FLOAT" : "DOUBLE"}`;
}

/** SQL for the index of a text among levels, NULL for others. */
export function codeSql(name: string, levels: readonly string[]): string {
  if (levels.length === 0) return "NULL::DOUBLE";
  return `enum_code(TRY_CAST(${name}::VARCHAR AS ENUM(${levels.map(literal).join(", ")})))::DOUBLE`;
}

/** What a feature of many levels is replaced by: a mean of the target per level, for each given target. */
export interface Statistic {
  column: Extract<TreeColumn, { kind: "statistic" }>;
  /** The value of every training row, from earlier rows alone. */
  values: Float32Array;
}

/**
 * Ordered target statistics: in a random order of the rows, each gets the mean target of the earlier rows
 * of its level, with one row of the overall mean added, so that no row sees its own target. Rows to predict
 * get the mean over all training rows of the level. Prokhorenkova et al. (2018), "CatBoost", section 3.2.
 *
 * @param codeOf level of every row, -1 for missing
 */
export function statistic(
  name: string,
  codeOf: Int32Array,
  levels: readonly string[],
  targetOf: (row: number) => number,
  weightOf: (row: number) => number,
  seed: number | string,
): Statistic {
  const rows = codeOf.length;
  let sum = 0;
  let total = 0;
  for (let r = 0; r < rows; r++) {
    sum += weightOf(r) * targetOf(r);
    total += weightOf(r);
  }
  const prior = total > 0 ? sum / total : 0;
  const sums = new Float64Array(levels.length);
  const weights = new Float64Array(levels.length);
  const order = seededRng(seed, `order of ${name}`).shuffle(Uint32Array.from({ length: rows }, (_, r) => r));
  const values = new Float32Array(rows);
  for (const r of order) {
    const code = codeOf[r];
    if (code < 0) {
      values[r] = NaN;
      continue;
    }
    values[r] = (sums[code] + prior) / (weights[code] + 1);
    sums[code] += weightOf(r) * targetOf(r);
    weights[code] += weightOf(r);
  }
  const means = Array.from(sums, (s, code) => Math.fround((s + prior) / (weights[code] + 1)));
  return {
    column: { kind: "statistic", name, levels: [...levels], values: means, other: Math.fround(prior) },
    values,
  };
}

/** A column by code, in the order of the rows; -1 for missing. */
export async function codesInOrder(
  relation: Relation,
  name: string,
): Promise<{ codeOf: Int32Array; levels: string[] }> {
  const text = `${ident(name)}::VARCHAR AS ${ident(name)}`;
  const frame = await relation.engine.frame(selectOrdered(relation, [text]), [{ name, as: "code" }]);
  const { values, levels } = codes(frame, name);
  return { codeOf: values, levels };
}

/** A text column of many levels, by code; levels beyond the most frequent million count as missing. */
export async function manyLevels(
  relation: Relation,
  name: string,
): Promise<{ codeOf: Int32Array; levels: string[] }> {
  const { codeOf: values, levels } = await codesInOrder(relation, name);
  if (levels.length <= mostStatisticLevels) return { codeOf: values, levels };
  const counts = new Int32Array(levels.length);
  for (const code of values) if (code >= 0) counts[code]++;
  const kept = Array.from(counts, (_, code) => code)
    .sort((a, b) => counts[b] - counts[a] || a - b)
    .slice(0, mostStatisticLevels)
    .sort((a, b) => a - b);
  const to = new Int32Array(levels.length).fill(-1);
  kept.forEach((code, i) => (to[code] = i));
  return {
    codeOf: values.map((code) => (code < 0 ? -1 : to[code])),
    levels: kept.map((code) => levels[code]),
  };
}

/** How columns are read for prediction: numbers, or codes of texts. */
export function columnAsks(columns: readonly TreeColumn[]): ColumnAsk[] {
  const asks = new Map<string, ColumnAsk>();
  for (const { name, kind } of columns) asks.set(name, { name, as: kind === "number" ? "f64" : "code" });
  return [...asks.values()];
}

/** The values that trees see, column by column: numbers, level indices, statistics; NaN for missing. */
export function treeValues(columns: readonly TreeColumn[], frame: Frame): Float64Array[] {
  return columns.map((column) => {
    if (column.kind === "number") return floats(frame, column.name);
    const seen = (code: number | undefined): number => {
      if (column.kind === "category") return code ?? NaN;
      return code === undefined ? column.other : column.values[code];
    };
    const given = frame.columns.get(column.name)!;
    if (given.kind === "f64") {
      const known = new Map(column.levels.map((level, i) => [numberOf(level), i]));
      return given.values.map((value) => (Number.isNaN(value) ? NaN : seen(known.get(value))));
    }
    const { values, levels } = codes(frame, column.name);
    const known = new Map(column.levels.map((level, i) => [level, i]));
    // By code and one: missing is -1.
    const of = Float64Array.from([NaN, ...levels.map((level) => seen(known.get(level)))]);
    const found = new Float64Array(values.length);
    for (let r = 0; r < found.length; r++) found[r] = of[values[r] + 1];
    return found;
  });
}

/** The number that a level stands for, of a column of numbers or booleans that is split as texts are. */
function numberOf(level: string): number {
  return level === "true" ? 1 : level === "false" ? 0 : Number(level);
}

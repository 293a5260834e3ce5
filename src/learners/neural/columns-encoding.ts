import { grouped } from "../../core/quantity.js";
import type { Field } from "../../engine/engine.js";
import { codes, floats, type Frame } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { finite } from "../../features/exact.js";
import { isNumeric, kindOf, type Relation } from "../../table/relation.js";
import type { EncodedRows, RowShape } from "./encoded-rows.js";

/** Numbers and vectors of levels from columns of any kind. */
export interface ColumnsEncoding extends RowShape {
  kind: "columns";
  numbers: NumberInput[];
  categories: CategoryInput[];
}

interface NumberInput {
  name: string;
  /** Distinct quantiles, ascending, and the normal score that each is mapped to; linear between. */
  knots: number[];
  scores: number[];
  /** Place of the indicator of missing values. */
  missing?: number;
}

interface CategoryInput {
  name: string;
  /** Level i of the column has code `start + 1 + i`; `start` stands for levels that are not here, and for none. */
  levels: string[];
  start: number;
}

/** Parts that the quantiles cut a column to. */
const parts = 64;

/**
 * Fits the encoding in SQL: quantiles of numbers, the levels of texts by frequency. Numbers become
 * normal scores of their rank, so that no scale and no tail matters.
 *
 * @param levels most levels kept of one column
 */
export async function fitColumns(
  relation: Relation,
  features: readonly Field[],
  levels: number,
  run: Run,
): Promise<ColumnsEncoding> {
  const plain = features.filter(isNumberLike);
  const texts = features.filter((field) => !isNumberLike(field));
  let width = plain.length;
  const numbers: NumberInput[] = [];
  for (const field of plain) {
    const { knots, scores, missing } = await ranksOf(relation, field);
    numbers.push({ name: field.name, knots, scores, missing: missing ? width++ : undefined });
  }
  let start = 0;
  const categories: CategoryInput[] = [];
  for (const { name } of texts) {
    const kept = await levelsOf(relation, name, levels, run);
    categories.push({ name, levels: kept, start });
    start += kept.length + 1;
  }
  return { kind: "columns", numbers, categories, width, fields: categories.length, levels: start };
}

const isNumberLike = ({ type }: Field): boolean => isNumeric(type) || kindOf(type) === "boolean";

async function ranksOf(
  relation: Relation,
  { name, type }: Field,
): Promise<{ knots: number[]; scores: number[]; missing: boolean }> {
  const value = `CAST(${finite(ident(name), type)} AS DOUBLE)`;
  const shares = Array.from({ length: parts + 1 }, (_, i) => i / parts);
  const [{ known, rows, quantiles }] = await relation.engine.rows<{
    known: bigint;
    rows: bigint;
    quantiles: number[] | null;
  }>(
    `SELECT count(${value}) AS known, count(*) AS rows, quantile_cont(${value}, [${shares.join(", ")}]) AS quantiles FROM (${relation.sql})`,
  );
  const knots: number[] = [];
  const scores: number[] = [];
  const all = quantiles ?? [];
  for (let from = 0; from < all.length;) {
    let to = from;
    while (to + 1 < all.length && all[to + 1] === all[from]) to++;
    // A value that many rows share stands at the middle of their ranks.
    const rank = (shares[from] + shares[to]) / 2;
    knots.push(all[from]);
    scores.push(normalScore(Math.min(1 - 0.5 / parts, Math.max(0.5 / parts, rank))));
    from = to + 1;
  }
  return { knots, scores, missing: known < rows };
}

/** The standard normal quantile, to 4.5e-4 (Abramowitz & Stegun 1964, 26.2.23). */
function normalScore(p: number): number {
  if (p > 0.5) return -normalScore(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  return (
    (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
  );
}

async function levelsOf(relation: Relation, name: string, most: number, run: Run): Promise<string[]> {
  const column = ident(name);
  const found = await relation.engine.rows<{ level: string; distinct: bigint }>(
    `SELECT level, count(*) OVER () AS "distinct" FROM (
       SELECT ${column}::VARCHAR AS level, count(*) AS rows FROM (${relation.sql}) WHERE ${column} IS NOT NULL GROUP BY 1)
      ORDER BY rows DESC, level LIMIT ${most}`,
  );
  const distinct = Number(found[0]?.distinct ?? 0);
  if (distinct > most)
    run.warn(
      `${name} has ${grouped(distinct)} different values; the ${grouped(most)} most frequent have a vector of their own (--param levels=n, or --features -${name})`,
    );
  return found.map(({ level }) => level).sort();
}

/** The rows of a frame as inputs: what is missing counts as the middle, a level never seen as unknown. */
export function encodeColumns(frame: Frame, { numbers, categories, width }: ColumnsEncoding): EncodedRows {
  const { rows } = frame;
  const inputs = new Float32Array(rows * width);
  numbers.forEach(({ name, knots, scores, missing }, at) => {
    const values = floats(frame, name);
    for (let r = 0; r < rows; r++) {
      if (!Number.isNaN(values[r])) inputs[r * width + at] = scoreOf(values[r], knots, scores);
      else if (missing !== undefined) inputs[r * width + missing] = 1;
    }
  });
  const fields = categories.length;
  const ids = new Int32Array(rows * fields);
  categories.forEach(({ name, levels, start }, at) => {
    const column = codes(frame, name);
    const codeOf = new Map(levels.map((level, i) => [level, start + 1 + i]));
    const to = Int32Array.from(column.levels, (level) => codeOf.get(level) ?? start);
    for (let r = 0; r < rows; r++) {
      const code = column.values[r];
      ids[r * fields + at] = code < 0 ? start : to[code];
    }
  });
  return { rows, numbers: inputs, codes: ids };
}

/** The score of a value, linear between knots, level beyond them. */
function scoreOf(value: number, knots: readonly number[], scores: readonly number[]): number {
  const last = knots.length - 1;
  if (last < 0) return 0;
  if (value <= knots[0]) return scores[0];
  if (value >= knots[last]) return scores[last];
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= value) low = middle;
    else high = middle;
  }
  return scores[low] + ((scores[high] - scores[low]) * (value - knots[low])) / (knots[high] - knots[low]);
}

import { ShopaiError } from "../../core/errors.js";
import type { SharedKernel } from "../../engine/pool.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { plainGbdt } from "../../kernels/gbdt.js";
import { isNumeric, type Relation } from "../../table/relation.js";
import { breathe } from "../breathe.js";
import type { TrainingData } from "../learner.js";
import { edgesOf, layoutOf, mostEdges, writeMeta, type BinColumn, type BinLayout } from "./bins.js";
import { rowFloats, type BinnedRows } from "./boost.js";
import {
  codesInOrder,
  codeSql,
  columnSql,
  isNumber,
  levelsOf,
  manyLevels,
  statistic,
  type Statistic,
} from "./columns.js";
import { queriesOf, type Queries } from "./lambdarank.js";
import type { TreeColumn } from "./trees.js";

/** Rows that bin edges are found from; all rows while they are fewer. */
const sampleRows = 1 << 16;
/** Rows that are encoded at once. */
const encodeRows = 1 << 15;

export interface ReadAsk {
  /** Bins of a numeric column, 2 to 255. */
  bins: number;
  /** Levels up to which a category has a bin for each, at most 254. */
  levels: number;
  /** Categories of at most that many levels are split one against the rest. */
  oneHot: number;
  /** Columns of numbers that are read as categories. */
  categories: readonly string[];
  /** Number of classes whose means stand for categories of many levels; 1: the target itself. */
  statistics: number;
}

/** Training rows, binned, in the memory of a kernel. */
export interface ReadRows extends BinnedRows {
  /** Class numbers, or the target itself. */
  labels: Float32Array;
  labelsAt: number;
  /** 0: none. */
  weightsAt: number;
  /** Ranking: the rows of every query. */
  queries?: Queries;
}

export interface Reading {
  kernel: SharedKernel;
  layout: BinLayout;
  rows: ReadRows;
  /** Reads another table with the same columns into the same bins. */
  other(relation: Relation): Promise<ReadRows>;
}

/**
 * Reads training rows into bins in two passes of the engine: a sample for the edges, then all rows piece by
 * piece, so that the raw numbers are never all in memory.
 */
export async function readRows(data: TrainingData, ask: ReadAsk, run: Run): Promise<Reading> {
  const { relation, features } = data;
  const kernel = (await run.pool.kernel("gbdt")) ?? plainGbdt();
  const statistics = new Map<TreeColumn, Statistic>();
  const columns: TreeColumn[] = [];
  let known: { labels: Float32Array; weights?: Float32Array } | undefined;
  for (const field of features) {
    const { name } = field;
    if (isNumber(field) && !ask.categories.includes(name)) {
      columns.push({ kind: "number", name });
      continue;
    }
    const levels = await levelsOf(relation, name, ask.levels + 1);
    if (levels.length <= ask.levels) {
      columns.push({ kind: "category", name, levels });
      continue;
    }
    const { codeOf, levels: all } = await manyLevels(relation, name);
    known ??= await labelsOf(data, run);
    for (let k = 0; k < ask.statistics; k++) {
      const { labels, weights } = known;
      const made = statistic(
        name,
        codeOf,
        all,
        ask.statistics === 1 ? (r) => labels[r] : (r) => (labels[r] === k ? 1 : 0),
        weights ? (r) => weights[r] : () => 1,
        run.seed,
      );
      columns.push(made.column);
      statistics.set(made.column, made);
    }
  }
  run.progress.stage("gbdt: reading");
  const edges = await edgesOfColumns(
    kernel,
    data,
    columns,
    statistics,
    Math.min(ask.bins, mostEdges + 1),
    run,
  );
  const layout = layoutOf(
    columns.map((column, f): BinColumn => {
      const size = column.kind === "category" ? column.levels.length + 1 : edges[f].length + 2;
      return { column, edges: edges[f], size };
    }),
    ask.oneHot,
  );
  const encoder = encoderOf(kernel, layout);
  const rows = await encoded(
    data,
    relation,
    data.rows,
    encoder,
    (column) => statistics.get(column)?.values,
    run,
  );
  run.progress.done(`${data.rows} rows`);
  const other = async (table: Relation): Promise<ReadRows> => {
    const [{ n }] = await table.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${table.sql})`);
    const texts = new Map<TreeColumn, Float32Array>();
    for (const column of columns)
      if (column.kind === "statistic") {
        const { codeOf, levels } = await manyLevels(table, column.name);
        const at = new Map(column.levels.map((level, i) => [level, column.values[i]]));
        const of = levels.map((level) => at.get(level) ?? column.other);
        texts.set(
          column,
          Float32Array.from(codeOf, (code) => (code < 0 ? NaN : of[code])),
        );
      }
    return encoded(data, table, Number(n), encoder, (column) => texts.get(column), run);
  };
  return { kernel, layout, rows, other };
}

/** Target and weights alone, for statistics that the bins depend on. */
async function labelsOf(
  data: TrainingData,
  run: Run,
): Promise<{ labels: Float32Array; weights?: Float32Array }> {
  const labels = new Float32Array(data.rows);
  const weights = data.roles.weight === undefined ? undefined : new Float32Array(data.rows);
  await inOrder(data.relation, roleSql(data), run, (columns, from, count) => {
    for (let i = 0; i < count; i++) labels[from + i] = columns.get("target")![i];
    if (weights) for (let i = 0; i < count; i++) weights[from + i] = columns.get("weight")![i];
  });
  return { labels, weights };
}

/** Target and weight as numbers, by the names `target` and `weight`. */
function roleSql({ target, classes, positive, roles }: TrainingData): Map<string, string> {
  const named = new Map<string, string>();
  if (target) {
    const name = ident(target.name);
    if (!classes) named.set("target", `${name}::DOUBLE`);
    else if (positive === undefined) named.set("target", codeSql(name, classes));
    else
      named.set(
        "target",
        `CASE WHEN ${codeSql(name, classes)} IS NULL THEN NULL ELSE (${codeSql(name, classes)} = ${classes.indexOf(positive)})::INTEGER END`,
      );
  }
  if (roles.weight !== undefined) named.set("weight", `${ident(roles.weight)}::DOUBLE`);
  return named;
}

/**
 * Streams expressions over a relation in the order of its key. Tables that come from files are in that order
 * already, so the engine is not asked to sort; the keys are watched, and should they be out of order after
 * all, everything is read anew, sorted.
 */
async function inOrder(
  relation: Relation,
  expressions: ReadonlyMap<string, string>,
  run: Run,
  take: (columns: Map<string, Float64Array>, from: number, count: number) => void,
): Promise<void> {
  const numeric = await keyIsNumeric(relation);
  if (numeric && (await streamed(relation, expressions, run, take, false))) return;
  await streamed(relation, expressions, run, take, true);
}

async function keyIsNumeric({ engine, sql, key }: Relation): Promise<boolean> {
  if (key.length === 0) return false;
  const fields = await engine.describe(`SELECT ${key.map(ident).join(", ")} FROM (${sql})`);
  return fields.every((field) => isNumeric(field.type));
}

async function streamed(
  relation: Relation,
  expressions: ReadonlyMap<string, string>,
  run: Run,
  take: (columns: Map<string, Float64Array>, from: number, count: number) => void,
  sorted: boolean,
): Promise<boolean> {
  const keys = sorted ? [] : relation.key;
  const names = [...expressions.keys()];
  const list = [
    ...names.map((name, i) => `${expressions.get(name)!} AS c${i}`),
    ...keys.map((name, i) => `${ident(name)} AS k${i}`),
  ];
  const order = sorted && relation.key.length > 0 ? ` ORDER BY ${relation.key.map(ident).join(", ")}` : "";
  const asks = [...names.map((_, i) => `c${i}`), ...keys.map((_, i) => `k${i}`)].map((name) => ({
    name,
    as: "f64" as const,
  }));
  const last = new Float64Array(keys.length).fill(-Infinity);
  let from = 0;
  for await (const frame of relation.engine.frames(
    `SELECT ${list.join(", ")} FROM (${relation.sql})${order}`,
    asks,
    encodeRows,
  )) {
    const values = (name: string): Float64Array => frame.columns.get(name)!.values as Float64Array;
    if (
      keys.length > 0 &&
      !ascending(
        keys.map((_, i) => values(`k${i}`)),
        last,
      )
    )
      return false;
    take(new Map(names.map((name, i) => [name, values(`c${i}`)])), from, frame.rows);
    from += frame.rows;
    run.progress.update(from, undefined, "rows");
    await breathe(run);
  }
  return true;
}

/** Whether key after key is above the last; leaves the last one of the piece in `last`. */
function ascending(keys: readonly Float64Array[], last: Float64Array): boolean {
  const rows = keys[0].length;
  for (let r = 0; r < rows; r++) {
    let k = 0;
    while (k < keys.length && keys[k][r] === last[k]) k++;
    if (k === keys.length || !(keys[k][r] > last[k])) return false;
    for (; k < keys.length; k++) last[k] = keys[k][r];
  }
  return true;
}

/** The edges of every column, from a sample of the rows that depends on their keys alone. */
async function edgesOfColumns(
  kernel: SharedKernel,
  data: TrainingData,
  columns: readonly TreeColumn[],
  statistics: ReadonlyMap<TreeColumn, Statistic>,
  bins: number,
  run: Run,
): Promise<Float64Array[]> {
  const numbers = columns.filter((column) => column.kind !== "category");
  if (numbers.length === 0) return columns.map(() => new Float64Array(0));
  const mark = kernel.mark();
  const room = Math.min(data.rows, 2 * sampleRows);
  const sample = kernel.alloc(numbers.length * room * 8);
  const arrays = numbers.map((_, i) => kernel.f64(sample + i * room * 8, room).fill(NaN));
  let filled = 0;
  const plain = numbers.filter((column) => column.kind === "number");
  if (plain.length > 0)
    await inOrder(
      await sampled(data),
      new Map(plain.map((column) => [column.name, columnSql(column)])),
      run,
      (found, from, count) => {
        const kept = Math.min(count, room - from);
        plain.forEach((column) => {
          arrays[numbers.indexOf(column)].set(found.get(column.name)!.subarray(0, kept), from);
        });
        filled = from + kept;
      },
    );
  numbers.forEach((column, i) => {
    const values = statistics.get(column)?.values;
    if (!values) return;
    const step = Math.max(1, Math.ceil(data.rows / sampleRows));
    let at = 0;
    for (let r = 0; r < data.rows; r += step) arrays[i][at++] = values[r];
    filled = Math.max(filled, at);
  });
  const counts = kernel.alloc(numbers.length * 4);
  const counter = kernel.alloc(64);
  const spare = kernel.alloc(kernel.threads * (room * 8 + 16384));
  kernel.u32(counter, 1)[0] = 0;
  kernel.each("setup", 0, 4, 0, 0, 0, 0, 0, 0, counter, 4);
  kernel.each("sortColumns", sample, room, numbers.length, counts, spare);
  const found = columns.map((column) => {
    const i = (numbers as TreeColumn[]).indexOf(column);
    return i < 0
      ? new Float64Array(0)
      : edgesOf(arrays[i].subarray(0, kernel.u32(counts, numbers.length)[i]), bins);
  });
  kernel.release(mark);
  return found;
}

async function sampled({ relation, rows }: TrainingData): Promise<Relation> {
  if (rows <= sampleRows) return relation;
  const modulus = 4294967296;
  const bound = Math.floor((sampleRows / rows) * modulus);
  // Multiples of the golden ratio spread consecutive numbers evenly.
  const below = (number: string): string => `((${number}) % 1000003 * 2654435761) % ${modulus} < ${bound}`;
  if (await keyIsNumeric(relation)) {
    const number = relation.key.map((name) => `(${ident(name)}::BIGINT % 1000003)`).join(" * 31 + ");
    return { ...relation, sql: `SELECT * FROM (${relation.sql}) WHERE ${below(number)}` };
  }
  const order = relation.key.map(ident).join(", ");
  const number = `row_number() OVER (${order === "" ? "" : `ORDER BY ${order}`})`;
  return { ...relation, sql: `SELECT * FROM (${relation.sql}) QUALIFY ${below(number)}` };
}

/** Encodes pieces of rows: what the kernel needs, laid down once. */
interface Encoder {
  kernel: SharedKernel;
  layout: BinLayout;
  meta: number;
  edges: number;
  stage: number;
  counter: number;
}

function encoderOf(kernel: SharedKernel, layout: BinLayout): Encoder {
  const { stride, columns } = layout;
  const edges = kernel.alloc(stride * 2048);
  // No value is at or above NaN.
  const all = kernel.f64(edges, stride * 256).fill(NaN);
  columns.forEach((column, f) => all.set(column.edges, f * 256));
  return {
    kernel,
    layout,
    meta: writeMeta(kernel, layout, undefined),
    edges,
    stage: kernel.alloc(stride * encodeRows * 8),
    counter: kernel.alloc(64),
  };
}

async function encoded(
  data: TrainingData,
  relation: Relation,
  rows: number,
  { kernel, layout, meta, edges, stage, counter }: Encoder,
  given: (column: TreeColumn) => Float32Array | undefined,
  run: Run,
): Promise<ReadRows> {
  const { columns, stride } = layout;
  const at = kernel.alloc(rows * stride + 16);
  kernel.u8(at, rows * stride + 16).fill(0);
  const labelsAt = rowFloats(kernel, rows);
  const labels = kernel.f32(labelsAt, rows);
  const weightsAt = data.roles.weight === undefined ? 0 : rowFloats(kernel, rows);
  const weights = weightsAt ? kernel.f32(weightsAt, rows) : undefined;
  const expressions = roleSql(data);
  columns.forEach(({ column }, f) => {
    if (column.kind !== "statistic") expressions.set(`f${f}`, columnSql(column));
  });
  await inOrder(relation, expressions, run, (found, from, count) => {
    columns.forEach(({ column }, f) => {
      const room = kernel.f64(stage + f * encodeRows * 8, encodeRows);
      const values = given(column);
      if (values) for (let i = 0; i < count; i++) room[i] = values[from + i];
      else room.set(found.get(`f${f}`)!);
    });
    kernel.u32(counter, 1)[0] = 0;
    kernel.each("setup", at, stride, meta, layout.histBytes, 0, 0, 0, 0, counter, 4);
    kernel.each("encode", stage, encodeRows, count, at + from * stride, edges);
    const target = found.get("target");
    if (target) labels.set(target, from);
    const weight = found.get("weight");
    if (weight) weights!.set(weight, from);
  });
  const queries = data.task === "ranking" ? await queriesIn(data, relation) : undefined;
  return { rows, at, labels, labelsAt, weightsAt, queries };
}

/** The rows of every query. @throws ShopaiError "data" for rows without one */
async function queriesIn({ roles }: TrainingData, relation: Relation): Promise<Queries> {
  const name = roles.query!;
  const { codeOf } = await codesInOrder(relation, name);
  const missing = codeOf.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0);
  if (missing > 0)
    throw new ShopaiError("data", `${missing} rows have no ${name}, and rows are ranked within it`, {
      where: relation.name,
      try: `--where '${ident(name)} IS NOT NULL'`,
    });
  // Numbered as they first appear, so that they depend on the order of the rows alone.
  const numbers = new Map<number, number>();
  return queriesOf(
    codeOf.map((code) => {
      const known = numbers.get(code);
      if (known !== undefined) return known;
      numbers.set(code, numbers.size);
      return numbers.size - 1;
    }),
  );
}

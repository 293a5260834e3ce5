import type { Field } from "../../engine/engine.js";
import type { SharedKernel } from "../../engine/pool.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { plainGbdt } from "../../kernels/gbdt.js";
import type { Relation } from "../../table/relation.js";
import { spread, tellingRows } from "../draw.js";
import type { TrainingData } from "../learner.js";
import {
  apart,
  bytesFor,
  layoutOf,
  numberColumns,
  strideOf,
  type BinColumn,
  type BinLayout,
} from "./bins.js";
import { bundlesOf, laidApart } from "./bundles.js";
import { rowFloats, type BinnedRows } from "./boost.js";
import { columnSql, hashesOf, isNumber, levelsOf, manyLevels, statistic, type Statistic } from "./columns.js";
import type { Queries } from "./lambdarank.js";
import { Encoder, edgesOfSamples, manyCells, Stage, type LevelHashes } from "./encoding.js";
import { labelsOf, queriesIn, roleSql } from "./roles.js";
import { inOrder, pieceRows, type Expression, type Numbers, type Pieces, type Taker } from "./streaming.js";
import type { TreeColumn } from "./trees.js";

/** Values that are held at once, so that one pass over the table does; of larger tables a sample comes first. */
const heldBytes = 1 << 25;

/** Values that are encoded at once. */
const encodedValues = 1 << 16;

export interface ReadAsk {
  /** Bins of a numeric column, 2 or more. */
  bins: number;
  /** Levels up to which a category has a bin for each, at most 254. */
  levels: number;
  /** Categories of at most that many levels are split one against the rest. */
  oneHot: number;
  /** Columns of numbers that are read as categories. */
  categories: readonly string[];
  /** Columns that are known: those of a model that is gone on from. */
  columns?: readonly TreeColumn[];
  /** Number of classes whose means stand for categories of many levels; 1: the target itself. */
  statistics: number;
  /** Every column has a byte of its own. */
  apart?: boolean;
  /** Takes a text of many levels, which then becomes no column. */
  leaveOut?(name: string): Promise<void>;
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
  rows: ReadRows;
  /** The values of columns of statistics in these rows. */
  statistics: ReadonlyMap<TreeColumn, Float32Array>;
  /** Reads another table with the same columns into the same bins. */
  other(relation: Relation): Promise<ReadRows>;
  /** Lets go of the memory that the rows take. */
  close(): void;
}

/**
 * Reads training rows into bins: of large tables in two passes of the engine, a sample for the edges, then all rows
 * piece by piece, so that the raw numbers are never all in memory; of small ones in one.
 */
export async function readRows(data: TrainingData, ask: ReadAsk, run: Run): Promise<Reading> {
  const { features } = data;
  const kernel = (await run.pool.kernel("gbdt")) ?? plainGbdt();
  if (manyCells(data.rows * features.length)) kernel.wake();
  const { columns, statistics } = await columnsOf(data, ask, run);
  run.progress.stage("gbdt: reading");
  const plan: FirstPlan = {
    kernel,
    data,
    columns,
    narrow: columns.map((column) => isNarrow(column, features)),
    hashes: await hashesOf(data.relation.engine, columns),
    bins: ask.bins,
    oneHot: ask.oneHot,
    apart: ask.apart ?? false,
    given: (column) => statistics.get(column),
  };
  // A text counts as 4 bytes, though its hash has 8: what is read once has other bins than what is read twice.
  const few = columns.map(({ kind }, f) => plan.narrow[f] || kind === "category");
  const small = Stage.bytes(few, data.rows) <= heldBytes;
  const rows = await (small ? readAtOnce(plan, run) : readTwice(plan, run));
  run.progress.done(`${data.rows} rows`);
  return {
    kernel,
    rows,
    statistics,
    other: (table) => readOther(data, kernel, rows.layout, table, run),
    close: () => kernel.close(),
  };
}

/** Reads another table than that of training, with the same columns, into the same bins, each in a byte of its own. */
export async function readOther(
  data: TrainingData,
  kernel: SharedKernel,
  layout: BinLayout,
  table: Relation,
  run: Run,
): Promise<ReadRows> {
  const columns = layout.features;
  const [{ n }] = await table.engine.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${table.sql})`);
  const texts = await statisticsOf(columns, table);
  const narrow = columns.map((column) => isNarrow(column, data.features));
  const hashes = await hashesOf(table.engine, columns);
  const given = (column: TreeColumn): Float32Array | undefined => texts.get(column);
  const plan = { kernel, data, columns, narrow, hashes, given };
  return encoded(plan, table, Number(n), new Encoder(kernel, apart(layout), hashes), run);
}

/** What the trees see of every feature, with the values of those that stand for texts of many levels. */
async function columnsOf(
  data: TrainingData,
  ask: ReadAsk,
  run: Run,
): Promise<{ columns: readonly TreeColumn[]; statistics: Map<TreeColumn, Float32Array> }> {
  const { relation, features } = data;
  const statistics = new Map<TreeColumn, Float32Array>();
  const columns: TreeColumn[] = [];
  const isText = (field: Field): boolean => !isNumber(field) || ask.categories.includes(field.name);
  const knownOf = (name: string): readonly TreeColumn[] | undefined =>
    ask.columns?.filter((column) => column.name === name);
  const unknown = features.filter((field) => isText(field) && !knownOf(field.name)).map(({ name }) => name);
  const levelsByName = await levelsOf(relation, unknown, ask.levels + 1);
  for (const field of features) {
    const { name } = field;
    const known = knownOf(name);
    if (known && known[0].kind !== "statistic") {
      columns.push(...known);
      continue;
    }
    if (!isText(field)) {
      columns.push({ kind: "number", name });
      continue;
    }
    const levels = levelsByName.get(name);
    if (levels && levels.length <= ask.levels) {
      columns.push({ kind: "category", name, levels });
      continue;
    }
    if (ask.leaveOut) {
      await ask.leaveOut(name);
      continue;
    }
    (await orderedStatistics(data, name, ask.statistics, run)).forEach((made, k) => {
      const column = known?.[k] ?? made.column;
      columns.push(column);
      // Rows to learn from get what earlier rows tell, also where the column is that of a model that is gone on from.
      statistics.set(column, made.values);
    });
  }
  return { columns, statistics };
}

async function orderedStatistics(
  data: TrainingData,
  name: string,
  count: number,
  run: Run,
): Promise<Statistic[]> {
  const { codeOf, levels } = await manyLevels(data.relation, name);
  const { labels, weights } = await labelsOf(data, run);
  return Array.from({ length: count }, (_, k) =>
    statistic(
      name,
      codeOf,
      levels,
      count === 1 ? (r) => labels[r] : (r) => (labels[r] === k ? 1 : 0),
      weights ? (r) => weights[r] : () => 1,
      run.seed,
    ),
  );
}

/** The values of columns of statistics in a table, as rows to predict get them. */
export async function statisticsOf(
  columns: readonly TreeColumn[],
  table: Relation,
): Promise<Map<TreeColumn, Float32Array>> {
  const found = new Map<TreeColumn, Float32Array>();
  for (const column of columns)
    if (column.kind === "statistic") {
      const { codeOf, levels } = await manyLevels(table, column.name);
      const at = new Map(column.levels.map((level, i) => [level, column.values[i]]));
      const of = levels.map((level) => at.get(level) ?? column.other);
      found.set(
        column,
        Float32Array.from(codeOf, (code) => (code < 0 ? NaN : of[code])),
      );
    }
  return found;
}

/** What is to be read. */
interface Plan {
  kernel: SharedKernel;
  data: TrainingData;
  columns: readonly TreeColumn[];
  /** Columns whose values float32 holds. */
  narrow: readonly boolean[];
  hashes: LevelHashes;
  /** Values of columns that are not read. */
  given(column: TreeColumn): Float32Array | undefined;
}

/** And how bins are made of it. */
interface FirstPlan extends Plan {
  bins: number;
  oneHot: number;
  apart: boolean;
}

/** Whether float32 holds every value: statistics and numbers of few bits. */
function isNarrow(column: TreeColumn, features: readonly Field[]): boolean {
  if (column.kind !== "number") return column.kind === "statistic";
  const { type } = features.find(({ name }) => name === column.name)!;
  return ["FLOAT", "BOOLEAN", "TINYINT", "UTINYINT", "SMALLINT", "USMALLINT"].includes(type);
}

/** What the engine is to give of every row: roles by their names, column f as `f<f>`. */
function expressionsOf({ data, columns, narrow, given }: Plan, relation: Relation): Map<string, Expression> {
  const expressions = roleSql(data, relation);
  columns.forEach((column, f) => {
    if (given(column)) return;
    const hashed = column.kind === "category";
    const sql = hashed ? `${ident(column.name)}::VARCHAR` : columnSql(column, narrow[f]);
    expressions.set(`f${f}`, { sql, narrow: narrow[f], hashed });
  });
  return expressions;
}

/** Where pieces lie in a stage: each at its place in the table, or each from the first row on. */
type Where = "in place" | "anew";

/** Has the engine's values laid down in a stage. */
function layRead({ columns, given }: Plan, stage: Stage, where: Where): NonNullable<Pieces["room"]> {
  const rooms = new Map(
    columns.flatMap((column, f): [string, (from: number) => Numbers][] => {
      const all = stage.columns[f];
      return given(column) ? [] : [[`f${f}`, (from) => (where === "in place" ? all.subarray(from) : all)]];
    }),
  );
  return (name) => rooms.get(name);
}

/** Lays values down that are not read. */
function layGiven({ columns, given }: Plan, stage: Stage, where: Where): Taker {
  return (_, from, count) =>
    columns.forEach((column, f) => {
      const values = given(column)?.subarray(from, from + count);
      if (values) stage.columns[f].set(values, where === "in place" ? from : 0);
    });
}

/** Room for rows and their roles. */
function roomFor({ kernel, data }: Plan, rows: number, stride: number): Omit<ReadRows, "layout"> {
  const at = kernel.alloc(rows * stride + 16);
  kernel.u8(at, rows * stride + 16).fill(0);
  const labelsAt = rowFloats(kernel, rows);
  const weightsAt = data.roles.weight === undefined ? 0 : rowFloats(kernel, rows);
  return { rows, at, labels: kernel.f32(labelsAt, rows), labelsAt, weightsAt };
}

/** Keeps the target and the weights of a piece. */
function keepRoles(kernel: SharedKernel, { rows, labels, weightsAt }: Omit<ReadRows, "layout">): Taker {
  const weights = weightsAt ? kernel.f32(weightsAt, rows) : undefined;
  return (found, from) => {
    const target = found.get("target");
    if (target) labels.set(target, from);
    weights?.set(found.get("weight")!, from);
  };
}

/**
 * @param edges    of all columns but categories, in order
 * @param sampleOf a sample of the f-th of them
 */
function layoutFor(
  { columns, oneHot, apart }: FirstPlan,
  edges: readonly Float64Array[],
  sampleOf: (f: number) => Numbers,
): BinLayout {
  const numbers = columns.filter(({ kind }) => kind !== "category");
  const numberOf = new Map(numbers.map((column, i) => [column, i]));
  const made = columns.flatMap((column): BinColumn[] =>
    column.kind === "category"
      ? [{ column, edges: new Float64Array(0), size: column.levels.length + 1 }]
      : numberColumns(column, edges[numberOf.get(column)!]),
  );
  const drawn = (column: TreeColumn): Numbers | undefined =>
    column.kind === "number" ? sampleOf(numberOf.get(column)!) : undefined;
  return layoutOf(made, oneHot, apart ? [] : bundlesOf(made, drawn));
}

/** One pass over a table of which all values can be held for a moment. */
async function readAtOnce(plan: FirstPlan, run: Run): Promise<ReadRows> {
  const { kernel, data, columns, narrow } = plan;
  // How many bytes the bins of a row take shows when there are edges.
  const numbers = columns.filter(({ kind }) => kind !== "category").length;
  const most = columns.length + numbers * (bytesFor(plan.bins - 1) - 1);
  const rows = roomFor(plan, data.rows, strideOf(most));
  const after = kernel.mark();
  const stage = new Stage(kernel, narrow, most, data.rows);
  const take = [layGiven(plan, stage, "in place"), keepRoles(kernel, rows)];
  const room = layRead(plan, stage, "in place");
  await inOrder(
    data.relation,
    expressionsOf(plan, data.relation),
    run,
    (...piece) => take.forEach((own) => own(...piece)),
    {
      room,
    },
  );
  const chosen = chosenRows(data.rows, tellingRows(columns.length));
  const all = columns.flatMap((column, f) => (column.kind === "category" ? [] : [stage.columns[f]]));
  const edges = edgesOfSamples(kernel, all, chosen?.length ?? data.rows, plan.bins, chosen);
  let layout = layoutFor(plan, edges, (f) => (chosen ? at(all[f], chosen) : all[f]));
  for (;;) {
    const encoder = new Encoder(kernel, layout, plan.hashes);
    encoder.encode(stage, data.rows, rows.at);
    const clashes = encoder.clashes();
    if (clashes?.length === 0) break;
    // Hardly ever: what is read at once is mostly all there is in the sample.
    layout = apart(layout);
    kernel.u8(rows.at, data.rows * strideOf(most)).fill(0);
  }
  kernel.release(after);
  return withQueries(plan, data.relation, { ...rows, layout });
}

/** The values at some rows. */
function at(values: Numbers, rows: Uint32Array): Float64Array {
  const found = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) found[i] = values[rows[i]];
  return found;
}

/** Rows that bin edges are found from, evenly spread by multiples of the golden ratio; undefined: all. */
export function chosenRows(rows: number, most: number): Uint32Array | undefined {
  if (rows <= most) return undefined;
  const bound = (most / rows) * 4294967296;
  const chosen = new Uint32Array(rows);
  let count = 0;
  for (let r = 0; r < rows; r++) if (Math.imul(r, 2654435761) >>> 0 < bound) chosen[count++] = r;
  return chosen.slice(0, count);
}

/** Two passes: a sample for the edges, then all rows piece by piece. */
async function readTwice(plan: FirstPlan, run: Run): Promise<ReadRows> {
  const { kernel, data, columns } = plan;
  const wanted = tellingRows(columns.length);
  const room = Math.min(data.rows, Math.ceil(wanted * 1.25));
  const plain = columns.filter(({ kind }) => kind === "number");
  const isSmall = new Map(columns.map((column, f) => [column, plan.narrow[f]]));
  const arrays = new Map<TreeColumn, Numbers>(
    plain.map((column) => [column, isSmall.get(column) ? new Float32Array(room) : new Float64Array(room)]),
  );
  let drawn = 0;
  if (plain.length > 0)
    await inOrder(
      data.sample ?? spread(data.relation, data.rows, wanted),
      new Map(
        plain.map((column): [string, Expression] => {
          const narrow = isSmall.get(column)!;
          return [column.name, { sql: columnSql(column, narrow), narrow }];
        }),
      ),
      run,
      (found, from, count) => {
        const kept = Math.max(0, Math.min(count, room - from));
        drawn = from + kept;
        for (const column of plain)
          arrays.get(column)!.set(found.get(column.name)!.subarray(0, kept), Math.min(from, room));
      },
      { held: true },
    );
  const step = Math.max(1, Math.ceil(data.rows / wanted));
  const samples = columns.flatMap((column): Numbers[] => {
    if (column.kind === "category") return [];
    const values = plan.given(column);
    return [values ? values.filter((_, r) => r % step === 0) : arrays.get(column)!.subarray(0, drawn)];
  });
  const edges = edgesOfSamples(kernel, samples, room, plan.bins);
  const mark = kernel.mark();
  const encoder = new Encoder(
    kernel,
    layoutFor(plan, edges, (f) => samples[f]),
    plan.hashes,
  );
  const rows = await encoded(plan, data.relation, data.rows, encoder, run);
  const clashes = encoder.clashes();
  if (clashes?.length === 0) return rows;
  if (clashes) return { ...rows, ...laidApart(kernel, rows, clashes) };
  kernel.release(mark);
  return encoded(
    plan,
    data.relation,
    data.rows,
    new Encoder(kernel, apart(encoder.layout), plan.hashes),
    run,
  );
}

/** Reads rows piece by piece into bins. */
async function encoded(
  plan: Plan,
  relation: Relation,
  count: number,
  encoder: Encoder,
  run: Run,
): Promise<ReadRows> {
  const { kernel } = plan;
  const { layout } = encoder;
  const { stride } = layout;
  const rows = roomFor(plan, count, stride);
  const after = kernel.mark();
  const expressions = expressionsOf(plan, relation);
  // While a piece is encoded the engine works on one chunk ahead: pieces are small.
  const most = pieceRows(expressions.size, encodedValues);
  const stage = new Stage(kernel, plan.narrow, layout.columns.length, most);
  const take = [layGiven(plan, stage, "anew"), keepRoles(kernel, rows)];
  const encode: Taker = (found, from, size) => {
    for (const own of take) own(found, from, size);
    encoder.encode(stage, size, rows.at + from * stride);
  };
  await inOrder(relation, expressions, run, encode, { rows: most, room: layRead(plan, stage, "anew") });
  kernel.release(after);
  return withQueries(plan, relation, { ...rows, layout });
}

async function withQueries({ data }: Plan, relation: Relation, rows: ReadRows): Promise<ReadRows> {
  return data.task === "ranking" ? { ...rows, queries: await queriesIn(data, relation) } : rows;
}

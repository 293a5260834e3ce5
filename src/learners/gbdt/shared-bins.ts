import type { SharedKernel } from "../../engine/pool.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { floats } from "../../engine/frame.js";
import { edgesBelow } from "../../kernels/gbdt/edges.js";
import { rowColumn, type Relation } from "../../table/relation.js";
import { tellingRows } from "../draw.js";
import type { SharedRows, TrainingData } from "../learner.js";
import { layoutOf, numberColumns, type BinColumn, type BinLayout } from "./bins.js";
import { rowFloats } from "./boost.js";
import { manyLevels, statistic } from "./columns.js";
import { edgesOfSamples } from "./encoding.js";
import { chosenRows, readOther, readRows, type ReadAsk, type Reading } from "./reading.js";
import { labelsOf, queriesIn } from "./roles.js";

/** Bytes of bins up to which rows are read once: the bins of a part stand beside them. */
const mostShared = 1 << 30;

interface Texts {
  codeOf: Int32Array;
  levels: string[];
}

/** Bins of all rows of a table, made of their features alone, of which every fold takes its rows. */
class SharedBins implements SharedRows {
  constructor(
    readonly kernel: SharedKernel,
    readonly layout: BinLayout,
    /** Where the bins are. */
    readonly at: number,
    /** The row that has a number; -1: none. */
    readonly rowOf: Int32Array,
    /** Texts of many levels: target statistics stand for them, which are a part's own. */
    readonly texts: ReadonlyMap<string, Texts>,
    /** What they were read with. */
    readonly asked: string,
  ) {}

  close(): void {
    this.kernel.close();
  }
}

/** Reads the bins of all rows for the fits on parts of them; undefined where they would take too much memory. */
export async function shareBins(data: TrainingData, ask: ReadAsk, run: Run): Promise<SharedRows | undefined> {
  if (data.rows * data.features.length > mostShared || !numbered(data.relation)) return undefined;
  const texts = new Map<string, Texts>();
  const featuresAlone: TrainingData = {
    ...data,
    task: "regression",
    roles: {},
    target: undefined,
    classes: undefined,
    positive: undefined,
  };
  const leaveOut = async (name: string): Promise<void> => {
    texts.set(name, await manyLevels(data.relation, name));
  };
  const { kernel, rows } = await readRows(featuresAlone, { ...ask, leaveOut, apart: true }, run);
  const numbers = await numbersOf(data.relation);
  const rowOf = new Int32Array((numbers.at(-1) ?? 0) + 1).fill(-1);
  numbers.forEach((number, r) => (rowOf[number] = r));
  return new SharedBins(kernel, rows.layout, rows.at, rowOf, texts, inWords(data, ask));
}

/** Takes the rows out of those that were read for all parts, or reads them. */
export async function readPart(data: TrainingData, ask: ReadAsk, run: Run): Promise<Reading> {
  const { shared, relation } = data;
  const fits = shared instanceof SharedBins && numbered(relation) && shared.asked === inWords(data, ask);
  return fits ? taken(shared, data, ask, run) : readRows(data, ask, run);
}

/** All that bins depend on beside the values. */
function inWords({ features, readings }: TrainingData, ask: ReadAsk): string {
  const { bins, levels, oneHot, categories, columns } = ask;
  return JSON.stringify([features, readings, bins, levels, oneHot, categories, columns]);
}

const numbered = ({ key }: Relation): boolean => key.length === 1 && key[0] === rowColumn;

async function numbersOf({ engine, sql }: Relation): Promise<Float64Array> {
  const name = ident(rowColumn);
  const ask = { name: rowColumn, as: "f64" } as const;
  return floats(await engine.frame(`SELECT ${name} FROM (${sql}) ORDER BY ${name}`, [ask]), rowColumn);
}

/** A column of a part: its bins come from those of all rows through a table, or are its own. */
interface Taken extends BinColumn {
  from: number;
  table?: Uint8Array;
  own?: Uint8Array;
  values?: Float32Array;
}

async function taken(shared: SharedBins, data: TrainingData, ask: ReadAsk, run: Run): Promise<Reading> {
  const { kernel } = shared;
  const mark = kernel.mark();
  const rowsOf = Int32Array.from(await numbersOf(data.relation), (number) => shared.rowOf[number]);
  const told = await labelsOf(data, run);
  const columns = data.features.flatMap(({ name }): Taken[] => {
    const texts = shared.texts.get(name);
    return texts
      ? statisticColumns(shared, name, texts, rowsOf, told, ask, run)
      : sharedColumns(shared, name, rowsOf);
  });
  const layout = layoutOf(
    columns.map(({ column, edges, size }) => ({ column, edges, size })),
    ask.oneHot,
  );
  const rows = rowsOf.length;
  const at = kernel.alloc(rows * layout.stride + 16);
  copyBins(shared, rowsOf, columns, layout, at);
  const labelsAt = rowFloats(kernel, rows);
  const labels = kernel.f32(labelsAt, rows);
  labels.set(told.labels);
  const weightsAt = told.weights ? rowFloats(kernel, rows) : 0;
  if (told.weights) kernel.f32(weightsAt, rows).set(told.weights);
  const queries = data.task === "ranking" ? await queriesIn(data, data.relation) : undefined;
  return {
    kernel,
    rows: { rows, at, layout, labels, labelsAt, weightsAt, queries },
    statistics: new Map(columns.flatMap(({ column, values }) => (values ? [[column, values]] : []))),
    other: (table) => readOther(data, kernel, layout, table, run),
    close: () => kernel.release(mark),
  };
}

/** Numbers keep their edges; of texts the part knows the levels that it has, as if it had been read alone. */
function sharedColumns({ kernel, layout, at, rowOf }: SharedBins, name: string, rowsOf: Int32Array): Taken[] {
  const from = layout.columns.findIndex(({ column }) => column.name === name);
  const { column, edges } = layout.columns[from];
  if (column.kind !== "category")
    return layout.columns.flatMap((own, i) => (own.column === column ? [{ ...own, from: i }] : []));
  const bins = kernel.u8(at, rowOf.length * layout.stride);
  const there = new Uint8Array(256);
  for (const row of rowsOf) there[bins[row * layout.stride + from]] = 1;
  const table = new Uint8Array(256);
  const levels = column.levels.filter((_, code) => there[code + 1]);
  let bin = 0;
  for (let code = 0; code < column.levels.length; code++) if (there[code + 1]) table[code + 1] = ++bin;
  return [{ column: { ...column, levels }, edges, size: levels.length + 1, from, table }];
}

function statisticColumns(
  { kernel }: SharedBins,
  name: string,
  texts: Texts,
  rowsOf: Int32Array,
  { labels, weights }: { labels: Float32Array; weights?: Float32Array },
  ask: ReadAsk,
  run: Run,
): Taken[] {
  const to = new Int32Array(texts.levels.length).fill(-1);
  for (const row of rowsOf) if (texts.codeOf[row] >= 0) to[texts.codeOf[row]] = 0;
  const levels = texts.levels.filter((_, code) => to[code] === 0);
  let next = 0;
  for (let code = 0; code < to.length; code++) if (to[code] === 0) to[code] = next++;
  const codeOf = rowsOf.map((row) => (texts.codeOf[row] < 0 ? -1 : to[texts.codeOf[row]]));
  return Array.from({ length: ask.statistics }, (_, k) => k).flatMap((k): Taken[] => {
    const targetOf = (r: number): number => (ask.statistics === 1 ? labels[r] : labels[r] === k ? 1 : 0);
    const weightOf = (r: number): number => (weights ? weights[r] : 1);
    const { column, values } = statistic(name, codeOf, levels, targetOf, weightOf, run.seed);
    const chosen = chosenRows(values.length, tellingRows(1));
    const sample = chosen ? Float32Array.from(chosen, (r) => values[r]) : values;
    const [edges] = edgesOfSamples(kernel, [sample], sample.length, ask.bins);
    return numberColumns(column, edges).map((part) => {
      const binOf = (value: number): number => (Number.isNaN(value) ? 0 : edgesBelow(part.edges, value) + 1);
      return { ...part, from: 0, own: Uint8Array.from(values, binOf), values };
    });
  });
}

function copyBins(
  { kernel, layout, at, rowOf }: SharedBins,
  rowsOf: Int32Array,
  columns: readonly Taken[],
  { stride }: BinLayout,
  toAt: number,
): void {
  const from = kernel.u8(at, rowOf.length * layout.stride);
  const to = kernel.u8(toAt, rowsOf.length * stride + 16).fill(0);
  const sources = Int32Array.from(columns, (column) => column.from);
  const tables = new Uint8Array(columns.length * 256);
  const same = Uint8Array.from({ length: 256 }, (_, bin) => bin);
  columns.forEach(({ table }, f) => tables.set(table ?? same, f * 256));
  for (let r = 0; r < rowsOf.length; r++) {
    const row = rowsOf[r] * layout.stride;
    for (let f = 0; f < sources.length; f++) to[r * stride + f] = tables[f * 256 + from[row + sources[f]]];
  }
  columns.forEach(({ own }, f) => {
    if (own) for (let r = 0; r < rowsOf.length; r++) to[r * stride + f] = own[r];
  });
}

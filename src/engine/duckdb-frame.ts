import type { DuckDBConnection, DuckDBDataChunk, DuckDBVector } from "@duckdb/node-api";
import {
  DuckDBDataChunk as Chunk,
  BIGINT,
  DOUBLE,
  FLOAT,
  INTEGER,
  VARCHAR,
  type DuckDBType,
} from "@duckdb/node-api";
import { LetGo } from "./let-go.js";
import { ident } from "./sql.js";
import type { Column, ColumnAsk, ColumnKind, Frame, NumberAsk } from "./frame.js";

const sqlTypeOf: Record<ColumnKind, string> = {
  f64: "DOUBLE",
  f32: "FLOAT",
  i32: "INTEGER",
  i64: "BIGINT",
  code: "VARCHAR",
  text: "VARCHAR",
};
const loadTypeOf: Record<ColumnKind, DuckDBType> = {
  f64: DOUBLE,
  f32: FLOAT,
  i32: INTEGER,
  i64: BIGINT,
  code: VARCHAR,
  text: VARCHAR,
};

/** Bytes of a value in a chunk; what long texts hold beside is not counted. */
const bytesOf: Record<ColumnKind | "hash", number> = {
  f64: 8,
  f32: 4,
  i32: 4,
  i64: 8,
  hash: 8,
  code: 16,
  text: 16,
};

/** Rows of one DuckDB chunk. */
const chunkRows = 2048;

/** Streams a SELECT into typed columns, chunk by chunk; only the arrays asked for are held. */
export async function readFrame(
  connection: DuckDBConnection,
  sql: string,
  asks: readonly ColumnAsk[],
): Promise<Frame> {
  const list = asks.map((ask) => `CAST(${ident(ask.name)} AS ${sqlTypeOf[ask.as]})`);
  const result = await connection.stream(`SELECT ${list.join(", ")} FROM (${sql})`);
  const sinks = asks.map((ask) => sinkFor(ask.as));
  const letGo = new LetGo();
  const rowBytes = rowBytesOf(asks);
  let rows = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) break;
    sinks.forEach((sink, i) => sink.take(chunk, i, rows));
    rows += chunk.rowCount;
    letGo.chunk(chunk.rowCount * rowBytes);
  }
  return { rows, columns: new Map(asks.map((ask, i) => [ask.name, sinks[i].done(rows)])) };
}

const rowBytesOf = (asks: readonly (ColumnAsk | NumberAsk)[]): number =>
  asks.reduce((sum, { as }) => sum + bytesOf[as], 0);

/**
 * Streams a SELECT in pieces of up to `rows` rows; the arrays of a piece are overwritten by the next.
 *
 * @param how `ahead`: the engine may work on the next rows while the caller works on a piece; `held`: it works out all of
 *   them first, with all threads, where it streams with one
 */
export async function* readFrames(
  connection: DuckDBConnection,
  sql: string,
  asks: readonly NumberAsk[],
  rows: number,
  { ahead, held }: { ahead: boolean; held: boolean },
): AsyncGenerator<Frame> {
  const list = asks.map(({ name, as }) =>
    as === "hash" ? `hash(${ident(name)})` : `CAST(${ident(name)} AS ${sqlTypeOf[as]})`,
  );
  const query = `SELECT ${list.join(", ")} FROM (${sql})`;
  const result = await (held ? connection.run(query) : connection.stream(query));
  const own = asks.map(({ as, into }) => {
    if (into) return undefined;
    return as === "f32" ? new Float32Array(rows) : new Float64Array(rows);
  });
  const letGo = new LetGo();
  const rowBytes = rowBytesOf(asks);
  let from = 0;
  let filled = 0;
  const roomOf = (): (Float64Array | Float32Array)[] => asks.map(({ into }, i) => own[i] ?? into!(from));
  let room = roomOf();
  const frame = (): Frame => ({
    rows: filled,
    columns: new Map(
      asks.map(({ name, as }, i) => [
        name,
        { kind: as === "f32" ? as : "f64", values: room[i].subarray(0, filled) } as Column,
      ]),
    ),
  });
  const fetched = (): Promise<DuckDBDataChunk | null> => {
    const chunk = result.fetchChunk();
    // It may fail while the caller is at work, and is waited for later.
    chunk.catch(() => undefined);
    return chunk;
  };
  let next = fetched();
  try {
    for (;;) {
      const chunk = await next;
      if (!chunk || chunk.rowCount === 0) break;
      if (ahead) next = fetched();
      if (filled + chunk.rowCount > rows) {
        yield frame();
        from += filled;
        filled = 0;
        room = roomOf();
      }
      room.forEach((values, i) => take(chunk, i, values, filled));
      filled += chunk.rowCount;
      letGo.chunk(chunk.rowCount * rowBytes);
      if (!ahead) next = fetched();
    }
  } finally {
    // The connection is not closed under what it works on.
    await next.catch(() => undefined);
  }
  if (filled > 0) yield frame();
}

/** Copies a column of numbers, NaN for null. */
function take(chunk: DuckDBDataChunk, column: number, to: Float64Array | Float32Array, at: number): void {
  const { rowCount } = chunk;
  const vector = chunk.getColumnVector(column) as DuckDBVector & {
    items: Float64Array | Float32Array | BigUint64Array;
  };
  const { items } = vector;
  // The bits of a hash stay as they are.
  const values = items instanceof BigUint64Array ? new Float64Array(items.buffer, items.byteOffset) : items;
  to.set(values.subarray(0, rowCount), at);
  const bits = validBits(vector);
  if (!bits) return;
  for (let r = 0; r < rowCount; r++) if (!((bits[r >> 3] >> (r & 7)) & 1)) to[at + r] = NaN;
}

interface Sink {
  take(chunk: DuckDBDataChunk, column: number, offset: number): void;
  done(rows: number): Column;
}

function sinkFor(kind: ColumnKind): Sink {
  switch (kind) {
    case "f64":
      return numberSink(Float64Array, (values) => ({ kind, values }), NaN);
    case "f32":
      return numberSink(Float32Array, (values) => ({ kind, values }), NaN);
    case "i32":
      return numberSink(Int32Array, (values, valid) => ({ kind, values, valid }));
    case "i64":
      return numberSink(BigInt64Array, (values, valid) => ({ kind, values, valid }));
    case "code":
      return codeSink();
    case "text":
      return textSink();
  }
}

type NumberArray = Float64Array | Float32Array | Int32Array | BigInt64Array;
type NumberArrayClass<A> = { new (length: number): A; readonly BYTES_PER_ELEMENT: number };

function numberSink<A extends NumberArray>(
  arrayClass: NumberArrayClass<A>,
  column: (values: A, valid?: Uint8Array) => Column,
  missing?: number,
): Sink {
  let values = new arrayClass(chunkRows * 8);
  let valid: Uint8Array | undefined;
  const absent = missing ?? (typeof values[0] === "bigint" ? 0n : 0);
  return {
    take(chunk, index, offset) {
      const count = chunk.rowCount;
      values = grown(values, arrayClass, offset + count);
      if (valid) valid = grown(valid, Uint8Array, values.length);
      const vector = chunk.getColumnVector(index) as DuckDBVector & { items: A };
      values.set(vector.items.subarray(0, count) as never, offset);
      if (valid) valid.fill(1, offset, offset + count);
      const bits = validBits(vector);
      if (!bits) return;
      if (missing === undefined) valid ??= new Uint8Array(values.length).fill(1, 0, offset + count);
      for (let i = 0; i < count; i++) {
        if ((bits[i >> 3] >> (i & 7)) & 1) continue;
        values[offset + i] = absent as never;
        if (valid) valid[offset + i] = 0;
      }
    },
    done: (rows) => column(trimmed(values, rows) as A, valid && (trimmed(valid, rows) as Uint8Array)),
  };
}

/** One bit of validity a row, or undefined when all rows of the vector hold a value. */
function validBits(vector: DuckDBVector): Uint8Array | undefined {
  const { data } = (vector as unknown as { validity: { data: BigUint64Array | null } }).validity;
  return data ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
}

function codeSink(): Sink {
  let values = new Int32Array(chunkRows * 8);
  const codeOf = new Map<string, number>();
  return {
    take(chunk, index, offset) {
      values = grown(values, Int32Array, offset + chunk.rowCount);
      const texts = chunk.getColumnValues(index) as (string | null)[];
      for (let i = 0; i < texts.length; i++) {
        const text = texts[i];
        if (text === null) {
          values[offset + i] = -1;
          continue;
        }
        let code = codeOf.get(text);
        if (code === undefined) codeOf.set(text, (code = codeOf.size));
        values[offset + i] = code;
      }
    },
    done(rows) {
      const seen = [...codeOf.keys()];
      const levels = seen.slice().sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const rank = new Map(levels.map((level, i) => [level, i]));
      const sortedCode = Int32Array.from(seen, (level) => rank.get(level)!);
      const codes = trimmed(values, rows) as Int32Array;
      for (let i = 0; i < rows; i++) if (codes[i] >= 0) codes[i] = sortedCode[codes[i]];
      return { kind: "code", values: codes, levels };
    },
  };
}

function textSink(): Sink {
  const values: (string | null)[] = [];
  return {
    take(chunk, index) {
      for (const text of chunk.getColumnValues(index) as (string | null)[]) values.push(text);
    },
    done: () => ({ kind: "text", values }),
  };
}

function grown<A extends NumberArray | Uint8Array>(
  array: A,
  arrayClass: { new (length: number): A },
  needed: number,
): A {
  if (needed <= array.length) return array;
  const larger = new arrayClass(Math.max(needed, array.length * 2));
  larger.set(array as never);
  return larger;
}

function trimmed<A extends NumberArray | Uint8Array>(array: A, rows: number): A {
  return (array.length > rows * 1.25 ? array.slice(0, rows) : array.subarray(0, rows)) as A;
}

/** Creates a table and appends typed columns to it, chunk by chunk. */
export async function loadFrame(connection: DuckDBConnection, table: string, frame: Frame): Promise<void> {
  const names = [...frame.columns.keys()];
  const columns = [...frame.columns.values()];
  await connection.run(
    `CREATE TABLE ${ident(table)} (${names.map((name, i) => `${ident(name)} ${sqlTypeOf[columns[i].kind]}`).join(", ")})`,
  );
  const appender = await connection.createAppender(table);
  const types = columns.map((column) => loadTypeOf[column.kind]);
  for (let offset = 0; offset < frame.rows; offset += chunkRows) {
    const count = Math.min(chunkRows, frame.rows - offset);
    const chunk = Chunk.create(types, count);
    columns.forEach((column, i) => fill(chunk, i, column, offset, count));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function fill(chunk: DuckDBDataChunk, index: number, column: Column, offset: number, count: number): void {
  if (column.kind === "code" || column.kind === "text") {
    const texts = Array.from({ length: count }, (_, i) => textAt(column, offset + i));
    chunk.setColumnValues(index, texts);
    return;
  }
  const vector = chunk.getColumnVector(index) as DuckDBVector & { items: NumberArray; flush(): void };
  vector.items.set(column.values.subarray(offset, offset + count) as never);
  const bits = presentBits(column, offset, count);
  if (bits) (vector as unknown as { validity: { data: BigUint64Array } }).validity.data = bits;
  vector.flush();
}

function textAt(column: Extract<Column, { kind: "code" | "text" }>, row: number): string | null {
  if (column.kind === "text") return column.values[row];
  return column.values[row] < 0 ? null : column.levels[column.values[row]];
}

/** One bit of validity a row, or undefined when every row holds a value. */
function presentBits(
  column: Exclude<Column, { kind: "code" | "text" }>,
  offset: number,
  count: number,
): BigUint64Array | undefined {
  const valid = "valid" in column ? column.valid : undefined;
  const { values } = column;
  let bits: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const value = values[offset + i];
    // Only NaN differs from itself.
    if (value === value && (!valid || valid[offset + i])) continue;
    bits ??= new Uint8Array(Math.ceil(count / 64) * 8).fill(255);
    bits[i >> 3] &= ~(1 << (i & 7));
  }
  return bits && new BigUint64Array(bits.buffer);
}

import { type Data, DataType, type Schema as ArrowSchema, TimeUnit, type RecordBatch } from "apache-arrow";
import {
  blobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  listValue,
  mapValue,
  structValue,
  type DuckDBAppender,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBVector,
} from "@duckdb/node-api";
import { ShopaiError } from "../core/errors.js";
import { ident } from "../engine/sql.js";

/** Rows of one chunk of the engine. */
const chunkRows = 2048;

/** Columns and SQL types of an Arrow schema. @throws ShopaiError "data" for a type that SQL has no room for */
export function sqlTypesOf(schema: ArrowSchema, path: string): { name: string; type: string }[] {
  return schema.fields.map((field) => {
    const type = sqlTypeOf(field.type);
    if (type === undefined)
      throw new ShopaiError(
        "data",
        `column "${field.name}" has the Arrow type ${String(field.type)}, which cannot be read`,
        {
          where: path,
          try: "casting it before the file is written",
        },
      );
    return { name: field.name, type };
  });
}

const timestampTypes: Record<TimeUnit, string> = {
  [TimeUnit.SECOND]: "TIMESTAMP_S",
  [TimeUnit.MILLISECOND]: "TIMESTAMP_MS",
  [TimeUnit.MICROSECOND]: "TIMESTAMP",
  [TimeUnit.NANOSECOND]: "TIMESTAMP_NS",
};

function sqlTypeOf(type: DataType): string | undefined {
  if (DataType.isDictionary(type)) return sqlTypeOf(type.dictionary as DataType);
  if (
    DataType.isNull(type) ||
    DataType.isUtf8(type) ||
    DataType.isLargeUtf8(type) ||
    DataType.isUtf8View(type)
  )
    return "VARCHAR";
  if (DataType.isBool(type)) return "BOOLEAN";
  if (DataType.isInt(type)) {
    const name = { 8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT" }[type.bitWidth];
    return type.isSigned ? name : `U${name}`;
  }
  if (DataType.isFloat(type)) return type.precision === 2 ? "DOUBLE" : "FLOAT";
  if (DataType.isDecimal(type))
    return type.bitWidth === 128 && type.scale >= 0 ? `DECIMAL(${type.precision},${type.scale})` : undefined;
  if (DataType.isDate(type)) return "DATE";
  if (DataType.isTime(type)) return "TIME";
  if (DataType.isTimestamp(type)) return type.timezone ? "TIMESTAMPTZ" : timestampTypes[type.unit];
  if (
    DataType.isBinary(type) ||
    DataType.isLargeBinary(type) ||
    DataType.isBinaryView(type) ||
    DataType.isFixedSizeBinary(type)
  )
    return "BLOB";
  if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isFixedSizeList(type)) {
    const inner = sqlTypeOf(type.children[0].type as DataType);
    return inner && `${inner}[]`;
  }
  if (DataType.isStruct(type)) {
    const fields = type.children.map((field) => ({
      name: field.name,
      type: sqlTypeOf(field.type as DataType),
    }));
    return fields.length > 0 && fields.every((field) => field.type)
      ? `STRUCT(${fields.map((field) => `${ident(field.name)} ${field.type}`).join(", ")})`
      : undefined;
  }
  if (DataType.isMap(type)) {
    const [key, value] = type.children[0].type.children.map((field) => sqlTypeOf(field.type as DataType));
    return key && value && `MAP(${key}, ${value})`;
  }
  return undefined;
}

/** Appends a record batch, column by column. */
export function appendBatch(
  appender: DuckDBAppender,
  types: readonly DuckDBType[],
  batch: RecordBatch,
): void {
  const columns = batch.data.children;
  const readers = columns.map((column) => readerOf(column));
  for (let offset = 0; offset < batch.numRows; offset += chunkRows) {
    const count = Math.min(chunkRows, batch.numRows - offset);
    const chunk = DuckDBDataChunk.create(types, count);
    columns.forEach((column, i) => {
      const vector = chunk.getColumnVector(i);
      if (!copyWhole(vector, column, offset, count)) {
        for (let row = 0; row < count; row++) vector.setItem(row, readers[i](offset + row) as never);
      }
      vector.flush();
    });
    appender.appendDataChunk(chunk);
  }
}

/** What a vector of fixed width is, beneath its class: its values and one bit of validity a row. */
interface PlainVector {
  items: { set(values: ArrayLike<unknown>): void };
  validity: { data: BigUint64Array | null };
}

/** Copies values and validity as they lie in memory, for the types where both sides hold them alike. */
function copyWhole(vector: DuckDBVector, data: Data, offset: number, count: number): boolean {
  const { type } = data;
  const alike =
    DataType.isInt(type) ||
    (DataType.isFloat(type) && type.precision !== 0) ||
    (DataType.isTimestamp(type) && (!type.timezone || type.unit === TimeUnit.MICROSECOND)) ||
    (DataType.isDate(type) && type.unit === 0);
  if (!alike || data.offset % 8 !== 0) return false;
  const plain = vector as unknown as PlainVector;
  plain.items.set(data.values.subarray(offset, offset + count));
  if (data.nullCount > 0) {
    const words = new BigUint64Array(Math.ceil(count / 64));
    const from = (data.offset + offset) / 8;
    new Uint8Array(words.buffer).set(data.nullBitmap.subarray(from, from + Math.ceil(count / 8)));
    plain.validity.data = words;
  }
  return true;
}

type Reader = (row: number) => DuckDBValue;

/** A function that gives the value of a row as the engine wants it. */
function readerOf(data: Data): Reader {
  const read = presentReaderOf(data);
  return data.nullCount > 0 || DataType.isNull(data.type)
    ? (row) => (data.getValid(row) ? read(row) : null)
    : read;
}

function presentReaderOf(data: Data): Reader {
  const { type, values } = data;
  if (DataType.isNull(type)) return () => null;
  if (DataType.isDictionary(type)) return dictionaryReader(data);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type))
    return (row) => bytesAt(data, row).toString("utf8");
  if (DataType.isBinary(type) || DataType.isLargeBinary(type))
    return (row) => blobValue(new Uint8Array(bytesAt(data, row)));
  if (DataType.isFixedSizeBinary(type))
    return (row) => blobValue((values as Uint8Array).slice(row * type.byteWidth, (row + 1) * type.byteWidth));
  if (DataType.isUtf8View(type)) return (row) => viewAt(data, row).toString("utf8");
  if (DataType.isBinaryView(type)) return (row) => blobValue(new Uint8Array(viewAt(data, row)));
  if (DataType.isBool(type)) return (row) => bitAt(values as Uint8Array, data.offset + row);
  if (DataType.isFloat(type) && type.precision === 0) return (row) => halfFloat((values as Uint16Array)[row]);
  if (DataType.isInt(type) || DataType.isFloat(type)) return (row) => values[row] as DuckDBValue;
  if (DataType.isDecimal(type))
    return (row) => new DuckDBDecimalValue(wide(values, row), type.precision, type.scale);
  if (DataType.isDate(type))
    return type.unit === 0
      ? (row) => new DuckDBDateValue(values[row] as number)
      : (row) => new DuckDBDateValue(Number((values as BigInt64Array)[row]) / 86_400_000);
  if (DataType.isTime(type)) return timeReader(values, type.unit);
  if (DataType.isTimestamp(type))
    return timestampReader(values as BigInt64Array, type.unit, Boolean(type.timezone));
  if (DataType.isStruct(type)) {
    const fields = data.children.map((child, i) => [type.children[i].name, readerOf(child)] as const);
    return (row) => structValue(Object.fromEntries(fields.map(([name, read]) => [name, read(row)])));
  }
  const child = readerOf(data.children[0]);
  if (DataType.isFixedSizeList(type))
    return (row) =>
      listValue(Array.from({ length: type.listSize }, (_, i) => child(row * type.listSize + i)));
  if (DataType.isMap(type)) {
    const [key, value] = data.children[0].children.map(readerOf);
    return (row) => mapValue(span(data, row, (i) => ({ key: key(i), value: value(i) })));
  }
  return (row) => listValue(span(data, row, child));
}

function dictionaryReader(data: Data): Reader {
  const levels: DuckDBValue[] = data.dictionary!.data.flatMap((part) => {
    const read = readerOf(part);
    return Array.from({ length: part.length }, (_, i) => read(i));
  });
  return (row) => levels[Number(data.values[row])];
}

function span<T>(data: Data, row: number, read: (i: number) => T): T[] {
  const start = Number(data.valueOffsets[row]);
  return Array.from({ length: Number(data.valueOffsets[row + 1]) - start }, (_, i) => read(start + i));
}

function bytesAt(data: Data, row: number): Buffer {
  const values = data.values as Uint8Array;
  const start = Number(data.valueOffsets[row]);
  return Buffer.from(values.buffer, values.byteOffset + start, Number(data.valueOffsets[row + 1]) - start);
}

/** A view: 4 bytes of length, then up to 12 bytes of text, or a prefix with the number of a buffer and an offset in it. */
function viewAt(data: Data, row: number): Buffer {
  const views = data.values as Uint8Array;
  const view = Buffer.from(views.buffer, views.byteOffset + row * 16, 16);
  const length = view.readInt32LE(0);
  if (length <= 12) return view.subarray(4, 4 + length);
  const buffer = data.variadicBuffers[view.readInt32LE(8)];
  return Buffer.from(buffer.buffer, buffer.byteOffset + view.readInt32LE(12), length);
}

const bitAt = (bits: Uint8Array, at: number): boolean => ((bits[at >> 3] >> (at & 7)) & 1) === 1;

/** IEEE 754 binary16 as a number. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size =
    exponent === 31
      ? fraction === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? fraction * 2 ** -24
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** A 128-bit integer from its four words, the lowest first. */
function wide(words: Uint32Array, row: number): bigint {
  let value = BigInt(words[row * 4 + 3] | 0);
  for (let i = 2; i >= 0; i--) value = (value << 32n) | BigInt(words[row * 4 + i]);
  return value;
}

function timeReader(values: Int32Array | BigInt64Array, unit: TimeUnit): Reader {
  const micros = [1_000_000n, 1000n, 1n, 0n][unit];
  return (row) => {
    const value = BigInt(values[row]);
    return new DuckDBTimeValue(micros === 0n ? value / 1000n : value * micros);
  };
}

function timestampReader(values: BigInt64Array, unit: TimeUnit, zoned: boolean): Reader {
  if (zoned) {
    const micros = [1_000_000n, 1000n, 1n, 0n][unit];
    return (row) =>
      new DuckDBTimestampTZValue(micros === 0n ? floorDiv(values[row], 1000n) : values[row] * micros);
  }
  const valueClass = [
    DuckDBTimestampSecondsValue,
    DuckDBTimestampMillisecondsValue,
    DuckDBTimestampValue,
    DuckDBTimestampNanosecondsValue,
  ][unit];
  return (row) => new valueClass(values[row]);
}

const floorDiv = (a: bigint, b: bigint): bigint => a / b - (a % b < 0n ? 1n : 0n);

import { type Data, DataType, makeData } from "apache-arrow";
import type {
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBValue,
  DuckDBVector,
} from "@duckdb/node-api";

/** Gathers the values of one column until a record batch is full. */
export interface ColumnBuilder {
  /** Adds rows `[from, to)` of a vector of the engine. */
  take(vector: DuckDBVector, from: number, to: number): void;
  /** Adds one value. */
  push(value: DuckDBValue): void;
  readonly length: number;
  /** Bytes that values of varying length take so far. */
  readonly bytes: number;
  /** The column, ready for a record batch; the builder then begins anew. */
  finish(): Data;
}

export function columnBuilder(type: DataType): ColumnBuilder {
  if (DataType.isBool(type)) return new BoolBuilder(type);
  if (DataType.isUtf8(type) || DataType.isBinary(type)) return new BytesBuilder(type);
  if (DataType.isDecimal(type)) return new DecimalBuilder(type);
  if (DataType.isList(type)) return new ListBuilder(type);
  if (DataType.isStruct(type)) return new StructBuilder(type);
  if (DataType.isMap(type)) return new MapBuilder(type);
  return new FixedBuilder(type);
}

/** Growing bitmap of which rows hold a value. */
class Validity {
  #bits = new Uint8Array(1024);
  nulls = 0;

  push(row: number, valid: boolean): void {
    if (row >> 3 >= this.#bits.length) {
      const larger = new Uint8Array(this.#bits.length * 2);
      larger.set(this.#bits);
      this.#bits = larger;
    }
    if (valid) this.#bits[row >> 3] |= 1 << (row & 7);
    else this.nulls++;
  }

  take(length: number): { nullCount: number; nullBitmap: Uint8Array | null } {
    const taken = {
      nullCount: this.nulls,
      nullBitmap: this.nulls > 0 ? this.#bits.slice(0, Math.ceil(length / 8)) : null,
    };
    this.#bits.fill(0);
    this.nulls = 0;
    return taken;
  }
}

/** What stands in all vectors of the engine: a bit of validity a row, absent when all rows hold a value. */
function validBits(vector: DuckDBVector): Uint8Array | undefined {
  const { data } = (vector as unknown as { validity: { data: BigUint64Array | null } }).validity;
  return data ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
}

abstract class BaseBuilder implements ColumnBuilder {
  length = 0;
  protected readonly validity = new Validity();

  constructor(protected readonly type: DataType) {}

  get bytes(): number {
    return 0;
  }

  take(vector: DuckDBVector, from: number, to: number): void {
    for (let row = from; row < to; row++) this.push(vector.getItem(row) as DuckDBValue);
  }

  push(value: DuckDBValue): void {
    this.validity.push(this.length, value !== null);
    this.put(value);
    this.length++;
  }

  finish(): Data {
    const { length } = this;
    this.length = 0;
    return makeData({
      type: this.type,
      length,
      ...this.validity.take(length),
      ...this.parts(length),
    } as never);
  }

  protected abstract put(value: DuckDBValue): void;
  protected abstract parts(length: number): Record<string, unknown>;
}

type Numbers = {
  [index: number]: unknown;
  readonly length: number;
  set(values: never, at?: number): void;
} & {
  subarray(from: number, to: number): Numbers;
  slice(from: number, to: number): Numbers;
};

/** Numbers, dates and times: both sides hold them alike. */
class FixedBuilder extends BaseBuilder {
  #values: Numbers;
  readonly #arrayClass: new (length: number) => Numbers;

  constructor(type: DataType) {
    super(type);
    this.#arrayClass = type.ArrayType as never;
    this.#values = new this.#arrayClass(4096);
  }

  override take(vector: DuckDBVector, from: number, to: number): void {
    this.#room(this.length + to - from);
    this.#values.set(
      (vector as unknown as { items: Numbers }).items.subarray(from, to) as never,
      this.length,
    );
    const bits = validBits(vector);
    for (let row = from; row < to; row++) {
      const valid = !bits || ((bits[row >> 3] >> (row & 7)) & 1) === 1;
      this.validity.push(this.length, valid);
      // What lies under a null differs from run to run.
      if (!valid) this.#values[this.length] = this.#zero();
      this.length++;
    }
  }

  protected override put(value: DuckDBValue): void {
    this.#room(this.length + 1);
    this.#values[this.length] = value === null ? this.#zero() : plainNumber(value);
  }

  protected override parts(length: number): Record<string, unknown> {
    return { data: this.#values.slice(0, length) };
  }

  #zero(): number | bigint {
    return typeof this.#values[0] === "bigint" ? 0n : 0;
  }

  #room(needed: number): void {
    if (needed <= this.#values.length) return;
    const larger = new this.#arrayClass(Math.max(needed, this.#values.length * 2));
    larger.set(this.#values as never);
    this.#values = larger;
  }
}

/** The number inside the engine's date and time values. */
function plainNumber(value: DuckDBValue): number | bigint {
  if (typeof value === "number" || typeof value === "bigint") return value;
  const inner = value as unknown as Record<string, number | bigint | undefined>;
  return (inner.days ?? inner.micros ?? inner.seconds ?? inner.millis ?? inner.nanos)!;
}

class DecimalBuilder extends BaseBuilder {
  #words = new BigUint64Array(2048);

  override take(vector: DuckDBVector, from: number, to: number): void {
    const scaled = vector as unknown as { getScaledValue(row: number): number | bigint | null };
    for (let row = from; row < to; row++) {
      const value = scaled.getScaledValue(row);
      this.validity.push(this.length, value !== null);
      this.#set(value === null ? 0n : BigInt(value));
      this.length++;
    }
  }

  protected override put(value: DuckDBValue): void {
    this.#set(value === null ? 0n : (value as DuckDBDecimalValue).value);
  }

  protected override parts(length: number): Record<string, unknown> {
    return { data: new Uint32Array(this.#words.slice(0, length * 2).buffer) };
  }

  /** 128 bits, two's complement, the lower word first. */
  #set(value: bigint): void {
    const at = this.length * 2;
    if (at + 2 > this.#words.length) {
      const larger = new BigUint64Array(this.#words.length * 2);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[at] = BigInt.asUintN(64, value);
    this.#words[at + 1] = BigInt.asUintN(64, value >> 64n);
  }
}

class BoolBuilder extends BaseBuilder {
  #bits = new Validity();

  protected override put(value: DuckDBValue): void {
    this.#bits.push(this.length, value === true);
  }

  protected override parts(length: number): Record<string, unknown> {
    const { nullBitmap } = this.#bits.take(length);
    return { data: nullBitmap ?? new Uint8Array(Math.ceil(length / 8)).fill(255) };
  }
}

class BytesBuilder extends BaseBuilder {
  #offsets = [0];
  #data = Buffer.allocUnsafe(1 << 16);
  #used = 0;

  override get bytes(): number {
    return this.#used;
  }

  protected override put(value: DuckDBValue): void {
    if (typeof value === "string") {
      // A UTF-16 unit takes three bytes at most.
      this.#room(value.length * 3);
      this.#used += this.#data.write(value, this.#used, "utf8");
    } else if (value !== null) {
      const { bytes } = value as unknown as { bytes: Uint8Array };
      this.#room(bytes.length);
      this.#data.set(bytes, this.#used);
      this.#used += bytes.length;
    }
    this.#offsets.push(this.#used);
  }

  protected override parts(): Record<string, unknown> {
    const parts = {
      valueOffsets: Int32Array.from(this.#offsets),
      data: new Uint8Array(this.#data.subarray(0, this.#used)),
    };
    this.#offsets = [0];
    this.#used = 0;
    return parts;
  }

  #room(more: number): void {
    if (this.#used + more <= this.#data.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#used + more, this.#data.length * 2));
    this.#data.copy(larger, 0, 0, this.#used);
    this.#data = larger;
  }
}

class ListBuilder extends BaseBuilder {
  #offsets = [0];
  readonly #child: ColumnBuilder;

  constructor(type: DataType) {
    super(type);
    this.#child = columnBuilder(type.children[0].type as DataType);
  }

  override get bytes(): number {
    return this.#child.bytes + this.#child.length * 8;
  }

  protected override put(value: DuckDBValue): void {
    for (const item of (value as DuckDBListValue | null)?.items ?? []) this.#child.push(item);
    this.#offsets.push(this.#child.length);
  }

  protected override parts(): Record<string, unknown> {
    const valueOffsets = Int32Array.from(this.#offsets);
    this.#offsets = [0];
    return { valueOffsets, child: this.#child.finish() };
  }
}

class StructBuilder extends BaseBuilder {
  readonly #children: [name: string, ColumnBuilder][];

  constructor(type: DataType) {
    super(type);
    this.#children = type.children.map((field) => [field.name, columnBuilder(field.type as DataType)]);
  }

  override get bytes(): number {
    return this.#children.reduce((sum, [, child]) => sum + child.bytes, 0);
  }

  protected override put(value: DuckDBValue): void {
    const entries = (value as DuckDBStructValue | null)?.entries;
    for (const [name, child] of this.#children) child.push(entries?.[name] ?? null);
  }

  protected override parts(): Record<string, unknown> {
    return { children: this.#children.map(([, child]) => child.finish()) };
  }
}

class MapBuilder extends BaseBuilder {
  #offsets = [0];
  readonly #key: ColumnBuilder;
  readonly #value: ColumnBuilder;
  readonly #entries: DataType;

  constructor(type: DataType) {
    super(type);
    this.#entries = type.children[0].type as DataType;
    const [key, value] = this.#entries.children;
    this.#key = columnBuilder(key.type as DataType);
    this.#value = columnBuilder(value.type as DataType);
  }

  override get bytes(): number {
    return this.#key.bytes + this.#value.bytes;
  }

  protected override put(map: DuckDBValue): void {
    for (const { key, value } of (map as DuckDBMapValue | null)?.entries ?? []) {
      this.#key.push(key);
      this.#value.push(value);
    }
    this.#offsets.push(this.#key.length);
  }

  protected override parts(): Record<string, unknown> {
    const { length } = this.#key;
    const children = [this.#key.finish(), this.#value.finish()];
    const child = makeData({ type: this.#entries as never, length, nullCount: 0, children } as never);
    const valueOffsets = Int32Array.from(this.#offsets);
    this.#offsets = [0];
    return { valueOffsets, child };
  }
}

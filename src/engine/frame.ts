/** Columns in memory, typed, of equal length. */
export interface Frame {
  rows: number;
  columns: Map<string, Column>;
}

export type Column =
  | { kind: "f64"; values: Float64Array }
  | { kind: "f32"; values: Float32Array }
  | { kind: "i32"; values: Int32Array; valid?: Uint8Array }
  | { kind: "i64"; values: BigInt64Array; valid?: Uint8Array }
  /** Text as codes: `levels[values[row]]`, levels sorted; -1 is null. */
  | { kind: "code"; values: Int32Array; levels: string[] }
  /** Plain text, for columns whose values hardly repeat. */
  | { kind: "text"; values: (string | null)[] };

export type ColumnKind = Column["kind"];

/** How a column is wanted: f64 and f32 give NaN for null, i32 and i64 carry `valid` (1 = present) when nulls occur. */
export interface ColumnAsk {
  name: string;
  as: ColumnKind;
}

/** A column wanted as numbers, or as the hashes of its texts: their 64 bits in the place of a float64. */
export interface NumberAsk {
  name: string;
  as: "f64" | "f32" | "hash";
  /** Where the rows of a piece go, of which the first is the `from`-th of all: an array of the kind asked for; by default one of the reader's. */
  into?(from: number): Float64Array | Float32Array;
}

/** The values of a column that was asked for as f64. */
export function floats(frame: Frame, name: string): Float64Array {
  return ofKind(frame, name, "f64").values;
}

/** The values of a column that was asked for as i32. */
export function integers(frame: Frame, name: string): Int32Array {
  return ofKind(frame, name, "i32").values;
}

/** The codes and levels of a column that was asked for as code. */
export function codes(frame: Frame, name: string): { values: Int32Array; levels: string[] } {
  return ofKind(frame, name, "code");
}

/** The texts of a column that was asked for as text. */
export function texts(frame: Frame, name: string): (string | null)[] {
  return ofKind(frame, name, "text").values;
}

function ofKind<K extends ColumnKind>(frame: Frame, name: string, kind: K): Extract<Column, { kind: K }> {
  const column = frame.columns.get(name);
  if (!column || column.kind !== kind)
    throw new TypeError(`column ${name} was not read as ${kind} (it is ${column?.kind ?? "absent"})`);
  return column as Extract<Column, { kind: K }>;
}

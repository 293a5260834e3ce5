import type { ColumnAsk, Frame, NumberAsk } from "./frame.js";

/** A value that is bound to a `$1` of a query, never spliced into its text. */
export type Value = string | number | bigint | boolean | null;

export interface Field {
  name: string;
  /** The engine's type, in DuckDB's spelling: BIGINT, DECIMAL(18,2), TIMESTAMP WITH TIME ZONE, VARCHAR[]… */
  type: string;
}

export type Schema = readonly Field[];

/** The only door to SQL. */
export interface Engine {
  readonly threads: number;
  /** Folder for spilled and staged files of this process; removed at the end. */
  readonly scratch: string;
  /** Runs one statement and forgets its result. */
  run(sql: string, values?: readonly Value[]): Promise<void>;
  /** All rows of a small result, as objects. int64 comes as bigint, DECIMAL as text, times as text. */
  rows<T = Record<string, unknown>>(sql: string, values?: readonly Value[]): Promise<T[]>;
  /** Columns and types that a SELECT gives, without running it. */
  describe(sql: string): Promise<Schema>;
  /** Whole columns as typed arrays, in the order the SELECT gives its rows. */
  frame(sql: string, columns: readonly ColumnAsk[]): Promise<Frame>;
  /**
   * The same in pieces of up to `rows` rows, read on a connection of its own; numbers only.
   *
   * @param held of a small result: the engine works it out with all threads and holds it before the first piece comes
   */
  frames(sql: string, columns: readonly NumberAsk[], rows: number, held?: boolean): AsyncIterable<Frame>;
  /** A name for a table of this process that nobody else uses. */
  fresh(prefix: string): string;
  /** Creates a table (name from `fresh`) and fills it from typed columns; NaN becomes NULL. */
  load(table: string, frame: Frame): Promise<void>;
  /** Stops the running query; it rejects as interrupted. */
  interrupt(): void;
  close(): Promise<void>;
}

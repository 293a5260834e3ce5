import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ShopaiError } from "../core/errors.js";
import { forgetLeftover, rememberLeftover } from "../core/leftovers.js";
import type { Engine, Schema, Value } from "./engine.js";
import { ident } from "./sql.js";

export interface EngineOptions {
  /** Worker threads; all cores by default. The results do not depend on it. */
  threads?: number;
  /** Memory ceiling of the whole process in bytes; 75 % of the machine by default. */
  memory?: number;
}

/** What Node and DuckDB use outside the limit that DuckDB keeps (engine study: 0.1 to 0.25 GB). */
const outsideLimit = 256 * 1024 * 1024;

/** Bytes that the engine works ahead of who reads a stream: with its default of 1 MB it waits for the reader half of the time. */
const streamed = 1 << 22;

/** An in-process DuckDB that spills to its own scratch folder and never fetches an extension. */
export interface DuckDbEngine extends Engine {
  /** For src/table alone: table functions and streams need the connection itself. */
  readonly connection: DuckDBConnection;
  /** A second connection on the same tables, for reading a stream while other queries run. */
  connect(): Promise<DuckDBConnection>;
}

/**
 * Opens an in-process engine. Nothing is downloaded, whatever a query asks for. The native library is
 * loaded here and not before: help and a usage error must not pay for it.
 */
export async function openDuckDb(options: EngineOptions = {}): Promise<DuckDbEngine> {
  // Not together: Node ends the process when a module that cannot be loaded is imported from two places.
  const { DuckDBInstance } = await import("./duckdb-library.js").catch((cause: unknown) => {
    throw withoutLibrary(cause);
  });
  const { loadFrame, readFrame, readFrames } = await import("./duckdb-frame.js");
  const memory = options.memory ?? Math.floor(totalmem() * 0.75);
  const threads = options.threads ?? availableParallelism();
  const scratch = mkdtempSync(join(process.env.SHOPAI_TMPDIR ?? tmpdir(), "shopai-"));
  rememberLeftover(scratch);
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(threads),
    memory_limit: `${Math.max(64 * 1024 * 1024, memory - outsideLimit)}B`,
    temp_directory: scratch,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    preserve_insertion_order: "true",
  });
  const connection = await instance.connect();
  // What a Parquet file of thousands of columns says of itself takes longer to read than some of its columns.
  await connection.run(
    "SET parquet_metadata_cache = true; SET TimeZone = 'UTC'; SET allow_community_extensions = false; SET allowed_configs = ['streaming_buffer_size']; SET lock_configuration = true",
  );
  let counter = 0;

  const engine: DuckDbEngine = {
    threads,
    scratch,
    connection,
    connect: () => instance.connect(),
    async run(sql, values) {
      await guarded(sql, () => connection.run(sql, bound(values)));
    },
    async rows<T>(sql: string, values?: readonly Value[]) {
      const reader = await guarded(sql, () => connection.runAndReadAll(sql, bound(values)));
      const names = reader.columnNames();
      return reader
        .getRows()
        .map((row) => Object.fromEntries(row.map((value, i) => [names[i], plain(value)]))) as T[];
    },
    async describe(sql) {
      const rows = await engine.rows<{ column_name: string; column_type: string }>(`DESCRIBE (${sql})`);
      return rows.map((row) => ({ name: row.column_name, type: row.column_type }));
    },
    frame: (sql, columns) => guarded(sql, () => readFrame(connection, sql, columns)),
    async *frames(sql, columns, rows, held = false) {
      const reader = await instance.connect();
      try {
        await reader.run(`SET streaming_buffer_size = '${streamed}B'`);
        yield* readFrames(reader, sql, columns, rows, { ahead: threads > 1, held });
      } catch (cause) {
        throw cause instanceof ShopaiError ? cause : translated(cause as Error, sql);
      } finally {
        reader.closeSync();
      }
    },
    load: (table, frame) => guarded(`CREATE TABLE ${table}`, () => loadFrame(connection, table, frame)),
    fresh: (prefix) => `${prefix}_${++counter}`,
    interrupt: () => connection.interrupt(),
    async close() {
      connection.closeSync();
      instance.closeSync();
      rmSync(scratch, { recursive: true, force: true });
      forgetLeftover(scratch);
    },
  };
  return engine;
}

/** Copies a relation into a table of the engine and gives its name: for plans that read their input more than once. */
export async function stage(
  engine: Engine,
  sql: string,
  prefix = "staged",
): Promise<{ table: string; schema: Schema }> {
  const table = engine.fresh(prefix);
  await engine.run(`CREATE TABLE ${ident(table)} AS ${sql}`);
  return { table, schema: await engine.describe(`SELECT * FROM ${ident(table)}`) };
}

export { checkPredicate, checkScalar } from "./user-sql.js";

/** Turns the engine's message into an error of ours; the statement is kept as the cause. */
export async function guarded<T>(sql: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ShopaiError) throw cause;
    throw translated(cause as Error, sql);
  }
}

function translated(cause: Error, sql: string): ShopaiError {
  const message = cause.message ?? String(cause);
  const first = message.split("\n")[0];
  if (/INTERRUPT/i.test(first)) return new ShopaiError("interrupted", "interrupted", { cause });
  if (/^Out of Memory Error/i.test(first))
    return new ShopaiError("engine", first.slice(0, 300), {
      try: "a larger --memory, or fewer --threads",
      cause,
    });
  if (
    /No space left on device|could not write|Could not write|Permission denied|Read-only file system/i.test(
      message,
    )
  )
    return new ShopaiError("engine", first.replace(/^[A-Za-z ]+ Error: /, "").slice(0, 300), {
      try: "another folder, or more room on the disk",
      cause,
    });
  const unreadable = /Failed to read file "(.+?)": (.+)/.exec(first);
  if (unreadable)
    return new ShopaiError("data", `the file is damaged: ${unreadable[2]}`, {
      where: unreadable[1],
      try: "a fresh copy of the file",
      cause,
    });
  if (/^(Conversion|Invalid Input|Out of Range|IO) Error/i.test(first))
    return new ShopaiError("data", first.replace(/^[A-Za-z ]+ Error: /, "").slice(0, 300), { cause });
  const error = new ShopaiError("data", first.slice(0, 300), { where: shortened(sql), cause });
  return error;
}

function shortened(sql: string): string {
  const flat = sql.replace(/\s+/g, " ").trim();
  return flat.length <= 200 ? flat : `${flat.slice(0, 197)}...`;
}

function bound(values?: readonly Value[]): Value[] | undefined {
  return values?.slice();
}

/** DuckDB's value objects as plain ones: decimals and times as text, lists as arrays, structs as objects. */
function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  const inner = value as { items?: unknown[]; entries?: unknown };
  if (Array.isArray(inner.items)) return inner.items.map(plain);
  if (value.constructor?.name === "DuckDBStructValue")
    return Object.fromEntries(
      Object.entries(inner.entries as Record<string, unknown>).map(([key, v]) => [key, plain(v)]),
    );
  return String(value);
}

/** DuckDB's library is an optional package for every platform: `npm ci --omit=optional` leaves it out with the rest. */
function withoutLibrary(cause: unknown): unknown {
  const name = /'(@duckdb\/node-bindings-[\w-]+)\//.exec(String((cause as Error).message))?.[1];
  if (name === undefined) return cause;
  return new ShopaiError("engine", `DuckDB's library is not installed: ${name}`, {
    try: `npm install --no-save --omit=optional ${name}, or an install without --omit=optional`,
    cause,
  });
}

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import {
  CompressionType,
  compressionRegistry,
  RecordBatchReader,
  type RecordBatch,
  type Schema as ArrowSchema,
} from "apache-arrow";
import { decompress } from "fzstd";
import { listed, ShopaiError } from "../core/errors.js";
import { sha256OfFile } from "../core/hash.js";
import type { DuckDbEngine } from "../engine/duckdb.js";
import type { Engine } from "../engine/engine.js";
import { ident, literal } from "../engine/sql.js";
import { appendBatch, sqlTypesOf } from "./arrow-in.js";
import { refuseDoubles } from "./csv-dialect.js";
import { inflateLz4 } from "./lz4.js";
import type { InputRecord } from "./provenance.js";
import { fileColumn, relationOf, rowColumn, type Relation } from "./relation.js";
import type { SourceFile } from "./source.js";
import { spoolStdin } from "./stdin.js";

/**
 * Arrow IPC files and streams as one relation: record batches go by whole columns into tables of the
 * engine, which spill like any other. Columns are matched by name and must have the same types.
 *
 * @throws ShopaiError "data" for a damaged file, an Arrow type that SQL lacks, and differing columns
 */
export async function openArrow(
  engine: Engine,
  files: readonly SourceFile[],
  name: string,
  options: { signal?: AbortSignal } = {},
): Promise<Relation> {
  const inputs: InputRecord[] = [];
  const parts: string[] = [];
  let first: Columns | undefined;
  for (const [number, file] of files.entries()) {
    const { path, sha256 } =
      file.path === "-"
        ? await spoolStdin(engine, options.signal)
        : { path: file.path, sha256: await sha256OfFile(file.path, options.signal) };
    const loaded = await load(engine as DuckDbEngine, path, file, options.signal);
    if (first) refuseOther(first, loaded.columns, file.path);
    first ??= loaded.columns;
    inputs.push({ path: file.path, sha256, rows: loaded.rows });
    const columns = [
      ...first.map((column) => ident(column.name)),
      ...Object.entries(file.partitions).map(([key, value]) => `${literal(value)} AS ${ident(key)}`),
      `${number}::INTEGER AS ${ident(fileColumn)}`,
      `rowid AS ${ident(rowColumn)}`,
    ];
    parts.push(`SELECT ${columns.join(", ")} FROM ${ident(loaded.table)}`);
  }
  return relationOf(engine, parts.join(" UNION ALL BY NAME "), {
    key: [fileColumn, rowColumn],
    inputs,
    name,
  });
}

type Columns = { name: string; type: string }[];

async function load(
  engine: DuckDbEngine,
  path: string,
  { path: shown, partitions }: SourceFile,
  signal?: AbortSignal,
): Promise<{ table: string; columns: Columns; rows: number }> {
  const table = engine.fresh("arrow");
  let rows = 0;
  let columns: Columns | undefined;
  try {
    await eachBatch(path, async (schema, batches) => {
      columns = sqlTypesOf(schema, shown);
      refuseDoubles([...columns.map((column) => column.name), ...Object.keys(partitions)], shown);
      if (columns.length === 0) throw new ShopaiError("data", "the table has no columns", { where: shown });
      const list = columns.map((column) => `${ident(column.name)} ${column.type}`);
      await engine.run(`CREATE TABLE ${ident(table)} (${list.join(", ")})`);
      const appender = await engine.connection.createAppender(table);
      const types = columns.map((_, i) => appender.columnType(i));
      for await (const batch of batches) {
        signal?.throwIfAborted();
        if (batch.numRows > 0) appendBatch(appender, types, batch);
        rows += batch.numRows;
      }
      appender.closeSync();
    });
  } catch (cause) {
    if (cause instanceof ShopaiError || signal?.aborted) throw cause;
    throw new ShopaiError("data", `the Arrow file is damaged: ${(cause as Error).message.split("\n")[0]}`, {
      where: shown,
      try: "a fresh copy of the file",
      cause,
    });
  }
  return { table, columns: columns!, rows };
}

compressionRegistry.set(CompressionType.ZSTD, { decode: aligned });
compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: inflateLz4 });

/** Inflated bytes from the start of a buffer of their own: typed arrays over them must be aligned. */
function aligned(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(decompress(bytes));
}

const fileMagic = "ARROW1";

type Batches = AsyncIterable<RecordBatch>;

/** Opens an IPC file (random access, a batch at a time) or stream, and closes it when `use` has ended. */
async function eachBatch(
  path: string,
  use: (schema: ArrowSchema, batches: Batches) => Promise<void>,
): Promise<void> {
  const handle = await open(path, "r");
  try {
    const head = Buffer.alloc(fileMagic.length);
    const tail = Buffer.alloc(fileMagic.length);
    const { size } = await handle.stat();
    if (size === 0)
      throw new ShopaiError("data", "the file is empty (0 bytes)", {
        where: path,
        try: "a fresh copy of the file",
      });
    await handle.read(head, 0, head.length, 0);
    await handle.read(tail, 0, tail.length, Math.max(0, size - tail.length));
    const isFile = head.toString("latin1") === fileMagic;
    if (isFile && tail.toString("latin1") !== fileMagic) throw new Error("its end is missing");
    if (!isFile && head.readUInt32LE(0) !== 0xffffffff)
      throw new ShopaiError("data", "this is no Arrow file or stream", {
        where: path,
        try: "--format for what it is",
      });
    const reader = isFile
      ? await RecordBatchReader.from(handle)
      : await RecordBatchReader.from(createReadStream(path));
    await reader.open();
    await use(reader.schema, reader as unknown as Batches);
  } finally {
    await handle.close();
  }
}

function refuseOther(first: Columns, found: Columns, path: string): void {
  const typeIn = (columns: Columns, name: string): string =>
    columns.find((column) => column.name === name)?.type ?? "absent";
  const names = [...new Set([...first, ...found].map((column) => column.name))];
  const differing = names.filter((name) => typeIn(first, name) !== typeIn(found, name));
  if (differing.length > 0)
    throw new ShopaiError(
      "data",
      listed(
        differing.map(
          (name) => `${name} is ${typeIn(first, name)} in the first file and ${typeIn(found, name)} here`,
        ),
        5,
      ),
      { where: path, try: "writing both with the same columns and types" },
    );
}

import { stat } from "node:fs/promises";
import { ShopaiError } from "../core/errors.js";
import { sha256OfFile } from "../core/hash.js";
import type { Engine } from "../engine/engine.js";
import { ident, literal, pathLiteral } from "../engine/sql.js";
import { fileColumn, relationOf, rowColumn, where, type Relation } from "./relation.js";
import type { InputRecord } from "./provenance.js";
import { sourceFiles, type SourceFile } from "./source.js";

export interface OpenOptions {
  /** Name of the format, for stdin and endings that do not tell. */
  format?: string;
  /** Encoding of text files: utf-8 (default), latin-1, gbk, gb18030, windows-1252, utf-16. */
  encoding?: string;
  /** Separator of CSV files; found out by default. */
  delimiter?: string;
  /** A user's predicate (`--where`). */
  where?: string;
  signal?: AbortSignal;
}

/**
 * Opens files as one lazy relation, typed, rows in the order of files and lines. Text files are typed
 * by what every one of their values can be; a record that cannot be read is an error here (`clean`
 * sets such records aside instead).
 *
 * @param inputs what the user typed: files, folders, globs, `-`
 * @throws ShopaiError "data" when a file is missing, damaged or of another shape than the first
 */
export async function openTable(
  engine: Engine,
  inputs: readonly string[],
  options: OpenOptions = {},
): Promise<Relation> {
  const files = sourceFiles(inputs, options.format);
  const name = inputs.join(" ");
  const parts = await Promise.all(files.map((file) => openOne(engine, file)));
  const records: InputRecord[] = [];
  for (const file of files)
    records.push({ path: file.path, sha256: await sha256OfFile(file.path, options.signal) });
  const sql = parts
    .map(
      (part, i) => `SELECT *${partitionList(files[i])}, ${i}::INTEGER AS ${ident(fileColumn)} FROM (${part})`,
    )
    .join(" UNION ALL BY NAME ");
  const relation = await relationOf(engine, sql, { key: [fileColumn, rowColumn], inputs: records, name });
  return where(relation, options.where);
}

function partitionList(file: SourceFile): string {
  return Object.entries(file.partitions)
    .map(([name, value]) => `, ${literal(value)} AS ${ident(name)}`)
    .join("");
}

async function openOne(_engine: Engine, file: SourceFile): Promise<string> {
  if ((await stat(file.path)).size === 0)
    throw new ShopaiError("data", "the file is empty (0 bytes)", { where: file.path });
  switch (file.format.name) {
    case "parquet":
      return `SELECT * EXCLUDE (file_row_number), file_row_number AS ${ident(rowColumn)} FROM read_parquet(${pathLiteral(file.path)}, file_row_number = true)`;
    case "csv":
      return `SELECT *, row_number() OVER () AS ${ident(rowColumn)} FROM read_csv(${pathLiteral(file.path)}, header = true)`;
    case "ndjson":
    case "json":
      return `SELECT *, row_number() OVER () AS ${ident(rowColumn)} FROM read_json(${pathLiteral(file.path)})`;
    case "arrow":
      throw new ShopaiError("data", "Arrow files cannot be read yet", { where: file.path });
  }
}

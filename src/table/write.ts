import { createReadStream, closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import type { DuckDbEngine } from "../engine/duckdb.js";
import { guarded } from "../engine/duckdb.js";
import { ident, literal } from "../engine/sql.js";
import { writeAtomically } from "./atomic.js";
import { formatNamed, formatNames, formatOfPath, type Format } from "./format.js";
import { provenanceKey, provenanceText, type Provenance } from "./provenance.js";
import { kindOf, selectOrdered, type Relation } from "./relation.js";

/**
 * Writes a relation, ordered by its key, to a file whose ending picks the format, atomically and with
 * its provenance. `-` writes to stdout (`format` says how; CSV by default). The bytes depend on the rows
 * alone, not on the number of threads.
 *
 * @param options.approve asked when the file is whole and before it takes its place; it refuses by throwing
 * @returns the rows written
 * @throws ShopaiError "usage" for an unknown ending, "data" for a table without columns or a path that cannot be written
 */
export async function writeTable(
  relation: Relation,
  path: string,
  provenance: Provenance,
  options: { format?: string; approve?: (rows: number) => Promise<void> } = {},
): Promise<{ rows: number }> {
  const format = outputFormat(path, options.format);
  if (relation.schema.length === 0)
    throw new ShopaiError("data", "a table without columns cannot be written", { where: path });
  if (path === "-") return { rows: await writeStdout(relation, format, provenance) };
  const rows = await writeAtomically(path, async (temporary) => {
    const written = await writeFile(relation, temporary, format, provenance);
    await options.approve?.(written);
    return written;
  });
  return { rows };
}

/**
 * The format that an output's ending names, or for stdout `--format`.
 * @throws ShopaiError "usage" for an ending that names none
 */
export function outputFormat(path: string, named?: string): Format {
  if (path === "-") return formatNamed(named ?? "csv");
  const format = formatOfPath(path);
  if (!format || format.name === "image")
    throw new ShopaiError("usage", "the ending of the output does not name a format", {
      where: path,
      try: `a name ending in .${formatNames.join(", .")}`,
    });
  if (format.compression && (format.name === "parquet" || format.name === "arrow"))
    throw new ShopaiError("usage", `a ${format.name} file is not compressed once more`, {
      where: path,
      try: path.replace(/\.(gz|zst)$/i, ""),
    });
  return format;
}

async function writeFile(
  relation: Relation,
  path: string,
  format: Format,
  provenance: Provenance,
): Promise<number> {
  if (format.name === "arrow") return writeArrowFile(relation, path, format, provenance);
  const columns = relation.schema.map(
    ({ name, type }) => `${portable(ident(name), type, format)} AS ${ident(name)}`,
  );
  const [{ Count }] = await relation.engine.rows<{ Count: bigint }>(
    `COPY (${selectOrdered(relation, columns)}) TO ${literal(path)} (${copyOptions(format, provenance)})`,
  );
  return Number(Count);
}

async function writeArrowFile(
  relation: Relation,
  path: string,
  format: Format,
  provenance: Provenance,
): Promise<number> {
  const writeArrow = await arrowWriter();
  const descriptor = openSync(path, "w");
  try {
    return await writeArrow(relation, provenance, format.stream ? "stream" : "file", async (bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    });
  } finally {
    closeSync(descriptor);
  }
}

const compressions = { gz: "gzip", zst: "zstd" } as const;

function copyOptions(format: Format, provenance: Provenance): string {
  const compression = format.compression ? compressions[format.compression] : "none";
  switch (format.name) {
    case "parquet":
      return `FORMAT parquet, COMPRESSION zstd, KV_METADATA {${ident(provenanceKey)}: ${literal(provenanceText(provenance))}}`;
    case "csv":
      return `FORMAT csv, HEADER, DELIM ${literal(format.delimiter ?? ",")}, COMPRESSION ${compression}`;
    default:
      return `FORMAT json, ARRAY ${format.name === "json"}, COMPRESSION ${compression}`;
  }
}

/** A column as the format can hold it without loss. */
function portable(column: string, type: string, format: Format): string {
  // Parquet has no integer of 128 bits, and DuckDB would write a rounded DOUBLE.
  if (format.name === "parquet" && /^U?HUGEINT(\[\])*$/.test(type))
    return `CAST(${column} AS ${type.replace(/U?HUGEINT/, "DECIMAL(38,0)")})`;
  if (format.name === "csv" && kindOf(type) === "nested") return `to_json(${column})::VARCHAR`;
  // JSON has neither NaN nor infinity.
  if ((format.name === "ndjson" || format.name === "json") && kindOf(type) === "float")
    return `CASE WHEN isfinite(${column}) THEN ${column} END`;
  return column;
}

/** Arrow is many modules: loaded only for an Arrow file, so that other commands start at once. */
const arrowWriter = async () => (await import("./write-arrow.js")).writeArrow;

/** Streams to stdout, no faster than the reader takes it. */
async function writeStdout(relation: Relation, format: Format, provenance: Provenance): Promise<number> {
  if (format.name === "arrow") return (await arrowWriter())(relation, provenance, "stream", put);
  if (format.name === "csv" || format.name === "ndjson") return writeLines(relation, format);
  const scratch = join(relation.engine.scratch, relation.engine.fresh("out"));
  const rows = await writeFile(relation, scratch, format, provenance);
  for await (const bytes of createReadStream(scratch)) await put(bytes as Buffer);
  rmSync(scratch);
  return rows;
}

function put(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve();
    else process.stdout.once("drain", resolve);
  });
}

/** Lines made by the engine, exactly as it would write them to a file. */
async function writeLines(relation: Relation, format: Format): Promise<number> {
  const delimiter = format.delimiter ?? ",";
  const fields = relation.schema.map(({ name, type }) => ({
    name,
    value: portable(ident(name), type, format),
  }));
  const line =
    format.name === "csv"
      ? fields.map(({ value }) => csvField(value, delimiter)).join(` || ${literal(delimiter)} || `)
      : `to_json({${fields.map(({ name, value }) => `${literal(name)}: ${value}`).join(", ")}})::VARCHAR`;
  const sql = selectOrdered(relation, [`${line} AS line`]);
  if (format.name === "csv")
    await put(`${relation.schema.map(({ name }) => quoted(name, delimiter)).join(delimiter)}\n`);
  const result = await guarded(sql, () => (relation.engine as DuckDbEngine).connection.stream(sql));
  let rows = 0;
  for (;;) {
    const chunk = await guarded(sql, () => result.fetchChunk());
    if (!chunk || chunk.rowCount === 0) return rows;
    rows += chunk.rowCount;
    await put(`${(chunk.getColumnValues(0) as string[]).join("\n")}\n`);
  }
}

/** Absent is nothing, empty is `""`; whatever could be taken for grammar stands in quotes. */
function csvField(value: string, delimiter: string): string {
  const text = `(${value})::VARCHAR`;
  const special = `regexp_matches(${text}, ${literal(`["\\r\\n${delimiter === "\t" ? "\\t" : `\\${delimiter}`}]`)})`;
  return `CASE WHEN ${text} IS NULL THEN '' WHEN ${text} = '' OR ${special} THEN '"' || replace(${text}, '"', '""') || '"' ELSE ${text} END`;
}

const quoted = (name: string, delimiter: string): string =>
  /["\r\n]/.test(name) || name.includes(delimiter) ? `"${name.replaceAll('"', '""')}"` : name;

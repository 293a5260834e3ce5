import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { listed, ShopaiError } from "../core/errors.js";
import { sha256OfFile } from "../core/hash.js";
import type { Engine, Schema } from "../engine/engine.js";
import { ident, literal, pathLiteral } from "../engine/sql.js";
import { refuseDoubles } from "./csv-dialect.js";
import type { InputRecord } from "./provenance.js";
import { fileColumn, kindOf, relationOf, rowColumn, type Relation } from "./relation.js";
import type { SourceFile } from "./source.js";
import { spoolStdin } from "./stdin.js";

/**
 * Parquet files as one lazy relation. Columns are matched by name; one that a file lacks is NULL there.
 *
 * @throws ShopaiError "data" for a damaged file, and for a column whose types cannot be brought together
 */
export async function openParquet(
  engine: Engine,
  files: readonly SourceFile[],
  name: string,
  options: { signal?: AbortSignal } = {},
): Promise<Relation> {
  const paths: string[] = [];
  const inputs: InputRecord[] = [];
  let first: Schema | undefined;
  for (const file of files) {
    const { path, sha256 } =
      file.path === "-"
        ? await spoolStdin(engine, options.signal)
        : { path: file.path, sha256: await hashed(file.path, options.signal) };
    const { schema, rows } = await aboutFile(engine, path, file.path);
    refuseDoubles([...schema.map((field) => field.name), ...Object.keys(file.partitions)], file.path);
    if (first) refuseOtherTypes(first, schema, files[0].path, file.path);
    first ??= schema;
    paths.push(path);
    inputs.push({ path: file.path, sha256, rows });
  }
  const list = paths.map(pathLiteral).join(", ");
  const several = files.length > 1;
  const number = several ? "file_index::INTEGER" : "0::INTEGER";
  const columns = [
    "* EXCLUDE (file_row_number)",
    ...partitionColumns(files),
    `${number} AS ${ident(fileColumn)}`,
    `file_row_number AS ${ident(rowColumn)}`,
  ];
  const source = `read_parquet([${list}], file_row_number = true, union_by_name = ${several}, hive_partitioning = false)`;
  const relation = await relationOf(engine, `SELECT ${columns.join(", ")} FROM ${source}`, {
    key: [fileColumn, rowColumn],
    inputs,
    name,
  });
  return { ...relation, lastRow: several ? undefined : inputs[0].rows };
}

/** Hive partitions as columns: the value of each file, by its number. */
function partitionColumns(files: readonly SourceFile[]): string[] {
  const names = [...new Set(files.flatMap((file) => Object.keys(file.partitions)))];
  return names.map((name) => {
    const values = files.map((file) => file.partitions[name]);
    const list = values.map((value) => (value === undefined ? "NULL" : literal(value)));
    const value = files.length > 1 ? `([${list.join(", ")}])[file_index::INTEGER + 1]` : list[0];
    return `${value}${typeOfPartition(values)} AS ${ident(name)}`;
  });
}

/** Partitions are numbers or dates where every value is written as one. */
function typeOfPartition(values: readonly (string | undefined)[]): string {
  const present = values.filter((value) => value !== undefined);
  if (present.every((value) => /^(0|-?[1-9]\d{0,17})$/.test(value))) return "::BIGINT";
  return present.every((value) => /^\d{4}-\d{2}-\d{2}$/.test(value)) ? "::DATE" : "::VARCHAR";
}

async function hashed(path: string, signal?: AbortSignal): Promise<string> {
  refuseNoParquet(path);
  return sha256OfFile(path, signal);
}

const magic = "PAR1";

function refuseNoParquet(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0)
      throw new ShopaiError("data", "the file is empty (0 bytes)", {
        where: path,
        try: "a fresh copy of the file",
      });
    const bytes = Buffer.alloc(4);
    readSync(descriptor, bytes, 0, 4, 0);
    if (bytes.toString("latin1") !== magic)
      throw new ShopaiError("data", "this is no Parquet file: it does not begin with PAR1", {
        where: path,
        try: "--format for what it is, or a name with its ending",
      });
    readSync(descriptor, bytes, 0, 4, Math.max(0, size - 4));
    if (size < 12 || bytes.toString("latin1") !== magic)
      throw new ShopaiError("data", "the Parquet file is cut short: its end is missing", {
        where: path,
        try: "a fresh copy of the file",
      });
  } finally {
    closeSync(descriptor);
  }
}

async function aboutFile(
  engine: Engine,
  path: string,
  shown: string,
): Promise<{ schema: Schema; rows: number }> {
  try {
    const schema = await engine.describe(
      `SELECT * FROM read_parquet(${pathLiteral(path)}, hive_partitioning = false)`,
    );
    const [{ rows }] = await engine.rows<{ rows: bigint }>(
      `SELECT num_rows AS rows FROM parquet_file_metadata(${pathLiteral(path)})`,
    );
    return { schema, rows: Number(rows) };
  } catch (cause) {
    if (cause instanceof ShopaiError && cause.kind === "interrupted") throw cause;
    throw new ShopaiError("data", "the Parquet file is damaged: its description of itself cannot be read", {
      where: shown,
      try: "a fresh copy of the file",
      cause,
    });
  }
}

function refuseOtherTypes(wanted: Schema, found: Schema, firstPath: string, path: string): void {
  const differing = found.flatMap((field) => {
    const other = wanted.find((one) => one.name === field.name);
    if (!other || meets(other.type, field.type)) return [];
    return [`${field.name} is ${other.type} in ${firstPath} and ${field.type} here`];
  });
  if (differing.length > 0)
    throw new ShopaiError("data", listed(differing, 5), {
      where: path,
      try: "writing both with the same types",
    });
  refuseDoubles([...new Set([...wanted, ...found].map((field) => field.name))], path);
}

/** Whether the engine brings two types together without loss. */
function meets(a: string, b: string): boolean {
  if (a === b) return true;
  const kind = kindOf(a);
  return kind === kindOf(b) && (kind === "integer" || kind === "float");
}

import { ShopaiError } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import { openParquet } from "./open-parquet.js";
import { isText, openTextFiles, type RawTable, type TextOptions } from "./open-text.js";
import { materialised, where, type Relation } from "./relation.js";
import { sourceFiles, type SourceFile } from "./source.js";
import { typed } from "./typed-text.js";

export interface OpenOptions {
  /** Name of the format, for stdin and endings that do not tell. */
  format?: string;
  /** Encoding of text files: utf-8 (default), latin-1, gbk, gb18030, windows-1252, utf-16. */
  encoding?: string;
  /** Separator of CSV files; found out by default. */
  delimiter?: string;
  /** Names of the columns of CSV files without a line of names; `none` for `column_1`, `column_2`… */
  header?: readonly string[];
  /** A user's predicate (`--where`). */
  where?: string;
  signal?: AbortSignal;
  /** Text files are parsed once and lie in the engine from then on: for what is read many times. */
  copied?: boolean;
}

/**
 * Opens files as one lazy relation, typed, rows in the order of files and lines. Text files are typed
 * by what every one of their values can be (docs/formats.md); a record that cannot be read is an error
 * here (`clean` sets such records aside instead).
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
  const [first] = files;
  const raw = await rawFiles(engine, files, name, options);
  if (raw) {
    const rows = await where(await typed(raw), options.where);
    return options.copied ? materialised(rows) : rows;
  }
  const other = files.find((file) => file.format.name !== first.format.name);
  if (other)
    throw new ShopaiError(
      "data",
      `${first.format.name} and ${other.format.name} files cannot be read as one`,
      {
        where: `${first.path}, ${other.path}`,
        try: "files of one format",
      },
    );
  // Arrow is many modules: loaded only for an Arrow file, so that other commands start at once.
  const open = first.format.name === "parquet" ? openParquet : (await import("./open-arrow.js")).openArrow;
  return where(await open(engine, files, name, options), options.where);
}

/**
 * Opens files whose records may be unreadable, text and images, as they stand; undefined for column stores,
 * which are good or not as a whole.
 */
export function openRaw(
  engine: Engine,
  inputs: readonly string[],
  options: TextOptions = {},
): Promise<RawTable | undefined> {
  return rawFiles(engine, sourceFiles(inputs, options.format), inputs.join(" "), options);
}

async function rawFiles(
  engine: Engine,
  files: readonly SourceFile[],
  name: string,
  options: TextOptions,
): Promise<RawTable | undefined> {
  if (isText(files[0])) return openTextFiles(engine, files, name, options);
  if (files[0].format.name !== "image") return undefined;
  return (await import("./open-images.js")).openImages(engine, files, name, options);
}

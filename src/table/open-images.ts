import { sha256, sha256OfFile } from "../core/hash.js";
import { ShopaiError } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import type { Column } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { BrokenImage, imageSize } from "./image.js";
import type { RawTable } from "./open-text.js";
import { fileColumn, relationOf, rowColumn } from "./relation.js";
import type { SourceFile } from "./source.js";

/** Images that are read at once. */
const together = 8;

/**
 * Image files as a table: `path`, `label` (the folder that holds it, below the one that was named), hive
 * partitions, `width` and `height` in pixels. Every image is read to its end; what cannot be is in `refused`.
 *
 * @throws ShopaiError "data" for tables among them, "engine" where the package that reads images is missing
 */
export async function openImages(
  engine: Engine,
  files: readonly SourceFile[],
  name: string,
  options: { signal?: AbortSignal } = {},
): Promise<RawTable> {
  const odd = files.find((file) => file.format.name !== "image");
  if (odd)
    throw new ShopaiError("data", `images and ${odd.format.name} files cannot be read as one`, {
      where: odd.path,
      try: "images alone, or a table with a column of their paths",
    });
  const good: { file: SourceFile; row: number; width: number; height: number }[] = [];
  const broken: { file: SourceFile; row: number; reason: string }[] = [];
  const sums: string[] = [];
  for (let from = 0; from < files.length; from += together) {
    options.signal?.throwIfAborted();
    const some = files.slice(from, from + together);
    const found = await Promise.all(
      some.map(async (file) => ({ sum: await sha256OfFile(file.path), size: await sizeOrReason(file.path) })),
    );
    found.forEach(({ sum, size }, i) => {
      const row = from + i + 1;
      sums.push(`${files[row - 1].path} ${sum}`);
      if (typeof size === "string") broken.push({ file: some[i], row, reason: size });
      else good.push({ file: some[i], row, ...size });
    });
  }
  const partitions = [...new Set(files.flatMap((file) => Object.keys(file.partitions)))];
  const columns: Record<string, (string | null)[]> = {
    path: good.map(({ file }) => file.path),
    ...Object.fromEntries(
      partitions.map((partition) => [partition, good.map(({ file }) => file.partitions[partition] ?? null)]),
    ),
    width: good.map(({ width }) => String(width)),
    height: good.map(({ height }) => String(height)),
  };
  const inputs = [{ path: name, sha256: sha256(sums.join("\n")), rows: files.length }];
  const about = { key: [fileColumn, rowColumn], inputs, name };
  const rows = await loaded(engine, "images", columns, { [rowColumn]: good.map(({ row }) => row) });
  const refused = await loaded(
    engine,
    "broken_images",
    {
      _reason: broken.map(({ reason }) => reason),
      _source: broken.map(({ file }) => file.path),
      _raw: broken.map(() => null),
    },
    { _line: broken.map(({ row }) => row) },
  );
  return {
    relation: await relationOf(engine, rows, about),
    refused: await relationOf(engine, refused, { ...about, key: [fileColumn, "_line"] }),
    records: files.length,
    unit: "images",
  };
}

async function sizeOrReason(path: string): Promise<{ width: number; height: number } | string> {
  try {
    return await imageSize(path);
  } catch (cause) {
    if (cause instanceof BrokenImage) return cause.message;
    throw cause;
  }
}

/** Loads columns into the engine. @returns the SELECT of them, with the number of the only file */
async function loaded(
  engine: Engine,
  name: string,
  texts: Readonly<Record<string, (string | null)[]>>,
  numbers: Readonly<Record<string, number[]>>,
): Promise<string> {
  const table = engine.fresh(name);
  const columns = new Map<string, Column>([
    ...Object.entries(texts).map(([key, values]): [string, Column] => [key, { kind: "text", values }]),
    ...Object.entries(numbers).map(([key, values]): [string, Column] => [
      key,
      { kind: "i32", values: Int32Array.from(values) },
    ]),
  ]);
  await engine.load(table, { rows: Object.values(numbers)[0].length, columns });
  const list = [...columns].map(([key, { kind }]) =>
    kind === "i32" ? `${ident(key)}::BIGINT AS ${ident(key)}` : `${ident(key)}::VARCHAR AS ${ident(key)}`,
  );
  return `SELECT ${[...list, `0::INTEGER AS ${ident(fileColumn)}`].join(", ")} FROM ${ident(table)}`;
}

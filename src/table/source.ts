import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { listed, nearest, ShopaiError } from "../core/errors.js";
import { binaryKind, magicBytes } from "./foreign.js";
import { compressionOfPath, formatNamed, formatNames, formatOfPath, type Format } from "./format.js";

/** One file to read. */
export interface SourceFile {
  path: string;
  format: Format;
  /** Hive partitions of its folders: `country=NO/day=2024-01-01/x.parquet`; for an image, `label` is its folder. */
  partitions: Record<string, string>;
}

/**
 * The files meant by what a user typed: files, folders (every table below, by name), globs, or `-`.
 *
 * @param inputs paths in the order typed; files inside a folder or glob come sorted by name
 * @param format name given by `--format`, for stdin and files without a telling ending
 * @throws ShopaiError "data" when nothing is there
 */
export function sourceFiles(inputs: readonly string[], format?: string): SourceFile[] {
  return inputs.flatMap((input) => filesOf(input, format));
}

function filesOf(input: string, format: string | undefined): SourceFile[] {
  if (input === "-") {
    if (!format)
      throw new ShopaiError("usage", "reading stdin needs its format", {
        where: "-",
        try: "--format csv|ndjson|arrow",
      });
    return [{ path: "-", format: formatNamed(format), partitions: {} }];
  }
  if (existsSync(input)) {
    if (!statSync(input).isDirectory())
      return [{ path: input, format: formatOfFile(input, format), partitions: {} }];
    const files = tablesBelow(input, input, format);
    if (files.length === 0)
      throw new ShopaiError("data", "the folder holds no table", {
        where: input,
        try: `a folder with ${formatNames.join(", ")} files, or images`,
      });
    // Images beside a table are what it tells of.
    const tables = files.filter((file) => file.format.name !== "image");
    return tables.length > 0 ? tables : files;
  }
  if (/[*?[{]/.test(input)) {
    const files = globbed(input, format);
    if (files.length > 0) return files;
    throw new ShopaiError("data", "no file matches", {
      where: input,
      try: "quoting the pattern, or another one",
    });
  }
  throw missingFile(input);
}

/** The error for a file that is not there, with the nearest name beside it. */
export function missingFile(path: string): ShopaiError {
  const scheme = /^[a-z][a-z0-9+.-]+:\/\//i.exec(path)?.[0];
  if (scheme)
    return new ShopaiError(
      "data",
      `no such file: ${scheme} is not read, for nothing is fetched at run time`,
      {
        where: path,
        try: "a copy on this machine",
      },
    );
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf(sep));
  const folder = cut < 0 ? "." : path.slice(0, cut) || "/";
  const names =
    existsSync(folder) && statSync(folder).isDirectory()
      ? readdirSync(folder).filter((name) => !name.startsWith("."))
      : undefined;
  if (!names)
    return new ShopaiError("data", "no such file", {
      where: path,
      try: `a folder that exists (${folder} does not)`,
    });
  const near = nearest(path.slice(cut + 1), names);
  return new ShopaiError("data", "no such file", {
    where: path,
    try: near
      ? join(folder, near)
      : names.length > 0
        ? `one of ${listed(names, 6)}`
        : "a file that is there (the folder is empty)",
  });
}

function formatOfFile(path: string, format: string | undefined): Format {
  const compression = compressionOfPath(path);
  if (format) return { ...formatNamed(format), compression };
  const own = formatOfPath(path);
  if (own) return own;
  const known = compression ? undefined : binaryKind(beginningOf(path));
  throw new ShopaiError(
    "data",
    `the ending does not say what the file is${known ? `, and its bytes are those of ${known.what}` : ""}`,
    { where: path, try: known?.advice ?? `--format ${formatNames.join("|")}` },
  );
}

function beginningOf(path: string): Uint8Array {
  const bytes = new Uint8Array(magicBytes);
  const file = openSync(path, "r");
  try {
    return bytes.subarray(0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function tablesBelow(
  root: string,
  folder: string,
  format: string | undefined,
  above: readonly string[] = [],
): SourceFile[] {
  const found: SourceFile[] = [];
  const { dev, ino } = statSync(folder);
  const own = `${dev}:${ino}`;
  // A link to a folder that it lies in would never end.
  if (above.includes(own)) return [];
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (entry.name.startsWith(".") || entry.name.startsWith("_")) continue;
    const path = join(folder, entry.name);
    if (statSync(path).isDirectory()) found.push(...tablesBelow(root, path, format, [...above, own]));
    else if (formatOfPath(path) && !entry.name.endsWith(".txt"))
      found.push({
        path,
        format: formatOfFile(path, format),
        partitions: partitionsOf(relative(root, path)),
      });
  }
  return found.map(labelled(root));
}

/** An image is of the class that its folder is called after, unless that is a hive partition or the one that was named. */
const labelled =
  (root: string) =>
  (file: SourceFile): SourceFile => {
    const folder = relative(root, file.path).split(/[\\/]/).at(-2);
    if (file.format.name !== "image" || folder === undefined || folder.includes("=")) return file;
    return { ...file, partitions: { ...file.partitions, label: folder } };
  };

function partitionsOf(path: string): Record<string, string> {
  const pairs = path
    .split(/[\\/]/)
    .slice(0, -1)
    .map((part) => /^([^=]+)=(.*)$/.exec(part));
  return Object.fromEntries(
    pairs.filter((pair) => pair !== null).map((pair) => [pair[1], decodeURIComponent(pair[2])]),
  );
}

/** Files below the part of a glob that holds no pattern, filtered by the whole of it. */
function globbed(pattern: string, format: string | undefined): SourceFile[] {
  const parts = pattern.split("/");
  const plain = parts
    .slice(
      0,
      parts.findIndex((part) => /[*?[{]/.test(part)),
    )
    .join("/");
  const root = plain || (pattern.startsWith("/") ? "/" : ".");
  if (!existsSync(root)) return [];
  return everyFile(root)
    .filter((path) => matchesGlob(path, pattern))
    .map((path) => ({
      path,
      format: formatOfFile(path, format),
      partitions: partitionsOf(relative(root, path)),
    }))
    .map(labelled(root));
}

function everyFile(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === "." ? entry.name : join(folder, entry.name);
      return entry.isDirectory() ? everyFile(path) : [path];
    });
}

/** A file glob: `*` and `?` within a name, `**` across folders, `[abc]`, `{a,b}`. */
export function matchesGlob(path: string, pattern: string): boolean {
  const source = pattern
    .replace(/^\.\//, "")
    .replace(/[.+^$()|\\]/g, "\\$&")
    .replace(/\{([^}]*)\}/g, (_, list: string) => `(${list.replaceAll(",", "|")})`)
    .replace(/\*\*\/|\*\*|\*|\?/g, (wild) =>
      wild === "**/" ? "(.*/)?" : wild === "**" ? ".*" : wild === "*" ? "[^/]*" : "[^/]",
    );
  return new RegExp(`^${source}$`).test(path);
}

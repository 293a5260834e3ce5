import { ShopaiError } from "../core/errors.js";

export type FormatName = "parquet" | "arrow" | "csv" | "ndjson" | "json" | "image";
export type Compression = "gz" | "zst" | undefined;

export interface Format {
  name: FormatName;
  /** The separator of a CSV, when the ending says it. */
  delimiter?: string;
  compression: Compression;
  /** Arrow IPC: a stream instead of a file. */
  stream?: boolean;
}

const endings: Record<string, Omit<Format, "compression">> = {
  parquet: { name: "parquet" },
  pq: { name: "parquet" },
  arrow: { name: "arrow" },
  feather: { name: "arrow" },
  arrows: { name: "arrow", stream: true },
  csv: { name: "csv" },
  txt: { name: "csv" },
  tsv: { name: "csv", delimiter: "\t" },
  tab: { name: "csv", delimiter: "\t" },
  ndjson: { name: "ndjson" },
  jsonl: { name: "ndjson" },
  json: { name: "json" },
  jpg: { name: "image" },
  jpeg: { name: "image" },
  png: { name: "image" },
  webp: { name: "image" },
};

export const formatNames = ["parquet", "arrow", "csv", "tsv", "ndjson", "json"] as const;

/** How a path's ending says that a file is packed. */
export function compressionOfPath(path: string): Compression {
  const [, ending] = /\.(gz|zst)$/i.exec(path) ?? [];
  return ending?.toLowerCase() as Compression;
}

/** The format that a path's ending says, or undefined. */
export function formatOfPath(path: string): Format | undefined {
  const parts = path.toLowerCase().split(/[\\/]/).pop()!.split(".");
  const compression = compressionOfPath(path);
  if (compression) parts.pop();
  const known = parts.length > 1 ? endings[parts[parts.length - 1]] : undefined;
  return known && { ...known, compression };
}

/** The format that a name given to `--format` says. */
export function formatNamed(name: string): Format {
  const known = endings[name.toLowerCase()];
  if (!known || known.name === "image")
    throw new ShopaiError("usage", `"${name}" is not a format`, { try: `--format ${formatNames.join("|")}` });
  return { ...known, compression: undefined };
}

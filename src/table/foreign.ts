/** What a file turns out to be where something else was expected. */
export interface Foreign {
  what: string;
  /** What to give instead. */
  advice: string;
}

const magics: readonly [bytes: readonly number[], what: string, advice: string][] = [
  [[0x50, 0x41, 0x52, 0x31], "Parquet", "--format parquet, or a name ending in .parquet"],
  [[0x41, 0x52, 0x52, 0x4f, 0x57, 0x31], "Arrow IPC", "--format arrow, or a name ending in .arrow"],
  [
    [0x50, 0x4b, 0x03, 0x04],
    "a zip archive (an Excel workbook is one)",
    "the unpacked file, or the sheet saved as CSV",
  ],
  [[0x1f, 0x8b], "gzip", "a name ending in .gz"],
  [[0x28, 0xb5, 0x2f, 0xfd], "zstd", "a name ending in .zst"],
  [[0x89, 0x50, 0x4e, 0x47], "a PNG image", "a table"],
  [[0xff, 0xd8, 0xff], "a JPEG image", "a table"],
  [[0x25, 0x50, 0x44, 0x46], "a PDF", "a table"],
  [[0xd0, 0xcf, 0x11, 0xe0], "an old Office file", "the sheet saved as CSV"],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65], "an SQLite database", "a table exported as CSV"],
];

/** Most bytes that are needed to know a file by its beginning. */
export const magicBytes = 8;

/** A file that is known by its first bytes. */
export function binaryKind(bytes: Uint8Array): Foreign | undefined {
  const known = magics.find(([magic]) => magic.every((byte, i) => bytes[i] === byte));
  return known && { what: known[1], advice: known[2] };
}

/** A text that begins as no table of lines and separators does: JSON, or the page that came in a file's place. */
export function otherText(beginning: string): Foreign | undefined {
  if (/^\s*<(!doctype\s+html|html|head|\?xml)[\s>]/i.test(beginning))
    return { what: "a web page or XML", advice: "the table itself: was this a page that came in its place?" };
  if (/^\s*\{\s*"(?:[^"\\]|\\.)*"\s*:/.test(beginning) || /^\s*\[\s*\{/.test(beginning))
    return { what: "JSON", advice: "--format ndjson for an object a line, --format json for a list" };
  return undefined;
}

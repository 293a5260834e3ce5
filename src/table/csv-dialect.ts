import { isUtf8 } from "node:buffer";
import { listed, ShopaiError } from "../core/errors.js";
import { counted } from "../core/quantity.js";
import { fieldsOf, newRecordScan, scanRecord } from "./csv-record.js";

/** What the head of a CSV file says of the rest. */
export interface Dialect {
  delimiter: string;
  /** Names of the columns; an empty one is called after its place, `column_3`. */
  header: string[];
  /** Bytes and physical lines that the header takes, with blank lines before it. */
  headerBytes: number;
  headerLines: number;
}

const candidates = [",", ";", "\t", "|"] as const;

/** Records that the separator is judged by. */
const sampled = 200;

/**
 * Separator and header of a CSV file. The separator is the one that cuts the first records into the same
 * number of fields (more than one) as the header, outside quotes; of several the one that most records
 * agree with, then the one with more fields. A file where none does has one column.
 *
 * @param head  the first bytes, at least the header
 * @param whole whether `head` is the whole file
 * @param asked the user's `--delimiter`, or the one that the ending `.tsv` means; names for a file without a header
 * @throws ShopaiError "data" for a header that cannot be used, "usage" for an impossible delimiter
 */
export function dialectOf(
  head: Buffer,
  whole: boolean,
  path: string,
  asked: { delimiter?: string; header?: readonly string[] } = {},
): Dialect {
  const delimiter = delimiterOf(head, whole, path, asked.delimiter);
  const first = firstRecord(head, whole, path, delimiter);
  if (asked.header) {
    const header = namesFor(first.fields.length, asked.header, path);
    return { delimiter, header, headerBytes: 0, headerLines: 0 };
  }
  const header = first.fields.map((name, i) => name?.trim() || placeName(i));
  refuseDoubles(header, path, "; --header none, if the first line is no header");
  return { delimiter, header, headerBytes: first.bytes, headerLines: first.lines };
}

const placeName = (i: number): string => `column_${i + 1}`;

/** The names of a file that has none: those that were asked for, or places. */
function namesFor(fields: number, asked: readonly string[], path: string): string[] {
  if (asked.length === 1 && asked[0] === "none")
    return Array.from({ length: fields }, (_, i) => placeName(i));
  if (asked.length !== fields)
    throw new ShopaiError(
      "usage",
      `--header names ${counted(asked.length, "column")}, and the first record has ${counted(fields, "field")}`,
      { where: path, try: "--header none, and a look with inspect" },
    );
  refuseDoubles(asked, path);
  return [...asked];
}

function delimiterOf(head: Buffer, whole: boolean, path: string, asked: string | undefined): string {
  const wanted = asked === undefined ? undefined : delimiterNamed(asked);
  const fits = candidates.map((delimiter) => fitOf(head, whole, delimiter));
  const best = fits.reduce((a, b) => (betterThan(b, a) ? b : a));
  if (wanted !== undefined) {
    const fit = fitOf(head, whole, wanted);
    if (fit.fields === 1 && best.fields > 1 && best.agreeing === best.records && best.records > 1)
      throw new ShopaiError(
        "data",
        `with the separator ${spelled(wanted)} the file has one column, with ${spelled(best.delimiter)} it has ${best.fields}`,
        { where: path, try: `--delimiter ${best.delimiter === "\t" ? "tab" : `"${best.delimiter}"`}` },
      );
    return wanted;
  }
  return best.fields > 1 && best.agreeing > 0 ? best.delimiter : ",";
}

function delimiterNamed(text: string): string {
  const named = { tab: "\t", "\\t": "\t", comma: ",", semicolon: ";", pipe: "|", space: " " }[
    text.toLowerCase()
  ];
  const delimiter = named ?? text;
  if (delimiter.length !== 1 || delimiter.charCodeAt(0) > 126 || /["\r\n\0]/.test(delimiter))
    throw new ShopaiError("usage", `--delimiter must be one ASCII character, got ${JSON.stringify(text)}`, {
      try: '--delimiter ";"',
    });
  return delimiter;
}

const spelled = (delimiter: string): string => (delimiter === "\t" ? "tab" : `"${delimiter}"`);

interface Fit {
  delimiter: string;
  /** Fields of the header. */
  fields: number;
  /** Records after the header, and those among them with as many fields. */
  records: number;
  agreeing: number;
}

function fitOf(head: Buffer, whole: boolean, delimiter: string): Fit {
  const fit: Fit = { delimiter, fields: 0, records: 0, agreeing: 0 };
  const scan = newRecordScan();
  for (let at = 0; at < head.length && fit.records < sampled; at = scan.next) {
    scanRecord(head, at, head.length, delimiter.charCodeAt(0), 1, whole, scan);
    if (scan.kind === "partial") break;
    if (scan.kind === "blank") continue;
    if (fit.fields === 0) {
      if (scan.kind === "fault") return fit;
      fit.fields = scan.fields;
      continue;
    }
    fit.records++;
    if (scan.kind === "record" && scan.fields === fit.fields) fit.agreeing++;
  }
  if (fit.records === 0) fit.agreeing = fit.fields > 1 ? 1 : 0;
  return fit;
}

function betterThan(a: Fit, b: Fit): boolean {
  if (a.fields > 1 !== b.fields > 1) return a.fields > 1;
  const share = (fit: Fit): number => fit.agreeing / Math.max(1, fit.records);
  return share(a) !== share(b) ? share(a) > share(b) : a.fields > b.fields;
}

/** The fields of the first record, and the bytes and lines that it takes with blank lines before it. */
function firstRecord(
  head: Buffer,
  whole: boolean,
  path: string,
  delimiter: string,
): { fields: readonly (string | null)[]; bytes: number; lines: number } {
  const scan = newRecordScan();
  let at = 0;
  let lines = 0;
  do {
    scanRecord(head, at, head.length, delimiter.charCodeAt(0), lines + 1, whole, scan);
    if (scan.kind === "partial" || (scan.kind === "blank" && scan.next >= head.length))
      throw new ShopaiError(
        "data",
        scan.kind === "blank" ? "the file holds only blank lines" : "the header does not end",
        {
          where: path,
          try: "a CSV file whose first line names its columns",
        },
      );
    lines += scan.lines;
    if (scan.kind !== "blank") break;
    at = scan.next;
  } while (at < head.length);
  const bytes = head.subarray(at, scan.end);
  const where = `${path}, line ${lines - scan.lines + 1}`;
  if (scan.kind === "fault")
    throw new ShopaiError("data", `the header cannot be read: ${scan.fault}`, {
      where,
      try: "mending the first line",
    });
  if (!isUtf8(bytes))
    throw new ShopaiError("data", "the header holds bytes that are not UTF-8", {
      where,
      try: "--encoding latin-1, windows-1252 or gb18030",
    });
  if (bytes.includes(0))
    throw new ShopaiError("data", "the header holds a NUL byte", { where, try: "--encoding utf-16" });
  return { fields: fieldsOf(head, at, scan.end, delimiter.charCodeAt(0)), bytes: scan.next, lines };
}

/**
 * Refuses names that the engine could not tell apart.
 *
 * @param orElse what to try beside renaming
 */
export function refuseDoubles(names: readonly string[], path: string, orElse = ""): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const before = seen.get(name.toLowerCase());
    if (before !== undefined)
      throw new ShopaiError(
        "data",
        before === name
          ? `two columns are called "${name}"`
          : `the columns "${before}" and "${name}" differ only in the case of letters`,
        { where: path, try: `renaming one of them (the file has ${listed(names)})${orElse}` },
      );
    seen.set(name.toLowerCase(), name);
  }
  const taken = names.find((name) => name.toLowerCase().startsWith("_shopai_"));
  if (taken !== undefined)
    throw new ShopaiError("data", `the column name "${taken}" is kept for shopai itself`, {
      where: path,
      try: "renaming it",
    });
}

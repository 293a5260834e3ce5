/** The grammar of one CSV record: RFC 4180, plus CR and CRLF as line ends and quotes inside unquoted fields. */

export const LF = 0x0a;
export const CR = 0x0d;
export const QUOTE = 0x22;

/** A record is refused when it is longer; so an unclosed quote never swallows more than this. */
export const longestRecord = 8 * 1024 * 1024;

/** What `scanRecord` found; one object is used over and over. */
export interface RecordScan {
  /** `partial`: the bytes end before the record does, more are needed. */
  kind: "record" | "blank" | "fault" | "partial";
  /** Where the record's own bytes end, without its line end. */
  end: number;
  /** Where the next record begins. */
  next: number;
  /** Physical lines from the record's start to `next`. */
  lines: number;
  fields: number;
  /** Whether an unquoted field holds a quote: legal, but other readers need it quoted. */
  odd: boolean;
  fault: string;
  /** Whether a fault was called before its line ended, so that the rest of the line is still to come. */
  torn: boolean;
}

export const newRecordScan = (): RecordScan => ({
  kind: "partial",
  end: 0,
  next: 0,
  lines: 0,
  fields: 0,
  odd: false,
  fault: "",
  torn: false,
});

/**
 * Scans one record of `bytes[start, end)`. After a quote that is wrong the record ends with the physical
 * line on which the field began, so that the lines after it are read for themselves.
 *
 * @param line  physical line of the record, for the texts of faults
 * @param final whether the file ends at `end`
 */
export function scanRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  delimiter: number,
  line: number,
  final: boolean,
  scan: RecordScan,
): RecordScan {
  scan.fields = 1;
  scan.odd = false;
  scan.lines = 0;
  scan.torn = false;
  let at = start;
  for (;;) {
    if (at < end && bytes[at] === QUOTE) {
      const opened = at;
      const openedLines = scan.lines;
      at = closingQuote(bytes, at + 1, Math.min(end, opened + longestRecord), scan);
      if (at < 0) {
        if (!final && end - opened < longestRecord) return partial(scan);
        return faultFrom(
          bytes,
          opened,
          end,
          scan,
          openedLines,
          final,
          `the quote opened in ${fieldName(scan.fields, line, openedLines)} is never closed`,
        );
      }
      if (at + 1 === end && !final) return partial(scan);
      const after = at + 1 < end ? bytes[at + 1] : LF;
      if (after !== delimiter && after !== LF && after !== CR) {
        const where = fieldName(scan.fields, line, openedLines);
        return faultFrom(
          bytes,
          opened,
          end,
          scan,
          openedLines,
          final,
          scan.lines === openedLines
            ? `text after the closing quote of ${where}`
            : `the quote opened in ${where} is not closed before other text`,
        );
      }
      at++;
    } else {
      while (at < end && bytes[at] !== delimiter && bytes[at] !== LF && bytes[at] !== CR) {
        if (bytes[at] === QUOTE) scan.odd = true;
        at++;
      }
    }
    if (at < end && bytes[at] === delimiter) {
      scan.fields++;
      at++;
      continue;
    }
    return lineEnd(bytes, start, at, end, final, scan);
  }
}

/** A field of a record; its line only where that is not the record's own. */
const fieldName = (field: number, line: number, linesBefore: number): string =>
  linesBefore === 0 ? `field ${field}` : `field ${field} on line ${line + linesBefore}`;

/** The quote that ends a field, or -1; counts the line ends before it. */
function closingQuote(bytes: Uint8Array, from: number, end: number, scan: RecordScan): number {
  let lines = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      if (at + 1 < end && bytes[at + 1] === QUOTE) at++;
      else {
        scan.lines += lines;
        return at;
      }
    } else if (byte === LF || (byte === CR && bytes[at + 1] !== LF)) lines++;
  }
  return -1;
}

function lineEnd(
  bytes: Uint8Array,
  start: number,
  at: number,
  end: number,
  final: boolean,
  scan: RecordScan,
): RecordScan {
  if (at - start > longestRecord) {
    scan.fault = `the record is longer than ${longestRecord} bytes`;
    scan.torn = at >= end && !final;
  } else if (at >= end && !final) return partial(scan);
  const kind = at - start > longestRecord ? "fault" : at === start ? "blank" : "record";
  if (at >= end || bytes[at] === LF) return ended(scan, kind, at, Math.min(at + 1, end));
  if (at + 1 === end && !final) return partial(scan);
  return ended(scan, kind, at, at + (at + 1 < end && bytes[at + 1] === LF ? 2 : 1));
}

function faultFrom(
  bytes: Uint8Array,
  opened: number,
  end: number,
  scan: RecordScan,
  openedLines: number,
  final: boolean,
  fault: string,
): RecordScan {
  const limit = Math.min(end, opened + longestRecord);
  let at = opened;
  while (at < limit && bytes[at] !== LF && bytes[at] !== CR) at++;
  const unsure = at >= end || (bytes[at] === CR && at + 1 >= end);
  if (unsure && !final && end - opened < longestRecord) return partial(scan);
  scan.fault = fault;
  scan.lines = openedLines;
  scan.torn = at >= limit && !(final && limit === end);
  if (at >= limit) return ended(scan, "fault", at, at);
  return ended(scan, "fault", at, bytes[at] === CR && at + 1 < end && bytes[at + 1] === LF ? at + 2 : at + 1);
}

function ended(scan: RecordScan, kind: RecordScan["kind"], end: number, next: number): RecordScan {
  scan.kind = kind;
  scan.end = end;
  scan.next = next;
  scan.lines++;
  return scan;
}

function partial(scan: RecordScan): RecordScan {
  scan.kind = "partial";
  return scan;
}

/** The fields of a record that `scanRecord` found good; null for an unquoted empty one. */
export function fieldsOf(bytes: Buffer, start: number, end: number, delimiter: number): (string | null)[] {
  const fields: (string | null)[] = [];
  let at = start;
  for (;;) {
    let stop = at;
    if (bytes[at] === QUOTE && at < end) {
      stop = at + 1;
      for (; stop < end; stop++)
        if (bytes[stop] === QUOTE) {
          if (stop + 1 < end && bytes[stop + 1] === QUOTE) stop++;
          else break;
        }
      fields.push(bytes.toString("utf8", at + 1, stop).replaceAll('""', '"'));
      stop++;
    } else {
      while (stop < end && bytes[stop] !== delimiter) stop++;
      fields.push(stop === at ? null : bytes.toString("utf8", at, stop));
    }
    if (stop >= end) return fields;
    at = stop + 1;
  }
}

/** A record as every strict reader understands it: each present field in quotes. */
export function canonicalRecord(fields: readonly (string | null)[], delimiter: string): string {
  return fields.map((field) => (field === null ? "" : `"${field.replaceAll('"', '""')}"`)).join(delimiter);
}

import { isUtf8 } from "node:buffer";
import {
  canonicalRecord,
  CR,
  fieldsOf,
  LF,
  longestRecord,
  newRecordScan,
  QUOTE,
  scanRecord,
} from "./csv-record.js";

/** Where a scan leaves its records. */
export interface RecordSink {
  /** Records in canonical form, each with its physical line in front. The bytes are used again after the call. */
  good(bytes: Buffer): void;
  refuse(line: number, reason: string, raw: string): void;
}

/** A run of good records: how far `copyGood` came. */
export interface Run {
  /** Where the first record stands that is not plainly good. */
  position: number;
  line: number;
  records: number;
  /** Bytes in `out`. */
  written: number;
  /** Bytes of the longest record. */
  longest: number;
}

const newline = Buffer.from("\n");
const replacement = Buffer.from("\ufffd");

/** Bytes that a line number and its delimiter may take in front of a record. */
const prefixRoom = 18;

/**
 * Splits CSV bytes into records, checks each against the number of columns, and passes the good ones on
 * as `line,record\n` in the form that DuckDB reads without any leave: UTF-8, LF, RFC 4180.
 */
export class CsvScanner {
  /** Records seen, good and refused; blank lines are none. */
  records = 0;
  /** Bytes of the longest good record. */
  longest = 0;
  #pending: Buffer = Buffer.alloc(0);
  #line: number;
  readonly #prefix: Buffer;
  readonly #encoding: string | undefined;
  #skipping = false;
  #out = Buffer.allocUnsafe(1 << 20);
  #scan = newRecordScan();

  /**
   * @param delimiter byte between fields
   * @param columns   fields that every record must have
   * @param line      physical line of the first byte
   * @param about     text to put in front of every line number; what the bytes were decoded from, if
   *                  not UTF-8 (U+FFFD then stands for what could not be decoded)
   */
  constructor(
    private readonly delimiter: number,
    private readonly columns: number,
    line: number,
    private readonly sink: RecordSink,
    about: { prefix?: string; encoding?: string } = {},
  ) {
    this.#line = line;
    this.#prefix = Buffer.from(about.prefix ?? "");
    this.#encoding = about.encoding;
  }

  push(chunk: Buffer): void {
    const bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    const position = this.#take(bytes, false);
    this.#pending = Buffer.from(bytes.subarray(position));
  }

  end(): void {
    this.#take(this.#pending, true);
    this.#pending = Buffer.alloc(0);
  }

  #take(bytes: Buffer, final: boolean): number {
    let at = this.#skipping ? this.#skipLine(bytes) : 0;
    if (this.#out.length < bytes.length + (1 << 16)) this.#out = Buffer.allocUnsafe(bytes.length + (1 << 17));
    while (at < bytes.length) {
      const run = copyGood(bytes, at, this.#out, this.delimiter, this.columns, this.#line, this.#prefix);
      if (run.position > at) {
        const text = bytes.subarray(at, run.position);
        if (this.#isText(text)) {
          if (run.written > 0) this.sink.good(this.#out.subarray(0, run.written));
          this.records += run.records;
          this.longest = Math.max(this.longest, run.longest);
          this.#line = run.line;
        } else this.#takeOneByOne(bytes, at, run.position);
        at = run.position;
        continue;
      }
      const next = this.#takeOne(bytes, at, bytes.length, final);
      if (next < 0) break;
      at = this.#skipping ? bytes.length : next;
    }
    return at;
  }

  /** Records among which some hold bytes that are no text. */
  #takeOneByOne(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) at = this.#takeOne(bytes, at, end, true);
  }

  /** Takes one record in the careful way and gives where the next begins, or -1 when it is not whole yet. */
  #takeOne(bytes: Buffer, start: number, end: number, final: boolean): number {
    const scan = scanRecord(bytes, start, end, this.delimiter, this.#line, final, this.#scan);
    if (scan.kind === "partial") return -1;
    const line = this.#line;
    this.#line += scan.lines;
    if (scan.kind === "blank" && this.columns > 1) return scan.next;
    this.records++;
    const record = bytes.subarray(start, scan.end);
    const bad = this.#badBytes(record);
    const reason =
      scan.kind === "fault"
        ? scan.fault
        : (bad ??
          (scan.fields !== this.columns
            ? `${scan.fields} field${scan.fields === 1 ? "" : "s"} where the header has ${this.columns}`
            : undefined));
    if (reason !== undefined) this.sink.refuse(line, reason, shown(record, bad !== undefined));
    else this.#passOn(line, record, scan.odd);
    this.#skipping = scan.torn;
    return scan.next;
  }

  #passOn(line: number, record: Buffer, odd: boolean): void {
    const delimiter = String.fromCharCode(this.delimiter);
    const text = odd
      ? Buffer.from(canonicalRecord(fieldsOf(record, 0, record.length, this.delimiter), delimiter))
      : record;
    this.sink.good(Buffer.concat([this.#prefix, Buffer.from(`${line}${delimiter}`), text, newline]));
    this.longest = Math.max(this.longest, text.length);
  }

  #isText(bytes: Buffer): boolean {
    return isUtf8(bytes) && !bytes.includes(0) && !(this.#encoding && bytes.includes(replacement));
  }

  #badBytes(record: Buffer): string | undefined {
    if (this.#isText(record)) return undefined;
    return record.includes(0) ? "a NUL byte" : `bytes that are not ${this.#encoding ?? "UTF-8"}`;
  }

  /** Drops the rest of a line whose beginning was refused. */
  #skipLine(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && bytes[at] !== LF && bytes[at] !== CR) at++;
    if (at === bytes.length) return at;
    this.#skipping = false;
    return bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : at + 1;
  }
}

/**
 * Copies records from `bytes[start, …)` to `out` while they are plainly good: whole, of the right number of
 * fields, no quote out of place. Bytes above 127 and NUL are not looked at.
 */
export function copyGood(
  bytes: Buffer,
  start: number,
  out: Buffer,
  delimiter: number,
  columns: number,
  line: number,
  prefix: Buffer,
): Run {
  const end = bytes.length;
  const run: Run = { position: start, line, records: 0, written: 0, longest: 0 };
  let at = start;
  while (at < end) {
    const recordStart = at;
    let fields = 1;
    let lines = 1;
    let good = true;
    for (;;) {
      if (bytes[at] === QUOTE) {
        for (;;) {
          for (at++; at < end && bytes[at] !== QUOTE; at++)
            if (bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] !== LF)) lines++;
          if (++at >= end) return run;
          if (bytes[at] !== QUOTE) break;
        }
        if (bytes[at] !== delimiter && bytes[at] !== LF && bytes[at] !== CR) good = false;
      } else
        while (
          at < end &&
          bytes[at] !== delimiter &&
          bytes[at] !== LF &&
          bytes[at] !== CR &&
          bytes[at] !== QUOTE
        )
          at++;
      if (!good || at >= end || bytes[at] === QUOTE) return run;
      if (bytes[at] !== delimiter) break;
      at++;
      if (at >= end) return run;
      fields++;
    }
    const recordEnd = at;
    if (bytes[at] === CR) {
      if (at + 1 >= end) return run;
      if (bytes[at + 1] === LF) at++;
    }
    at++;
    const blank = recordEnd === recordStart && columns > 1;
    if (!blank) {
      if (fields !== columns) return run;
      const length = recordEnd - recordStart;
      if (length > longestRecord || run.written + prefix.length + length + prefixRoom > out.length)
        return run;
      run.written += prefix.copy(out, run.written);
      run.written += out.write(String(run.line), run.written, "latin1");
      out[run.written++] = delimiter;
      run.written += bytes.copy(out, run.written, recordStart, recordEnd);
      out[run.written++] = LF;
      run.records++;
      if (length > run.longest) run.longest = length;
    }
    run.line += lines;
    run.position = at;
  }
  return run;
}

/** A record as text. One with bytes that are no text shows them as `\xNN`, and a backslash as two. */
export function shown(record: Buffer, escaped: boolean): string {
  if (!escaped) return record.toString();
  let text = "";
  let plain = 0;
  const flush = (to: number): void => {
    text += record.toString("utf8", plain, to).replaceAll("\\", "\\\\");
  };
  for (let at = 0; at < record.length;) {
    const length = characterLength(record, at);
    if (length > 0) {
      at += length;
      continue;
    }
    flush(at);
    text += `\\x${record[at].toString(16).padStart(2, "0").toUpperCase()}`;
    plain = ++at;
  }
  flush(record.length);
  return text;
}

/** Bytes of the UTF-8 character at `at`, or 0 when there is none (or a NUL). */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at];
  if (lead === 0) return 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  return isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length ? length : 0;
}

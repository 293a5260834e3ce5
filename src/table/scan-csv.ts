import { isUtf8 } from "node:buffer";
import { isText, type RecordCopier, type RecordShape } from "./copy-records.js";
import { canonicalRecord, CR, fieldsOf, LF, newRecordScan, scanRecord } from "./csv-record.js";

/** Where a scan leaves its records. */
export interface RecordSink {
  /** Records in canonical form, each with its physical line in front. The bytes are used again after the call. */
  good(bytes: Buffer): void;
  refuse(line: number, reason: string, raw: string): void;
}

/**
 * Splits CSV bytes into records, checks each against the number of columns, and passes the good ones on
 * as `line,record\n` (the line negative unless the record is plain: copy-records.ts) in the form that DuckDB reads without any leave: UTF-8, LF, RFC 4180.
 */
export class CsvScanner {
  /** Records seen, good and refused; blank lines are none. */
  records = 0;
  /** Bytes of the longest good record. */
  longest = 0;
  /** Bytes at the head of the copier's input that are not taken yet. */
  #held = 0;
  /** Physical line of what comes next. */
  line: number;
  #skipping = false;
  readonly #shape: RecordShape;
  readonly #encoding: string | undefined;
  readonly #scan = newRecordScan();

  /**
   * @param copier    works through the bytes; another scanner may have it when this one has ended
   * @param delimiter byte between fields
   * @param columns   fields that every record must have
   * @param line      physical line of the first byte
   * @param about     text to put in front of every line number; what the bytes were decoded from, if
   *                  not UTF-8 (U+FFFD then stands for what could not be decoded); the kinds of the columns
   */
  constructor(
    private readonly copier: RecordCopier,
    private readonly delimiter: number,
    private readonly columns: number,
    line: number,
    private readonly sink: RecordSink,
    about: { prefix?: string; encoding?: string; kinds?: Uint8Array } = {},
  ) {
    this.line = line;
    this.#shape = {
      delimiter,
      columns,
      kinds: about.kinds ?? new Uint8Array(columns),
      prefix: Buffer.from(about.prefix ?? ""),
      strict: about.encoding !== undefined,
    };
    this.#encoding = about.encoding;
  }

  push(chunk: Buffer): void {
    this.copier.reserve(this.#held + chunk.length);
    this.copier.input.set(chunk, this.#held);
    this.#held += chunk.length;
    const taken = this.#take(this.#held, false);
    this.copier.input.copyWithin(0, taken, this.#held);
    this.#held -= taken;
  }

  end(): void {
    this.#take(this.#held, true);
    this.#held = 0;
  }

  /** Takes whole records from the head of the input, and gives where the first stands that is not whole. */
  #take(end: number, final: boolean): number {
    const { copier } = this;
    let at = this.#skipLine(0, end);
    while (at < end) {
      const run = copier.copy(at, end, this.#shape, this.line);
      if (run.position > at) {
        if (run.written > 0) this.sink.good(copier.output.subarray(0, run.written));
        this.records += run.records;
        this.longest = Math.max(this.longest, run.longest);
        this.line = run.line;
        at = run.position;
        continue;
      }
      const next = this.#takeOne(at, end, final);
      if (next < 0) break;
      at = this.#skipLine(next, end);
    }
    return at;
  }

  /** Takes one record in the careful way and gives where the next begins, or -1 when it is not whole yet. */
  #takeOne(start: number, end: number, final: boolean): number {
    const { input } = this.copier;
    const scan = scanRecord(input, start, end, this.delimiter, this.line, final, this.#scan);
    if (scan.kind === "partial") return -1;
    const line = this.line;
    this.line += scan.lines;
    if (scan.kind === "blank" && this.columns > 1) return scan.next;
    this.records++;
    const record = input.subarray(start, scan.end);
    const bad = this.#badBytes(record);
    const reason = scan.kind === "fault" ? scan.fault : (bad ?? this.#raggedness(scan.fields));
    if (reason !== undefined) this.sink.refuse(line, reason, shown(record, bad !== undefined));
    else this.#passOn(line, record, scan.odd);
    this.#skipping = scan.torn;
    return scan.next;
  }

  #raggedness(fields: number): string | undefined {
    if (fields === this.columns) return undefined;
    return `${fields} field${fields === 1 ? "" : "s"} where the header has ${this.columns}`;
  }

  #passOn(line: number, record: Buffer, odd: boolean): void {
    const delimiter = String.fromCharCode(this.delimiter);
    const text = odd
      ? Buffer.from(canonicalRecord(fieldsOf(record, 0, record.length, this.delimiter), delimiter))
      : record;
    this.sink.good(
      Buffer.concat([this.#shape.prefix, Buffer.from(`-${line}${delimiter}`), text, Buffer.from("\n")]),
    );
    this.longest = Math.max(this.longest, text.length);
  }

  #badBytes(record: Buffer): string | undefined {
    if (isText(record, this.#shape.strict)) return undefined;
    return record.includes(0) ? "a NUL byte" : `bytes that are not ${this.#encoding ?? "UTF-8"}`;
  }

  /** Drops the rest of a line whose beginning was refused; gives where the next one begins. */
  #skipLine(from: number, end: number): number {
    if (!this.#skipping) return from;
    const { input } = this.copier;
    let at = from;
    while (at < end && input[at] !== LF && input[at] !== CR) at++;
    if (at === end) return at;
    this.#skipping = false;
    return input[at] === CR && at + 1 < end && input[at + 1] === LF ? at + 2 : at + 1;
  }
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

import { isUtf8 } from "node:buffer";
import { CR, LF, longestRecord } from "./csv-record.js";
import { shown, type RecordSink } from "./scan-csv.js";

/** Stands between line number and JSON in a scratch file: no JSON text holds it. */
export const jsonDelimiter = "\u001f";

/** Splits NDJSON into lines, and a JSON array (or objects one after the other) into its elements. */
export interface JsonScanner {
  records: number;
  longest: number;
  /** Physical line of what comes next. */
  readonly line: number;
  push(chunk: Buffer): void;
  end(): void;
}

const [TAB, SPACE, QUOTE, COMMA, BACKSLASH] = [0x09, 0x20, 0x22, 0x2c, 0x5c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const isSpace = (byte: number): boolean => byte === SPACE || byte === LF || byte === CR || byte === TAB;

/** One object a line; a blank line is none. */
export class LineScanner implements JsonScanner {
  records = 0;
  longest = 0;
  #pending: Buffer = Buffer.alloc(0);
  line = 1;

  constructor(
    private readonly sink: RecordSink,
    private readonly prefix: string,
  ) {}

  push(chunk: Buffer): void {
    const bytes = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    let start = 0;
    for (let stop = bytes.indexOf(LF); stop >= 0; stop = bytes.indexOf(LF, start)) {
      this.#take(bytes.subarray(start, stop));
      start = stop + 1;
    }
    this.#pending = Buffer.from(bytes.subarray(start));
  }

  end(): void {
    if (this.#pending.length > 0) this.#take(this.#pending);
    this.#pending = Buffer.alloc(0);
  }

  #take(line: Buffer): void {
    takeElement(this, this.sink, this.prefix, this.line++, line);
  }
}

/** Elements of a top-level array, or top-level values one after the other. */
export class ElementScanner implements JsonScanner {
  records = 0;
  longest = 0;
  line = 1;
  #startLine = 1;
  #depth = 0;
  #inText = false;
  #escaped = false;
  #array: boolean | undefined;
  #closed = false;
  #parts: Buffer[] = [];
  #partBytes = 0;

  /** @param fail called when the brackets do not match: nothing after that can be trusted */
  constructor(
    private readonly sink: RecordSink,
    private readonly prefix: string,
    private readonly fail: (line: number, reason: string) => never,
  ) {}

  push(chunk: Buffer): void {
    let start = this.#partBytes > 0 ? 0 : -1;
    const keep = (to: number): void => {
      if (start < 0) return;
      this.#parts.push(Buffer.from(chunk.subarray(start, to)));
      this.#partBytes += to - start;
      if (this.#partBytes > longestRecord)
        this.fail(this.#startLine, `an element is longer than ${longestRecord} bytes`);
      start = -1;
    };
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF) this.line++;
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inText = false;
        continue;
      }
      if (isSpace(byte)) continue;
      if (this.#closed) this.fail(this.line, "something stands after the end of the array");
      if (this.#array === undefined) {
        this.#array = byte === OPEN_LIST;
        if (this.#array) continue;
      }
      const outside = this.#depth === 0;
      if (outside && this.#array && (byte === COMMA || byte === CLOSE_LIST)) {
        keep(at);
        this.#finish(byte === COMMA);
        if (byte === CLOSE_LIST) this.#closed = true;
        continue;
      }
      if (outside && start < 0) {
        start = at;
        this.#startLine = this.line;
      }
      if (byte === QUOTE) this.#inText = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.#depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        if (--this.#depth < 0) this.fail(this.line, "a bracket closes that was never opened");
        if (this.#depth === 0 && !this.#array) {
          keep(at + 1);
          this.#finish(true);
        }
      }
    }
    keep(chunk.length);
  }

  end(): void {
    if (this.#depth > 0 || this.#inText || (this.#array && !this.#closed))
      this.fail(this.line, "the JSON ends before its brackets close");
    this.#finish(false);
  }

  #finish(needed: boolean): void {
    if (this.#partBytes === 0) {
      if (needed && this.#array) this.fail(this.line, "an element is missing before a comma");
      return;
    }
    const element = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partBytes = 0;
    // Line ends stand between tokens only: inside a JSON text they are written \n.
    for (let at = 0; at < element.length; at++)
      if (element[at] === LF || element[at] === CR) element[at] = SPACE;
    takeElement(this, this.sink, this.prefix, this.#startLine, element);
  }
}

function takeElement(
  scanner: JsonScanner,
  sink: RecordSink,
  prefix: string,
  line: number,
  bytes: Buffer,
): void {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  if (start === end) return;
  scanner.records++;
  const element = bytes.subarray(start, end);
  const bad = element.includes(0) ? "a NUL byte" : isUtf8(element) ? undefined : "bytes that are not UTF-8";
  const reason =
    bad ??
    (element.length > longestRecord
      ? `the record is longer than ${longestRecord} bytes`
      : element[0] !== OPEN_OBJECT
        ? "not a JSON object"
        : element.includes(jsonDelimiter) || element.includes(CR)
          ? "not valid JSON"
          : undefined);
  if (reason !== undefined) return sink.refuse(line, reason, shown(element, bad !== undefined));
  scanner.longest = Math.max(scanner.longest, element.length);
  sink.good(Buffer.concat([Buffer.from(`${prefix}${line}${jsonDelimiter}`), element, Buffer.from("\n")]));
}

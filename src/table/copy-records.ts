import { isAscii, isUtf8 } from "node:buffer";
import { kernelFile } from "../core/kernel-file.js";
import { CR, LF, longestRecord, QUOTE } from "./csv-record.js";

/** A run of good records: how far a copier came. */
export interface CopiedRun {
  /** Where in the input the first record stands that is not plainly good. */
  position: number;
  /** Its physical line. */
  line: number;
  records: number;
  /** Bytes in the output. */
  written: number;
  /** Bytes of the longest record. */
  longest: number;
}

/** What a field is to be read as: one that is written in the most common way needs no second look. */
export type FieldKind = "number" | "date" | "timestamp" | { decimal: number };

/** Digits that a number may have here: every such number is exact in a double, a BIGINT and a DECIMAL(18). */
const mostDigits = 16;

const number = (fraction: string): RegExp =>
  new RegExp(`^-?(?=.{1,${mostDigits}}$)[0-9]+(\\.[0-9]${fraction})?$`);

/** By the numbers that the kernel knows kinds by: 0 for any text; decimals of scale s are 4 + s. */
const commonForms = [
  /^/,
  number("*"),
  /^\d{4}-\d\d-\d\d$/,
  /^\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d)?$/,
  ...Array.from({ length: mostDigits + 1 }, (_, scale) => number(`{0,${scale}}`)),
];

/** The number of a kind; 0 for none. */
export function kindNumber(kind: FieldKind | undefined): number {
  if (kind === undefined) return 0;
  if (typeof kind === "string") return ["number", "date", "timestamp"].indexOf(kind) + 1;
  return 4 + Math.min(kind.decimal, mostDigits);
}

/** What every record of a file has in common. */
export interface RecordShape {
  delimiter: number;
  /** Fields that a record must have. */
  columns: number;
  /** `kindNumber` of every column. */
  kinds: Uint8Array;
  /** Stands in front of every line number. */
  prefix: Buffer;
  /** Whether U+FFFD is no text: it then stands for bytes that could not be decoded. */
  strict: boolean;
}

/**
 * Copies records from its input to its output while they are plainly good: whole, of the right number of
 * fields, no quote out of place, not too long; each UTF-8 without NUL;
 * each as `prefix line delimiter record LF`. Blank lines are dropped unless there is one column only. The
 * line of a record stands negative unless it is plain: ASCII without quotes, no field with an outer space
 * or tab, every field that is not empty written as is common for its kind.
 */
export interface RecordCopier {
  /** Bytes to scan; filled by the caller. */
  readonly input: Buffer;
  readonly output: Buffer;
  /** Makes room for so many bytes of input, keeping what is there, and for their output. */
  reserve(bytes: number): void;
  copy(start: number, end: number, shape: RecordShape, line: number): CopiedRun;
}

const replacement = Buffer.from("\ufffd");

const MINUS = 0x2d;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09;

const isPlain = (field: Buffer, kind: number | undefined): boolean =>
  kind !== undefined &&
  !isBlank(field[0]) &&
  !isBlank(field[field.length - 1]) &&
  commonForms[kind].test(field.toString("latin1"));

/** Whether bytes are UTF-8 without NUL and, if `strict`, without U+FFFD. */
export function isText(bytes: Buffer, strict: boolean): boolean {
  return isUtf8(bytes) && !bytes.includes(0) && !(strict && bytes.includes(replacement));
}

/** Bytes that numbers may add to the records of an input, before the copier stops for want of room. */
const outputSlack = 1 << 17;

/** Bytes that a line number, its delimiter and 16-byte steps may take beside a record. */
const recordSlack = 32;

/** Half as much again, so that a little more each time does not mean a new buffer each time. */
const grownTo = (needed: number, had: number): number => Math.max(needed, Math.ceil(had * 1.5));

/** The readable copier, for machines without SIMD in WebAssembly, and to test the fast one. */
export class PlainCopier implements RecordCopier {
  input: Buffer = Buffer.alloc(0);
  output: Buffer = Buffer.alloc(0);

  reserve(bytes: number): void {
    if (bytes <= this.input.length) return;
    const room = grownTo(bytes, this.input.length);
    const larger = Buffer.alloc(room);
    this.input.copy(larger);
    this.input = larger;
    this.output = Buffer.alloc(room + outputSlack);
  }

  copy(start: number, end: number, shape: RecordShape, line: number): CopiedRun {
    const { delimiter, columns, kinds, prefix } = shape;
    const { input, output } = this;
    const run: CopiedRun = { position: start, line, records: 0, written: 0, longest: 0 };
    let at = start;
    while (at < end) {
      const recordStart = at;
      let fields = 1;
      let lines = 1;
      let plain = true;
      for (;;) {
        const fieldStart = at;
        if (input[at] === QUOTE) {
          plain = false;
          for (;;) {
            for (at++; at < end && input[at] !== QUOTE; at++)
              if (input[at] === LF || (input[at] === CR && input[at + 1] !== LF)) lines++;
            if (++at >= end) return run;
            if (input[at] !== QUOTE) break;
          }
          if (input[at] !== delimiter && input[at] !== LF && input[at] !== CR) return run;
        } else
          while (at < end && input[at] !== delimiter && input[at] !== LF && input[at] !== CR) {
            if (input[at] === QUOTE) return run;
            at++;
          }
        if (at >= end) return run;
        if (at > fieldStart) plain &&= isPlain(input.subarray(fieldStart, at), kinds[fields - 1]);
        if (input[at] !== delimiter) break;
        if (++at >= end) return run;
        fields++;
      }
      const recordEnd = at;
      if (input[at] === CR) {
        if (at + 1 >= end) return run;
        if (input[at + 1] === LF) at++;
      }
      at++;
      const length = recordEnd - recordStart;
      if (length > 0 || columns === 1) {
        const room = output.length - run.written >= prefix.length + length + recordSlack;
        if (fields !== columns || length > longestRecord || !room) return run;
        const record = input.subarray(recordStart, recordEnd);
        if (!isText(record, shape.strict)) return run;
        run.written += prefix.copy(output, run.written);
        if (!plain || !isAscii(record)) output[run.written++] = MINUS;
        run.written += output.write(String(run.line), run.written, "latin1");
        output[run.written++] = delimiter;
        run.written += input.copy(output, run.written, recordStart, recordEnd);
        output[run.written++] = LF;
        run.records++;
        run.longest = Math.max(run.longest, length);
      }
      run.line += lines;
      run.position = at;
    }
    return run;
  }
}

interface ScanKernel {
  answerAt(): number;
  copyGood(
    start: number,
    end: number,
    out: number,
    outEnd: number,
    delimiter: number,
    columns: number,
    line: number,
    prefix: number,
    prefixLength: number,
    longestRecord: number,
    strict: boolean,
    kinds: number,
    kindCount: number,
  ): void;
}

const pageBytes = 65_536;
/** First the kernel's own state, then the prefix, the kinds of columns, input and output. */
const prefixAt = pageBytes / 2;
const kindsAt = pageBytes;
const mostKinds = pageBytes;
const inputAt = kindsAt + mostKinds;
/** The kernel reads in blocks of 64 bytes, past the end of its input. */
const readSlack = 64;

/** The same in WebAssembly, 64 bytes at a time: ten times as fast (scan-csv.as.ts). */
export class WasmCopier implements RecordCopier {
  input: Buffer;
  output: Buffer;
  readonly #memory: WebAssembly.Memory;
  readonly #kernel: ScanKernel;
  #answer: Uint32Array;

  private constructor(memory: WebAssembly.Memory, kernel: ScanKernel) {
    this.#memory = memory;
    this.#kernel = kernel;
    this.input = this.output = Buffer.alloc(0);
    this.#answer = new Uint32Array(memory.buffer, kernel.answerAt(), 5);
  }

  /** A copier, or undefined where the kernel was not built or the machine lacks SIMD. */
  static create(): WasmCopier | undefined {
    const bytes = kernelFile("scan-csv");
    if (!bytes || !WebAssembly.validate(bytes)) return undefined;
    const memory = new WebAssembly.Memory({ initial: 3 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory, abort: () => undefined },
    });
    return new WasmCopier(memory, exports as unknown as ScanKernel);
  }

  reserve(bytes: number): void {
    if (bytes <= this.input.length) return;
    const kept = Buffer.from(this.input);
    const room = grownTo(bytes, kept.length);
    const outputAt = inputAt + room + readSlack;
    const needed = outputAt + room + outputSlack + readSlack;
    const pages = Math.ceil((needed - this.#memory.buffer.byteLength) / pageBytes);
    if (pages > 0) this.#memory.grow(pages);
    this.input = Buffer.from(this.#memory.buffer, inputAt, room);
    this.output = Buffer.from(this.#memory.buffer, outputAt, room + outputSlack);
    this.#answer = new Uint32Array(this.#memory.buffer, this.#kernel.answerAt(), 5);
    this.input.set(kept);
  }

  copy(
    start: number,
    end: number,
    { delimiter, columns, kinds, prefix, strict }: RecordShape,
    line: number,
  ): CopiedRun {
    Buffer.from(this.#memory.buffer, prefixAt, prefix.length).set(prefix);
    const kindCount = Math.min(kinds.length, mostKinds);
    Buffer.from(this.#memory.buffer, kindsAt, kindCount).set(kinds.subarray(0, kindCount));
    const out = this.output.byteOffset;
    this.#kernel.copyGood(
      inputAt + start,
      inputAt + end,
      out,
      out + this.output.length,
      delimiter,
      columns,
      line,
      prefixAt,
      prefix.length,
      longestRecord,
      strict,
      kindsAt,
      kindCount,
    );
    const [advanced, lineNow, records, written, longest] = this.#answer;
    return { position: start + advanced, line: lineNow, records, written, longest };
  }
}

export const newRecordCopier = (): RecordCopier => WasmCopier.create() ?? new PlainCopier();

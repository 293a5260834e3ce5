import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What one reading of a file tells. */
export interface FileFacts {
  sha256: string;
  bytes: number;
  /** Rows of a CSV, TSV, NDJSON or Parquet file; of text its lines, so quoted line breaks count. */
  rows?: number;
}
export type HashAnswer = FileFacts | { code: string };

const block = 1 << 20;
const newline = 10;

/** Reads a file once, in blocks: its sha256 and what else is told by the way. Runs on a thread of the pool, or inline for small files. */
export default function hashFile({ path }: { path: string }): HashAnswer {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    return { code: (cause as NodeJS.ErrnoException).code ?? "EIO" };
  }
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(Math.min(block, Math.max(1024, fstatSync(descriptor).size + 1)));
    const text = /\.(csv|tsv|ndjson|jsonl)$/i.test(path);
    let bytes = 0;
    let lines = 0;
    let last = newline;
    for (;;) {
      const got = readSync(descriptor, buffer, 0, buffer.length, bytes);
      if (got === 0) break;
      const part = buffer.subarray(0, got);
      hash.update(part);
      if (text) lines += newlinesIn(part);
      last = part[got - 1];
      bytes += got;
    }
    const sha256 = hash.digest("hex");
    if (text) return { sha256, bytes, rows: lines + (last === newline ? 0 : 1) };
    return { sha256, bytes, rows: /\.parquet$/i.test(path) ? parquetRows(descriptor, bytes) : undefined };
  } catch (cause) {
    return { code: (cause as NodeJS.ErrnoException).code ?? "EIO" };
  } finally {
    closeSync(descriptor);
  }
}

function newlinesIn(bytes: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === newline) count++;
  return count;
}

/** `num_rows` of a Parquet footer (field 3 of FileMetaData, Thrift compact protocol); undefined for anything unexpected. */
function parquetRows(descriptor: number, bytes: number): number | undefined {
  const tail = Buffer.alloc(8);
  if (bytes < 12 || readSync(descriptor, tail, 0, 8, bytes - 8) < 8) return undefined;
  const length = tail.readUInt32LE(0);
  if (tail.toString("latin1", 4) !== "PAR1" || length > bytes - 12) return undefined;
  const footer = Buffer.alloc(length);
  readSync(descriptor, footer, 0, length, bytes - 8 - length);
  try {
    return thriftInteger(footer, 3);
  } catch {
    return undefined;
  }
}

/** The value of an integer field of a Thrift struct in compact protocol; fields before it are stepped over. */
function thriftInteger(bytes: Buffer, wanted: number): number | undefined {
  let at = 0;
  const byte = (): number => {
    if (at >= bytes.length) throw new RangeError("the struct is cut off");
    return bytes[at++];
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const part = byte();
      value |= BigInt(part & 127) << shift;
      if (part < 128) return value;
    }
  };
  const skip = (type: number): void => {
    if (type >= 4 && type <= 6) varint();
    else if (type === 3) at += 1;
    else if (type === 7) at += 8;
    else if (type === 8) at += Number(varint());
    else if (type === 9 || type === 10) {
      const head = byte();
      const size = head >> 4 === 15 ? Number(varint()) : head >> 4;
      for (let i = 0; i < size; i++) {
        if ((head & 15) <= 2) at += 1;
        else skip(head & 15);
      }
    } else if (type === 12) {
      for (let head = byte(); head !== 0; head = byte()) {
        if (head >> 4 === 0) varint();
        skip(head & 15);
      }
    } else if (type > 2) throw new RangeError(`a field of type ${type}`);
  };
  let field = 0;
  for (let head = byte(); head !== 0; head = byte()) {
    field = head >> 4 === 0 ? Number(BigInt.asIntN(16, varint())) : field + (head >> 4);
    if (field === wanted) {
      const zigzag = varint();
      return Number((zigzag >> 1n) ^ -(zigzag & 1n));
    }
    skip(head & 15);
  }
  return undefined;
}

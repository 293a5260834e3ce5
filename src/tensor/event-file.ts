import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { makeFolderFor, writeFailure } from "../table/atomic.js";

/** A log that TensorBoard draws: scalars by name and step. */
export interface EventFile {
  readonly path: string;
  /** Adds figures of a step; they can be seen at once. */
  write(step: number, figures: Readonly<Record<string, number>>): void;
}

/**
 * Opens a new event file of TensorBoard in a folder: `tensorboard --logdir <folder>` draws all that lie there,
 * so that a training that was resumed goes on where it stopped.
 *
 * The format is TFRecord (tensorflow/core/lib/io/record_writer.h): the length of a record, 8 bytes; its masked
 * CRC-32C; the record, an `Event` of tensorflow/core/util/event.proto; its masked CRC-32C.
 *
 * @param seconds wall time of an event, since 1970
 */
export function openEventFile(folder: string, seconds: () => number = () => Date.now() / 1000): EventFile {
  makeFolderFor(folder);
  const began = seconds();
  const name = `events.out.tfevents.${Math.floor(began)}.shopai`;
  let path = join(folder, name);
  for (let again = 1; existsSync(path); again++) path = join(folder, `${name}.${again}`);
  const append = (content: Buffer): void => {
    try {
      appendFileSync(path, record(content));
    } catch (cause) {
      throw writeFailure(cause, path);
    }
  };
  append(event(began, undefined, text(3, "brain.Event:2")));
  return {
    path,
    write(step, figures) {
      const values = Object.entries(figures).map(([tag, value]) =>
        // Summary.value: tag, simple_value.
        bytes(1, Buffer.concat([text(1, tag), float(2, value)])),
      );
      append(event(seconds(), step, bytes(5, Buffer.concat(values))));
    },
  };
}

/** An Event: wall_time, step, and what it is of. */
function event(time: number, step: number | undefined, what: Buffer): Buffer {
  const wall = Buffer.alloc(9);
  wall[0] = (1 << 3) | 1;
  wall.writeDoubleLE(time, 1);
  return Buffer.concat([wall, ...(step ? [Buffer.from([2 << 3]), varint(step)] : []), what]);
}

function record(content: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([length, maskedSum(length), content, maskedSum(content)]);
}

function maskedSum(content: Uint8Array): Buffer {
  const sum = crc32c(content);
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

/** Castagnoli's polynomial, bits reversed. */
const polynomial = 0x82f63b78;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ polynomial : sum >>> 1;
  return sum;
});

/** CRC-32C (RFC 3720, appendix B.4). */
export function crc32c(content: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of content) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) | 128);
  }
}

const bytes = (field: number, content: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(field << 3) | 2]), varint(content.length), content]);
const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value));

function float(field: number, value: number): Buffer {
  const out = Buffer.alloc(5);
  out[0] = (field << 3) | 5;
  out.writeFloatLE(value, 1);
  return out;
}

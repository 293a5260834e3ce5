import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import zlib from "node:zlib";
import type iconv from "iconv-lite";
import { Decompress } from "fzstd";
import { nearest, ShopaiError } from "../core/errors.js";
import { fileChunks } from "../core/file-chunks.js";
import type { Compression } from "./format.js";
import { binaryKind } from "./foreign.js";
import { framePieces } from "./zstd-frames.js";

export interface TextBytesOptions {
  encoding?: string;
  compression?: Compression;
  signal?: AbortSignal;
}

const encodings: Record<string, string> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  ascii: "utf-8",
  "latin-1": "latin1",
  latin1: "latin1",
  "iso-8859-1": "latin1",
  "windows-1252": "windows-1252",
  cp1252: "windows-1252",
  gbk: "gbk",
  gb2312: "gbk",
  cp936: "gbk",
  gb18030: "gb18030",
  "utf-16": "utf-16",
  "utf-16le": "utf-16le",
  "utf-16be": "utf-16be",
};

/** The encodings that `--encoding` takes, under their usual names. */
export const encodingNames = ["utf-8", "latin-1", "windows-1252", "gbk", "gb18030", "utf-16"] as const;

const chunkBytes = 1 << 20;

/** A text file as a stream of UTF-8 bytes, with the sha256 of the bytes on disk once it has ended. */
export class TextBytes {
  #hash = createHash("sha256");
  #sha256: string | undefined;

  constructor(
    readonly path: string,
    private readonly options: TextBytesOptions = {},
  ) {}

  /** Lower-case hex; only after `chunks` has ended. */
  get sha256(): string {
    return (this.#sha256 ??= this.#hash.digest("hex"));
  }

  /**
   * The text, inflated and decoded to UTF-8, without its byte-order mark. UTF-8 itself is passed on as it
   * stands: bytes that are not UTF-8 are for the reader of records to refuse, one by one. A chunk's bytes
   * are good until the next one is asked for.
   *
   * @throws ShopaiError "data" for an empty, damaged or binary file, "usage" for an unknown encoding
   */
  async *chunks(): AsyncGenerator<Buffer> {
    const encoding = encodingNamed(this.options.encoding);
    const inflated = this.#inflated(this.#hashed(this.#source()));
    yield* decoded(refuseBinary(inflated, this.path, encoding), encoding);
  }

  #source(): AsyncIterable<Buffer> {
    if (this.path === "-") return process.stdin;
    // What inflates works on a chunk while the next one is read: each must have bytes of its own.
    if (this.options.compression) return createReadStream(this.path, { highWaterMark: chunkBytes });
    return fileChunks(this.path);
  }

  async *#hashed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    try {
      for await (const chunk of source) {
        this.options.signal?.throwIfAborted();
        this.#hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      throw readFailure(cause, this.path);
    }
    if (bytes === 0)
      throw new ShopaiError("data", "the file is empty (0 bytes)", {
        where: this.path,
        try: "a fresh copy of the file",
      });
  }

  async *#inflated(bytes: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    const { compression } = this.options;
    if (!compression) return yield* bytes;
    try {
      if (compression === "gz") yield* throughTransform(bytes, zlib.createGunzip({ chunkSize: chunkBytes }));
      else yield* unzstd(bytes);
    } catch (cause) {
      if (cause instanceof ShopaiError || (cause as Error).name === "AbortError") throw cause;
      throw damaged(cause as NodeJS.ErrnoException, this.path, compression);
    }
  }
}

function damaged(cause: NodeJS.ErrnoException, path: string, compression: "gz" | "zst"): ShopaiError {
  const name = compression === "gz" ? "gzip" : "zstd";
  const why = /unexpected end|unexpected EOF/i.test(cause.message)
    ? "it ends too early"
    : /header check|magic|invalid zstd/i.test(cause.message)
      ? `it is not ${name} at all`
      : "its checksum or its content is wrong";
  return new ShopaiError("data", `the ${name} file is damaged: ${why}`, {
    where: path,
    try: "a fresh copy of the file",
    cause,
  });
}

function readFailure(cause: unknown, path: string): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EACCES" || code === "EPERM")
    return new ShopaiError("data", "the file may not be read", { where: path, try: "other rights", cause });
  if (code === "EISDIR") return new ShopaiError("data", "this is a folder", { where: path, cause });
  return cause;
}

async function* throughTransform(
  bytes: AsyncGenerator<Buffer>,
  transform: zlib.Gunzip,
): AsyncGenerator<Buffer> {
  const feeding = (async () => {
    try {
      for await (const chunk of bytes) {
        if (transform.destroyed) return;
        if (!transform.write(chunk))
          await new Promise<void>((resolve) => {
            const go = (): void => {
              transform.off("drain", go).off("close", go);
              resolve();
            };
            transform.on("drain", go).on("close", go);
          });
      }
      transform.end();
    } catch (cause) {
      transform.destroy(cause as Error);
    }
  })();
  try {
    for await (const chunk of transform as AsyncIterable<Buffer>) yield chunk;
  } finally {
    transform.destroy();
    await feeding;
  }
}

/** What inflates a frame of zstd, and checks it: Node has it from 22.15 on. */
const createZstdDecompress = (
  zlib as { createZstdDecompress?: (about: { chunkSize: number }) => zlib.Gunzip }
).createZstdDecompress;

async function* unzstd(data: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const pieces = framePieces(data);
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    const first = next.value;
    const frame = (async function* () {
      yield first.bytes;
      for (let { last } = first; !last;) {
        const following = await pieces.next();
        if (following.done) return;
        yield following.value.bytes;
        last = following.value.last;
      }
    })();
    if (createZstdDecompress) yield* throughTransform(frame, createZstdDecompress({ chunkSize: chunkBytes }));
    else yield* inflateFrame(frame);
  }
}

/** Inflates zstd in JavaScript, for older Nodes; checksums of frames are not looked at. */
async function* inflateFrame(frame: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let ready: Buffer[] = [];
  const inflater = new Decompress((chunk) => {
    ready.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
  });
  for await (const chunk of frame) {
    inflater.push(chunk);
    yield* ready;
    ready = [];
  }
  inflater.push(new Uint8Array(0), true);
  yield* ready;
}

async function* refuseBinary(
  bytes: AsyncGenerator<Buffer>,
  path: string,
  encoding: string,
): AsyncGenerator<Buffer> {
  let first = true;
  for await (const chunk of bytes) {
    if (first) {
      const known = binaryKind(chunk);
      if (known)
        throw new ShopaiError("data", `this is no text: it is ${known.what}`, {
          where: path,
          try: known.advice,
        });
      const wide = encoding.startsWith("utf-16") || startsWide(chunk);
      if (!wide && looksBinary(chunk.subarray(0, 4096)))
        throw new ShopaiError("data", "this is no text: it holds binary bytes", {
          where: path,
          try: "--format for what it is, or --encoding utf-16 for a wide text",
        });
    }
    first = false;
    yield chunk;
  }
}

const startsWide = (chunk: Buffer): boolean =>
  (chunk[0] === 0xff && chunk[1] === 0xfe) || (chunk[0] === 0xfe && chunk[1] === 0xff);

/** Control bytes in more than half, or in more than a tenth with a NUL among them: no encoding of text that we read does that. */
function looksBinary(head: Buffer): boolean {
  let control = 0;
  for (const byte of head) if (byte < 0x20 && (byte < 0x09 || byte > 0x0d) && byte !== 0x1b) control++;
  return control > 1 && control * (head.includes(0) ? 10 : 2) > head.length;
}

function encodingNamed(name = "utf-8"): string {
  const known = encodings[name.toLowerCase().replaceAll("_", "-")];
  if (known) return known;
  const near = nearest(name, Object.keys(encodings));
  throw new ShopaiError("usage", `--encoding must be one of ${encodingNames.join(", ")}, got ${name}`, {
    try: `--encoding ${near ?? "gb18030"}`,
  });
}

async function* decoded(bytes: AsyncGenerator<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  let decoder: iconv.DecoderStream | undefined;
  /** The first half of a surrogate pair that two chunks share. */
  let half = "";
  let first = true;
  for await (const chunk of bytes) {
    let text = chunk;
    if (first) {
      const wide = encoding === "utf-8" && startsWide(chunk);
      const from = wide ? "utf-16" : encoding;
      if (from !== "utf-8") decoder = (await import("iconv-lite")).default.getDecoder(from);
      if (from === "utf-8" && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf)
        text = chunk.subarray(3);
      first = false;
    }
    if (decoder) {
      const characters = half + decoder.write(chunk);
      half = /[\ud800-\udbff]$/.test(characters) ? characters.slice(-1) : "";
      text = Buffer.from(half ? characters.slice(0, -1) : characters);
    }
    if (text.length > 0) yield text;
  }
  const rest = half + (decoder?.end() ?? "");
  if (rest) yield Buffer.from(rest);
}

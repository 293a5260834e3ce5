import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256, stableJson } from "../core/hash.js";
import { version } from "../core/version.js";
import { writeAtomically } from "../table/atomic.js";
import type { ModelCard } from "./learner.js";

/** The form of model folders that this program writes and reads. */
export const formatVersion = 1;

interface Arrays {
  f64: Float64Array;
  f32: Float32Array;
  i32: Int32Array;
  u8: Uint8Array;
}
type ArrayKind = keyof Arrays;
type AnyArray = Arrays[ArrayKind];
const arrayClasses = { f64: Float64Array, f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;
const kindCodes: Record<ArrayKind | "text", number> = { f64: 1, f32: 2, i32: 3, u8: 4, text: 5 };

/** What a learner stores beside the card. */
export interface FolderWriter {
  /** A typed array of a shape: `<name>.bin`. */
  array(name: string, values: AnyArray, shape?: readonly number[]): void;
  /** Texts, such as the levels behind codes: `<name>.bin`. */
  texts(name: string, values: readonly string[]): void;
  /** Small structured state: `<name>.json`. */
  json(name: string, value: unknown): void;
}

/** The same, read back; every file is checked against the card before a learner sees it. */
export interface FolderReader {
  readonly card: ModelCard;
  /** @param shape what the array must have; a number that is not known before is left undefined */
  array<K extends ArrayKind>(name: string, kind: K, shape?: readonly (number | undefined)[]): Arrays[K];
  texts(name: string): string[];
  json<T>(name: string): T;
}

/** Writes `model.json` and the learner's files as one folder, atomically. */
export async function writeModelFolder(
  path: string,
  card: ModelCard,
  save: (folder: FolderWriter) => void,
): Promise<void> {
  const files: [name: string, content: Uint8Array][] = [];
  save({
    array: (name, values, shape = [values.length]) => files.push([`${name}.bin`, arrayBytes(values, shape)]),
    texts: (name, values) => files.push([`${name}.bin`, textBytes(values)]),
    json: (name, value) => files.push([`${name}.json`, Buffer.from(`${stableJson(value, 1)}\n`)]),
  });
  const full: ModelCard = {
    ...card,
    files: Object.fromEntries(files.map(([name, content]) => [name, sha256(content)])),
  };
  if (!replaceable(path))
    throw new ShopaiError("data", "something that is no model stands where the model folder should go", {
      where: path,
      try: "another folder",
    });
  await writeAtomically(path, async (temporary) => {
    mkdirSync(temporary);
    for (const [name, content] of files) writeFileSync(join(temporary, name), content);
    writeFileSync(join(temporary, "model.json"), `${stableJson(full, 2)}\n`);
  });
}

/** A model folder or an empty one may be written over; anything else of the user's may not. */
function replaceable(path: string): boolean {
  if (!existsSync(path)) return true;
  return statSync(path).isDirectory() && (isModelFolder(path) || readdirSync(path).length === 0);
}

/** Whether a path looks like a model folder. */
export function isModelFolder(path: string): boolean {
  return existsSync(join(path, "model.json"));
}

/** Reads the card alone. @throws ShopaiError "model" when the folder is no model, or of another format version */
export function readModelCard(path: string): ModelCard {
  const file = join(path, "model.json");
  if (!existsSync(path))
    throw new ShopaiError("model", "no such model", { where: path, try: "shopai train … -o " + path });
  if (!existsSync(file))
    throw new ShopaiError("model", "this is no model: it holds no model.json", {
      where: path,
      try: "the folder that train wrote with -o",
    });
  let card: ModelCard;
  try {
    card = JSON.parse(readFileSync(file, "utf8")) as ModelCard;
  } catch (cause) {
    throw new ShopaiError("model", "the model is damaged: model.json is no JSON", {
      where: file,
      try: "training it again",
      cause,
    });
  }
  if (card.format !== "shopai-model")
    throw new ShopaiError("model", "this is no model: model.json is of another kind", { where: file });
  if (card.format_version !== formatVersion)
    throw new ShopaiError(
      "model",
      `the model has format version ${card.format_version} (shopai ${card.version}); shopai ${version} reads format version ${formatVersion}`,
      { where: path, try: "training it again, or the version of shopai that wrote it" },
    );
  return card;
}

/**
 * Reads and checks every file of a model folder.
 *
 * @throws ShopaiError "model" naming the file that is missing or does not hold what was written
 */
export function readModelFolder(path: string): FolderReader {
  const card = readModelCard(path);
  const contents = new Map<string, Buffer>();
  for (const [name, expected] of Object.entries(card.files)) {
    const file = join(path, name);
    if (!existsSync(file)) throw damaged(`the model is damaged: ${name} is missing`, file);
    const content = readFileSync(file);
    const found = sha256(content);
    if (found !== expected)
      throw damaged(
        `the model is damaged: ${name} has sha256 ${found.slice(0, 12)}…, model.json says ${expected.slice(0, 12)}…`,
        file,
      );
    contents.set(name, content);
  }
  const content = (name: string): Buffer => {
    const bytes = contents.get(name);
    if (!bytes) throw damaged(`the model is damaged: model.json lists no ${name}`, path);
    return bytes;
  };
  return {
    card,
    array: (name, kind, shape) => arrayFrom(content(`${name}.bin`), kind, shape, join(path, `${name}.bin`)),
    texts: (name) => textsFrom(content(`${name}.bin`), join(path, `${name}.bin`)),
    json: <T>(name: string) => JSON.parse(content(`${name}.json`).toString("utf8")) as T,
  };
}

function damaged(message: string, where: string): ShopaiError {
  return new ShopaiError("model", message, { where, try: "training it again, or another copy" });
}

/*
 * A blob: "SHPM", format version, kind of its values, number of dimensions, a zero (8 bytes); each
 * dimension as a 64-bit integer; zeros up to a multiple of 16; the values, little-endian. Texts have
 * one dimension, their byte lengths as 32-bit integers, then their UTF-8 bytes.
 */
const magic = "SHPM";

function header(kind: ArrayKind | "text", shape: readonly number[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil((8 + 8 * shape.length) / 16) * 16);
  bytes.write(magic, 0, "latin1");
  bytes[4] = formatVersion;
  bytes[5] = kindCodes[kind];
  bytes[6] = shape.length;
  shape.forEach((length, i) => bytes.writeBigUInt64LE(BigInt(length), 8 + 8 * i));
  return bytes;
}

function arrayBytes(values: AnyArray, shape: readonly number[]): Uint8Array {
  const kind = (Object.keys(arrayClasses) as ArrayKind[]).find(
    (name) => values instanceof arrayClasses[name],
  )!;
  if (shape.reduce((a, b) => a * b, 1) !== values.length)
    throw new TypeError(`${values.length} values do not fill the shape ${shape.join(" x ")}`);
  return Buffer.concat([
    header(kind, shape),
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  ]);
}

function textBytes(values: readonly string[]): Uint8Array {
  const encoded = values.map((text) => Buffer.from(text, "utf8"));
  const lengths = Int32Array.from(encoded, (bytes) => bytes.length);
  return Buffer.concat([header("text", [values.length]), new Uint8Array(lengths.buffer), ...encoded]);
}

function bodyOf(bytes: Buffer, kind: ArrayKind | "text", file: string): { shape: number[]; start: number } {
  if (bytes.length < 8 || bytes.toString("latin1", 0, 4) !== magic)
    throw damaged("the model is damaged: the file does not start as one of ours", file);
  if (bytes[4] !== formatVersion || bytes[5] !== kindCodes[kind])
    throw damaged("the model is damaged: the file holds values of another kind", file);
  const shape = Array.from({ length: bytes[6] }, (_, i) => Number(bytes.readBigUInt64LE(8 + 8 * i)));
  return { shape, start: Math.ceil((8 + 8 * shape.length) / 16) * 16 };
}

function arrayFrom<K extends ArrayKind>(
  bytes: Buffer,
  kind: K,
  wanted: readonly (number | undefined)[] | undefined,
  file: string,
): Arrays[K] {
  const { shape, start } = bodyOf(bytes, kind, file);
  const length = shape.reduce((a, b) => a * b, 1);
  const fits =
    !wanted || (wanted.length === shape.length && wanted.every((n, i) => n === undefined || n === shape[i]));
  if (!fits || bytes.length !== start + length * arrayClasses[kind].BYTES_PER_ELEMENT)
    throw damaged(
      `the model is damaged: the file has the shape ${shape.join(" x ")}${wanted ? `, not ${wanted.map((n) => n ?? "?").join(" x ")}` : ""}`,
      file,
    );
  // A copy of its own: a Buffer of the pool does not start at a multiple of 8.
  const body = bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length) as ArrayBuffer;
  return new arrayClasses[kind](body) as Arrays[K];
}

function textsFrom(bytes: Buffer, file: string): string[] {
  const { shape, start } = bodyOf(bytes, "text", file);
  const texts = new Array<string>(shape[0]);
  let offset = start + 4 * shape[0];
  for (let i = 0; i < shape[0]; i++) {
    const end = offset + bytes.readInt32LE(start + 4 * i);
    texts[i] = bytes.toString("utf8", offset, end);
    offset = end;
  }
  return texts;
}

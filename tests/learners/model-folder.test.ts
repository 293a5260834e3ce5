import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/core/hash.js";
import type { ModelCard } from "../../src/learners/learner.js";
import { loadModel } from "../../src/learners/model.js";
import {
  formatVersion,
  readModelFolder,
  writeModelFolder,
  type FolderWriter,
} from "../../src/learners/model-folder.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
let folders = 0;
const fresh = (): string => join(folder, `model-${++folders}`);

const card: ModelCard = {
  format: "shopai-model",
  format_version: formatVersion,
  version: "0.0.1",
  learner: "oracle",
  task: "regression",
  params: {},
  roles: {},
  role_types: {},
  features: [{ name: "x", type: "DOUBLE" }],
  seed: 1,
  rows: 2,
  inputs: [],
  about: {},
  files: {},
};

async function written(save: (folder: FolderWriter) => void): Promise<string> {
  const path = fresh();
  await writeModelFolder(path, card, save);
  return path;
}

describe("what is written is read back", () => {
  test("arrays of every kind and shape, bit by bit", async () => {
    const doubles = Float64Array.from([0, -0, 1 / 3, Infinity, Number.MIN_VALUE, NaN]);
    const path = await written((out) => {
      out.array("doubles", doubles, [2, 3]);
      out.array("floats", Float32Array.from([0.5]));
      out.array("integers", Int32Array.from([-1, 2147483647]).subarray(1));
      out.array("bytes", new Uint8Array(0));
    });
    const folder = readModelFolder(path);
    expect(folder.array("doubles", "f64", [2, undefined])).toEqual(doubles);
    expect(folder.array("floats", "f32")).toEqual(Float32Array.from([0.5]));
    expect(folder.array("integers", "i32", [1])).toEqual(Int32Array.from([2147483647]));
    expect(folder.array("bytes", "u8", [0])).toHaveLength(0);
  });

  test("any texts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" })), async (texts) => {
        const path = await written((out) => out.texts("texts", texts));
        expect(readModelFolder(path).texts("texts")).toEqual(texts);
      }),
      { numRuns: 15 },
    );
  });

  test("a blob begins with its magic bytes, version, kind and shape", async () => {
    const path = await written((out) => out.array("weights", Float64Array.from([1, 2]), [1, 2]));
    const bytes = readFileSync(join(path, "weights.bin"));
    expect(bytes.toString("latin1", 0, 4)).toBe("SHPM");
    expect([...bytes.subarray(4, 8)]).toEqual([formatVersion, 1, 2, 0]);
    expect([bytes.readBigUInt64LE(8), bytes.readBigUInt64LE(16)]).toEqual([1n, 2n]);
    expect(bytes.readDoubleLE(32)).toBe(1);
    expect(bytes).toHaveLength(48);
  });
});

describe("what is no model is refused, and says why", () => {
  test("nothing there, no model.json, no JSON, another format", () => {
    expect(() => readModelFolder(join(folder, "nowhere"))).toThrow("no such model");
    const path = fresh();
    mkdirSync(path);
    expect(() => readModelFolder(path)).toThrow("this is no model: it holds no model.json");
    writeFileSync(join(path, "model.json"), "{");
    expect(() => readModelFolder(path)).toThrow("model.json is no JSON");
    writeFileSync(join(path, "model.json"), '{"format":"onnx"}');
    expect(() => readModelFolder(path)).toThrow("model.json is of another kind");
  });

  test("a file that is missing, of another kind or of another shape", async () => {
    const path = await written((out) => out.array("weights", Float64Array.from([1, 2, 3])));
    const folder = readModelFolder(path);
    expect(() => folder.array("weights", "f32")).toThrow("values of another kind");
    expect(() => folder.array("weights", "f64", [4])).toThrow("the file has the shape 3, not 4");
    expect(() => folder.array("other", "f64")).toThrow("model.json lists no other.bin");
    replaceBlob(path, (bytes) => bytes.subarray(0, 20));
    expect(() => readModelFolder(path).array("weights", "f64")).toThrow("shape 3");
    replaceBlob(path, () => Buffer.from("not one of ours"));
    expect(() => readModelFolder(path).array("weights", "f64")).toThrow("does not start as one of ours");
  });

  test("a learner that is not here", async () => {
    await expect(loadModel(await written(() => undefined))).rejects.toThrow(
      'the model was fitted by the learner "oracle", which is not here',
    );
  });
});

/** Another content with the sha256 that goes with it: what a careless tool would leave. */
function replaceBlob(path: string, change: (bytes: Buffer) => Buffer): void {
  const file = join(path, "weights.bin");
  const bytes = change(readFileSync(file));
  writeFileSync(file, bytes);
  const stored = JSON.parse(readFileSync(join(path, "model.json"), "utf8")) as ModelCard;
  writeFileSync(
    join(path, "model.json"),
    JSON.stringify({ ...stored, files: { "weights.bin": sha256(bytes) } }),
  );
}

describe("writing", () => {
  test("a model replaces a model or an empty folder, and nothing else of the user's", async () => {
    const path = await written((out) => out.texts("old", ["x"]));
    await writeModelFolder(path, card, (out) => out.texts("new", ["y"]));
    expect(readdirSync(path).sort()).toEqual(["model.json", "new.bin"]);
    const precious = fresh();
    mkdirSync(precious);
    await writeModelFolder(precious, card, () => undefined);
    const notes = join(folder, "notes");
    mkdirSync(notes);
    writeFileSync(join(notes, "notes.txt"), "mine");
    await expect(writeModelFolder(notes, card, () => undefined)).rejects.toThrow(
      "something that is no model",
    );
    expect(readFileSync(join(notes, "notes.txt"), "utf8")).toBe("mine");
  });

  test("a file where the folder should be is an error of the user's", async () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "mine");
    await expect(writeModelFolder(join(file, "model"), card, () => undefined)).rejects.toThrow(
      "has a file where its folder should be",
    );
    await expect(writeModelFolder(file, card, () => undefined)).rejects.toThrow("something that is no model");
  });

  test("a failure leaves the old model and no half folder", async () => {
    const path = await written((out) => out.texts("old", ["x"]));
    await expect(
      writeModelFolder(path, card, () => {
        throw new Error("the learner broke");
      }),
    ).rejects.toThrow("the learner broke");
    expect(readModelFolder(path).texts("old")).toEqual(["x"]);
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
    expect(existsSync(path)).toBe(true);
  });
});

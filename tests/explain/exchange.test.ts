import fc from "fast-check";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { pathContributions } from "../../src/learners/gbdt/explain/contributions.js";
import type { ForeignModel } from "../../src/learners/gbdt/exchange/foreign.js";
import { readLightgbm } from "../../src/learners/gbdt/exchange/lightgbm-in.js";
import { doubleAbove, doubleBelow } from "../../src/learners/gbdt/exchange/neighbours.js";
import { doubleThreshold, readXgboost } from "../../src/learners/gbdt/exchange/xgboost-in.js";
import { floatThreshold } from "../../src/learners/gbdt/exchange/xgboost-out.js";
import { applyLink, rawScore, type TreeColumn, type TreeModel } from "../../src/learners/gbdt/trees.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";
import { exports, files } from "./exported.js";

interface Case {
  tool: "xgboost" | "lightgbm";
  rows: (number | string | null)[][];
  text?: string;
  base64?: string;
  prediction: number[];
  margin: number[];
  contributions?: number[];
}

// XGBoost and LightGBM; versions and script stand in the file.
const { cases } = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/tree-peers.json"), "utf8")) as {
  cases: Record<string, Case>;
};
const run = testRun();

const refused: Record<string, RegExp> = {
  "xgboost gblinear": /the booster gblinear/,
  "lightgbm zero as missing": /zero as a missing value/,
  "lightgbm linear trees": /linear trees/,
  "lightgbm one against all": /the objective multiclassova/,
};

function read({ tool, text, base64 }: Case): ForeignModel {
  const bytes = base64 === undefined ? Buffer.from(text!) : Buffer.from(base64, "base64");
  return tool === "xgboost" ? readXgboost(bytes, "m.json") : readLightgbm(bytes.toString(), "m.txt");
}

/** LightGBM's raw scores before it multiplies by sigmoid, or divides by the number of trees of a forest. */
const scales: Record<string, number> = { "lightgbm binary, sigmoid 2": 2, "lightgbm random forest": 1 / 3 };

/** Rows as trees see them. */
function encoded(rows: Case["rows"], columns: readonly TreeColumn[]): Float64Array {
  return Float64Array.from(
    rows.flatMap((row) =>
      row.map((value, c) => {
        const column = columns[c];
        if (value === null) return NaN;
        if (column.kind !== "category") return Number(value);
        const level = column.levels.indexOf(String(value));
        return level < 0 ? NaN : level;
      }),
    ),
  );
}

function worst(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found).toHaveLength(wanted.length);
  return wanted.reduce(
    (most, value, i) => Math.max(most, Math.abs(found[i] - value) / Math.max(1, Math.abs(value))),
    0,
  );
}

describe.each(Object.entries(cases).filter(([name]) => !(name in refused)))("%s", (name, sample) => {
  const { model } = read(sample);
  const { trees, columns } = model;
  const rows = encoded(sample.rows, columns);
  const count = sample.rows.length;
  const raw = (values: readonly number[]): number[] => values.map((value) => value * (scales[name] ?? 1));
  // XGBoost adds float32 numbers up.
  const tolerance = sample.tool === "xgboost" ? 1e-6 : 1e-12;

  test("predicts what the tool predicted", () => {
    const scores = new Float64Array(count * trees.outputs);
    for (let r = 0; r < count; r++) scores.set(rawScore(trees, rows, r * columns.length), r * trees.outputs);
    expect(worst(scores, raw(sample.margin))).toBeLessThan(tolerance);
    expect(worst(applyLink(model.link, scores, trees.outputs), sample.prediction)).toBeLessThan(tolerance);
  });

  test("explains as the tool explained", async () => {
    const { of, expected } = await pathContributions(trees, columns.length, run.pool);
    const values = of(rows);
    const width = columns.length;
    const withBase = Array.from({ length: count * trees.outputs }, (_, i) => [
      ...values.slice(i * width, (i + 1) * width),
      expected[i % trees.outputs],
    ]).flat();
    expect(worst(withBase, raw(sample.contributions!))).toBeLessThan(sample.tool === "xgboost" ? 1e-5 : 1e-9);
  });
});

test.each(Object.entries(refused))("%s is refused as a model error", (name, message) => {
  const error = failure(() => read(cases[name]));
  expect([error.kind, error.message, error.where]).toEqual([
    "model",
    expect.stringMatching(message),
    expect.any(String),
  ]);
  expect(error.try).toBeDefined();
});

function failure(work: () => unknown): ShopaiError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ShopaiError);
    return error as ShopaiError;
  }
  throw new Error("nothing was refused");
}

interface Loaded {
  sha256: string;
  prediction: number[];
  contributions: number[];
}

// What XGBoost and LightGBM made of our files; versions and script stand in the file.
const loaded = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/tree-exports.json"), "utf8")) as {
  cases: Record<string, Record<"xgboost" | "lightgbm", Loaded>>;
};

describe.each(Object.entries(exports))("our %s", (name, sample) => {
  const { model, passport, rows } = sample;
  const { trees, columns, link } = model;
  const width = columns.length;
  const count = rows.length / width;
  const scores = scoresOf(model, rows);
  const written = files(sample);

  test.each(["xgboost", "lightgbm"] as const)("%s loads it and predicts the same", async (tool) => {
    const peer = loaded.cases[name][tool];
    // Else what is written has changed: tests/parity/scripts/tree_exports.py asks the tools again.
    expect(createHash("sha256").update(written[tool]).digest("hex")).toBe(peer.sha256);
    const predicted = applyLink(link, scores.slice(), trees.outputs);
    expect(worst(predicted, peer.prediction)).toBeLessThan(1e-6);
    // Covers are counts, rounded, in LightGBM: those of its file are meant here.
    const own = tool === "xgboost" ? trees : readLightgbm(written.lightgbm, "m.txt").model.trees;
    const { of, expected } = await pathContributions(own, width, run.pool);
    const values = of(rows);
    const withBase = Array.from({ length: count * trees.outputs }, (_, i) => [
      ...values.slice(i * width, (i + 1) * width),
      expected[i % trees.outputs],
    ]).flat();
    expect(worst(withBase, peer.contributions)).toBeLessThan(tool === "xgboost" ? 2e-6 : 1e-9);
  });

  test.each(["xgboost", "lightgbm"] as const)("from %s back again, it is the same model", (tool) => {
    const back =
      tool === "xgboost"
        ? readXgboost(Buffer.from(written.xgboost), "m.json")
        : readLightgbm(written.lightgbm, "m.txt");
    expect(back.passport).toEqual(JSON.parse(JSON.stringify(passport)));
    expect(back.model.columns).toEqual(columns);
    expect([back.model.link, back.model.objective]).toEqual([link, model.objective]);
    const again = scoresOf(back.model, rows);
    expect(worst(again, [...scores])).toBeLessThan(tool === "xgboost" ? 1e-6 : 1e-12);
  });
});

function scoresOf({ trees, columns }: TreeModel, rows: Float64Array): Float64Array {
  const scores = new Float64Array((rows.length / columns.length) * trees.outputs);
  for (let r = 0; r * columns.length < rows.length; r++)
    scores.set(rawScore(trees, rows, r * columns.length), r * trees.outputs);
  return scores;
}

test("float32 thresholds as float64 thresholds, and back", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), fc.double({ noNaN: true }), (single, double) => {
      const threshold = doubleThreshold(single);
      expect(floatThreshold(threshold)).toBe(single === 0 ? 0 : single);
      for (const x of [double, single, threshold, doubleBelow(threshold), doubleAbove(threshold)])
        expect(x < threshold).toBe(Math.fround(x) < single);
    }),
  );
  // Between two float32 values, and just behind one: both stay on their sides.
  expect(floatThreshold(2.5)).toBe(2.5);
  expect(Math.fround(3) < floatThreshold(doubleAbove(3))).toBe(true);
  expect(0 < floatThreshold(Number.MIN_VALUE)).toBe(true);
  expect(Math.fround(0.7) < floatThreshold(0.7)).toBe(false);
});

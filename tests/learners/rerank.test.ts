import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import type { Model } from "../../src/learners/learner.js";
import { learnerNamed } from "../../src/learners/registry.js";
import type { Rules } from "../../src/learners/rerank.js";
import { trainModel } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";

const run = testRun();
const roles = { user: "u", item: "i" };
let engine: Engine;
let model: Model;
let items: Relation;
beforeAll(async () => {
  engine = await run.engine();
  // By popularity a b c d e f; a and b have the same users, and so have d and e.
  const holders = {
    a: [1, 2, 3, 4, 5, 6],
    b: [1, 2, 3, 4, 5, 6],
    c: [1, 2, 3, 7, 8],
    d: [7, 8, 9],
    e: [7, 8, 9],
    f: [4],
  };
  const pairs = Object.entries(holders).flatMap(([i, users]) => users.map((u) => [u, i] as const));
  const table = await relationFrom(
    engine,
    { u: pairs.map(([u]) => u), i: pairs.map(([, i]) => i) },
    { u: "BIGINT" },
  );
  model = await trainModel(await learnerNamed("popularity"), table, { roles }, run);
  items = await relationFrom(engine, {
    i: ["a", "b", "c", "d", "e", "other"],
    stock: [0, 3, 2, null, 5, 1],
    group: ["x", "x", "x", "y", "y", null],
    margin: [0, 0.1, 0.2, 0.9, 0.4, 0.2],
  });
});

const listOf = async (rules: Rules, k = 4): Promise<unknown[]> => {
  const stranger = await relationFrom(engine, { u: [99] }, { u: "BIGINT" });
  return (await rowsOf(await model.predict(stranger, { k, rules }, run))).map((row) => row.i);
};

test("require: what is not known to fit is left out, and others take the places", async () => {
  expect(await listOf({ items, require: "stock > 0" })).toEqual(["b", "c", "e"]);
});

test("cap: at most so many of one value; items without a value are not capped", async () => {
  expect(await listOf({ items, caps: { group: 1 } })).toEqual(["a", "d", "f"]);
  expect(await listOf({ items, caps: { group: 2 } })).toEqual(["a", "b", "d", "e"]);
});

test("boost lifts by the column's place between its ends, and leaves the score as it was", async () => {
  // Relevance (6, 6, 5, 3, 3, 1 less 1, over 5) times 1 + margin / 0.9: d 0.4 x 2 = 0.8; c 0.8 x 1.22; b 1 x 1.11.
  expect(await listOf({ items, boosts: { margin: 1 } })).toEqual(["b", "a", "c", "d"]);
  expect(await listOf({ items, boosts: { margin: 3 } }, 2)).toEqual(["d", "b"]);
});

test("diversity: maximal marginal relevance by hand", async () => {
  expect(await listOf({ diversity: 0 })).toEqual(["a", "b", "c", "d"]);
  // After a: b is worth 0.5 - 0.5 x 1, c 0.4 - 0.5 x 3 / sqrt(30), d 0.2 - 0 and so is e, f 0 - 0.5 / sqrt(6).
  expect(await listOf({ diversity: 0.5 }, 2)).toEqual(["a", "d"]);
});

test("candidates bound what rules choose from, and ranks follow the new order", async () => {
  expect(await listOf({ items, caps: { group: 1 }, candidates: 4 })).toEqual(["a", "d"]);
  const stranger = await relationFrom(engine, { u: [99] }, { u: "BIGINT" });
  const rows = await rowsOf(await model.predict(stranger, { k: 2, rules: { diversity: 0.5 } }, run));
  expect(rows).toMatchObject([
    { i: "a", score: 6, rank: 1 },
    { i: "d", score: 3, rank: 2 },
  ]);
});

describe("rules that cannot be followed", () => {
  test.each<[string, () => Promise<Rules>, string, RegExp]>([
    [
      "no table of items",
      async () => ({ caps: { group: 1 } }),
      "usage",
      /speak of columns of a table of items/,
    ],
    [
      "no such column",
      async () => ({ items, caps: { groep: 1 } }),
      "data",
      /column "groep" is not in the table/,
    ],
    ["words cannot boost", async () => ({ items, boosts: { group: 1 } }), "data", /only numbers can boost/],
    ["no such column in the predicate", async () => ({ items, require: "stok > 0" }), "data", /stok/],
    [
      "an item twice",
      async () => ({
        items: await relationFrom(engine, { i: ["a", "a"], stock: [1, 2] }),
        require: "stock > 0",
      }),
      "data",
      /must stand once.*: a/,
    ],
    [
      "no item column",
      async () => ({ items: await relationFrom(engine, { sku: ["a"], stock: [1] }), require: "stock > 0" }),
      "data",
      /column "i" is not in the table/,
    ],
  ])("%s", async (_, rules, kind, message) => {
    await expect(listOf(await rules())).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
    });
  });
});

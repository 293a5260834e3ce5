import { beforeAll, describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import type { Engine } from "../../src/engine/engine.js";
import { pairs, wordCutter } from "../../src/features/words.js";
import type { Model } from "../../src/learners/learner.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun();
const roles = { user: "who", item: "sku" };
let engine: Engine;
let orders: Relation;
beforeAll(async () => {
  engine = await run.engine();
  orders = await relationFrom(engine, {
    who: ["ann", "ann", "bob", "cy"],
    sku: ["coat1", "coat2", "pot1", "phone"],
  });
});

const shelf: Record<string, Values> = {
  sku: ["coat1", "coat2", "coat3", "pot1", "pot2", "phone", "case"],
  title: [
    "Warm wool coat for winter",
    "Long coat of soft wool",
    "Short wool coat with hood",
    "Iron pot with a lid",
    "Big iron pot, two litres",
    "智能手机 大屏幕 手机",
    "手机壳 透明 防摔 手机",
  ],
  group: ["clothes > coats", "clothes > coats", "clothes > coats", "kitchen", "kitchen", "phones", "phones"],
  price: [90, 110, 100, 40, 45, 500, 9],
  sale: [true, false, true, false, false, false, true],
};
async function trained(
  columns: Record<string, Values> = shelf,
  ask: Partial<TrainingAsk> = {},
  learner = "content",
): Promise<Model> {
  const items = await relationFrom(engine, columns, columns.sale ? { sale: "BOOLEAN" } : {});
  return trainModel(await learnerNamed(learner), orders, { roles, items, ...ask }, run);
}
async function refusal(work: Promise<unknown>): Promise<ShopaiError> {
  const error = await work.catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

test("items that nobody had are recommended, and it is said why", async () => {
  const model = await trained();
  expect(model.card.about).toMatchObject({
    items: 7,
    "items without interactions": 3,
    columns: { title: "text", group: "category", price: "number", sale: "flag" },
    chinese: "jieba",
  });
  const rows = await rowsOf(await model.predict(undefined, { k: 1, explain: true }, run));
  expect(rows.map((row) => [row.who, row.sku])).toEqual([
    ["ann", "coat3"],
    ["bob", "pot2"],
    ["cy", "case"],
  ]);
  expect(rows[0].reason).toMatch(/^coat\d \(\d+ %\), coat\d \(\d+ %\): .*(coat|wool)/);
  expect(rows[2].reason).toMatch(/^phone \(100 %\): .*手机/);
});

test("scores are cosines with each of the user's items, added up; similar items are symmetric", async () => {
  const model = await trained();
  const { items } = model.catalogue!;
  const alike = (item: string): Float64Array => {
    const scores = new Float64Array(items.length);
    model.scorer!.similar!(items.indexOf(item), scores);
    return scores;
  };
  for (const item of items) {
    expect(alike(item)[items.indexOf(item)]).toBeCloseTo(1, 5);
    for (const other of items)
      expect(alike(item)[items.indexOf(other)]).toBeCloseTo(alike(other)[items.indexOf(item)], 6);
  }
  const scores = new Float64Array(items.length);
  model.scorer!.user(0, scores);
  scores.forEach((score, i) => expect(score).toBeCloseTo(alike("coat1")[i] + alike("coat2")[i], 5));
});

test("cold items in a hybrid, and a newcomer's list from items alone", async () => {
  const model = await trained(shelf, { parts: ["content", "item-knn"], params: { tune: false } }, "hybrid");
  const rows = await rowsOf(
    await model.predict(await relationFrom(engine, { who: ["eve"], sku: ["pot1"] }), { k: 1 }, run),
  );
  expect(rows).toMatchObject([{ who: "eve", sku: "pot2" }]);
});

test("--features chooses among the columns of the items", async () => {
  const model = await trained(shelf, { features: ["group", "pri*"] });
  expect(model.card.about.columns).toEqual({ group: "category", price: "number" });
  const error = await refusal(trained(shelf, { features: ["titel"] }));
  expect([error.kind, error.try]).toEqual(["data", "--features title"]);
});

describe("tables of items that cannot be used", () => {
  test.each<[string, Record<string, Values>, string, RegExp]>([
    ["without the item column", { skus: ["a"], title: ["x"] }, "data", /column "sku" is not in the table/],
    [
      "an item twice with different values",
      { sku: ["coat1", "coat1", "pot1"], title: ["a coat of wool", "a coat", "a pot"] },
      "data",
      /stand there with different values: coat1/,
    ],
    ["nothing but ids", { sku: ["coat1", "pot1"] }, "data", /no column that says what an item is like/],
    ["no rows", { sku: [null], title: [null] }, "data", /holds none|no column/],
  ])("%s", async (_, columns, kind, message) => {
    const error = await refusal(trained(columns));
    expect([error.kind, error.message]).toEqual([kind, expect.stringMatching(message)]);
  });

  test("ids of another type; no table at all; a learner that uses none", async () => {
    const numbers = await relationFrom(
      engine,
      { who: [1, 2], sku: [7, 8] },
      { who: "BIGINT", sku: "BIGINT" },
    );
    const items = await relationFrom(engine, { sku: ["a7"], title: ["a coat of wool"] });
    const content = await learnerNamed("content");
    expect((await refusal(trainModel(content, numbers, { roles, items }, run))).message).toBe(
      'the item "a7" of the table of items (VARCHAR) is no BIGINT, as in the interactions',
    );
    expect(await refusal(trainModel(content, orders, { roles }, run))).toMatchObject({
      kind: "usage",
      try: "--items items.parquet",
    });
    expect(
      await refusal(trainModel(await learnerNamed("ease"), orders, { roles, items }, run)),
    ).toMatchObject({
      kind: "usage",
      message: "ease uses no table of items",
    });
  });

  test("equal rows count once; an item that is not in the table is said", async () => {
    run.warnings.length = 0;
    const twice = Object.fromEntries(
      Object.entries(shelf).map(([name, values]) => [name, [...values.slice(1), values[1], values[2]]]),
    );
    const model = await trained(twice);
    expect(run.warnings).toEqual([
      "content knows nothing of 1 of 7 items: they are not in the table of items, or have no term in common with another",
    ]);
    expect(model.catalogue!.items).toHaveLength(7);
  });
});

test("words: lower case, NFKC, no punctuation; Chinese by the dictionary or in pairs", async () => {
  const plain = await wordCutter(false);
  expect(plain.words("Ｗool COAT, 2-in-1 (Größe 42)")).toEqual([
    "wool",
    "coat",
    "2",
    "in",
    "1",
    "größe",
    "42",
  ]);
  expect(plain.words("手机壳 iPhone15")).toEqual(["手机", "机壳", "iphone15"]);
  expect(pairs("壳")).toEqual(["壳"]);
  const chinese = await wordCutter(true);
  expect(chinese.words("红色羊毛外套")).toContain("羊毛");
});

import { describe, expect, test } from "vitest";
import { learnerNamed } from "../../src/learners/registry.js";
import { tokensOf } from "../../src/learners/neural/tokens-encoding.js";
import { trainModel } from "../../src/learners/training.js";
import { seededRng } from "../../src/core/rng.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun();
const given = async (columns: Record<string, Values>, types: Record<string, string> = {}) =>
  relationFrom(await run.engine(), columns, types);

/** Rows of which one column of numbers and one of texts tell the class by their product alone. */
function crossed(rows: number, seed: string): Record<string, Values> {
  const rng = seededRng(1, seed);
  const x = Array.from({ length: rows }, () => Math.round(rng.normal() * 100) / 100);
  const side = Array.from({ length: rows }, () => ["left", "right"][rng.integer(2)]);
  return { x, side, hit: x.map((value, r) => (value > 0 === (side[r] === "left") ? "yes" : "no")) };
}

describe("networks over columns", () => {
  test.each(["mlp", "wide-deep", "deepfm", "dcn"])("%s learns what no column tells alone", async (name) => {
    const model = await trainModel(
      await learnerNamed(name),
      await given(crossed(600, "train")),
      { roles: { target: "hit" }, params: { epochs: 30, batch: 64, rate: 0.01, width: 16, dropout: 0 } },
      run,
    );
    const test = crossed(300, "test");
    const found = await rowsOf<{ prediction: string }>(await model.predict(await given(test), {}, run));
    const right = found.filter(({ prediction }, r) => prediction === test.hit[r]).length;
    expect(right / 300).toBeGreaterThan(0.93);
    expect(model.card.about).toMatchObject({ device: "cpu", valid_rows: 60 });
  });

  test("a category that training did not see, and values that are missing, are answered", async () => {
    const model = await trainModel(
      await learnerNamed("mlp"),
      await given(crossed(200, "train")),
      { roles: { target: "hit" }, params: { epochs: 2 } },
      run,
    );
    const odd = await given({ x: [0, null, 1e300], side: ["above", "left", null] });
    const found = await rowsOf<{ score: number }>(await model.predict(odd, {}, run));
    expect(found.every(({ score }) => score > 0 && score < 1)).toBe(true);
  });

  test("numbers are learned in the units of the target", async () => {
    const rng = seededRng(2, "numbers");
    const x = Array.from({ length: 500 }, () => rng.normal());
    const rows = await given({ x, y: x.map((value) => 5000 + 300 * Math.tanh(2 * value)) });
    const model = await trainModel(
      await learnerNamed("mlp"),
      rows,
      {
        roles: { target: "y" },
        task: "regression",
        params: { epochs: 40, batch: 32, rate: 0.01, dropout: 0 },
      },
      run,
    );
    const found = await rowsOf<{ prediction: number }>(await model.predict(rows, {}, run));
    const off = found.map(({ prediction }, r) => Math.abs(prediction - 5000 - 300 * Math.tanh(2 * x[r])));
    expect(off.reduce((sum, value) => sum + value, 0) / 500).toBeLessThan(40);
  });

  test("a batch of 0 is refused", async () => {
    await expect(
      trainModel(
        await learnerNamed("mlp"),
        await given(crossed(20, "few")),
        { roles: { target: "hit" }, params: { batch: 0 } },
        run,
      ),
    ).rejects.toThrow("batch must be an integer from 1 to 1000000, got 0");
  });
});

test("cnn tells bars from columns, and refuses what is no square image", async () => {
  const rng = seededRng(3, "bars");
  const side = 6;
  const kinds = Array.from({ length: 200 }, () => rng.integer(2));
  const lines = kinds.map(() => rng.integer(side));
  const pixels = Object.fromEntries(
    Array.from({ length: side * side }, (_, p) => [
      `pixel${p}`,
      kinds.map((kind, r) =>
        (kind === 0 ? Math.floor(p / side) : p % side) === lines[r] ? 255 : rng.integer(40),
      ),
    ]),
  );
  const columns = { ...pixels, label: kinds.map((kind) => (kind === 0 ? "bar" : "column")) };
  const cnn = await learnerNamed("cnn");
  const ask = {
    roles: { target: "label" },
    params: { epochs: 12, filters: 4, width: 16, batch: 16, rate: 0.01, dropout: 0 },
  };
  const rows = await given(columns);
  const model = await trainModel(cnn, rows, ask, run);
  const found = await rowsOf<{ prediction: string }>(await model.predict(rows, {}, run));
  expect(found.filter(({ prediction }, r) => prediction === columns.label[r]).length).toBeGreaterThan(190);
  await expect(trainModel(cnn, rows, { ...ask, features: ["pixel1", "pixel2"] }, run)).rejects.toThrow(
    "2 pixels are no square image of one or three values a pixel",
  );
});

test("text-cnn reads words and Chinese signs", async () => {
  expect(tokensOf("It's GREAT, 很好 5")).toEqual(["it's", "great", "很", "好", "5"]);
  const rng = seededRng(4, "texts");
  const good = ["很好", "great value", "wonderful"];
  const bad = ["不好", "poor thing", "broken again"];
  const kinds = Array.from({ length: 160 }, () => rng.integer(2));
  const text = kinds.map((kind) => `item ${rng.integer(9)} ${(kind ? good : bad)[rng.integer(3)]}`);
  const rows = await given({ text, label: kinds.map((kind) => (kind ? "good" : "bad")) });
  const model = await trainModel(
    await learnerNamed("text-cnn"),
    rows,
    { roles: { target: "label" }, params: { epochs: 15, factors: 8, filters: 8, batch: 16, rate: 0.01 } },
    run,
  );
  const fresh = await given({ text: ["a great value indeed", "很好", "it is broken again", null] });
  const found = await rowsOf<{ prediction: string }>(await model.predict(fresh, {}, run));
  expect(found.slice(0, 3).map(({ prediction }) => prediction)).toEqual(["good", "good", "bad"]);
});

test("autoencoder finds the rows that break what the columns have in common", async () => {
  const rng = seededRng(5, "pairs");
  const a = Array.from({ length: 400 }, () => rng.normal());
  const odd = a.map((_, r) => r % 40 === 0);
  const b = a.map((value, r) => (odd[r] ? -value - 2 * Math.sign(value) : value + rng.normal() / 20));
  const rows = await given({ a, b });
  const model = await trainModel(
    await learnerNamed("autoencoder"),
    rows,
    {
      roles: {},
      params: { code: 1, epochs: 60, batch: 32, rate: 0.01, dropout: 0, contamination: 0.025, width: 16 },
    },
    run,
  );
  const found = await rowsOf<{ prediction: boolean }>(await model.predict(rows, {}, run));
  const caught = found.filter(({ prediction }, r) => prediction && odd[r]).length;
  expect(caught).toBeGreaterThanOrEqual(8);
});

describe("networks over sequences", () => {
  /** Walks around a ring: after an item comes the next one. */
  const walks = (): Record<string, Values> => {
    const rng = seededRng(6, "ring");
    const rows = Array.from({ length: 60 }, (_, user) => {
      const start = rng.integer(20);
      return Array.from({ length: 8 }, (_, t) => ({ user, item: `i${(start + t) % 20}`, at: t }));
    }).flat();
    return { user: rows.map((r) => r.user), item: rows.map((r) => r.item), at: rows.map((r) => r.at) };
  };

  test.each(["sasrec", "gru4rec"])("%s learns what comes next, for newcomers too", async (name) => {
    const rows = walks();
    const model = await trainModel(
      await learnerNamed(name),
      await given(rows, { user: "BIGINT" }),
      {
        roles: { user: "user", item: "item", time: "at" },
        params: { epochs: 40, factors: 16, dropout: 0.1, batch: 64, rate: 0.01, patience: 0 },
      },
      run,
    );
    const lists = await rowsOf<{ user: bigint; item: string; rank: number }>(
      await model.predict(undefined, { k: 1 }, run),
    );
    const last = new Map(rows.user.map((user, r) => [Number(user), rows.item[r] as string]));
    const next = (item: string): string => `i${(Number(item.slice(1)) + 1) % 20}`;
    const right = lists.filter(({ user, item }) => item === next(last.get(Number(user))!)).length;
    expect(right).toBeGreaterThan(50);
    const stranger = await given({ user: [900, 900], item: ["i3", "i4"], at: [1, 2] }, { user: "BIGINT" });
    const [answer] = await rowsOf<{ item: string }>(await model.predict(stranger, { k: 1 }, run));
    expect(answer.item).toBe("i5");
  });

  test("rows without an order to learn are refused", async () => {
    const lonely = await given({ user: [1, 2, 3], item: ["a", "b", "c"], at: [1, 2, 3] });
    await expect(
      trainModel(
        await learnerNamed("sasrec"),
        lonely,
        { roles: { user: "user", item: "item", time: "at" } },
        run,
      ),
    ).rejects.toThrow("sasrec learns what comes after what, and no user has two rows");
  });
});

test("two-tower recommends within tastes, and takes columns for the side they belong to", async () => {
  const rng = seededRng(7, "tastes");
  const pairs = Array.from({ length: 40 }, (_, user) =>
    [...new Set(Array.from({ length: 8 }, () => (user % 2) * 12 + rng.integer(12)))].map((item) => ({
      user,
      item,
    })),
  ).flat();
  const rows = await given({
    user: pairs.map(({ user }) => user),
    item: pairs.map(({ item }) => `i${item}`),
    town: pairs.map(({ user }) => ["Oslo", "Berlin"][user % 2]),
    price: pairs.map(({ item }) => item),
  });
  const model = await trainModel(
    await learnerNamed("two-tower"),
    rows,
    {
      roles: { user: "user", item: "item" },
      features: ["town", "price"],
      params: { epochs: 30, factors: 8, width: 16, batch: 32, rate: 0.01, patience: 0 },
    },
    run,
  );
  expect(model.card.about).toMatchObject({ user_features: ["town"], item_features: ["price"] });
  const lists = await rowsOf<{ user: number; item: string }>(await model.predict(undefined, { k: 2 }, run));
  const right = lists.filter(
    ({ user, item }) => Number(item.slice(1)) < 12 === (Number(user) % 2 === 0),
  ).length;
  expect(right / lists.length).toBeGreaterThan(0.95);
});

import { beforeAll, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { measured } from "../../src/learners/measured.js";
import type { Model } from "../../src/learners/learner.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun();
let engine: Engine;
beforeAll(async () => {
  engine = await run.engine();
});
const given = (columns: Record<string, Values>, types: Record<string, string> = {}): Promise<Relation> =>
  relationFrom(engine, columns, types);
const roles = { user: "user", item: "item" };
const names = ["item-knn", "user-knn", "ease", "slim", "rp3beta", "als", "bpr", "fm", "popularity"];
const small = (name: string): Record<string, number> =>
  ["als", "bpr", "fm"].includes(name) ? { factors: 4, epochs: 3 } : {};
const trained = async (name: string, rows: Relation, more = {}): Promise<Model> =>
  trainModel(await learnerNamed(name), rows, { roles, params: small(name), ...more }, run);

// Everybody had a; dora had all; a row stands there twice.
const rows = {
  user: ["ann", "ann", "ann", "bob", "bob", "cy", "cy", "dora", "dora", "dora", "dora"],
  item: ["a", "b", "b", "a", "c", "a", "d", "a", "b", "c", "d"],
};
const once = { user: rows.user.filter((_, i) => i !== 2), item: rows.item.filter((_, i) => i !== 2) };

test.each(names)(
  "%s: k beyond the catalogue, a user who had everything, pairs twice, ids as text or numbers",
  async (name) => {
    const model = await trained(name, await given(rows));
    const lists = await rowsOf(await model.predict(undefined, { k: 1000 }, run));
    const of = (user: string) => lists.filter((row) => row.user === user).map(({ item }) => item);
    expect(of("dora")).toEqual([]);
    expect(new Set(of("ann"))).toEqual(new Set(["c", "d"]));
    // Without ratings a pair counts once; popularity alone counts rows.
    const plain = await rowsOf(
      await (await trained(name, await given(once))).predict(undefined, { k: 1000 }, run),
    );
    if (name !== "popularity") expect(plain).toEqual(lists);
    const numbers = {
      user: rows.user.map((user) => `900000000000000000${"abcd".indexOf(user[0])}`),
      item: rows.item.map((item) => 100 + "abcd".indexOf(item)),
    };
    const typed = await trained(name, await given(numbers, { user: "BIGINT", item: "INTEGER" }));
    const ids = await rowsOf(await typed.predict(undefined, { k: 1000 }, run));
    expect(ids.map(({ user }) => user)).toContain(9_000_000_000_000_000_000n);
    expect(ids.map(({ rank }) => rank)).toEqual(lists.map(({ rank }) => rank));
  },
);

test.each(["item-knn", "als", "bpr", "slim"])(
  "%s: ratings of 0 are no sign of anything, and an item with nothing else is never near",
  async (name) => {
    const table = await given({
      user: ["ann", "ann", "bob", "bob", "cy"],
      item: ["a", "b", "a", "z", "b"],
      rating: [3, 2, 5, 0, 1],
    });
    const model = await trained(name, table, { roles: { ...roles, rating: "rating" } });
    const lists = await rowsOf(await model.predict(undefined, { k: 10 }, run));
    expect(lists.every(({ score }) => Number.isFinite(score))).toBe(true);
    const near = await rowsOf(await model.similar!(await given({ item: ["a"] }), { k: 5 }, run));
    expect(near.filter(({ similar_item, score }) => similar_item === "z" && Number(score) > 0)).toEqual([]);
  },
);

test("negative, missing and infinite ratings are counted and refused", async () => {
  const table = await given({
    user: ["ann", "bob", "cy", "dee"],
    item: ["a", "a", "b", "b"],
    rating: [1, -1, null, Infinity],
  });
  for (const name of ["als", "svd"])
    await expect(
      trainModel(await learnerNamed(name), table, { roles: { ...roles, rating: "rating" } }, run),
    ).rejects.toMatchObject({ kind: "data", message: expect.stringMatching(/rating/) });
});

test("an empty test part, and one of strangers and unknown items alone", async () => {
  const model = await trained("item-knn", await given(rows));
  const ask = { cuts: [10], by: [] };
  const empty = await given({ user: ["ann"], item: ["c"] });
  await expect(
    measured(model, { ...empty, sql: `SELECT * FROM (${empty.sql}) WHERE false` }, ask, run),
  ).rejects.toMatchObject({ kind: "data", message: "there are no rows to measure" });
  run.warnings.length = 0;
  const found = await measured(model, await given({ user: ["eve", "eve"], item: ["x", "y"] }), ask, run);
  expect(found.users).toBe(1);
  expect(run.warnings.at(-1)).toBe("1 of 1 users were not seen in training: they get the most popular items");
});

test("ids of another type than in training are refused by value", async () => {
  const numbers = await given({ user: [1, 1, 2], item: [10, 11, 10] });
  const model = await trained("item-knn", numbers);
  const texts = await given({ user: ["1", "two"] });
  await expect(model.predict(texts, {}, run)).rejects.toMatchObject({
    kind: "data",
    message: expect.stringContaining('the user "two" is no'),
  });
});

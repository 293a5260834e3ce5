import { beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import fm from "../../src/learners/fm/fm.js";
import type { Model } from "../../src/learners/learner.js";
import { trainModel } from "../../src/learners/training.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";

const run = testRun();
let model: Model;

// Sixty users of two countries; each takes eight of the twenty items of their country's kind.
beforeAll(async () => {
  const engine = await run.engine();
  const rng = seededRng(3, "fm");
  const rows = Array.from({ length: 60 }, (_, user) => {
    const warm = user % 2;
    return rng
      .shuffle(Array.from({ length: 20 }, (_, i) => i))
      .slice(0, 8)
      .map((i) => ({ user, item: `${warm ? "sun" : "snow"}-${i}`, country: warm ? "ES" : "NO" }));
  }).flat();
  const table = await relationFrom(engine, {
    user: rows.map((row) => row.user),
    item: rows.map((row) => row.item),
    country: rows.map((row) => row.country),
  });
  const names = ["sun", "snow"].flatMap((kind) => Array.from({ length: 21 }, (_, i) => `${kind}-${i}`));
  const items = await relationFrom(engine, {
    item: names,
    kind: names.map((name) => name.split("-")[0]),
  });
  model = await trainModel(
    fm,
    table,
    {
      roles: { user: "user", item: "item" },
      features: ["country"],
      items,
      params: { factors: 8, epochs: 15 },
    },
    run,
  );
});

const kinds = (rows: Record<string, unknown>[]): Set<string> =>
  new Set(rows.map(({ item }) => (item as string).split("-")[0]));

test("users get the other items of their kind, among them one that nobody had", async () => {
  const engine = await run.engine();
  const lists = await rowsOf(await model.predict(await relationFrom(engine, { user: [1] }), { k: 12 }, run));
  expect(kinds(lists)).toEqual(new Set(["sun"]));
  const names = lists.map(({ item }) => item);
  expect(names.slice(0, 13)).toContain("sun-20");
});

test("newcomers are answered by their country, by their items, and without either by popularity", async () => {
  const engine = await run.engine();
  const asked = await relationFrom(engine, { user: [901, 902, 903], country: ["NO", "ES", null] });
  run.warnings.length = 0;
  const lists = await rowsOf(await model.predict(asked, { k: 5, explain: true }, run));
  const of = (user: number) => lists.filter((row) => row.user === user);
  expect([kinds(of(901)), kinds(of(902))]).toEqual([new Set(["snow"]), new Set(["sun"])]);
  expect(of(901)[0].source).toBe("features");
  expect(run.warnings.at(-1)).toBe(
    "3 of 3 users were not seen in training: they are answered from their features",
  );
  const history = await relationFrom(engine, { user: [904, 904, 904], item: ["snow-1", "snow-2", "snow-3"] });
  const known = await rowsOf(
    await model.predict(await relationFrom(engine, { user: [904] }), { k: 5, history, explain: true }, run),
  );
  expect([kinds(known), known[0].source]).toEqual([new Set(["snow"]), "history"]);
  const bare = await rowsOf(
    await model.predict(await relationFrom(engine, { user: [905] }), { k: 5, explain: true }, run),
  );
  expect(bare[0].source).toBe("popularity");
});

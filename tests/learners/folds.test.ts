import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { outOfFold } from "../../src/learners/cross-validation.js";
import { dealt, foldRow, type FoldAsk } from "../../src/learners/folds.js";
import { learnerNamed } from "../../src/learners/registry.js";
import type { Relation } from "../../src/table/relation.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";
import { sampleAsk, sampleTable } from "./sample.js";

const run = testRun();
let table: Relation;
beforeAll(async () => {
  table = await sampleTable(await run.engine());
});

async function folds(ask: FoldAsk, rows = table) {
  const { folds, drop } = await dealt(rows, ask, run);
  const parts = await Promise.all(
    folds.map(async ({ train, held }) => ({ train: await rowsOf(train), held: await rowsOf(held) })),
  );
  await drop();
  return parts;
}

test("every row is held out once, and never learned from in its own fold", async () => {
  for (const ask of [{ folds: 4 }, { folds: 4, stratum: "bought" }, { folds: 4, group: "customer" }]) {
    const parts = await folds(ask);
    expect(
      parts.flatMap(({ held }) => held.map((row) => Number(row[foldRow]))).sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 150 }, (_, i) => i));
    for (const { train, held } of parts) expect(train.length + held.length).toBe(150);
  }
});

test("stratified folds have the classes alike, group folds keep groups whole and of like size", async () => {
  const yes = (await folds({ folds: 5, stratum: "bought" })).map(
    ({ held }) => held.filter(({ bought }) => bought).length,
  );
  expect(Math.max(...yes) - Math.min(...yes)).toBeLessThanOrEqual(1);
  const parts = await folds({ folds: 5, group: "customer" });
  for (const { train, held } of parts) {
    const learned = new Set(train.map(({ customer }) => customer));
    expect(held.filter(({ customer }) => learned.has(customer))).toEqual([]);
    expect(Math.abs(held.length - 30)).toBeLessThanOrEqual(10);
  }
});

test("folds in the order of time learn from what is earlier than the gap; moments are not cut", async () => {
  const day = Array.from({ length: 90 }, (_, i) => Math.floor(((i * 31) % 90) / 3));
  const rows = await relationFrom(
    await run.engine(),
    { day: day.map((d) => `2024-01-${String(d + 1).padStart(2, "0")}`), seconds: day.map((d) => d * 86400) },
    { day: "DATE" },
  );
  for (const time of ["day", "seconds"]) {
    const parts = await folds({ folds: 4, time, gap: "3d" }, rows);
    const of = (row: Record<string, unknown>): number => Number(row.seconds) / 86400;
    let before = -1;
    for (const { train, held } of parts) {
      const first = Math.min(...held.map(of));
      expect(Math.max(...train.map(of))).toBeLessThan(first - 3);
      expect(first).toBeGreaterThan(before);
      before = Math.max(...held.map(of));
    }
    expect(parts[3].train.length).toBeGreaterThan(parts[0].train.length);
  }
});

// scikit-learn; version and script stand in the file.
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/folds-sklearn.json"), "utf8"),
) as {
  day: number[];
  time: { gap: number; train: number[]; test: number[] }[];
  label: string[];
  stratified: number[][];
  group: number[];
  grouped: Record<string, number[]>;
};

test("folds of a row a day are those of scikit-learn's TimeSeriesSplit, with and without a gap", async () => {
  const start = Date.UTC(2024, 0, 1);
  const rows = await relationFrom(
    await run.engine(),
    {
      number: reference.day.map((_, i) => i),
      at: reference.day.map((day) => new Date(start + day * 86_400_000).toISOString().slice(0, 10)),
    },
    { at: "DATE" },
  );
  const numbers = (part: Record<string, unknown>[]): number[] =>
    part.map(({ number }) => Number(number)).sort((a, b) => a - b);
  for (const gap of [0, 3]) {
    const parts = await folds({ folds: 5, time: "at", gap: gap === 0 ? undefined : `${gap}d` }, rows);
    const wanted = reference.time.filter((fold) => fold.gap === gap);
    expect(parts.map(({ train, held }) => ({ gap, train: numbers(train), test: numbers(held) }))).toEqual(
      wanted,
    );
  }
});

test("stratified folds hold as many rows of every class as scikit-learn's StratifiedKFold", async () => {
  const rows = await relationFrom(await run.engine(), { label: reference.label });
  const parts = await folds({ folds: 5, stratum: "label" }, rows);
  const counts = ["a", "b", "c"].map((name) =>
    parts.map(({ held }) => held.filter(({ label }) => label === name).length).sort((a, b) => a - b),
  );
  expect(counts).toEqual(reference.stratified);
});

test("folds of groups hold as many rows as scikit-learn's GroupKFold, and every group whole", async () => {
  const rows = await relationFrom(await run.engine(), { group: reference.group });
  for (const [count, sizes] of Object.entries(reference.grouped)) {
    const parts = await folds({ folds: Number(count), group: "group" }, rows);
    expect(parts.map(({ held }) => held.length).sort((a, b) => a - b)).toEqual(sizes);
    const owners = parts.map(({ held }) => new Set(held.map(({ group }) => group)));
    expect(owners.reduce((sum, { size }) => sum + size, 0)).toBe(new Set(reference.group).size);
  }
});

test("folds within a fold hold none of the rows that it is measured on", async () => {
  const outer = await dealt(table, { folds: 3, stratum: "bought" }, run);
  for (const { train, held } of outer.folds) {
    const measured = new Set((await rowsOf(held)).map((row) => row[foldRow]));
    const own = `SELECT ${foldRow} AS place, * EXCLUDE (${foldRow}) FROM (${train.sql})`;
    const schema = [...train.schema, { name: "place", type: "BIGINT" }];
    const inner = await folds({ folds: 3, stratum: "bought" }, { ...train, sql: own, schema });
    for (const part of inner)
      for (const { place } of [...part.train, ...part.held]) expect(measured.has(place)).toBe(false);
    expect(inner.reduce((sum, part) => sum + part.held.length, 0)).toBe(150 - measured.size);
  }
  await outer.drop();
});

test("what cannot be dealt is refused", async () => {
  const few = await relationFrom(await run.engine(), {
    g: ["a", "a", "b", "b"],
    t: [1, 1, 1, 1],
    x: [1, 2, 3, null],
  });
  const refusals: [FoldAsk, string][] = [
    [{ folds: 3, group: "g" }, "g has fewer than 3 different values"],
    [{ folds: 2, time: "t" }, "t has too few different times for 2 folds"],
    [{ folds: 2, time: "x" }, "1 rows have no x"],
    [{ folds: 2, time: "g" }, "not dates, timestamps or seconds"],
    [{ folds: 2, gap: "1d" }, "--cv-gap is for folds in the order of time"],
    [{ folds: 2, group: "g", time: "t" }, "--cv-group and --cv-time"],
    [{ folds: 2, group: "h" }, 'column "h" is not in the table'],
  ];
  for (const [ask, message] of refusals) await expect(dealt(few, ask, run)).rejects.toThrow(message);
  await expect(dealt(table, { folds: 2, time: "at", gap: "all" }, run)).rejects.toThrow("--cv-gap must be");
});

test("out-of-fold predictions: a row each, in order, by the model that did not see it; nothing else is left in the engine", async () => {
  const learner = await learnerNamed("logistic");
  const engine = await run.engine();
  const tables = async () => (await engine.rows("SELECT table_name FROM duckdb_tables()")).length;
  const before = await tables();
  const work = { folds: 3, keep: ["product"] };
  const { validation, outOfFold: answers } = await outOfFold(learner, table, sampleAsk(learner), work, run);
  const rows = await rowsOf(answers);
  expect(answers.schema.map(({ name }) => name)).toEqual([
    "product",
    "bought",
    "prediction",
    "score",
    "fold",
  ]);
  const given = await rowsOf(table);
  expect(rows.map(({ product, bought }) => [product, bought])).toEqual(
    given.map(({ product, bought }) => [product, bought]),
  );
  const right = [1, 2, 3].map((fold) => {
    const own = rows.filter((row) => row.fold === fold);
    return own.filter(({ prediction, bought }) => prediction === bought).length / own.length;
  });
  expect(validation.metrics.accuracy.folds).toEqual(right);
  expect((await tables()) - before).toBe(1);
  const kmeans = await learnerNamed("kmeans");
  await expect(outOfFold(kmeans, table, sampleAsk(kmeans), work, run)).rejects.toThrow(
    "no prediction for every row",
  );
});

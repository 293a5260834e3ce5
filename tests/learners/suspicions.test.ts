import { expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { suspicions } from "../../src/learners/suspicions.js";
import { trainingData } from "../../src/learners/training.js";
import type { Roles } from "../../src/learners/learner.js";
import { openTable } from "../../src/table/open.js";
import type { Relation } from "../../src/table/relation.js";
import { sharedData } from "../support/shared-data.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, type Values } from "./rows.js";

const run = testRun();
const rows = Array.from({ length: 400 }, (_, i) => i);
const draws = [1, 2, 3, 4, 5].map((stream) => {
  const rng = seededRng(stream, "suspicions");
  return rows.map(() => rng.uniform());
});
const noise = (i: number, stream: number): number => draws[stream - 1][i];

async function said(table: Relation, roles: Roles = { target: "y" }): Promise<string[]> {
  return suspicions(await trainingData(await learnerNamed("logistic"), table, { roles }, run));
}

const table = (columns: Record<string, Values>, types: Record<string, string> = {}) =>
  run.engine().then((engine) =>
    relationFrom(
      engine,
      {
        y: rows.map((i) => (noise(i, 1) < 0.3 ? "bad" : "good")),
        price: rows.map((i) => noise(i, 2) * 100),
        shop: rows.map((i) => ["a", "b", "c"][i % 3]),
        ...columns,
      },
      types,
    ),
  );

test("ordinary features raise no suspicion, nor do few rows", async () => {
  expect(await said(await table({}))).toEqual([]);
  const few = await table({ leak: rows.map((i) => (noise(i, 1) < 0.3 ? 1 : 0)) });
  expect(await said({ ...few, sql: `SELECT * FROM (${few.sql}) ORDER BY 1 LIMIT 40` })).toEqual([]);
});

test("a feature that alone separates the target is named: by its value, a text, a middle range, or a missing value", async () => {
  const bad = (i: number): boolean => noise(i, 1) < 0.3;
  const leaks: Record<string, Values> = {
    monotone: rows.map((i) => (bad(i) ? 0 : 1 + noise(i, 3))),
    text: rows.map((i) => (bad(i) ? "refunded" : ["none", "kept"][i % 2])),
    middle: rows.map((i) => (bad(i) ? 5 : i % 2 ? noise(i, 4) : 9 + noise(i, 4))),
    gone: rows.map((i) => (bad(i) ? null : noise(i, 5))),
  };
  for (const [name, values] of Object.entries(leaks)) {
    const [warning, ...others] = await said(await table({ [name]: values }));
    expect(warning).toMatch(new RegExp(`^${name} alone separates y \\(AUC 1\\.0000\\)`));
    expect(others).toEqual([]);
  }
});

test("ids and columns of one value are named, prices with many values are not", async () => {
  const found = await said(
    await table(
      {
        order: rows,
        version: rows.map((i) => (i === 3 ? 2 : 1)),
        empty: rows.map(() => null),
      },
      { order: "BIGINT", version: "INTEGER" },
    ),
  );
  expect(found).toEqual([
    "a feature looks like an id, a value for every row: order (--features -order)",
    expect.stringContaining("one value in nearly every row and can teach little: empty"),
  ]);
});

test("texts of words are no ids, and no matter to a learner that reads words", async () => {
  const review = rows.map((i) => (i % 2 ? `delivery took ${i} days` : `第${i}次购买，味道很好`));
  const y = rows.map((i) => (noise(i, 1) < 0.3 ? "bad" : "good"));
  const wordy = relationFrom(await run.engine(), { y, review });
  expect(await said(await wordy)).toEqual([
    "hardly two texts of review are alike, and a text counts as one value here: text-cnn learns from its words (or leave it out: --features -review)",
  ]);
  const data = await trainingData(
    await learnerNamed("text-cnn"),
    await wordy,
    { roles: { target: "y" } },
    run,
  );
  expect(await suspicions(data, true)).toEqual([]);
});

test("columns that are later than the row are named with their relatives", async () => {
  const dated = await table(
    {
      at: rows.map((i) => `2024-01-${String(1 + (i % 28)).padStart(2, "0")}`),
      refund_at: rows.map((i) => (i % 4 ? null : "2024-03-01")),
      born: rows.map(() => "1990-01-01"),
      refund_reason: rows.map((i) => (i % 9 ? "late" : "broken")),
    },
    { at: "DATE", refund_at: "DATE", born: "DATE" },
  );
  const ask = { roles: { target: "y", time: "at" }, features: ["price", "refund_reason"] };
  const found = await suspicions(await trainingData(await learnerNamed("logistic"), dated, ask, run));
  expect(found).toEqual([
    "refund_at is later than at in 100 of 400 rows: what became known with it must not be a feature (refund_reason?)",
  ]);
});

test("rare classes are told", async () => {
  const few = await said(await table({ y: rows.map((i) => (i < 4 ? "fraud" : "fine")) }));
  expect(few).toEqual([expect.stringContaining("only 4 rows have y = fraud")]);
});

const payments = sharedData("payment-fraud/payment_fraud.csv");
// Needs the public payment fraud file beside the project.
test.skipIf(!payments)("payment fraud is given away by the age of the account", async () => {
  const found = await said(await openTable(await run.engine(), [payments!], {}), { target: "label" });
  expect(found).toEqual([expect.stringMatching(/^accountAgeDays alone separates label \(AUC 1\.0000\)/)]);
});

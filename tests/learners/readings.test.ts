import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Relation } from "../../src/table/relation.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { readFeatures, readingsOf, readRows } from "../../src/learners/readings.js";
import { trainModel } from "../../src/learners/training.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun();
const folder = temporaryFolder();
const rows = Array.from({ length: 120 }, (_, i) => i);
const two = (n: number): string => String(n).padStart(2, "0");
/** Days of 2023 in steps of three, written in some way. */
const days = (write: (y: string, m: string, d: string, i: number) => string): string[] =>
  rows.map((i) => {
    const day = new Date(Date.UTC(2023, 0, 1 + 3 * i)).toISOString();
    return write(day.slice(0, 4), day.slice(5, 7), day.slice(8, 10), i);
  });

async function read(
  columns: Record<string, Values>,
  types: Record<string, string> = {},
  named = false,
  readsWords = false,
): Promise<{ read: Relation; names: string[]; raw: Relation }> {
  const raw = await relationFrom(await run.engine(), columns, types);
  const { features, readings } = await readingsOf(raw, raw.schema, { named, readsWords }, run);
  return {
    raw,
    read: readRows(raw, features, readings),
    names: readFeatures(features, readings).map(({ name }) => name),
  };
}

test("numbers written as texts are numbers, however they are written; what is no number is missing", async () => {
  const table = await read({
    plain: rows.map((i) => (i === 7 ? " " : String(i / 4))),
    money: rows.map((i) => `$${i},250.50`),
    share: rows.map((i) => `${i}%`),
    comma: rows.map((i) => `${i},5`),
    odd: rows.map((i) => (i === 3 ? "unlisted" : String(i))),
    gaps: rows.map((i) => (i % 4 ? String(i) : ["N/A", "-", "null"][i % 3])),
  });
  expect(table.names).toEqual(["plain", "money", "share", "comma", "odd", "gaps"]);
  const found = await rowsOf(table.read);
  expect(found[5]).toMatchObject({ plain: 1.25, money: 5250.5, share: 0.05, comma: 5.5, odd: 5 });
  expect([found[7].plain, found[3].odd, found[4].gaps]).toEqual([null, null, null]);
});

test("codes, words and short lists of numbers stay as they are", async () => {
  const columns = {
    postcode: rows.map((i) => `0${1000 + i}`),
    size: rows.map((i) => String(36 + (i % 9))),
    colour: rows.map((i) => ["red", "blue"][i % 2]),
    city: rows.map((i) => `city ${i % 60}`),
    mixed: rows.map((i) => (i % 10 ? String(i) : `A${i}`)),
  };
  const { read: found, raw, names } = await read(columns, {}, true);
  expect(names).toEqual(Object.keys(columns));
  expect(found).toBe(raw);
});

test("dates and instants become days and those parts that differ", async () => {
  const table = await read(
    {
      day: days((y, m, d) => `${y}-${m}-${d}`),
      at: days((y, m, d, i) => `${y}-${m}-${d} ${two(i % 24)}:30:00`),
      month: rows.map((i) => `2024-${two(1 + (i % 12))}-01`),
      shift: rows.map((i) => `${two(i % 24)}:30:00`),
    },
    { day: "DATE", at: "TIMESTAMP", month: "DATE", shift: "TIME" },
  );
  expect(table.names).toEqual([
    ...["epoch_days", "month", "day", "day_of_week"].map((part) => `day_${part}`),
    ...["epoch_days", "month", "day", "day_of_week", "hour"].map((part) => `at_${part}`),
    ...["epoch_days", "month"].map((part) => `month_${part}`),
    "shift",
  ]);
  const found = await rowsOf(table.read);
  expect(found[1]).toMatchObject({ day_epoch_days: 19361, day_month: 1, day_day: 4, day_day_of_week: 3 });
  expect(found[25]).toMatchObject({ at_hour: 1, at_month: 3, shift: 1.5 });
});

test.each<[string, (y: string, m: string, d: string) => string]>([
  ["day first", (y, m, d) => `${d}-${m}-${y}`],
  ["month first", (y, m, d) => `${m}/${d}/${y}`],
  ["points", (y, m, d) => `${d}.${m}.${y} 10:00`],
  ["ISO", (y, m, d) => `${y}-${m}-${d}T10:00:00Z`],
])("dates written as texts are read: %s", async (_, write) => {
  const table = await read({ Written: days(write) });
  expect(table.names.slice(0, 3)).toEqual(["written_epoch_days", "written_month", "written_day"]);
  const found = await rowsOf(table.read);
  expect(found.slice(0, 12).map((row) => [row.written_month, row.written_day])).toEqual(
    Array.from({ length: 12 }, (_, i) => [i < 11 ? 1 : 2, i < 11 ? 1 + 3 * i : 3]),
  );
});

test("texts that differ in every row are left out with a word, unless they are named or all there is", async () => {
  const columns = {
    customer: rows.map((i) => `C-${i}`),
    x: rows.map((i) => i % 5),
  };
  expect((await read(columns)).names).toEqual(["x"]);
  expect(run.warnings.at(-1)).toContain("differ in nearly every row: customer");
  expect((await read(columns, {}, true)).names).toEqual(["customer", "x"]);
  expect((await read({ customer: columns.customer })).names).toEqual(["customer"]);
  const texts = { ...columns, review: rows.map((i) => `it took ${i} days`) };
  expect((await read(texts)).names).toEqual(["x"]);
  expect(run.warnings.at(-1)).toContain("customer, review (--features takes them by name; text-cnn learns");
  expect((await read(texts, {}, false, true)).names).toEqual(["x", "review"]);
  const numbers = { policyNumber: rows, paymentNo: rows.map((i) => i % 9), amount: rows, casino: rows };
  const types = Object.fromEntries(Object.keys(numbers).map((name) => [name, "BIGINT"]));
  expect((await read(numbers, types)).names).toEqual(["paymentNo", "amount", "casino"]);
  expect(run.warnings.at(-1)).toContain("differ in every row: policyNumber");
});

test("a model of dates and written numbers predicts, saved and by stream, and keeps columns as they were", async () => {
  const csv = join(folder, "orders.csv");
  const when = days((y, m, d) => `${d}.${m}.${y}`);
  const line = (i: number): string => `${when[i]},"€ ${i},100",${i % 3},${(i * 7) % 12}`;
  writeFileSync(csv, `ordered,paid,kind,y\n${rows.map(line).join("\n")}\n`);
  const model = join(folder, "model");
  const trained = await runCli(["train", "linear", csv, "--target", "y", "-o", model, "--json"]);
  expect(trained.json()).toMatchObject({ features: ["ordered", "paid", "kind"] });
  const told = join(folder, "told.csv");
  await runCli(["predict", model, csv, "--keep", "paid,ordered", "--explain", "-o", told]);
  const request = { ordered: when[9], paid: "€ 9,100", kind: 0 };
  const streamed = await runCli(["predict", model, "--stream"], { input: `${JSON.stringify(request)}\n` });
  const lines = readFileSync(told, "utf8").split("\n");
  expect(lines[0]).toBe("paid,ordered,prediction,reasons");
  const [, own] = /^"€ 9,100",[^,]+,([^,]+),/.exec(lines[10])!;
  expect(JSON.parse(streamed.stdout)).toEqual({ prediction: Number(own) });
  expect(lines[10]).toMatch(/ordered_(epoch_days|month|day) = /);
});

test("a stack hands what was read to its parts", async () => {
  const table = await relationFrom(
    await run.engine(),
    {
      ordered: days((y, m, d) => `${y}-${m}-${d}`),
      paid: rows.map((i) => `${i}.25 EUR`),
      late: rows.map((i) => (i * 13) % 40 > 20),
    },
    { ordered: "DATE", late: "BOOLEAN" },
  );
  const ask = { roles: { target: "late" }, parts: ["logistic", "naive-bayes"], params: { folds: 2 } };
  const model = await trainModel(await learnerNamed("stack"), table, ask, run);
  expect(model.card.features.map(({ name }) => name)).toEqual(["ordered", "paid"]);
  expect(await rowsOf(await model.predict(table, { keep: ["paid"] }, run))).toHaveLength(120);
});

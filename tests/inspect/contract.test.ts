import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cleanRows } from "../../src/clean/clean.js";
import { parseContract, readContract } from "../../src/clean/contract.js";
import { inferredContract, patternOf } from "../../src/clean/infer.js";
import { openTable } from "../../src/table/open.js";
import { provenanceOf } from "../../src/table/provenance.js";
import { writeTable } from "../../src/table/write.js";
import { openText } from "../../src/table/open-text.js";
import { runCli } from "../support/run-cli.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();

interface Counts {
  rows_in: number;
  rows_out: number;
  rejected: number;
  duplicates: number;
}

/** Infers a contract for an input and cleans it by that contract. */
async function roundTrip(path: string): Promise<{ text: string; counts: Counts }> {
  const engine = await run.engine();
  const rows = path.endsWith(".parquet")
    ? await openTable(engine, [path])
    : (await openText(engine, [path])).relation;
  const text = await inferredContract(rows);
  const { counts } = await cleanRows(engine, { rows }, parseContract(text, "inferred.yaml"));
  return { text, counts };
}

/** The same by the two commands. */
async function roundTripByCommand(
  path: string,
  ...options: string[]
): Promise<{ text: string; counts: Counts }> {
  const contract = join(folder, "inferred.yaml");
  const inspected = await runCli(["inspect", path, "--contract", contract, "--quiet", ...options]);
  expect([inspected.code, inspected.stderr]).toEqual([0, ""]);
  expect(readContract(contract).columns.length).toBeGreaterThan(0);
  const out = join(folder, "clean.parquet");
  const cleaned = await runCli([
    "clean",
    path,
    "--contract",
    contract,
    "-o",
    out,
    "--json",
    "--quiet",
    ...options,
  ]);
  expect([cleaned.code, cleaned.stderr]).toEqual([0, ""]);
  return { text: readFileSync(contract, "utf8"), counts: cleaned.json<Counts>() };
}

function csv(name: string, head: string, rows: string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${head}\n${rows.join("\n")}\n`);
  return path;
}

const rows = (n: number, row: (i: number) => string): string[] => Array.from({ length: n }, (_, i) => row(i));

describe("what is promised of constructed files", () => {
  test("types, signs, lists, codes and ids; nothing that a code would lose", async () => {
    const path = csv(
      "orders.csv",
      "order_id,zip,big,plan,price_eur,discount,when,day,flag,word,note,empty,ref,user name",
      rows(200, (i) =>
        [
          `A-${String(1000 + i)}`,
          `0${1000 + i}`,
          `12345678901234567${i % 10}`,
          ["basic", "No", "true"][i % 3],
          `${i}.50`,
          (i / 1000).toFixed(3),
          `2024-01-${String(1 + (i % 28)).padStart(2, "0")} 10:00:00`,
          `${13 + (i % 10)}/0${1 + (i % 9)}/2024`,
          i % 2,
          i % 2 ? "Yes" : "no",
          i % 7 ? `"a, ""b"" ${i}"` : " ",
          "",
          i % 50,
          `${i - 50}`,
        ].join(","),
      ),
    );
    const { text, counts } = await roundTrip(path);
    expect(counts).toMatchObject({ rows_in: 200, rows_out: 200, rejected: 0, duplicates: 0 });
    const promised = Object.fromEntries(
      text
        .split("\n")
        .filter((line) => line.startsWith("  "))
        .map((line) => line.trim().split(/: (\{.*)/)),
    ) as Record<string, string>;
    expect(promised).toEqual({
      order_id: '{ type: text, required: true, pattern: "^[A-Z]-[0-9]{4}$", unique: true }',
      zip: '{ type: text, required: true, pattern: "^[0-9]{5}$" }',
      big: "{ type: text, required: true }",
      plan: '{ type: text, required: true, values: ["No", basic, "true"] }',
      price_eur: '{ type: "decimal(18,2)", required: true, min: 0 }',
      discount: "{ type: number, required: true, min: 0 }",
      when: "{ type: timestamp, required: true }",
      day: '{ type: date, formats: ["%d/%m/%Y"], required: true }',
      flag: "{ type: integer, required: true, min: 0, max: 1 }",
      word: "{ type: boolean, required: true }",
      note: "{ type: text }",
      empty: "{ type: text }",
      ref: "{ type: integer, required: true, min: 0 }",
      "user name": "{ type: integer, required: true }",
    });
  });

  test("words that mean nothing do not hide a type, and are promised with it", async () => {
    const path = csv(
      "gaps.csv",
      "age,bought,seen,grade",
      rows(120, (i) =>
        [
          ["N/A", "-", '""'][i % 15] ?? i,
          i % 9 ? ["yes", "no"][i % 2] : "Unknown",
          i % 8 ? `2024-02-${10 + (i % 19)}` : "null",
          i % 6 ? "AB"[i % 2] : "n/a",
        ].join(","),
      ),
    );
    const { text, counts } = await roundTrip(path);
    expect(counts).toMatchObject({ rows_in: 120, rejected: 0 });
    expect(text).toContain('  age: { type: integer, null_words: ["", "-", n/a], min: 0 }');
    expect(text).toContain("  bought: { type: boolean, null_words: [unknown] }");
    expect(text).toContain('  seen: { type: date, null_words: ["null"] }');
    expect(text).toContain("  grade: { type: text, required: true, values: [A, B, n/a] }");
  });

  test("money as people write it, percent, and days whose order cannot be known", async () => {
    const path = csv(
      "money.csv",
      "euro;share;day",
      rows(30, (i) => `€ 1.${String(200 + i)},50;${i}.5%;0${1 + (i % 9)}/0${1 + (i % 8)}/2024`),
    );
    const { text, counts } = await roundTrip(path);
    expect(counts).toMatchObject({ rows_in: 30, rejected: 0 });
    expect(text).toContain(
      'euro: { type: "decimal(18,2)", formats: [currency, thousands, comma-decimal], required: true, min: 0 }',
    );
    expect(text).toContain("share: { type: number, formats: [percent]");
    expect(text).toContain(
      "day: { type: text, required: true } # dates fit %d/%m/%Y and %m/%d/%Y: say which",
    );
  });

  test("typed files keep their types, odd names and all", async () => {
    const odd = csv(
      "odd.csv",
      '"; drop table x","a: b","#c","it\'s"',
      rows(120, (i) => `${i},x${i % 2},2024-05-0${1 + (i % 9)},1.5`),
    );
    const parquet = join(folder, "odd-typed.parquet");
    const engine = await run.engine();
    const table = await openTable(engine, [odd]);
    await writeTable(table, parquet, provenanceOf("test", {}, 42, []));
    const { text, counts } = await roundTrip(parquet);
    expect(counts).toMatchObject({ rows_in: 120, rows_out: 120 });
    expect(text).toContain('  "; drop table x": { type: integer, required: true, min: 0 }');
    expect(text).toContain('  "#c": { type: date, required: true }');
  });

  test("with --where the contract is that of the rows that are left", async () => {
    const path = csv(
      "some.csv",
      "kind,value",
      rows(200, (i) => `${i < 100 ? "a" : "b"},${i < 100 ? i : "?"}`),
    );
    const { text, counts } = await roundTripByCommand(path, "--where", "kind = 'a'");
    expect(counts).toMatchObject({ rows_in: 100, rejected: 0 });
    expect(text).toContain("value: { type: integer, required: true, min: 0 }");
  });
});

test("a header without rows has a contract, too", async () => {
  const path = csv("header.csv", "a,b", []);
  writeFileSync(path, "a,b\n");
  const { text, counts } = await roundTrip(path);
  expect(counts).toMatchObject({ rows_in: 0, rejected: 0 });
  expect(text).toContain("  a: { type: text }");
});

test.each([
  ["online-retail-raw/by-day", 77_628],
  ["online-shoppers/online_shoppers_intention.csv", 12_330],
  ["telco-churn/Telco-Customer-Churn.csv", 7_043],
])("%s passes its own contract (skips without shared data)", async (name, expected) => {
  const path = sharedData(name);
  if (!path) return;
  const { counts } = await (name.startsWith("telco") ? roundTripByCommand(path) : roundTrip(path));
  expect(counts).toMatchObject({ rows_in: expected, rows_out: expected, rejected: 0, duplicates: 0 });
});

test.each([
  ["9999-AAAAA", "^[0-9]{4}-[A-Z]{5}$"],
  ["A9", "^[A-Z][0-9]$"],
  ["aa.99+é", "^[a-z]{2}\\.[0-9]{2}\\+é$"],
])("the shape %s is the pattern %s", (shape, pattern) => {
  expect(patternOf(shape)).toBe(pattern);
});

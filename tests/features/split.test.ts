import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOf, planSql } from "../../src/features/plan.js";
import { splitSteps, withSplit, type SplitAsk } from "../../src/features/split.js";
import { openTable } from "../../src/table/open.js";
import { relationOf } from "../../src/table/relation.js";
import { sharedData } from "../support/shared-data.js";
import { testRun } from "../support/test-run.js";
import { rowsOf, tableOf, type Row } from "./tables.js";

const run = testRun();
const types = { id: "VARCHAR", at: "TIMESTAMP", shop: "VARCHAR", bought: "BOOLEAN" };

async function splitRows(rows: readonly Row[], ask: Partial<SplitAsk>): Promise<Record<string, unknown>[]> {
  const plan = await planOf(await tableOf(await run.engine(), types, rows));
  const full: SplitAsk = { kind: "random", ratio: [0.8, 0.1, 0.1], columns: [], seed: 42, ...ask };
  return rowsOf(await withSplit(plan, full));
}

const day = (n: number): string => new Date(Date.UTC(2024, 0, 1 + n)).toISOString().slice(0, 10);
const anyRows = fc
  .array(
    fc.record({
      day: fc.integer({ min: 0, max: 40 }),
      shop: fc.constantFrom("a", "b", "c", "d"),
      bought: fc.boolean(),
    }),
    {
      minLength: 1,
      maxLength: 80,
    },
  )
  .map((rows) =>
    rows.map((row, i) => ({ id: `row ${i}`, at: day(row.day), shop: row.shop, bought: row.bought })),
  );

test("the text of each split is exact", () => {
  const text = (kind: Parameters<typeof splitSteps>[2]["kind"], column?: string): string =>
    planSql({
      steps: [
        { name: "rows", sql: "SELECT 1" },
        ...splitSteps('"rows"', ["id", "y"], { kind, ratio: [0.75, 0.25], seed: 7, key: ["id"], column }),
      ],
    });
  const head = 'WITH "rows" AS NOT MATERIALIZED (\nSELECT 1\n)';
  expect(text("random")).toBe(
    `${head}
SELECT t."id", t."y", CASE WHEN CAST('0x' || substr(md5(concat_ws(chr(31), coalesce(CAST('7' AS VARCHAR), ''), coalesce(CAST(t."id" AS VARCHAR), ''))), 1, 8) AS BIGINT) < 3221225472 THEN 'train' ELSE 'test' END AS split
FROM "rows" AS t`,
  );
  expect(text("time", "y")).toBe(
    `${head},
"cuts" AS NOT MATERIALIZED (
SELECT quantile_disc("y", [0.75]) AS edges
FROM "rows"
)
SELECT t."id", t."y", CASE WHEN CASE WHEN t."y" IS NULL THEN error('the time column holds empty values, so these rows belong to no part of a time split: drop them first with --where') ELSE t."y" <= cuts.edges[1] END THEN 'train' ELSE 'test' END AS split
FROM "rows" AS t CROSS JOIN cuts`,
  );
});

describe("a split", () => {
  test("by time never has a train row later than a valid or test row, cuts no moment, loses no row", async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async (rows) => {
        const split = await splitRows(rows, { kind: "time", columns: ["at"] });
        expect(split.length).toBe(rows.length);
        const times = (part: string): string[] =>
          split.filter((row) => row.split === part).map((row) => row.at as string);
        const latest = (part: string): string => times(part).sort().at(-1) ?? "";
        const earliest = (part: string): string => times(part).sort()[0] ?? "9999";
        expect(latest("train") < earliest("valid")).toBe(true);
        expect(latest("train") < earliest("test")).toBe(true);
        expect(latest("valid") < earliest("test")).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("stratified has the exact share of every class in every part", async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async (rows) => {
        const split = await splitRows(rows, { kind: "stratified", columns: ["bought"] });
        for (const bought of [true, false]) {
          const n = rows.filter((row) => row.bought === bought).length;
          const count = (part: string): number =>
            split.filter((row) => row.bought === bought && row.split === part).length;
          expect(count("train")).toBe(Math.round(n * 0.8));
          expect(count("train") + count("valid")).toBe(Math.round(n * 0.9));
          expect(count("train") + count("valid") + count("test")).toBe(n);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("by group cuts no group; random and group keep a row's part when other rows come or go", async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, fc.integer({ min: 0, max: 1000 }), async (rows, seed) => {
        const whole = await splitRows(rows, { kind: "group", columns: ["shop"], seed });
        for (const shop of ["a", "b", "c", "d"])
          expect(new Set(whole.filter((row) => row.shop === shop).map((row) => row.split)).size).toBeLessThan(
            2,
          );
        const random = await splitRows(rows, { key: ["id"], seed });
        const half = await splitRows(rows.slice(0, Math.ceil(rows.length / 2)), { key: ["id"], seed });
        expect(half.map((row) => row.split)).toEqual(random.slice(0, half.length).map((row) => row.split));
      }),
      { numRuns: 10 },
    );
  });

  test("random comes close to its shares, and another seed gives another split", async () => {
    const rows = Array.from({ length: 4000 }, (_, i) => ({
      id: String(i),
      at: day(1),
      shop: "a",
      bought: true,
    }));
    const parts = (split: Record<string, unknown>[]): unknown[] => split.map((row) => row.split);
    const one = parts(await splitRows(rows, { key: ["id"] }));
    expect(Math.abs(one.filter((part) => part === "train").length / 4000 - 0.8)).toBeLessThan(0.02);
    expect(parts(await splitRows(rows, { key: ["id"], seed: 43 }))).not.toEqual(one);
    expect(new Set(parts(await splitRows(rows, { key: ["id"], ratio: [0.5, 0.5] })))).toEqual(
      new Set(["train", "test"]),
    );
  });

  test("a row without a time, a bad ratio, a target without classes and a second split are refused", async () => {
    const rows = [{ id: "1", at: null, shop: "a", bought: true }];
    await expect(splitRows(rows, { kind: "time", columns: ["at"] })).rejects.toMatchObject({ kind: "data" });
    await expect(splitRows(rows, { ratio: [0.8, 0.3] })).rejects.toMatchObject({
      kind: "usage",
      message: "--ratio must be two or three positive shares that sum to 1, got 0.8,0.3",
    });
    await expect(splitRows(rows, { kind: "stratified", columns: ["bougth"] })).rejects.toMatchObject({
      kind: "data",
      try: "--target bought",
    });
    await expect(splitRows(rows, { kind: "group" })).rejects.toMatchObject({ kind: "usage" });
    const many = Array.from({ length: 1001 }, (_, i) => ({
      id: String(i),
      at: day(0),
      shop: "a",
      bought: true,
    }));
    await expect(splitRows(many, { kind: "stratified", columns: ["id"] })).rejects.toMatchObject({
      kind: "data",
    });
    const plan = await planOf(await tableOf(await run.engine(), { split: "VARCHAR" }, [{ split: "train" }]));
    await expect(
      withSplit(plan, { kind: "random", ratio: [0.5, 0.5], columns: [], seed: 1 }),
    ).rejects.toMatchObject({ kind: "usage" });
  });
});

describe("splits for recommenders", () => {
  const sales = ["a", "b", "a", "b", "a", "a", "c", "a", "a"].map((shop, i) => ({
    id: `row ${i}`,
    at: day((i * 4) % 9),
    shop,
    bought: true,
  }));

  test("last: of every user the last is test, the one before it valid; who has too few is train", async () => {
    const rows = await splitRows(sales, { kind: "last", columns: ["shop"], time: "at" });
    const ofA = rows.filter((row) => row.shop === "a").sort((x, y) => (x.at! < y.at! ? -1 : 1));
    expect(ofA.map((row) => row.split)).toEqual(["train", "train", "train", "train", "valid", "test"]);
    expect(rows.filter((row) => row.shop !== "a").every((row) => row.split === "train")).toBe(true);
    const two = await splitRows(sales, { kind: "last", columns: ["shop"], time: "at", ratio: [0.9, 0.1] });
    expect(two.filter((row) => row.split === "test").map((row) => row.shop)).toEqual(
      expect.arrayContaining(["a", "b"]),
    );
  });

  test("item and user: exact shares of every group, halves to even", async () => {
    const many = Array.from({ length: 60 }, (_, i) => ({
      id: `r${i}`,
      at: day(0),
      shop: "abcdefghij"[i % 10],
      bought: true,
    }));
    const rows = await splitRows(many, { kind: "item", columns: ["shop"], ratio: [0.75, 0.25] });
    for (const shop of "abcdefghij")
      // 0.75 x 6 = 4.5 is rounded to 4.
      expect(rows.filter((row) => row.shop === shop && row.split === "train")).toHaveLength(4);
  });

  test("kfold: every row in one fold, folds of equal size, first ones longer", async () => {
    const rows = await splitRows(sales, { kind: "kfold", folds: 4 });
    const sizes = [0, 1, 2, 3].map((fold) => rows.filter((row) => row.fold === fold).length);
    expect(sizes).toEqual([3, 2, 2, 2]);
  });

  const movielens = sharedData("movielens-100k/interactions-split75.csv");
  test.skipIf(!movielens)("the published split of Microsoft Recommenders, row by row", async () => {
    const engine = await run.engine();
    const table = await openTable(engine, [movielens!]);
    const bare = `SELECT * EXCLUDE (split), split AS published FROM (${table.sql})`;
    const plan = await planOf(await relationOf(engine, bare, table));
    const made = await withSplit(plan, { kind: "item", columns: ["item"], ratio: [0.75, 0.25], seed: 42 });
    const [counts] = await engine.rows(
      `SELECT count(*) FILTER (split = published) AS same, count(*) FILTER (split = 'train') AS train FROM (${planSql(made)})`,
    );
    expect(counts).toEqual({ same: 100000n, train: 75066n });
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { profileOf } from "../../src/clean/profile.js";
import { fences, gridOf } from "../../src/clean/profile-sql.js";
import { openDuckDb } from "../../src/engine/duckdb.js";
import { fileColumn, relationOf, rowColumn, type Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";

const run = testRun();

async function tableOf(values: string, type: string): Promise<Relation> {
  const engine = await run.engine();
  return relationOf(
    engine,
    `SELECT value::${type} AS x, 0 AS ${fileColumn}, row_number() OVER () AS ${rowColumn} FROM (VALUES ${values}) AS t(value)`,
    { key: [fileColumn, rowColumn] },
  );
}

const profiled = async (values: string, type: string) =>
  (await profileOf(await tableOf(values, type), run.progress)).columns[0];

test("a small column of numbers gives the figures that numpy gives", async () => {
  // numpy 2: np.quantile([1, 2, 3, 4, 100], [.05, .25, .5, .75, .95]), np.std(ddof=1).
  expect(await profiled("(1), (2), (3), (4), (100), (NULL)", "DOUBLE")).toMatchObject({
    nulls: 1,
    distinct: 5,
    distinct_exact: true,
    min: 1,
    max: 100,
    mean: 22,
    std: expect.closeTo(43.61765697512868, 10),
    quantiles: { p5: expect.closeTo(1.2, 10), p25: 2, p50: 3, p75: 4, p95: expect.closeTo(80.8, 10) },
    zeros: 0,
    negatives: 0,
  });
});

test("NaN and infinities are counted apart and spoil no figure", async () => {
  expect(await profiled("('nan'), ('inf'), ('-inf'), ('1'), ('3')", "DOUBLE")).toMatchObject({
    nulls: 0,
    nan: 1,
    infinite: 2,
    min: 1,
    max: 3,
    mean: 2,
    quantiles: { p50: 2 },
  });
});

test.each([
  ["(1e308), (-1e308), (0)", "DOUBLE", { min: -1e308, max: 1e308, mean: 0 }],
  ["(0), (0)", "DOUBLE", { mean: 0, std: 0, zeros: 2, distinct: 1 }],
  ["(5)", "INTEGER", { mean: 5, std: null, quantiles: { p5: 5, p25: 5, p50: 5, p75: 5, p95: 5 } }],
  ["(9007199254740993), (9007199254740993)", "BIGINT", { min: "9007199254740993", max: "9007199254740993" }],
  ["('19.99'), ('0.01')", "DECIMAL(18,2)", { min: 0.01, max: 19.99, mean: 10 }],
  ["('2024-01-31'), ('2024-02-29')", "DATE", { min: "2024-01-31", max: "2024-02-29" }],
  [
    "('a'), (' b'), (''), ('12'), ('🙂')",
    "VARCHAR",
    { length: { min: 0, max: 2 }, empty: 1, padded: 1, numeric: 1 },
  ],
  [
    "(true), (false), (true)",
    "BOOLEAN",
    {
      top: [
        { value: true, count: 2 },
        { value: false, count: 1 },
      ],
    },
  ],
  ["(NULL), (NULL)", "VARCHAR", { nulls: 2, distinct: 0 }],
  ["([1, 2]), (NULL)", "INTEGER[]", { kind: "nested", nulls: 1 }],
])("%s as %s", async (values, type, expected) => {
  expect(await profiled(values, type)).toMatchObject(expected);
});

test("a table without rows has a profile", async () => {
  const engine = await run.engine();
  const empty = await relationOf(engine, "SELECT 1 AS a, 'x' AS b WHERE false", { key: [] });
  const profile = await profileOf(empty, run.progress);
  expect(profile).toMatchObject({
    rows: 0,
    columns: [{ name: "a", nulls: 0, distinct: 0, min: null }, { name: "b" }],
  });
});

test("column names that are SQL are names", async () => {
  const engine = await run.engine();
  const odd = await relationOf(engine, `SELECT 1 AS """; drop table x; --", 2 AS "a'b", 3 AS "select"`, {
    key: [],
  });
  const { columns } = await profileOf(odd, run.progress);
  expect(columns.map((column) => [column.name, column.max])).toEqual([
    ['"; drop table x; --', 1],
    ["a'b", 2],
    ["select", 3],
  ]);
});

test("mean, std and histogram agree with plain arithmetic", async () => {
  const finite = fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 })
    .map((value) => (Math.abs(value) < 1e-150 ? 0 : value));
  await fc.assert(
    fc.asyncProperty(fc.array(finite, { minLength: 2, maxLength: 40 }), async (values) => {
      const column = await profiled(values.map((value) => `(${value.toExponential()})`).join(", "), "DOUBLE");
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const std = Math.sqrt(
        values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1),
      );
      const size = Math.max(...values.map(Math.abs));
      expect(Math.abs(column.mean! - mean)).toBeLessThanOrEqual(1e-12 * size);
      expect(Math.abs(column.std! - std)).toBeLessThanOrEqual(1e-7 * std + 1e-9 * size);
      const { counts, below, above } = column.histogram!;
      expect(counts.reduce((sum, count) => sum + count, below + above)).toBe(values.length);
    }),
    { numRuns: 25 },
  );
});

test("the profile is the same for any number of threads", async () => {
  const sql = `SELECT 0 AS ${fileColumn}, i AS ${rowColumn}, sin(i) * 1e6 AS x, (i * 7919) % 1000 AS g, md5(i::VARCHAR) AS t FROM range(200000) AS r(i)`;
  const limits = {
    countedDistinct: 50_000,
    exactQuantileRows: 100_000,
    sampleRows: 20_000,
    countedHashes: 20_000,
  };
  const profiles = [];
  for (const threads of [1, 2, 4]) {
    const engine = await openDuckDb({ threads, memory: 1e9 });
    const relation = await relationOf(engine, sql, { key: [fileColumn, rowColumn] });
    profiles.push(JSON.stringify(await profileOf(relation, run.progress, limits)));
    await engine.close();
  }
  expect(new Set(profiles).size).toBe(1);
  const { sampled, columns } = JSON.parse(profiles[0]) as Awaited<ReturnType<typeof profileOf>>;
  expect(sampled!.of).toBe(200_000);
  expect(Math.abs(sampled!.rows - 20_000)).toBeLessThan(200);
  expect(columns[1]).toMatchObject({ distinct: 1000, distinct_exact: true });
  expect(columns[2]).toMatchObject({ distinct_exact: false });
  expect(Math.abs(columns[2].distinct / 200_000 - 1)).toBeLessThan(0.01);
  expect(columns[2].top).toBeUndefined();
  // A quantile from a twentieth of the rows: within half a percent of the range.
  expect(Math.abs((columns[0].quantiles!.p75 as number) - 1e6 * Math.SQRT1_2)).toBeLessThan(1e4);
});

test("bins cover the data or its fences, and grids keep every sum within 64 bits", () => {
  expect(fences([1, 2, 3, 4, 5], -1000, 1000, false)).toEqual({ from: -4, to: 10, bins: 16 });
  expect(fences([1, 2, 3, 4, 5], 1, 5, true)).toEqual({ from: 1, to: 6, bins: 5 });
  expect(fences([2, 2, 2, 2, 2], 2, 2, false).bins).toBe(1);
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const grid = gridOf(low, low, high);
        expect(Math.max(Math.abs(low), Math.abs(high)) * 2 ** grid.sum).toBeLessThanOrEqual(2 ** 61);
        expect(high * 2 ** grid.square - low * 2 ** grid.square).toBeLessThanOrEqual(2 ** 31);
      },
    ),
  );
});

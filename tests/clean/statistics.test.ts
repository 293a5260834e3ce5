import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { meanSql, spreadSql } from "../../src/clean/statistics.js";
import { cleanCsv, columnOf } from "./cleaning.js";

const run = testRun();
const folder = temporaryFolder();
const clean = (csv: string, yaml: string): ReturnType<typeof cleanCsv> => cleanCsv(run, folder, csv, yaml);
const lines = (values: (number | string)[]): string =>
  `g,x\n${values.map((value, i) => `${i % 2},${value}`).join("\n")}\n`;

describe("outliers", () => {
  // 1 to 9 and a stray 100: quartiles 3.25 and 7.75, median 5.5, absolute deviations' median 2.5.
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100];
  const cleaned = async (outliers: string, type = "number"): Promise<unknown[]> =>
    columnOf(
      (await clean(lines(values), `columns: { g: {}, x: { type: "${type}", outliers: ${outliers} } }`)).table,
      "x",
    );

  test.each([
    ["{ method: iqr, action: clip }", 7.75 + 1.5 * 4.5],
    ["{ method: iqr, k: 3, action: clip }", 7.75 + 3 * 4.5],
    ["{ method: mad, action: clip }", 5.5 + 3.5 * 1.4826 * 2.5],
    [
      "{ method: zscore, k: 2, action: clip }",
      14.5 + 2 * Math.sqrt(values.reduce((sum, x) => sum + (x - 14.5) ** 2, 0) / 9),
    ],
    ["{ method: quantile, low: 0, high: 0.9, action: clip }", 9 + 0.1 * 91],
  ])("%s", async (outliers, highest) => {
    const got = (await cleaned(outliers)) as number[];
    expect(got.slice(0, 9)).toEqual(values.slice(0, 9));
    expect(got[9]).toBeCloseTo(highest, 9);
  });

  test("an integer is clipped to an integer inside the fences, a decimal to a decimal", async () => {
    expect((await cleaned("{ method: iqr, action: clip }", "integer"))[9]).toBe(14n);
    expect((await cleaned("{ method: iqr, action: clip }", "decimal(9,1)"))[9]).toBe("14.5");
  });

  test("reject, null and flag", async () => {
    const contract = (action: string): string =>
      `columns: { g: {}, x: { type: integer, outliers: { method: iqr, action: ${action} } } }`;
    const rejected = await clean(lines(values), contract("reject"));
    expect(rejected.counts).toMatchObject({ rejected: 1, by_rule: { "x.outlier": 1 } });
    expect(await columnOf(rejected.rejects, "x")).toEqual(["100"]);
    expect((await columnOf((await clean(lines(values), contract("null"))).table, "x"))[9]).toBeNull();
    expect((await columnOf((await clean(lines(values), contract("flag"))).table, "_flags"))[9]).toBe(
      "x.outlier",
    );
  });

  test("by group; a group without spread has no fences", async () => {
    const csv = "g,x\na,1\na,1\na,1\na,9\nb,1\nb,2\nb,3\nb,4\nb,90\n";
    const { counts } = await clean(
      csv,
      "columns: { g: {}, x: { type: integer, outliers: { method: iqr, by: [g], action: flag } } }",
    );
    expect(counts.by_rule).toEqual({ "x.outlier": 2 });
    const flat = await clean(
      "g,x\na,1\na,1\na,1\n",
      "columns: { g: {}, x: { type: integer, outliers: { method: zscore, action: reject } } }",
    );
    expect(flat.counts.rejected).toBe(0);
  });

  test("rows that a rule refused move no fence", async () => {
    const csv = lines([...values.slice(0, 9), "1000000"]);
    const { counts } = await clean(
      csv,
      "columns: { g: {}, x: { type: integer, max: 100, outliers: { method: zscore, k: 1.4, action: reject } } }",
    );
    expect(counts.by_rule).toEqual({ "x.max": 1, "x.outlier": 2 });
  });

  test("are for numbers", async () => {
    await expect(
      clean("g,x\n1,a\n", "columns: { x: { type: text, outliers: { method: iqr, action: clip } } }"),
    ).rejects.toMatchObject({
      kind: "usage",
      message: "outliers are for numbers; x is VARCHAR",
    });
  });
});

describe("imputation", () => {
  const csv = "g,x\na,1\na,2\na,6\na,\nb,10\nb,\nc,\n";
  const filled = async (impute: string, type = "number"): Promise<unknown[]> =>
    columnOf((await clean(csv, `columns: { g: {}, x: { type: "${type}", impute: ${impute} } }`)).table, "x");

  test.each([
    ["{ method: constant, value: 0 }", [1, 2, 6, 0, 10, 0, 0]],
    ["{ method: mean }", [1, 2, 6, 4.75, 10, 4.75, 4.75]],
    ["{ method: median }", [1, 2, 6, 4, 10, 4, 4]],
    ["{ method: mean, by: [g] }", [1, 2, 6, 3, 10, 10, 4.75]],
    ["{ method: median, by: [g] }", [1, 2, 6, 2, 10, 10, 4]],
    ["{ method: forward }", [1, 2, 6, 6, 10, 10, 10]],
    ["{ method: forward, by: [g] }", [1, 2, 6, 6, 10, 10, null]],
    ["{ method: mode }", [1, 2, 6, 1, 10, 1, 1]],
  ])("%s", async (impute, wanted) => {
    expect(await filled(impute)).toEqual(wanted);
  });

  test("a mean becomes the column's type", async () => {
    expect(await filled("{ method: mean }", "integer")).toEqual([1n, 2n, 6n, 5n, 10n, 5n, 5n]);
    expect(await filled("{ method: mean }", "decimal(9,1)")).toEqual([
      "1.0",
      "2.0",
      "6.0",
      "4.8",
      "10.0",
      "4.8",
      "4.8",
    ]);
  });

  test("the mode of texts; of equally frequent ones the smallest", async () => {
    const { table, counts } = await clean(
      "v,w\nb,1\na,1\n,1\nb,1\na,1\n",
      "columns: { v: { type: text, impute: { method: mode } } }",
    );
    expect(await columnOf(table, "v")).toEqual(["b", "a", "a", "b", "a"]);
    expect(counts).toMatchObject({ repaired: 1, by_rule: { "v.impute": 1 } });
  });

  test("forward fill follows a column, not the file", async () => {
    const { table } = await clean(
      "t,x\n3,\n1,7\n2,\n",
      "columns: { t: { type: integer }, x: { type: integer, impute: { method: forward, order_by: t } } }",
    );
    expect(await columnOf(table, "x")).toEqual([7n, 7n, 7n]);
  });

  test("`required` is asked after imputation, and derived columns see imputed values", async () => {
    const { table, counts } = await clean(
      csv,
      `columns:
  g: {}
  x: { type: integer, required: true, impute: { method: forward, by: [g] } }
  twice: { derive: "2 * x", type: integer }`,
    );
    expect(counts).toMatchObject({ rejected: 1, by_rule: { "x.impute": 2, "x.required": 1 } });
    expect(await columnOf(table, "twice")).toEqual([2n, 4n, 12n, 12n, 20n, 20n]);
  });

  test("a mean of texts is refused with its place", async () => {
    await expect(
      clean(csv, "columns: { g: { type: text, impute: { method: mean } } }"),
    ).rejects.toMatchObject({
      kind: "usage",
      where: expect.stringContaining("contract.yaml:1:") as string,
    });
  });
});

test("mean and spread are those of plain arithmetic, for any finite numbers", async () => {
  const engine = await run.engine();
  // The squares of smaller numbers leave the range of doubles, where their grid ends.
  const number = fc.double({ noNaN: true, min: -1e9, max: 1e9 }).map((x) => (Math.abs(x) < 1e-140 ? 0 : x));
  await fc.assert(
    fc.asyncProperty(fc.array(number, { minLength: 2, maxLength: 40 }), async (values) => {
      const rows = values.map((value) => `(${value.toExponential()}::DOUBLE)`).join(", ");
      const grouped = { sql: `SELECT x FROM (VALUES ${rows}) t(x)`, by: [] };
      const means = engine.fresh("means");
      await engine.run(`CREATE TABLE ${means} AS ${meanSql(grouped)}`);
      const [{ mean, sd }] = await engine.rows<{ mean: number; sd: number }>(spreadSql(grouped, means));
      const wanted = values.reduce((a, b) => a + b, 0) / values.length;
      const spread = Math.sqrt(values.reduce((sum, x) => sum + (x - wanted) ** 2, 0) / (values.length - 1));
      const scale = Math.max(...values.map(Math.abs), 1e-300);
      expect(Math.abs(mean - wanted) / scale).toBeLessThan(1e-12);
      expect(Math.abs(sd - spread) / scale).toBeLessThan(1e-9);
    }),
    { numRuns: 25 },
  );
});

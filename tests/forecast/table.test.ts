import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { forecastTable, type ForecastAsk } from "../../src/forecast/forecast.js";
import { relationOf, selectOrdered, type Relation } from "../../src/table/relation.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const folder = temporaryFolder();
const run = testRun();

async function table(sql: string): Promise<Relation> {
  return relationOf(await run.engine(), sql, { key: [], name: "test" });
}

const ask: ForecastAsk = {
  series: [],
  time: "t",
  value: "v",
  aggregate: "sum",
  horizon: 3,
  models: ["naive"],
  params: {},
  levels: [80, 95],
  origins: 0,
};

/** Times and means of a forecast of `SELECT time AS t, value AS v`. */
async function forecastOf(values: string, more: Partial<ForecastAsk> = {}) {
  const result = await forecastTable(
    await table(`SELECT * FROM (VALUES ${values}) _(t, v)`),
    { ...ask, ...more },
    run,
  );
  const rows = await (
    await run.engine()
  ).rows<{ t: unknown; mean: number }>(selectOrdered(result.table, ["t::VARCHAR AS t", "mean"]));
  return { ...result, times: rows.map((row) => row.t), means: rows.map((row) => row.mean) };
}
const type = async (relation: Relation) => relation.schema.find((field) => field.name === "t")?.type;

describe("time", () => {
  test.each([
    [
      "days",
      "(DATE '2024-02-27', 1), (DATE '2024-02-28', 2)",
      "D",
      ["2024-02-29", "2024-03-01", "2024-03-02"],
    ],
    [
      "weeks, on their weekday",
      "(DATE '2023-12-13', 1), (DATE '2023-12-20', 2)",
      "W",
      ["2023-12-27", "2024-01-03", "2024-01-10"],
    ],
    [
      "weeks before 1970",
      "(DATE '1969-12-15', 1), (DATE '1969-12-22', 2)",
      "W",
      ["1969-12-29", "1970-01-05", "1970-01-12"],
    ],
    [
      "first days of months",
      "(DATE '2023-10-01', 1), (DATE '2023-11-01', 2)",
      "M",
      ["2023-12-01", "2024-01-01", "2024-02-01"],
    ],
    [
      "last days of months",
      "(DATE '2023-11-30', 1), (DATE '2023-12-31', 2)",
      "M",
      ["2024-01-31", "2024-02-29", "2024-03-31"],
    ],
    [
      "quarters by their last day",
      "(DATE '2023-06-30', 1), (DATE '2023-09-30', 2)",
      "Q",
      ["2023-12-31", "2024-03-31", "2024-06-30"],
    ],
    [
      "years, on their day",
      "(DATE '2022-07-01', 1), (DATE '2023-07-01', 2)",
      "Y",
      ["2024-07-01", "2025-07-01", "2026-07-01"],
    ],
  ])("%s are found out and go on", async (_, values, freq, times) => {
    const result = await forecastOf(values);
    expect(result.freq).toBe(freq);
    expect(result.times).toEqual(times);
    expect(await type(result.table)).toBe("DATE");
  });

  test("timestamps stay timestamps, numbers go on by their usual distance", async () => {
    const hours = await forecastOf("(TIMESTAMP '2024-01-01 22:00', 1), (TIMESTAMP '2024-01-01 23:00', 2)");
    expect(hours.times[0]).toBe("2024-01-02 00:00:00");
    expect(await type(hours.table)).toBe("TIMESTAMP");
    const zoned = await forecastOf(
      "(TIMESTAMPTZ '2024-01-01 10:00:00+02', 1), (TIMESTAMPTZ '2024-01-02 10:00:00+02', 2)",
    );
    expect(await type(zoned.table)).toBe("TIMESTAMP WITH TIME ZONE");
    const numbers = await forecastOf("(10, 1), (15, 2), (20, 3)");
    expect(numbers).toMatchObject({ freq: null, times: ["25", "30", "35"], means: [3, 3, 3] });
    expect(await type(numbers.table)).toBe("INTEGER");
  });

  test("odd distances and texts are refused", async () => {
    await expect(forecastOf("(DATE '2024-01-01', 1), (DATE '2024-01-03', 2)")).rejects.toMatchObject({
      kind: "usage",
      message: expect.stringContaining("2 days apart"),
    });
    await expect(forecastOf("('2024-01', 1), ('2024-02-01', 1)")).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining('1 of 2 are no dates (such as "2024-01")'),
    });
    await expect(forecastOf("(DATE '2024-01-01', 'x')")).rejects.toMatchObject({ kind: "data" });
    await expect(forecastOf("(DATE '2024-01-01', 1)", { time: "tt" })).rejects.toMatchObject({
      kind: "data",
      try: "--time t",
    });
    await expect(
      forecastTable(await table("SELECT DATE '2024-01-01' AS t, 1 AS v WHERE false"), ask, run),
    ).rejects.toMatchObject({ kind: "data", message: "the table has no rows" });
  });
});

describe("periods", () => {
  const gaps =
    "(TIMESTAMP '2024-01-01 09:00', 1.5), (TIMESTAMP '2024-01-01 18:00', 2.5), (TIMESTAMP '2024-01-02 08:00', 7), (TIMESTAMP '2024-01-05 08:00', 9)";

  test("rows within a period are added up, or averaged", async () => {
    const means = async (more: Partial<ForecastAsk>) =>
      (await forecastOf(gaps, { freq: "D", models: ["seasonal-naive"], horizon: 5, season: [5], ...more }))
        .means;
    expect(await means({})).toEqual([4, 7, 0, 0, 9]);
    expect(await means({ aggregate: "mean" })).toEqual([2, 7, 0, 0, 9]);
    expect(await means({ fill: "previous" })).toEqual([4, 7, 7, 7, 9]);
    expect(await means({ fill: "none", season: [3] })).toEqual([4, 7, 9, 4, 7]);
  });

  test("zeros reach to the end of the table, previous values do not; null is unknown, not zero", async () => {
    const rows = `SELECT * FROM (VALUES ('a', DATE '2024-01-01', 4), ('a', DATE '2024-01-02', NULL), ('b', DATE '2024-01-02', NULL), ('b', DATE '2024-01-03', 5), ('b', DATE '2024-01-04', 6)) _(s, t, v)`;
    const first = async (fill: ForecastAsk["fill"]) => {
      const result = await forecastTable(await table(rows), { ...ask, series: ["s"], horizon: 1, fill }, run);
      return {
        filled: result.filled,
        rows: await (await run.engine()).rows(selectOrdered(result.table, ["s", "t::VARCHAR AS t", "mean"])),
      };
    };
    expect(await first("zero")).toEqual({
      filled: { rule: "zero", gaps: 0, tail: 2, missing: 2, ended: 0 },
      rows: [
        { s: "a", t: "2024-01-05", mean: 0 },
        { s: "b", t: "2024-01-05", mean: 6 },
      ],
    });
    expect((await first("previous")).rows).toEqual([
      { s: "a", t: "2024-01-03", mean: 4 },
      { s: "b", t: "2024-01-05", mean: 6 },
    ]);
  });

  test("a stray date does not ask for all memory", async () => {
    await expect(
      forecastOf("(TIMESTAMP '1900-01-01', 1), (TIMESTAMP '290000-01-01', 2)", { freq: "H" }),
    ).rejects.toMatchObject({ kind: "data", message: expect.stringContaining("span") });
  });
});

describe("every series has an answer", () => {
  const rows = `
    SELECT 'one' AS s, DATE '2024-03-01' AS t, 5.0::DOUBLE AS v
    UNION ALL SELECT 'constant', DATE '2024-01-01' + i::INTEGER, 3 FROM range(61) _(i)
    UNION ALL SELECT 'zero', DATE '2024-01-01' + i::INTEGER, 0 FROM range(61) _(i)
    UNION ALL SELECT 'negative', DATE '2024-01-01' + i::INTEGER, (i * 37 % 11) - 5 FROM range(61) _(i)
    UNION ALL SELECT 'demand', DATE '2024-01-01' + i::INTEGER, greatest(0, (i * 37 % 11) - 5) FROM range(61) _(i)
    UNION ALL SELECT 'odd', DATE '2024-01-01' + i::INTEGER, CASE i WHEN 9 THEN 'nan'::DOUBLE WHEN 30 THEN 'inf'::DOUBLE ELSE i END FROM range(61) _(i)`;

  test("one value, constants, zeros, negatives, NaN", async () => {
    const result = await forecastTable(
      await table(rows),
      { ...ask, series: ["s"], models: ["naive", "seasonal-naive", "ses"], origins: 3 },
      run,
    );
    const out = await (
      await run.engine()
    ).rows<Record<string, number | string | null>>(
      selectOrdered(result.table, ["s", "model", "mean", "lo_80", "hi_80", "lo_95", "hi_95"]),
    );
    expect(out).toHaveLength(6 * 3 * 3);
    for (const row of out) {
      expect(row.mean).not.toBeNull();
      if (row.s === "one") {
        expect([row.mean, row.lo_80, row.hi_95]).toEqual([5, null, null]);
        continue;
      }
      const [low95, low80, mean, high80, high95] = [
        row.lo_95,
        row.lo_80,
        row.mean,
        row.hi_80,
        row.hi_95,
      ] as number[];
      expect(low95).toBeLessThanOrEqual(low80);
      expect(low80).toBeLessThanOrEqual(mean);
      expect(mean).toBeLessThanOrEqual(high80);
      expect(high80).toBeLessThanOrEqual(high95);
      if (row.s === "demand") expect(low95).toBeGreaterThanOrEqual(0);
      if (row.s === "zero") expect([mean, high95]).toEqual([0, 0]);
      if (row.s === "negative") expect(low95).toBeLessThan(0);
    }
    expect(result.fallbacks).toContainEqual({
      reason: "fewer than the 7 values that seasonal-naive needs",
      model: "seasonal-naive",
      used: "naive",
      series: 1,
      examples: ["one"],
    });
    expect(run.warnings).toContain("2 values in v are NaN or infinite: taken for unknown");
    expect(Object.keys(result.metrics)).toEqual(["naive", "seasonal-naive", "ses"]);
    expect(result.backtest).toEqual({ origins: 3, windows: 15, series: 5 });
  });

  test("auto weighs models by their errors in the backtest, series by series", async () => {
    const result = await forecastTable(
      await table(`
        SELECT 'weekly' AS s, DATE '2024-01-01' + i::INTEGER AS t, [5, 1, 8, 2, 9, 3, 7][1 + i % 7] AS v FROM range(70) _(i)
        UNION ALL SELECT 'trend', DATE '2024-01-01' + i::INTEGER, 3 * i + (i % 2) FROM range(70) _(i)`),
      { ...ask, series: ["s"], models: ["auto"], origins: 4, horizon: 7 },
      run,
    );
    expect(Object.values(result.chosen!).reduce((a, b) => a + b)).toBe(2);
    // Judged by weights from the other origins, and here they are alike everywhere.
    expect(result.metrics.auto.rmsse).toBeLessThan(0.2 * result.metrics.naive.rmsse!);
    expect(Object.keys(result.metrics)).toEqual(expect.arrayContaining(["auto", "ets", "arima", "mstl"]));
  });
});

test("the result does not depend on the number of threads or the order of rows", async () => {
  const values = (order: string) =>
    `SELECT 'p' || (i % 40) AS s, DATE '2024-01-01' + (i * 7 % 89)::INTEGER AS t, (i * 7919 % 1000) / 7 AS v FROM range(6000) _(i) ORDER BY ${order}`;
  const bytes = async (threads: number, order: string) => {
    const other = testRun({ threads });
    const engine = await other.engine();
    const result = await forecastTable(
      await relationOf(engine, values(order), { key: [] }),
      { ...ask, series: ["s"], models: ["naive", "ses"], origins: 2, freq: "D" },
      other,
    );
    const rows = await engine.rows(selectOrdered(result.table));
    await engine.close();
    return JSON.stringify([rows, result.metrics], (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  };
  expect(await bytes(1, "i")).toBe(await bytes(4, "v DESC, i"));
});

const m4 = sharedData("m4/Weekly-train.csv.gz");

/** The backtest of one origin on M4's own split: its training part, then its test part, as one long table. */
async function m4Metrics(part: string, more: Partial<ForecastAsk>) {
  const lines = (text: string): [string, string[]][] =>
    text
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => {
        const [id, ...values] = line.replaceAll('"', "").trim().split(",");
        return [id, values.filter((value) => value !== "")];
      });
  const train = lines(gunzipSync(readFileSync(sharedData(`m4/${part}-train.csv.gz`)!)).toString());
  const future = new Map(lines(readFileSync(sharedData(`m4/${part}-test.csv`)!, "utf8")));
  const long = train.flatMap(([id, values]) =>
    [...values, ...future.get(id)!].map((value, i) => `${id},${i + 1},${value}`),
  );
  const file = join(folder, `${part}.csv`);
  writeFileSync(file, `id,t,v\n${long.join("\n")}\n`);
  return forecastTable(
    await table(`SELECT * FROM read_csv('${file}')`),
    { ...ask, series: ["id"], origins: 1, ...more },
    run,
  );
}

// Mcompetitions/M4-methods, "Evaluation and Ranks.xlsx": sMAPE, MASE, OWA. Both need the public files beside the project.
describe.skipIf(!m4)("the organisers' evaluation sheet of M4", () => {
  test("weekly: naive and ses (the season is 1 there)", async () => {
    const { series, metrics } = await m4Metrics("Weekly", { models: ["naive", "ses"], horizon: 13 });
    expect(series).toBe(359);
    expect(metrics.naive).toMatchObject({
      smape: expect.closeTo(9.161, 3),
      mase: expect.closeTo(2.777, 3),
      owa: 1,
    });
    expect(metrics.ses).toMatchObject({
      smape: expect.closeTo(9.012, 2),
      mase: expect.closeTo(2.685, 2),
      owa: expect.closeTo(0.975, 3),
    });
  });

  test("hourly: naive2 and seasonal naive", async () => {
    const { series, metrics } = await m4Metrics("Hourly", {
      models: ["naive2", "seasonal-naive"],
      horizon: 48,
      freq: "H",
    });
    expect(series).toBe(414);
    expect(metrics.naive2).toMatchObject({
      smape: expect.closeTo(18.383, 3),
      mase: expect.closeTo(2.395, 3),
      owa: 1,
    });
    expect(metrics["seasonal-naive"]).toMatchObject({
      smape: expect.closeTo(13.912, 3),
      mase: expect.closeTo(1.193, 3),
      owa: expect.closeTo(0.6275, 3),
    });
  });
});

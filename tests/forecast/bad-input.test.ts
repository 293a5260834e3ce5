import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forecastTable, type ForecastAsk } from "../../src/forecast/forecast.js";
import { relationOf, selectOrdered } from "../../src/table/relation.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const ask: ForecastAsk = {
  series: [],
  time: "t",
  value: "v",
  aggregate: "sum",
  horizon: 3,
  models: ["naive"],
  params: {},
  levels: [80],
  origins: 2,
};
async function forecast(sql: string, more: Partial<ForecastAsk> = {}) {
  const engine = await run.engine();
  const relation = await relationOf(engine, sql, { key: [], name: "sales" });
  const result = await forecastTable(relation, { ...ask, ...more }, run);
  const rows = await engine.rows<{ t: string; mean: number }>(
    selectOrdered(result.table, ["t::VARCHAR AS t", "mean"]),
  );
  return { ...result, rows };
}

const daily =
  "SELECT 'd' || i % 3 AS s, DATE '2024-01-01' + (i // 3)::INTEGER AS t, i % 7 AS v FROM range(180) _(i)";

test("series of another frequency are refused, uneven gaps are rare demand", async () => {
  const weekly = "SELECT 'w' AS s, DATE '2024-01-01' + (7 * i)::INTEGER AS t, i AS v FROM range(9) _(i)";
  await expect(forecast(`${daily} UNION ALL ${weekly}`, { series: ["s"] })).rejects.toMatchObject({
    kind: "data",
    message: "1 series have a time every 7 days (such as w), and the others every 1",
  });
  const said = await forecast(`${daily} UNION ALL ${weekly}`, { series: ["s"], freq: "W" });
  expect(said).toMatchObject({ freq: "W", series: 4 });
  const rare = "SELECT 'r', DATE '2024-01-01' + ((i * i) % 59)::INTEGER, i FROM range(12) _(i)";
  expect(await forecast(`${daily} UNION ALL ${rare}`, { series: ["s"] })).toMatchObject({
    freq: "D",
    series: 4,
  });
});

test.each([
  [
    "years by their last day",
    "make_date(1980 + i::INTEGER, 12, 31)",
    "Y",
    ["1994-12-31", "1995-12-31", "1996-12-31"],
  ],
  ["years as numbers", "1980 + i", null, ["1994", "1995", "1996"]],
  [
    "quarters",
    "DATE '1990-01-01' + to_months((3 * i)::INTEGER)",
    "Q",
    ["1993-07-01", "1993-10-01", "1994-01-01"],
  ],
  ["numbers from anywhere", "7 + 2 * i", null, ["35", "37", "39"]],
])("%s, fourteen of them", async (_, time, freq, expected) => {
  const cast = freq === "Q" ? `(${time})::DATE` : time;
  const result = await forecast(`SELECT ${cast} AS t, 100 + 3 * i AS v FROM range(14) _(i)`, {
    models: ["auto"],
  });
  expect([result.freq, result.rows.map(({ t }) => t)]).toEqual([freq, expected]);
  // A line goes on.
  result.rows.forEach(({ mean }, h) => expect(Math.abs(mean - (142 + 3 * h))).toBeLessThan(3));
});

test("a horizon longer than the history has an answer without a backtest", async () => {
  const result = await forecast("SELECT i AS t, i % 4 AS v FROM range(10) _(i)", {
    models: ["auto"],
    horizon: 30,
    season: [4],
  });
  expect(result.backtest.windows).toBe(0);
  expect(result.rows).toHaveLength(30);
  expect(result.rows.every(({ mean }) => Number.isFinite(mean))).toBe(true);
});

test("a million values: models see the last ones, which is listed", async () => {
  const result = await forecast(
    "SELECT i AS t, i % 24 + (i > 900000)::INTEGER * 100 AS v FROM range(1000000) _(i)",
    {
      models: ["seasonal-naive"],
      season: [24],
      origins: 1,
    },
  );
  expect(result.rows.map(({ mean }) => mean)).toEqual([116, 117, 118]);
  expect(result.fallbacks[0]).toMatchObject({
    model: "seasonal-naive",
    reason: "longer than 20,000 values: models saw the last ones",
  });
}, 30_000);

test.each([
  ["dates in two formats", ["--horizon", "3"], 3, /the times in t are VARCHAR/],
  ["a horizon of 0", ["--horizon", "0"], 2, /horizon/],
])("%s: an error that says what to try", async (_, options, code, message) => {
  const folder = temporaryFolder();
  const file = join(folder, "in.csv");
  writeFileSync(file, "t,v\n2024-01-01,1\n2024-01-02,2\n31/01/2024,3\n");
  const done = await runCli([
    "forecast",
    file,
    "-o",
    join(folder, "f.csv"),
    "--time",
    "t",
    "--value",
    "v",
    ...options,
  ]);
  expect([done.code, done.stderr]).toEqual([code, expect.stringMatching(message)]);
  expect(done.stderr).toContain("try");
});

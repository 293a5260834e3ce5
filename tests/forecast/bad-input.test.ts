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

test("a last period that is not over yet is warned of, where sums of it would be too low", async () => {
  const warned = async (days: number, more: Partial<ForecastAsk> = {}): Promise<string[]> => {
    run.warnings.length = 0;
    await forecast(`SELECT DATE '2024-01-07' + i::INTEGER AS t, 5 AS v FROM range(${days}) _(i)`, more);
    return [...run.warnings];
  };
  expect(await warned(200, { freq: "W" })).toEqual([
    expect.stringMatching(
      /last of the weeks, from 2024-07-21 on, has rows up to 2024-07-24 only.*"t < '2024-07-21'"/,
    ),
  ]);
  for (const [days, more] of [
    [203, { freq: "W" }],
    [200, { freq: "W", aggregate: "mean" }],
    [200, { freq: "D" }],
    // Up to 29 April.
    [114, { freq: "M" }],
  ] as [number, Partial<ForecastAsk>][])
    expect(await warned(days, more)).toEqual([]);
  expect(await warned(162, { freq: "M" })).toEqual([expect.stringMatching(/months, from 2024-06-01 on/)]);
  run.warnings.length = 0;
  const orders = "TIMESTAMP '2024-01-01 00:30:00' + to_hours((i // 4)::INTEGER)";
  await forecast(`SELECT ${orders} AS t, 1 AS v FROM range(1000) _(i)`, { freq: "D" });
  expect(run.warnings).toEqual([expect.stringMatching(/days, from 2024-01-11 on, has rows up to 09:30/)]);
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

const months = "(DATE '1990-11-01' + to_months(i::INTEGER))";
const quarter = "(DATE '1990-01-01' + to_months((3 * i)::INTEGER))";
test.each([
  ["1990-11", `strftime(${months}, '%Y-%m')`, "M", ["1992-01", "1992-02", "1992-03"]],
  ["1990/11", `strftime(${months}, '%Y/%m')`, "M", ["1992/01", "1992/02", "1992/03"]],
  ["1990M11", `strftime(${months}, '%YM%m')`, "M", ["1992M01", "1992M02", "1992M03"]],
  ["1990 Nov", `strftime(${months}, '%Y %b')`, "M", ["1992 Jan", "1992 Feb", "1992 Mar"]],
  ["Nov 1990", `strftime(${months}, '%b %Y')`, "M", ["Jan 1992", "Feb 1992", "Mar 1992"]],
  ["199011", `strftime(${months}, '%Y%m')::INTEGER`, "M", ["199201", "199202", "199203"]],
  ["19901130", `strftime(last_day(${months}), '%Y%m%d')::INTEGER`, "M", ["19920131", "19920229", "19920331"]],
  ["1990 Q1", `year(${quarter}) || ' Q' || quarter(${quarter})`, "Q", ["1993 Q3", "1993 Q4", "1994 Q1"]],
  ["1990Q1", `year(${quarter}) || 'Q' || quarter(${quarter})`, "Q", ["1993Q3", "1993Q4", "1994Q1"]],
  [
    "Q1-1990",
    `'Q' || quarter(${quarter}) || '-' || year(${quarter})`,
    "Q",
    ["Q3-1993", "Q4-1993", "Q1-1994"],
  ],
  ["text 1990", "(1990 + i)::VARCHAR", "Y", ["2004", "2005", "2006"]],
  [
    "1990-W50",
    `strftime(DATE '1990-12-10' + (7 * i)::INTEGER, '%G-W%V')`,
    "W",
    ["1991-W12", "1991-W13", "1991-W14"],
  ],
])("periods spelled like %s are understood, and go on so", async (_, time, freq, expected) => {
  const result = await forecast(`SELECT ${time} AS t, 100 + i AS v FROM range(14) _(i)`);
  expect([result.freq, result.filled.gaps, result.rows.map(({ t }) => t)]).toEqual([freq, 0, expected]);
});

test("a series ends with its last row where every period has one; where gaps are usual, or by --fill zero, nothing was sold since", async () => {
  const rows = (every: number): string =>
    `SELECT 's' || s AS s, DATE '2024-01-01' + i::INTEGER AS t, 10 + s AS v, i AS x FROM range(30) _(i), range(3) _(s) WHERE i % ${every} = 0 AND (s < 2 OR i < 20)`;
  const ends = async (sql: string, more: Partial<ForecastAsk> = {}) => {
    const { rows: found, filled } = await forecast(sql, { series: ["s"], ...more });
    return { last: found.slice(-3).map(({ t, mean }) => `${t} ${mean}`), filled };
  };
  expect(await ends(rows(1))).toMatchObject({
    last: ["2024-01-21 12", "2024-01-22 12", "2024-01-23 12"],
    filled: { gaps: 0, tail: 0, ended: 1 },
  });
  expect(await ends(rows(1), { fill: "zero" })).toMatchObject({
    last: ["2024-01-31 0", "2024-02-01 0", "2024-02-02 0"],
    filled: { tail: 10, ended: 0 },
  });
  expect(await ends(rows(2), { freq: "D" })).toMatchObject({ filled: { tail: 10, ended: 0 } });
  // Regressors stay with their series.
  const known = `${rows(1)} UNION ALL SELECT 's' || s, DATE '2024-01-01' + i::INTEGER, NULL, i FROM range(20, 34) _(i), range(3) _(s) WHERE s = 2 OR i > 29`;
  const line = known.replace("10 + s AS v", "3 * i AS v");
  const { last } = await ends(line, { regressors: ["x"], models: ["arima"], origins: 0 });
  expect(last.map((text) => Math.round(Number(text.split(" ")[1])))).toEqual([60, 63, 66]);
});

test("moments at no even distance are counted by day, even ones that are no period are refused", async () => {
  const events =
    "SELECT TIMESTAMP '2024-01-01' + to_seconds(40000 * i + (i * i * 7919) % 30011) AS t, 1 AS v FROM range(60) _(i)";
  expect(await forecast(events)).toMatchObject({ freq: "D" });
  const even = "SELECT TIMESTAMP '2024-01-01' + to_minutes(30 * i) AS t, 1 AS v FROM range(60) _(i)";
  await expect(forecast(even)).rejects.toMatchObject({
    message: expect.stringContaining("1800 seconds apart"),
  });
});

test("plain numbers stay numbers, and months cannot be days", async () => {
  const result = await forecast("SELECT 200001 + i AS t, i AS v FROM range(12) _(i)");
  expect([result.freq, result.rows[0].t]).toEqual([null, "200013"]);
  const spelled = `SELECT strftime(${months}, '%Y-%m') AS t, i AS v FROM range(12) _(i)`;
  await expect(forecast(spelled, { freq: "D" })).rejects.toMatchObject({ kind: "usage", try: "--freq M" });
  expect(await forecast(spelled, { freq: "Q" })).toMatchObject({
    freq: "Q",
    rows: [{ t: "1992-01" }, {}, {}],
  });
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

test("values that are text, and a table without rows, are told of as what they are", async () => {
  const text = "SELECT i AS t, CASE WHEN i = 4 THEN 'many' ELSE i::VARCHAR END AS v FROM range(10) _(i)";
  await expect(forecast(text)).rejects.toMatchObject({
    kind: "data",
    message: 'the values in v are text, and 1 of 10 are no numbers (such as "many")',
  });
  await expect(forecast("SELECT i AS t, NULL::VARCHAR AS v FROM range(10) _(i)")).rejects.toMatchObject({
    message: "no row has a value in v",
  });
  await expect(forecast("SELECT i AS t, NULL::DOUBLE AS v FROM range(10) _(i)")).rejects.toMatchObject({
    message: "no row has a value in v",
  });
  await expect(forecast("SELECT i AS t, 'a' || i AS v FROM range(10) _(i)")).rejects.toMatchObject({
    message: "the values in v are VARCHAR, not numbers",
  });
  await expect(forecast("SELECT 'x' AS t, 'y' AS v WHERE false")).rejects.toMatchObject({
    message: "the table has no rows",
  });
});

test("a time that lies far from all others is warned of", async () => {
  const warned = async (sql: string): Promise<string[]> => {
    const before = run.warnings.length;
    await forecast(sql, { freq: "D" });
    return run.warnings.slice(before);
  };
  const days = "SELECT DATE '2024-01-01' + i::INTEGER AS t, i AS v FROM range(60) _(i)";
  expect(await warned(`${days} UNION ALL SELECT DATE '2034-02-01', 4`)).toEqual([
    "no series has a row between 2024-02-29 and 2034-02-01 (3,624 days): if a t is mistyped, leave it out by --where",
  ]);
  expect(await warned(`${days} WHERE i % 9 = 0`)).toEqual([]);
});

test("of one value, auto says who spoke", async () => {
  expect(await forecast("SELECT 1 AS t, 5 AS v", { models: ["auto"] })).toMatchObject({
    chosen: { naive: 1 },
    rows: [{ mean: 5 }, { mean: 5 }, { mean: 5 }],
  });
});

test.each([
  ["dates in two formats", ["--horizon", "3"], 3, /1 of 3 are no dates \(such as "31\/01\/2024"\)/],
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

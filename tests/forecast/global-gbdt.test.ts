import fc from "fast-check";
import { expect, test } from "vitest";
import { forecastTable, type ForecastAsk } from "../../src/forecast/forecast.js";
import { Features } from "../../src/forecast/global-gbdt/features.js";
import { aptest } from "../../src/forecast/global-gbdt/forecast-panel.js";
import { Track } from "../../src/forecast/global-gbdt/track.js";
import { relationOf, selectOrdered } from "../../src/table/relation.js";
import { testRun, type TestRun } from "../support/test-run.js";

const ask: ForecastAsk = {
  series: ["s"],
  time: "t",
  value: "v",
  aggregate: "sum",
  horizon: 7,
  models: ["global-gbdt", "seasonal-naive"],
  params: {},
  levels: [80, 95],
  origins: 3,
};

/** Thirty shops of different size: a week of its own size each, and a promotion that doubles sales, on days known ahead. */
const shops = `
  SELECT 's' || shop AS s, DATE '2024-01-01' + day::INTEGER AS t, (hash(day, shop) % 9 = 0)::INTEGER AS promo,
         CASE WHEN day < 112 THEN (10 + 10 * shop) * [3, 3, 4, 4, 6, 9, 2][1 + day % 7] * (1 + promo) + hash(shop, day) % 7 END AS v
    FROM range(30) _(shop), range(119) __(day)`;

async function forecast(run: TestRun, more: Partial<ForecastAsk> = {}, sql = shops) {
  const engine = await run.engine();
  const result = await forecastTable(await relationOf(engine, sql, { key: [] }), { ...ask, ...more }, run);
  const rows = await engine.rows<{
    s: string;
    t: string;
    model: string;
    mean: number;
    lo_95: number;
    hi_95: number;
  }>(selectOrdered(result.table));
  return { result, rows: rows.map((row) => ({ ...row, t: String(row.t) })) };
}

test("what is after the known values is not looked at, but for calendar and regressors", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -100, max: 1000, noNaN: true }), { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 8 }),
      (list, cut, step, season) => {
        const known = Math.min(cut, list.length);
        const features = new Features({
          season,
          seasons: season > 1 ? [season, 2 * season] : [1],
          axis: { word: "periods", toPeriod: String, fromPeriod: String },
          base: 0,
          regressors: 0,
        });
        const row = (values: readonly number[]): number[] => {
          const columns = features.names.map(() => [NaN]);
          const asked = { track: new Track(Float64Array.from(values), season), first: 0, known: [] };
          const measure = features.measure(asked.track, known);
          features.write(columns, 0, asked, known, step, measure);
          return [
            ...columns.map(([value]) => value),
            measure.unit,
            features.anchor("season ago", asked.track, known, step, measure),
          ];
        };
        expect(row(list)).toEqual(row([...list.slice(0, known), ...list.slice(known).map((v) => 7 - v)]));
        expect(row(list)).toHaveLength(features.names.length + 2);
      },
    ),
  );
});

const run = testRun();

test.each(["direct", "recursive"])(
  "%s: learns a promotion from all series, for each in its own size",
  async (strategy) => {
    const { result, rows } = await forecast(run, { regressors: ["promo"], params: { strategy, trees: 80 } });
    // A promotion doubles what is sold, and comes on a ninth of the days.
    expect(result.metrics["global-gbdt"].wape).toBeLessThan(0.05);
    expect(rows).toHaveLength(2 * 30 * 7);
    for (const row of rows.filter(({ model }) => model === "global-gbdt")) {
      expect(row.lo_95).toBeLessThanOrEqual(row.mean);
      expect(row.mean).toBeLessThanOrEqual(row.hi_95);
    }
  },
  60_000,
);

test("the same bytes for any number of threads and in any kernel; auto listens where it is named", async () => {
  const bytes = async (threads: number, plain: boolean): Promise<string> => {
    const few = `SELECT * FROM (${shops}) WHERE s <= 's14'`;
    const { result, rows } = await forecast(
      testRun({ threads, plain }),
      {
        models: ["auto", "global-gbdt"],
        effort: "quick",
        params: { trees: 5 },
        origins: 2,
      },
      few,
    );
    expect(Object.keys(result.metrics)).toEqual(expect.arrayContaining(["auto", "global-gbdt", "ets"]));
    return JSON.stringify([rows, result.metrics]);
  };
  const first = await bytes(1, false);
  expect(await bytes(3, false)).toBe(first);
  expect(await bytes(2, true)).toBe(first);
}, 60_000);

test("too little to learn from: every series is listed with what speaks instead", async () => {
  const { result, rows } = await forecast(
    run,
    { models: ["global-gbdt"], origins: 1 },
    "SELECT 'a' AS s, DATE '2024-01-01' + day::INTEGER AS t, day AS v FROM range(40) _(day)",
  );
  expect(result.fallbacks).toEqual([
    {
      reason: "too little to learn from: fewer than 200 examples of 7 days ahead",
      model: "global-gbdt",
      used: "naive",
      series: 1,
      examples: ["a"],
    },
  ]);
  expect(rows.map(({ mean }) => mean)).toEqual(Array(7).fill(39));
});

test("errors are measured by what they go with, and by changes over a season where that hardly differs", () => {
  const sizes = Float64Array.from({ length: 40 }, (_, i) => 1 + (i % 7));
  const others = Float64Array.from({ length: 40 }, (_, i) => 1 + (i % 5));
  const errors = Array.from(sizes, (size, i) => Float64Array.of(size, (size * (1 + (i % 3))) / 2));
  expect(aptest(errors, { unit: others, deviation: sizes })).toBe("deviation");
  expect(aptest(errors, { unit: sizes, deviation: others })).toBe("unit");
  expect(aptest(errors, { unit: sizes.map((size, i) => (i % 2 ? 1.1 : 1) * size), deviation: sizes })).toBe(
    "unit",
  );
});

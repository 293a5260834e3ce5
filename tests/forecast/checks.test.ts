import { writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { clipped, eventsOf } from "../../src/forecast/events.js";
import { readyModels } from "../../src/forecast/registry.js";
import { residualChecks } from "../../src/forecast/residual-checks.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const noise = (n: number, seed: number, of = 1): Float64Array => {
  const rng = seededRng(seed, "noise");
  return Float64Array.from({ length: n }, () => of * rng.normal());
};
const week = (t: number): number => 100 + 10 * (t % 7);

describe("residuals", () => {
  // scipy 1.17: stats.jarque_bera; the sum of Ljung and Box by numpy, its tail by stats.chi2.sf.
  test("tests give scipy's figures", () => {
    const values = Float64Array.from({ length: 40 }, (_, t) => Math.sin(1.7 * t) + ((t * 37) % 11) / 10);
    const found = residualChecks(values, 1);
    expect(found.count).toBe(40);
    expect(found.normalP).toBeCloseTo(0.24577296504695703, 9);
    expect(found.ljungBoxP / 8.937201244233253e-18).toBeCloseTo(1, 6);
    expect(found.autocorrelation).toBeCloseTo(-0.19101330564277075, 12);
  });

  test("white noise passes in about 95 of 100 cases, what hangs together does not", () => {
    const shares = [0, 1].map((hung) => {
      let failed = 0;
      for (let seed = 0; seed < 200; seed++) {
        const e = noise(100, seed);
        for (let t = 1; hung && t < e.length; t++) e[t] += 0.5 * e[t - 1];
        if (residualChecks(e, 1).ljungBoxP < 0.05) failed++;
      }
      return failed / 200;
    });
    expect(shares[0]).toBeGreaterThan(0.01);
    expect(shares[0]).toBeLessThan(0.1);
    expect(shares[1]).toBeGreaterThan(0.7);
  });

  test("every model's one-step errors are those of forecasts one step ahead of its own fit", () => {
    const y = noise(60, 3, 4).map((value, t) => 100 + t + value + 8 * (t % 4));
    for (const [name, params] of [
      ["naive", {}],
      ["seasonal-naive", {}],
      ["drift", {}],
      ["ses", { alpha: 0.3 }],
    ] as const) {
      const [model] = readyModels([name], params);
      const residuals = model.fit({ values: y, season: 4 }).residuals!();
      // The last one: a fit to all values but the last, whose error it is. Drift and first level are fitted to all.
      const before = model.fit({ values: y.subarray(0, 59), season: 4 }).mean(1)[0];
      expect(residuals[residuals.length - 1], name).toBeCloseTo(
        y[59] - before,
        name === "naive" || name === "seasonal-naive" ? 12 : 0,
      );
    }
    for (const name of ["ets", "theta", "dynamic-theta", "arima", "mstl"]) {
      const fit = readyModels([name], {})[0].fit({ values: y, season: 4 });
      expect(fit.residuals!().every(Number.isFinite), name).toBe(true);
      expect(residualChecks(fit.residuals!(), 4).autocorrelation, name).toBeLessThan(0.5);
    }
  });
});

describe("events", () => {
  test("a level that jumps and a value that stands out are found where they are, and nowhere else", () => {
    const jump = noise(300, 1, 3).map((value, t) => value + week(t) + (t >= 150 ? 30 : 0));
    expect(eventsOf(jump, 7)).toEqual([
      expect.objectContaining({ kind: "change", index: expect.closeTo(150, -1) }),
    ]);
    const odd = noise(300, 2, 3).map((value, t) => value + week(t) + (t === 200 ? 150 : 0));
    expect(eventsOf(odd, 7)).toEqual([expect.objectContaining({ kind: "anomaly", index: 200 })]);
    const calm = clipped(odd, 7);
    expect(calm.filter((value, t) => value !== odd[t])).toHaveLength(1);
    expect(calm[200]).toBeLessThan(odd[200] - 100);
  });

  test("noise, a trend, a walk and rare demand have next to none", () => {
    let found = 0;
    for (let seed = 0; seed < 20; seed++) {
      const e = noise(200, seed);
      let walk = 0;
      for (const series of [e, e.map((value, t) => value + t), e.map((value) => (walk += value))])
        found += eventsOf(series, 1).length;
      found += eventsOf(
        e.map((value) => (value > 1 ? Math.ceil(value) : 0)),
        1,
      ).length;
    }
    // Of 16,000 values.
    expect(found).toBeLessThan(16);
  });

  test("any history has an answer, in order and in place", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: -1e6, max: 1e6, noNaN: true })), {
          maxLength: 80,
        }),
        fc.integer({ min: 1, max: 12 }),
        (list, season) => {
          const values = Float64Array.from(list);
          const places = eventsOf(values, season).map(({ index }) => index);
          expect(places).toEqual([...places].sort((a, b) => a - b));
          expect(places.every((place) => place >= 0 && place < values.length)).toBe(true);
          expect(clipped(values, season)).toHaveLength(values.length);
        },
      ),
    );
  });
});

test("a table by series, one of events, and outliers clipped on request", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "in.csv");
  const e = noise(100, 5, 2);
  const day = (t: number): string => new Date(Date.UTC(2024, 0, 1 + t)).toISOString().slice(0, 10);
  const rows = [..."ab"].flatMap((s) =>
    Array.from(e, (value, t) => `${s},${day(t)},${week(t) + value + (s === "a" && t === 97 ? 200 : 0)}`),
  );
  writeFileSync(file, `s,day,v\n${rows.join("\n")}\n`);
  const forecast = async (...options: string[]) => {
    const done = await runCli([
      ...["forecast", file, "-o", join(folder, "f.csv"), "--series", "s", "--time", "day", "--value", "v"],
      ...["--horizon", "7", "--backtest", "2", "--json", ...options],
    ]);
    expect(done.code, done.stderr).toBe(0);
    return done.json<Record<string, unknown>>();
  };
  const [series, events] = [join(folder, "series.csv"), join(folder, "events.csv")];
  const result = await forecast(
    "--model",
    "auto",
    "--effort",
    "quick",
    "--series-out",
    series,
    "--events-out",
    events,
  );
  expect(result).toMatchObject({
    series_out: series,
    found: { anomalies: 1, changes: 0, series: 1 },
    residuals: { auto: { series: 2 } },
  });
  const [head, first, second] = readFileSync(series, "utf8").trim().split("\n");
  expect(head).toBe(
    "s,model,used,leader,demand,values,windows,smape,mase,rmsse,wape,bias,coverage_80,coverage_95,residual_bias,residual_bias_p,residual_autocorrelation,ljung_box_p,normal_p,anomalies,changes",
  );
  expect(first).toMatch(/^a,auto,auto,.+,smooth,100,2,/);
  expect(second).toMatch(/,0,0$/);
  expect(readFileSync(events, "utf8")).toMatch(/^s,day,kind,value,expected,score\na,2024-04-07,anomaly,/);
  const means = (): number[] =>
    readFileSync(join(folder, "f.csv"), "utf8")
      .trim()
      .split("\n")
      .slice(1, 8)
      .map((line) => Number(line.split(",")[3]));
  await forecast("--model", "dynamic-theta");
  const kept = means();
  await forecast("--model", "dynamic-theta", "--outliers", "clip");
  const truth = (h: number): number => week(100 + h);
  const error = (found: number[]): number =>
    found.reduce((sum, value, h) => sum + Math.abs(value - truth(h)), 0);
  expect(error(means())).toBeLessThan(error(kept));
}, 60_000);

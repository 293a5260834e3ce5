import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { forecastModels, readyModels } from "../../src/forecast/registry.js";
import { seasonalIndex } from "../../src/forecast/naive2.js";
import { smoothed } from "../../src/forecast/ses.js";
import { root } from "../support/run-cli.js";

interface SesCase {
  values: number[];
  given: number | null;
  alpha: number;
  first: number;
  squares: number;
  forecast: number;
}
// statsmodels 0.15.0 (versions stand in the fixture), by tests/parity/scripts/ses_statsmodels.py.
const fixture = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/ses.json"), "utf8")) as {
  cases: Record<string, SesCase>;
};

describe("ses", () => {
  test.each(Object.entries(fixture.cases))("%s: sum of squares no worse than statsmodels'", (_, known) => {
    const values = Float64Array.from(known.values);
    const [model] = readyModels(["ses"], known.given === null ? {} : { alpha: known.given });
    const fit = model.fit({ values, season: 1 });
    const own = smoothed(values, Number(fit.about.alpha));
    // alpha lies in R's range here (0.0001 to 0.9999) and in 0 to 1 there: that costs up to 1.1e-4 where the best is an end.
    const inside = known.alpha > 0.0001 && known.alpha < 0.9999;
    expect(own.squares).toBeLessThanOrEqual(known.squares * (1 + (inside ? 1e-9 : 1.2e-4)));
    expect(own.squares).toBeGreaterThan(known.squares * (1 - 1e-4));
    if (known.given !== null) {
      // Its optimiser stops within 1e-5 of the best first level.
      expect(Math.abs(own.first / known.first - 1)).toBeLessThan(1e-5);
      expect(fit.mean(1)[0]).toBeCloseTo(known.forecast, 3);
    }
    // At statsmodels' own alpha the closed form of the first level gives the same sum of squares.
    expect(Math.abs(smoothed(values, known.alpha).squares / known.squares - 1)).toBeLessThan(1e-6);
  });

  test("the sum of squares is that of the errors, one by one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 2, maxLength: 30 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (list, alpha) => {
          const { squares, level, first } = smoothed(Float64Array.from(list), alpha);
          let current = first;
          let sum = 0;
          for (const value of list) {
            const error = value - current;
            sum += error * error;
            current += alpha * error;
          }
          expect(Math.abs(squares - sum)).toBeLessThan(1e-8 * (1 + sum));
          expect(level).toBeCloseTo(current, 8);
        },
      ),
    );
  });
});

test("naive repeats the last value, seasonal naive the last season", () => {
  const values = Float64Array.of(1, 2, 3, 4, 6, 8);
  const [naive, seasonal] = readyModels(["naive", "seasonal-naive"], {}).map((model) =>
    model.fit({ values, season: 3 }),
  );
  expect([...naive.mean(3)]).toEqual([8, 8, 8]);
  expect([...seasonal.mean(5)]).toEqual([4, 6, 8, 4, 6]);
  // Errors of the history: 1 1 1 2 2 and 3 4 5.
  expect(naive.spread(1)[0]).toBeCloseTo(Math.sqrt(11 / 5), 12);
  expect(seasonal.spread(1)[0]).toBeCloseTo(Math.sqrt(50 / 3), 12);
  // Hyndman & Athanasopoulos (2021), table 5.2.
  expect(
    [1, 3, 4, 6, 7].map((step) => (seasonal.spread(step)[step - 1] / seasonal.spread(1)[0]) ** 2),
  ).toEqual([1, 1, 2, 2, 3].map((v) => expect.closeTo(v, 12)));
  expect(naive.spread(4)[3] / naive.spread(4)[0]).toBe(2);
});

describe("naive2", () => {
  const [model] = readyModels(["naive2"], {});
  const week = [0.5, 0.5, 1, 1, 1, 1.5, 1.5];

  test("adjusts a history whose season a test finds, and no other", () => {
    const seasonal = Float64Array.from({ length: 70 }, (_, t) => 100 * week[t % 7]);
    const fit = model.fit({ values: seasonal, season: 7 });
    expect(fit.about.seasonal).toBe(1);
    expect([...fit.mean(7)]).toEqual(week.map((share) => expect.closeTo(100 * share, 9)));
    const rng = seededRng(5, "noise");
    const flat = Float64Array.from({ length: 70 }, () => 100 + rng.normal());
    expect(model.fit({ values: flat, season: 7 }).about.seasonal).toBe(0);
    // Two seasons are too few for the test.
    expect(model.fit({ values: seasonal.subarray(0, 14), season: 7 }).about.seasonal).toBe(0);
  });

  test("adjusts by sums where the history is not positive, and for an even season", () => {
    const values = Float64Array.from({ length: 48 }, (_, t) => [0, 4, 9, -3][t % 4] + t);
    const fit = model.fit({ values, season: 4 });
    expect(fit.about.seasonal).toBe(1);
    // The trend of one a period stays at its last value, the season goes on.
    const [first, second] = fit.mean(2);
    expect(second - first).toBeCloseTo(4, 9);
  });
});

describe("the index of a season", () => {
  const rng = seededRng(6, "season");
  const spreadOf = (values: Float64Array): number => Math.max(...values) - Math.min(...values);

  test("shrinks to nothing where places differ by chance, and hardly where they do not", () => {
    const noise = Float64Array.from({ length: 208 }, () => 100 + 10 * rng.normal());
    const seen = spreadOf(seasonalIndex(noise, 52, true));
    expect(spreadOf(seasonalIndex(noise, 52, true, true))).toBeLessThan(seen / 2);
    const wave = noise.map((value, t) => (value / 10 + 90) * (1 + 0.5 * Math.sin((2 * Math.PI * t) / 52)));
    for (const multiplicative of [true, false]) {
      const whole = seasonalIndex(wave, 52, multiplicative);
      const shrunk = seasonalIndex(wave, 52, multiplicative, true);
      expect(spreadOf(shrunk) / spreadOf(whole)).toBeGreaterThan(0.98);
      expect(spreadOf(shrunk)).toBeLessThan(spreadOf(whole));
      const sum = shrunk.reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(multiplicative ? 52 : 0, 9);
    }
  });

  test("without errors nothing is shrunk", () => {
    const values = Float64Array.from({ length: 156 }, (_, t) => 100 + (t % 52));
    expect([...seasonalIndex(values, 52, false, true)]).toEqual(
      [...seasonalIndex(values, 52, false)].map((value) => expect.closeTo(value, 9)),
    );
  });
});

describe.each(forecastModels.map((model) => model.name))("the model %s", (name) => {
  const [model] = readyModels([name], {});

  test("answers with finite numbers for every history that is long enough", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: -1e9, max: 1e9, noNaN: true })), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.integer({ min: 1, max: 12 }),
        (list, season) => {
          fc.pre(list.length >= model.needs(season));
          const fit = model.fit({ values: Float64Array.from(list), season });
          expect([...fit.mean(5)].every(Number.isFinite)).toBe(true);
          const spread = fit.spread(5);
          if (!Number.isNaN(spread[0])) expect([...spread].every((one) => one >= 0)).toBe(true);
        },
      ),
    );
  });

  test("a constant goes on, scaled values give scaled forecasts", () => {
    const constant = model.fit({ values: new Float64Array(20).fill(7), season: 4 });
    // sba takes a twentieth off on purpose, at its usual alpha of 0.1.
    for (const value of constant.mean(6)) expect(value).toBeCloseTo(name === "sba" ? 6.65 : 7, 9);
    const values = Float64Array.from({ length: 24 }, (_, t) => 10 + ((t * 7) % 5));
    const plain = model.fit({ values, season: 4 }).mean(6);
    const scaled = model.fit({ values: values.map((v) => 8 * v), season: 4 }).mean(6);
    scaled.forEach((value, h) => expect(value / 8).toBeCloseTo(plain[h], 5));
  });
});

describe("parameters", () => {
  test("go to the models that have them, and are checked by name", () => {
    expect(readyModels(["naive", "ses"], { alpha: 0.5 })).toHaveLength(2);
    expect(() => readyModels(["naive"], { alpha: 0.5 })).toThrow(/none of naive has a parameter "alpha"/);
    expect(() => readyModels(["ses"], { alpha: 2 })).toThrow(/alpha must be a number from 0 to 1, got 2/);
    expect(() => readyModels(["sess"], {})).toThrow(
      expect.objectContaining({ kind: "usage", try: "--model ses" }),
    );
  });
});

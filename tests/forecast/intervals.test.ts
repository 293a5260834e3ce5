import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { rollingWindows } from "../../src/forecast/backtest.js";
import { calibrations } from "../../src/forecast/calibrations.js";
import { calibrate, errorPool, normalQuantile, orderStatistic } from "../../src/forecast/intervals.js";
import type { SeriesSet } from "../../src/forecast/series.js";
import { errorScales, ScoreTotals, overallWeightedAverage } from "../../src/metrics/forecast.js";

describe("calibration", () => {
  /** Lopsided errors: a log-normal less its mean. */
  const lopsided = (rng: ReturnType<typeof seededRng>, n: number): Float64Array =>
    Float64Array.from({ length: n }, () => Math.exp(rng.normal() / 2) - Math.exp(1 / 8)).sort();

  test("covers the level for errors like those it has seen, and is as lopsided", () => {
    const rng = seededRng(1, "errors");
    // One step has an origin in two parts.
    const calibration = calibrate(
      errorPool([
        [[lopsided(rng, 400)], [lopsided(rng, 400)], [lopsided(rng, 400)]],
        [[lopsided(rng, 100), lopsided(rng, 300)], [lopsided(rng, 400)], [lopsided(rng, 400)]],
      ]),
      [80, 95],
    );
    for (const step of [1, 2])
      for (const level of [80, 95]) {
        const { low, high } = calibration.multiples(step, level);
        const inside = lopsided(rng, 20_000).filter((error) => error >= low && error <= high).length / 20_000;
        expect(Math.abs(inside - level / 100)).toBeLessThan(0.04);
        expect(high).toBeGreaterThan(-1.1 * low);
      }
    expect(calibration.quantile(1, 0.975)).toBeCloseTo(calibration.multiples(1, 95).high, 12);
    expect(calibration.quantile(1, 0.1)).toBeCloseTo(calibration.multiples(1, 80).low, 12);
  });

  test("covers the level on the mean of many small samples", () => {
    const rng = seededRng(2, "errors");
    let inside = 0;
    for (let sample = 0; sample < 400; sample++) {
      const { low, high } = calibrate(
        errorPool([[[lopsided(rng, 20)], [lopsided(rng, 20)]]]),
        [80],
      ).multiples(1, 80);
      inside += lopsided(rng, 100).filter((error) => error >= low && error <= high).length / 40_000;
    }
    expect(Math.abs(inside - 0.8)).toBeLessThan(0.02);
  });

  test("a shock of one origin may go the other way, what all origins have in common stays", () => {
    const spread = Float64Array.from({ length: 200 }, (_, i) => (i - 99.5) / 100);
    const moved = (by: number): Float64Array[] => [spread.map((error) => error + by)];
    const shocked = calibrate(errorPool([[moved(3), moved(-2.9), moved(0.1)]]), [95]).multiples(1, 95);
    expect(shocked.high).toBeCloseTo(-shocked.low, 0);
    expect(shocked.high).toBeGreaterThan(3);
    const biased = calibrate(errorPool([[moved(3), moved(3.01), moved(2.99)]]), [95]);
    expect(biased.quantile(1, 0.025)).toBeGreaterThan(2);
    expect(biased.quantile(1, 0.975)).toBeLessThan(4);
    // Origins that overlap agree because they are judged by the same periods.
    const early = calibrate(errorPool([[moved(3), moved(3.01), moved(2.99)]], 0), [95]).multiples(1, 95);
    expect(early.low).toBeCloseTo(-early.high, 0);
    const [apart, overlapping] = [1, 1 / 3].map((far) =>
      calibrate(errorPool([[moved(3), moved(-2.9), moved(0.1)]], far), [95]).multiples(1, 95),
    );
    expect(overlapping.high).toBeGreaterThan(apart.high);
    // One origin alone tells no bias.
    const lonely = calibrate(errorPool([[moved(3)]]), [95]).multiples(1, 95);
    expect(lonely.low).toBeCloseTo(-lonely.high, 0);
  });

  test("uses steps of their own, then all steps, then the normal distribution, by the errors that there are", () => {
    const few = Float64Array.from({ length: 21 }, (_, i) => i - 10);
    const calibration = calibrate(errorPool([[[few]], [[few]]]), [80, 95, 99]);
    expect([80, 95, 99].map((level) => calibration.basis(level))).toEqual([
      "backtest errors per step",
      "backtest errors of all steps",
      "normal distribution",
    ]);
    // The normal quantile, 2.58, would lie inside the 95 % interval of the errors seen.
    expect(calibration.multiples(1, 99)).toEqual(calibration.multiples(1, 95));
    const none = calibrate(errorPool([[]]), [99]);
    expect(none.multiples(1, 99).high).toBeCloseTo(2.5758293035489004, 12);
    expect(none.basis(99)).toBe("normal distribution");
    expect(none.quantile(1, 0.9)).toBeCloseTo(1.2815515655446004, 12);
  });

  test("finds the value of a rank among arrays in order as if they were one", () => {
    const part = fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true })));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (given) => {
        const parts = given.map((values) => Float64Array.from(values).sort());
        const all = Float64Array.from(given.flat()).sort();
        // Zeros of both signs are one value.
        all.forEach((value, i) => expect(orderStatistic(parts, i + 1) + 0).toBe(value + 0));
      }),
    );
  });

  test("always holds the mean", () => {
    const early = Float64Array.from({ length: 50 }, (_, i) => i + 1);
    // One of two origins that agree: a bias.
    expect(calibrate(errorPool([[[early], [early]]]), [80]).multiples(1, 80).low).toBe(0);
  });
});

test("where all series err alike at an origin, intervals are widened for one that nobody has seen, else hardly", () => {
  const rng = seededRng(3, "origins");
  const [series, length] = [30, 7];
  const starts = Int32Array.from({ length: series + 1 }, (_, s) => s * length);
  const forecasts = { mean: new Float64Array(4 * series), spread: new Float64Array(4 * series).fill(1) };
  /** Share of the errors of a new origin inside the 80 % interval, and the mean width, over many panels. */
  const covered = (shared: number): { share: number; width: number } => {
    let [inside, width] = [0, 0];
    for (let panel = 0; panel < 150; panel++) {
      const shocks = Array.from({ length: length + 1 }, () => shared * rng.normal());
      const error = (t: number): number => shocks[t] + Math.sqrt(1 - shared ** 2) * rng.normal();
      const values = Float64Array.from({ length: series * length }, (_, i) => error(i % length));
      const set = { count: series, starts, values } as SeriesSet;
      const { whole } = calibrations(set, rollingWindows(set, 1, 1, 4), forecasts, [80]);
      const { low, high } = whole(length).multiples(1, 80);
      width += (high - low) / 150;
      const fresh = Array.from({ length: series }, () => error(length));
      inside += fresh.filter((one) => one >= low && one <= high).length / series / 150;
    }
    return { share: inside, width };
  };
  // The pool alone would hold about 70 % of the first: four origins say little of a fifth.
  const alike = covered(0.8);
  expect(alike.share).toBeGreaterThan(0.76);
  const alone = covered(0);
  expect(Math.abs(alone.share - 0.8)).toBeLessThan(0.05);
  expect(alone.width).toBeLessThan(1.15 * 2.563);
});

test("a history is told of by windows with histories of like length", () => {
  const rng = seededRng(5, "lengths");
  // Short histories err by three of the deviations that their model expects, long ones by one.
  const [short, long] = [14, 200];
  const lengths = Array.from({ length: 600 }, (_, s) => (s % 2 ? short : long));
  const starts = Int32Array.from({ length: 601 }, (_, s) => lengths.slice(0, s).reduce((a, b) => a + b, 0));
  const size = (s: number): number => (lengths[s] === short ? 3 : 1);
  const values = Float64Array.from(
    lengths.flatMap((n, s) => Array.from({ length: n }, () => size(s) * rng.normal())),
  );
  const set = { count: 600, starts, values } as SeriesSet;
  const windows = rollingWindows(set, 1, 2, 3);
  const places = 2 * windows.series.length;
  const forecasts = { mean: new Float64Array(places), spread: new Float64Array(places).fill(1) };
  const { whole, without } = calibrations(set, windows, forecasts, [80]);
  const widthOf = ({ low, high }: { low: number; high: number }): number => high - low;
  expect(widthOf(whole(short).multiples(1, 80))).toBeGreaterThan(2.6 * widthOf(whole(long).multiples(1, 80)));
  expect(widthOf(without[0](long - 2).multiples(2, 80))).toBeCloseTo(2.563, 0);
  // Lengths that no window is near to hear the nearest.
  expect(whole(5000).multiples(1, 80)).toEqual(whole(3000).multiples(1, 80));
});

test.each([
  [0.975, 1.959963984540054],
  [0.9, 1.2815515655446004],
  [0.5, 0],
  [0.001, -3.090232306167813],
  [1e-10, -6.361340902404056],
])("the normal quantile of %d is R's qnorm", (p, expected) => {
  expect(normalQuantile(p)).toBeCloseTo(expected, 12);
});

describe("rolling origins", () => {
  const setOf = (...lengths: number[]): SeriesSet => {
    const starts = Int32Array.from({ length: lengths.length + 1 }, (_, i) =>
      lengths.slice(0, i).reduce((a, b) => a + b, 0),
    );
    return { count: lengths.length, starts } as SeriesSet;
  };

  test("lie a horizon apart where the history allows it, closer where not, and nowhere when it is too short", () => {
    const windows = rollingWindows(setOf(30, 13, 9, 3), 1, 5, 3);
    const cuts = (s: number) => [...windows.cut.subarray(windows.starts[s], windows.starts[s + 1])];
    expect(cuts(0)).toEqual([25, 20, 15]);
    expect(cuts(1)).toEqual([8, 6, 4]);
    expect(cuts(2)).toEqual([4, 3]);
    expect(cuts(3)).toEqual([]);
    expect(windows.origins).toBe(3);
  });

  test("keep a season and one value for the history", () => {
    expect([...rollingWindows(setOf(20), 7, 6, 9).cut]).toEqual([14, 13, 12, 11, 10, 9, 8]);
  });
});

describe("metrics of forecasts", () => {
  test("scales are those of MASE and RMSSE", () => {
    const history = Float64Array.of(0, 0, 2, 4, 3);
    expect(errorScales(history, 1).seasonal).toBe(5 / 4);
    expect(errorScales(history, 2).seasonal).toBe((2 + 4 + 1) / 3);
    // M5 counts steps from the first sale on: 2 -> 4 -> 3.
    expect(errorScales(history, 1).step).toBe(Math.sqrt(5 / 2));
    expect(errorScales(Float64Array.of(3, 3, 3), 1)).toEqual({ seasonal: NaN, step: NaN });
    expect(errorScales(Float64Array.of(3), 7)).toEqual({ seasonal: NaN, step: NaN });
  });

  test("are worked out by hand for two series", () => {
    const score = new ScoreTotals();
    const scales = { seasonal: 2, step: 4 };
    score.add([{ truth: Float64Array.of(10, 0), forecast: Float64Array.of(8, 0), scales }]);
    score.add([
      { truth: Float64Array.of(5, 5), forecast: Float64Array.of(7, 5), scales: { seasonal: NaN, step: NaN } },
    ]);
    const values = score.values();
    expect(values.smape).toBeCloseTo((200 * (2 / 18) + 200 * (2 / 12)) / 4, 12);
    expect(values.mase).toBe(0.5);
    expect(values.rmsse).toBeCloseTo(Math.sqrt(2) / 4, 12);
    expect(values.wape).toBe(4 / 20);
    expect(values.bias).toBe(0);
    expect(overallWeightedAverage({ smape: 9.012, mase: 2.685 }, { smape: 9.161, mase: 2.777 })).toBeCloseTo(
      0.975,
      3,
    );
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ShopaiError } from "../../src/core/errors.js";
import { seededRng } from "../../src/core/rng.js";
import {
  bootstrap,
  defaultResamples,
  percentileInterval,
  quantileOfSorted,
} from "../../src/metrics/bootstrap.js";
import { fairness, largestGroup } from "../../src/metrics/fairness.js";
import { checkGates, gateResults, parseGate } from "../../src/metrics/gates.js";
import { metricFamilies } from "../../src/metrics/listing.js";
import { metricInfo } from "../../src/metrics/metric.js";
import { measureRegression, regressionSubset, type RegressionRows } from "../../src/metrics/regression.js";
import { scoreOf, sliceScores, type Subject } from "../../src/metrics/scorecard.js";
import { sharedData } from "../support/shared-data.js";

/** Errors drawn from a normal distribution of deviation 2. */
function normalErrors(rows: number): RegressionRows {
  const rng = seededRng(3, "errors");
  const predicted = Float64Array.from({ length: rows }, () => 2 * rng.normal());
  return { truth: new Float64Array(rows).map((_, i) => i), predicted: predicted.map((e, i) => e + i) };
}

const subjectOf = (data: RegressionRows): Subject => ({
  measure: measureRegression(data),
  subset: (units) => subjectOf(regressionSubset(data, units)),
});

describe("bootstrap", () => {
  test("the interval of a mean is as wide as its standard error says", async () => {
    const measure = measureRegression(normalErrors(400));
    const [low, high] = percentileInterval((await bootstrap(measure, undefined, 1000, seededRng(1)))[1])!;
    // |N(0, 2)| has deviation 2 sqrt(1 - 2/pi); 400 rows; 1.96 standard errors on either side.
    const expected = (2 * 1.96 * 2 * Math.sqrt(1 - 2 / Math.PI)) / Math.sqrt(400);
    expect((high - low) / expected).toBeGreaterThan(0.85);
    expect((high - low) / expected).toBeLessThan(1.15);
  });

  test("the same seed gives the same replicates, a prefix of the longer run", async () => {
    const measure = measureRegression(normalErrors(50));
    const long = await bootstrap(measure, undefined, 30, seededRng(7, "bootstrap"));
    const short = await bootstrap(measure, undefined, 10, seededRng(7, "bootstrap"));
    short.forEach((values, i) => expect([...values]).toEqual([...long[i].subarray(0, 10)]));
  });

  test("a metric that most resamples leave undefined has no interval", () => {
    expect(percentileInterval(Float64Array.of(NaN, NaN, 1))).toBeNull();
    expect(percentileInterval(Float64Array.of(NaN, 1, 1))).toEqual([1, 1]);
  });

  test("quantiles as numpy's: percentile([1, 2, 4], 25) is 1.5", () => {
    expect(quantileOfSorted(Float64Array.of(1, 2, 4), 0.25)).toBe(1.5);
    expect(quantileOfSorted(Float64Array.of(1, 2, 4), 1)).toBe(4);
  });

  test("resamples shrink with the number of units, down to 50", () => {
    const of = (units: number) =>
      defaultResamples({ family: [], units, cost: 1, names: [], at: () => new Float64Array() });
    expect([of(10), of(100_000), of(200_000), of(10_000_000)]).toEqual([1000, 400, 200, 50]);
  });
});

describe("scorecard", () => {
  test("slices partition the rows and equal the metrics of their rows alone", async () => {
    const data = normalErrors(90);
    const code = Int32Array.from({ length: 90 }, (_, i) => (i === 0 ? -1 : i % 3 === 0 ? 1 : 0));
    const { slices } = await sliceScores(
      subjectOf(data),
      { column: "kind", code, levels: ["a", "b"] },
      (stream) => seededRng(1, stream),
      { resamples: 20 },
    );
    expect(Object.entries(slices).map(([name, slice]) => [name, slice.rows])).toEqual([
      ["a", 60],
      ["b", 29],
    ]);
    const rows = Uint32Array.from({ length: 90 }, (_, i) => i).filter((i) => code[i] === 1);
    const alone = measureRegression(regressionSubset(data, rows));
    expect(slices.b.metrics.rmse).toBe(alone.at(new Float64Array(29).fill(1))[0]);
  });

  test("an undefined metric is null with a warning that says why", async () => {
    const score = await scoreOf(
      subjectOf({ truth: Float64Array.of(5, 5), predicted: Float64Array.of(4, 6) }),
      seededRng(1),
    );
    expect(score.metrics.r2).toBeNull();
    expect(score.intervals.r2).toBeNull();
    expect(score.warnings).toEqual(["r2 is undefined: the true values are all equal"]);
  });
});

describe("gates", () => {
  test.each([
    ["auc < 0.9", { metric: "auc", operator: "<", bound: 0.9 }],
    ["ndcg@10<=0.1", { metric: "ndcg@10", operator: "<=", bound: 0.1 }],
    ["  rmse >1e3 ", { metric: "rmse", operator: ">", bound: 1000 }],
  ])("%s is read", (text, gate) => expect(parseGate(text)).toMatchObject(gate));

  test.each(["auc", "auc = 0.9", "auc < high", "< 0.9", "auc < 0.9 and f1 < 1"])("%s is refused", (text) =>
    expect(() => parseGate(text)).toThrowError(/--fail-if takes a metric/),
  );

  test("a broken gate names metric, value and bound; an undefined metric does not pass", () => {
    const gates = [parseGate("auc < 0.9"), parseGate("f1 < 0.1")];
    const error = (metrics: Record<string, number | null>): ShopaiError | undefined => {
      try {
        checkGates(gateResults(gates, metrics), "m");
      } catch (cause) {
        return cause as ShopaiError;
      }
      return undefined;
    };
    expect(error({ auc: 0.95, f1: 0.5 })).toBeUndefined();
    expect(error({ auc: 0.85, f1: 0.5 })).toMatchObject({
      kind: "gate",
      message: "auc is 0.85, and the gate is auc < 0.9",
    });
    expect(error({ auc: 0.95, f1: null })).toMatchObject({ kind: "gate" });
    expect(error({ acc: 1, f1: 1 })).toMatchObject({ kind: "usage", try: "--fail-if acc" });
  });
});

test.each(Object.entries(metricFamilies))(
  "every metric of %s says what it is and where it comes from",
  (_, family) => {
    expect(new Set(family.map((metric) => metric.name)).size).toBe(family.length);
    for (const metric of family) {
      for (const text of [metric.summary, metric.source, metric.undefinedWhen]) expect(text).not.toBe("");
      expect(metricInfo(family, metric.name.replace("@k", "@10").replace("_k", "_80"))).toBe(metric);
    }
  },
);

test("fairness against the reference group, worked out by hand", async () => {
  const { groups, overall } = await fairness(
    { truth: Int32Array.of(1, 1, 0, 0, 1, 1, 0, 0), predicted: Int32Array.of(1, 1, 1, 0, 1, 0, 0, 0) },
    1,
    { column: "sex", code: Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1), levels: ["m", "f"] },
    0,
    seededRng(1),
  );
  expect(groups.f).toMatchObject({
    rows: 4,
    base_rate: 0.5,
    selection_rate: 0.25,
    true_positive_rate: 0.5,
    false_positive_rate: 0,
    statistical_parity_difference: -0.5,
    disparate_impact: 0.25 / 0.75,
    equal_opportunity_difference: -0.5,
    average_odds_difference: -0.5,
    equalised_odds_difference: 0.5,
    truth_parity_difference: 0,
    truth_disparate_impact: 1,
  });
  expect(groups.m).toMatchObject({ statistical_parity_difference: 0, disparate_impact: 1 });
  expect(overall).toMatchObject({
    demographic_parity_difference: 0.5,
    demographic_parity_ratio: 1 / 3,
    equalised_odds_difference: 0.5,
    equalised_odds_ratio: 0,
  });
  const [low, high] = groups.f.intervals.statistical_parity_difference!;
  expect(low).toBeLessThan(-0.5);
  expect(high).toBeGreaterThan(-0.5);
  expect(groups.m.intervals.disparate_impact).toEqual([1, 1]);
});

const credit = sharedData("german-credit/german.data");
// Needs the public German credit file beside the project.
test.skipIf(!credit)("parity of the outcomes of German credit, under 25 years against the rest", async () => {
  const rows = readFileSync(credit!, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(" "));
  const good = Int32Array.from(rows, (row) => (row[20] === "1" ? 1 : 0));
  const code = Int32Array.from(rows, (row) => (Number(row[12]) < 25 ? 1 : 0));
  const levels = ["25 and more", "under 25"];
  expect(largestGroup({ column: "age", code, levels })).toBe(0);
  const slicing = { column: "age", code, levels };
  const found = await fairness({ truth: good, predicted: good }, 1, slicing, 0, seededRng(1), {
    resamples: 0,
  });
  const young = found.groups["under 25"];
  // Worked out with numpy from the same 1,000 rows; 149 are under 25.
  expect(young.rows).toBe(149);
  expect(young.statistical_parity_difference).toBeCloseTo(-0.12855, 6);
  expect(young.disparate_impact).toBeCloseTo(0.8212, 4);
  expect(young.truth_parity_difference).toBe(young.statistical_parity_difference);
});

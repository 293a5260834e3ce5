import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { measureClassification } from "../../src/metrics/classification.js";
import { measureClustering, silhouettes, silhouetteSample } from "../../src/metrics/clustering.js";
import type { Measure } from "../../src/metrics/metric.js";
import { measureRanking } from "../../src/metrics/ranking.js";
import { measureRegression } from "../../src/metrics/regression.js";
import { root } from "../support/run-cli.js";

// scikit-learn 1.9.1 (versions stand in the fixture), by tests/parity/scripts/metrics_sklearn.py.
const fixture = JSON.parse(readFileSync(join(root, "tests/parity/fixtures/metrics.json"), "utf8"));

function expectAll(measure: Measure, weights: number[], expected: Record<string, number>): void {
  const values = measure.at(Float64Array.from(weights));
  expect([...measure.names].sort()).toEqual(Object.keys(expected).sort());
  // Sums run in another order there: 1e-12 is some thousand roundings.
  measure.names.forEach((name, i) => expect(Math.abs(values[i] - expected[name]), name).toBeLessThan(1e-12));
}

describe("equal to scikit-learn", () => {
  test.each([0, 1])("binary classification, with ties (case %i; 1 has weights)", (i) => {
    const { truth, score, predicted, weights, expected } = fixture.binary[i];
    const measure = measureClassification({
      classes: ["no", "yes"],
      positive: 1,
      truth: Int32Array.from(truth),
      predicted: Int32Array.from(predicted),
      probability: [Float64Array.from(score, (p: number) => 1 - p), Float64Array.from(score)],
    });
    expectAll(measure, weights, expected);
  });

  test.each([0, 1])("four classes, one never predicted (case %i; 1 has weights)", (i) => {
    const { truth, probability, predicted, weights, expected } = fixture.multiclass[i];
    const measure = measureClassification({
      classes: ["a", "b", "c", "d"],
      truth: Int32Array.from(truth),
      predicted: Int32Array.from(predicted),
      probability: probability.map((values: number[]) => Float64Array.from(values)),
    });
    expectAll(measure, weights, expected);
  });

  test.each([0, 1])("regression (case %i; 1 has weights and the quantile 0.9)", (i) => {
    const { truth, predicted, weights, quantile, expected } = fixture.regression[i];
    const measure = measureRegression({
      truth: Float64Array.from(truth),
      predicted: Float64Array.from(predicted),
      quantile,
    });
    expectAll(measure, weights, expected);
  });

  test("clustering, with a cluster of one row", () => {
    const { points, dimensions, clusters, cluster, expected, silhouettes: each } = fixture.clustering[0];
    const data = {
      points: Float64Array.from(points),
      dimensions,
      clusters,
      cluster: Int32Array.from(cluster),
    };
    const rows = cluster.length;
    expectAll(
      measureClustering(data, silhouetteSample(rows, seededRng(1))),
      new Array<number>(rows).fill(1),
      expected,
    );
    silhouettes(data).forEach((value, row) => expect(value).toBeCloseTo(each[row], 12));
  });

  test.each([0, 1])("ranking, with short and empty lists (case %i)", (i) => {
    const { lists, hits, relevant, items, k, holders, trainingUsers, expected } = fixture.ranking[i];
    const listStarts = Int32Array.from({ length: lists.length + 1 }, (_, u) =>
      lists.slice(0, u).reduce((sum: number, list: number[]) => sum + list.length, 0),
    );
    const measure = measureRanking(
      {
        users: lists.length,
        relevant: Int32Array.from(relevant),
        listStarts,
        listItem: Int32Array.from(lists.flat()),
        listHit: Uint8Array.from(hits.flat()),
        items,
        popularity: { holders: Float64Array.from(holders), users: trainingUsers },
      },
      [k],
    );
    expectAll(measure, new Array<number>(lists.length).fill(1), expected);
  });
});

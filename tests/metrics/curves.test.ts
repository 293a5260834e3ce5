import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { measureClassification } from "../../src/metrics/classification.js";
import { confusionMatrix, curvesOf } from "../../src/metrics/curves.js";
import { predictionGroups } from "../../src/metrics/residuals.js";

function binary(rows: readonly [truth: number, score: number][], cost?: { fp: number; fn: number }) {
  const scores = Float64Array.from(rows, ([, score]) => score);
  return {
    classes: ["no", "yes"],
    positive: 1,
    truth: Int32Array.from(rows, ([truth]) => truth),
    predicted: Int32Array.from(scores, (score) => (score >= 0.5 ? 1 : 0)),
    probability: [scores.map((score) => 1 - score), scores],
    cost: cost && { tp: 0, tn: 0, ...cost },
  };
}

describe("curves of a binary classifier", () => {
  test("of four rows are what one counts by hand", () => {
    const rows: [number, number][] = [
      [1, 0.9],
      [0, 0.8],
      [1, 0.8],
      [0, 0.1],
    ];
    expect(curvesOf(binary(rows, { fp: 1, fn: 5 }))).toEqual({
      threshold: [null, 0.9, 0.8, 0.1],
      share: [0, 0.25, 0.75, 1],
      tpr: [0, 0.5, 1, 1],
      fpr: [0, 0, 0.5, 1],
      precision: [null, 1, 0.66667, 0.5],
      cost: [2.5, 1.25, 0.25, 0.5],
    });
    expect(curvesOf(binary(rows), Float64Array.of(1, 0, 1, 1))?.fpr).toEqual([0, 0, 0, 1]);
  });

  test("of one class only are none", () => {
    expect(curvesOf(binary([[1, 0.3]]))).toBeUndefined();
  });

  test("rise from nobody to everybody, lose next to no area by thinning, and stay small", () => {
    const anyRows = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 1 }), fc.double({ min: 0, max: 1, noNaN: true })),
      {
        minLength: 300,
        maxLength: 600,
      },
    );
    fc.assert(
      fc.property(anyRows, (rows) => {
        const data = binary(rows);
        const curves = curvesOf(data);
        if (!curves) return;
        const { fpr, tpr, share, threshold } = curves;
        expect([fpr[0], tpr[0], share[0]]).toEqual([0, 0, 0]);
        expect([fpr.at(-1), tpr.at(-1), share.at(-1)]).toEqual([1, 1, 1]);
        for (let i = 1; i < fpr.length; i++) {
          expect(fpr[i]).toBeGreaterThanOrEqual(fpr[i - 1]);
          expect(tpr[i]).toBeGreaterThanOrEqual(tpr[i - 1]);
          if (i > 1) expect(threshold[i]!).toBeLessThanOrEqual(threshold[i - 1]!);
        }
        expect(fpr.length).toBeLessThanOrEqual(302);
        const area = fpr.reduce(
          (sum, x, i) => (i === 0 ? 0 : sum + ((x - fpr[i - 1]) * (tpr[i] + tpr[i - 1])) / 2),
          0,
        );
        const measure = measureClassification(data);
        const [auc] = measure.at(new Float64Array(rows.length).fill(1));
        // Between two kept points each axis moves by less than a hundredth and one row.
        expect(Math.abs(area - auc)).toBeLessThan(0.02);
      }),
      { numRuns: 20 },
    );
  });
});

test("a matrix of several classes counts weights by truth and decision, the most frequent classes alone", () => {
  const data = {
    classes: ["a", "b", "c"],
    truth: Int32Array.of(0, 0, 1, 2),
    predicted: Int32Array.of(0, 1, 1, 0),
  };
  expect(confusionMatrix(data, Float64Array.of(1, 2, 3, 4))).toEqual({
    classes: ["a", "b", "c"],
    counts: [
      [1, 2, 0],
      [0, 3, 0],
      [4, 0, 0],
    ],
  });
  const many = Int32Array.from({ length: 50 }, (_, i) => (i < 25 ? i : 24));
  const { classes } = confusionMatrix({
    classes: Array.from(many.keys(), String),
    truth: many,
    predicted: many,
  });
  expect(classes).toHaveLength(20);
  expect(classes.at(-1)).toBe("24");
});

test("groups of predictions hold all rows, in order, and their means", () => {
  const truth = Float64Array.from({ length: 100 }, (_, i) => 99 - i);
  const predicted = truth.map((value) => value + 1);
  const groups = predictionGroups({ truth, predicted });
  expect(groups).toHaveLength(20);
  expect(groups.reduce((sum, { rows }) => sum + rows, 0)).toBe(100);
  expect(groups[0]).toEqual({ rows: 5, predicted: 3, truth: 2, p10: 0.4, p90: 3.6 });
  expect(predictionGroups({ truth: Float64Array.of(1, 2), predicted: Float64Array.of(5, 5) })).toHaveLength(
    2,
  );
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chiSquareTail, driftOf, type Drift } from "../../src/metrics/drift.js";
import { root } from "../support/run-cli.js";

interface Reference {
  cases: (Drift & { before: number[]; after: number[] })[];
  tails: { x: number; df: number; p: number }[];
}
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/drift.json"), "utf8"),
) as Reference;

describe("drift", () => {
  test.each(reference.cases)("of $before.length bins is scipy's", ({ before, after, ...wanted }) => {
    const found = driftOf(before, after, false)!;
    expect(found.js).toBeCloseTo(wanted.js, 12);
    expect(found.psi).toBeCloseTo(wanted.psi, 12);
    expect(found.chi2.statistic / wanted.chi2.statistic).toBeCloseTo(1, 12);
    expect(found.chi2.df).toBe(wanted.chi2.df);
    expect(found.chi2.p).toBeCloseTo(wanted.chi2.p, 12);
    expect(found.ks).toBeNull();
    expect(driftOf(before, after, true)!.ks).toBeCloseTo(wanted.ks!, 12);
  });

  test.each(reference.tails)("P(chi2_$df >= $x) is scipy's", ({ x, df, p }) => {
    const found = chiSquareTail(x, df);
    expect(Math.abs(found - p)).toBeLessThanOrEqual(1e-12 + 1e-10 * p);
  });

  test("is zero for equal shares, never negative, and bounded where it says so", () => {
    const counts = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(counts, fc.boolean(), fc.integer({ min: 1, max: 9 }), (before, ordered, times) => {
        const equal = driftOf(before, before, ordered);
        const shifted = driftOf(before, [...before.slice(1), before[0] * times], ordered);
        if (!equal) return expect(before.every((count) => count === 0)).toBe(true);
        expect([equal.psi, equal.js, equal.chi2.statistic]).toEqual([0, 0, 0]);
        for (const value of shifted ? [shifted.js, shifted.ks ?? 0, shifted.chi2.p] : []) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1 + 1e-12);
        }
        return undefined;
      }),
    );
  });
});

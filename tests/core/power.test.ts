import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { power } from "../../src/core/power.js";
import { seededRng } from "../../src/core/rng.js";

const double = new Float64Array(1);
const bits = new BigInt64Array(double.buffer);
const placeOf = (x: number): bigint => ((double[0] = x), bits[0]);

function expectNear(x: number, y: number): void {
  const [ours, theirs] = [power(x, y), x ** y];
  if (Object.is(ours, theirs)) return;
  const apart = placeOf(ours) - placeOf(theirs);
  expect(apart >= -1n && apart <= 1n, `${x} ** ${y}: ${ours}, not ${theirs}`).toBe(true);
}

test("is the engine's own power but for the last place, for any two numbers", () => {
  fc.assert(fc.property(fc.double(), fc.double(), expectNear), { numRuns: 2000 });
  const near = fc.double({ min: -100, max: 100, noNaN: true });
  fc.assert(fc.property(near.map(Math.exp), near, expectNear), { numRuns: 5000 });
  fc.assert(fc.property(near, fc.integer({ min: -40, max: 40 }), expectNear), { numRuns: 2000 });
});

test("at the ends of the range and near one", () => {
  for (const [x, y] of [
    [2, 1023.9],
    [2, 1024],
    [2, -1074],
    [2, -1074.5],
    [2, -1075],
    [5e-324, 0.5001],
    [1e-310, 0.7],
    [1.0000001, 1e10],
    [0.9999999, 3e10],
    [1 + 2 ** -52, 4e15],
    [10, 308],
    [10, -323],
    [-2, 3],
    [-2, 0.5],
    [-8, 1 / 3],
  ])
    expectNear(x, y);
});

test("has the same bits in every version of Node", () => {
  const rng = seededRng(42, "power");
  const values = Float64Array.from({ length: 20_000 }, () =>
    power(100 * rng.uniform(), 20 * rng.uniform() - 10),
  );
  expect(createHash("sha256").update(values).digest("hex").slice(0, 16)).toBe("3be65916381cfcde");
});

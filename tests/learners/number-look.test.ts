import fc from "fast-check";
import { expect, test } from "vitest";
import { lookAt, type ClassCounts } from "../../src/learners/number-look.js";

/** Counts by value, as they are defined. */
function counted(values: readonly number[], hit: readonly number[]): Map<number, ClassCounts> {
  const found = new Map<number, ClassCounts>();
  values.forEach((value, r) => {
    const own = found.get(value) ?? { hits: 0, misses: 0 };
    found.set(value, { hits: own.hits + hit[r], misses: own.misses + 1 - hit[r] });
  });
  return found;
}

const sizes = (bins: readonly ClassCounts[]): string[] =>
  bins.map(({ hits, misses }) => `${hits} ${misses}`).sort();

test("few values and many are counted with their classes, missing ones apart", () => {
  const row = (most: number) =>
    fc.tuple(
      fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -most, max: most }) }, fc.constant(NaN)),
      fc.integer({ min: 0, max: 1 }),
    );
  const tables = fc.oneof(fc.array(row(3), { maxLength: 80 }), fc.array(row(500), { maxLength: 80 }));
  fc.assert(
    fc.property(tables, (rows) => {
      const [values, hit] = [rows.map(([value]) => value / 2), rows.map(([, own]) => own)];
      const expected = counted(values, hit);
      const look = lookAt(Float64Array.from(values), Uint8Array.from(hit), 100);
      const all = [...expected.values()];
      expect(sizes(look.bins)).toEqual(sizes(all));
      expect(look).toMatchObject({
        rows: rows.length,
        distinct: [...expected.keys()].filter((value) => !Number.isNaN(value)).length,
        missing: values.filter(Number.isNaN).length,
        most: Math.max(0, ...all.map(({ hits, misses }) => hits + misses)),
      });
    }),
  );
});

test("many values are put into bins of as many rows each, a frequent one stays alone", () => {
  const values = Float64Array.from({ length: 1000 }, (_, r) => (r < 200 ? 500.5 : r));
  const hit = Uint8Array.from(values, (value) => Number(value === 500.5));
  const { bins, distinct, most } = lookAt(values, hit, 10);
  expect({ distinct, most }).toEqual({ distinct: 801, most: 200 });
  expect(bins.filter(({ hits }) => hits > 0)).toEqual([{ hits: 200, misses: 0 }]);
  const others = bins.filter(({ hits }) => hits === 0).map(({ misses }) => misses);
  expect(others.reduce((a, b) => a + b)).toBe(800);
  expect(Math.max(...others)).toBeLessThanOrEqual(100);
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { rollingWindows } from "../../src/forecast/backtest.js";
import { spreadByLevel } from "../../src/forecast/level-spread.js";
import type { MadeForecasts } from "../../src/forecast/series-work.js";
import type { SeriesSet } from "../../src/forecast/series.js";
import { reconciler, reconcileRules, type Crossing, type Tree } from "../../src/forecast/reconcile.js";

/** A root with two children, which have two and three: leaves are 3..7. */
const tree: Tree = {
  parent: Int32Array.of(-1, 0, 0, 1, 1, 2, 2, 2),
  order: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7),
  levels: ["total", "region", "store"],
  level: Int32Array.of(0, 1, 1, 2, 2, 2, 2, 2),
};
const leaves = [3, 4, 5, 6, 7];
/** Which leaves every node is the sum of. */
const under = [leaves, [3, 4], [5, 6, 7], [3], [4], [5], [6], [7]];

/** Two regions crossed with three purposes: the total, regions, purposes, leaves 6..11. */
const crossing: Crossing = {
  sums: [
    [6, 7, 8, 9, 10, 11],
    [6, 7, 8],
    [9, 10, 11],
    [6, 9],
    [7, 10],
    [8, 11],
  ].map((parts, node) => ({
    node,
    parts: Int32Array.from(parts),
  })),
  levels: ["total", "purpose", "region", "region*purpose"],
  level: Int32Array.of(0, 2, 2, 1, 1, 1, 3, 3, 3, 3, 3, 3),
};
const crossedRules = reconcileRules.filter((rule) => rule !== "top-down");

const number = fc.double({ min: -100, max: 100, noNaN: true });
const forecasts = fc.array(number, { minLength: 8, maxLength: 8 });
const errorRows = fc.array(fc.array(number, { minLength: 8, maxLength: 8 }), { minLength: 0, maxLength: 20 });

test.each(reconcileRules)(
  "%s: every parent is the sum of its children, for any forecasts and errors",
  (rule) => {
    fc.assert(
      fc.property(forecasts, errorRows, fc.constantFrom(0, -Infinity), (list, rows, floor) => {
        const y = Float64Array.from(list);
        reconciler(
          tree,
          rule,
          rows.map((row) => Float64Array.from(row)),
          floor,
        )(y);
        under.forEach((own, node) => {
          const sum = own.reduce((total, leaf) => total + y[leaf], 0);
          expect(Math.abs(y[node] - sum)).toBeLessThan(1e-9 * (1 + Math.abs(sum)));
          if (floor === 0) expect(y[node]).toBeGreaterThanOrEqual(0);
        });
      }),
    );
  },
);

test.each(reconcileRules)("%s leaves forecasts alone that add up already", (rule) => {
  const y = Float64Array.of(150, 30, 120, 10, 20, 30, 40, 50);
  const errors = Array.from({ length: 12 }, (_, i) => Float64Array.from(y, (_v, j) => Math.sin(i * 8 + j)));
  const before = y.slice();
  reconciler(tree, rule, errors, 0)(y);
  y.forEach((value, node) => expect(value).toBeCloseTo(before[node], 8));
});

interface Reconciled {
  errors: number[][];
  forecasts: number[];
  reconciled: Record<string, number[]>;
  crossed: Omit<Reconciled, "crossed">;
}
const fixture = new URL("../parity/fixtures/hierarchical.json", import.meta.url);
const peer = JSON.parse(readFileSync(fixture, "utf8")) as Reconciled;

test.each(reconcileRules)("%s is that of hierarchicalforecast", (rule) => {
  const { errors, forecasts: given, reconciled } = peer;
  const y = Float64Array.from(given);
  const rows = errors.map((row) => Float64Array.from(row));
  reconciler(tree, rule, rows, -Infinity)(y);
  // There a ridge of 2e-8 is added to variances, and errors are centred.
  y.forEach((value, node) => expect(value).toBeCloseTo(reconciled[rule][node], 5));
});

test.each(crossedRules)("%s of crossed sums is that of hierarchicalforecast", (rule) => {
  const { errors, forecasts: given, reconciled } = peer.crossed;
  const y = Float64Array.from(given);
  reconciler(
    crossing,
    rule,
    errors.map((row) => Float64Array.from(row)),
    -Infinity,
  )(y);
  y.forEach((value, node) => expect(value).toBeCloseTo(reconciled[rule][node], 5));
});

test.each(crossedRules)("%s: a tree told of by the leaves of its sums has the answer of the tree", (rule) => {
  const asSums: Crossing = {
    sums: [0, 1, 2].map((node) => ({ node, parts: Int32Array.from(under[node]) })),
    levels: tree.levels,
    level: tree.level,
  };
  fc.assert(
    fc.property(forecasts, errorRows, (list, rows) => {
      const errors = rows.map((row) => Float64Array.from(row));
      const [one, other] = [tree, asSums].map((hierarchy) => {
        const y = Float64Array.from(list);
        reconciler(hierarchy, rule, errors, -Infinity)(y);
        return y;
      });
      const size = Math.max(...list.map(Math.abs));
      one.forEach((value, node) => expect(Math.abs(value - other[node])).toBeLessThan(1e-6 * (1 + size)));
      const sum = leaves.reduce((total, leaf) => total + other[leaf], 0);
      expect(Math.abs(other[0] - sum)).toBeLessThan(1e-9 * (1 + Math.abs(sum)));
    }),
  );
});

test("top-down shares alike among children that cancel out", () => {
  const y = Float64Array.of(90, 30, 60, 1, 1, -100, 100, -5e-324);
  reconciler(tree, "top-down", [], -Infinity)(y);
  expect([...y]).toEqual([90, 30, 60, 15, 15, 20, 20, 20]);
});

test("mint with variances alone is generalised least squares", () => {
  fc.assert(
    fc.property(
      forecasts,
      fc.array(fc.double({ min: 0.5, max: 5, noNaN: true }), { minLength: 8, maxLength: 8 }),
      (list, deviations) => {
        // Two rows are too few for covariances; their mean square is the variance.
        const rows = [Float64Array.from(deviations), Float64Array.from(deviations)];
        const y = Float64Array.from(list);
        reconciler(tree, "mint", rows, -Infinity)(y);
        // The leaves b minimise sum((y_i - (S b)_i)^2 / v_i): the gradient vanishes.
        for (const leaf of leaves) {
          let slope = 0;
          under.forEach((own, node) => {
            if (own.includes(leaf)) slope += (list[node] - y[node]) / deviations[node] ** 2;
          });
          expect(Math.abs(slope)).toBeLessThan(1e-6);
        }
      },
    ),
  );
});

test("top-down shares the root out by the children's own forecasts", () => {
  const y = Float64Array.of(200, 1, 3, 1, 1, 5, 3, 2);
  reconciler(tree, "top-down", [], 0)(y);
  expect([...y]).toEqual([200, 50, 150, 25, 25, 75, 45, 30].map((value) => expect.closeTo(value, 9)));
});

test("deviations follow the errors of their level where all origins agree, and stay where these differ", () => {
  const [series, length, horizon, origins] = [tree.level.length, 100, 4, 4];
  const starts = Int32Array.from({ length: series + 1 }, (_, s) => s * length);
  const rng = seededRng(7, "levels");
  /** Size of the errors of a series at an origin, in deviations. */
  const spreadOf = (size: (s: number, origin: number) => number): MadeForecasts => {
    const values = new Float64Array(series * length);
    const set = { count: series, starts, values } as SeriesSet;
    const windows = rollingWindows(set, 1, horizon, origins);
    windows.series.forEach((s, w) => {
      for (let h = 0; h < horizon; h++)
        values[starts[s] + windows.cut[w] + h] =
          size(s, windows.origin[w]) * (rng.uniform() < 0.5 ? 1 : -1) * (0.9 + 0.2 * rng.uniform());
    });
    const blank = (places: number) => ({
      mean: new Float64Array(places),
      spread: new Float64Array(places).fill(1),
    });
    const made = { windows: blank(windows.series.length * horizon), ahead: blank(series * horizon) };
    spreadByLevel(set, tree, windows, made);
    return made;
  };
  const alike = spreadOf((s) => (s === 0 ? 0.1 : 1)).ahead.spread;
  expect(alike[0]).toBeLessThan(0.2);
  expect(alike[0]).toBeGreaterThan(0.1);
  expect(alike[7 * horizon]).toBeCloseTo(1, 1);
  // Half the size at two origins, twice at the others.
  const unlike = spreadOf((s, origin) => (s === 0 ? [0.5, 2][origin % 2] : 1));
  expect([...unlike.ahead.spread]).toEqual(new Array(series * horizon).fill(1));
  // What an origin shows says nothing of its own windows.
  const once = spreadOf((s, origin) => (s === 0 ? (origin === 0 ? 1 : 0.1) : 1));
  expect(once.windows.spread[0]).toBeLessThan(0.2);
  expect(once.windows.spread[horizon]).toBe(1);
});

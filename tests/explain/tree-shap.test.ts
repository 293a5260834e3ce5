import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { backgroundContributions } from "../../src/learners/gbdt/explain/background.js";
import { pathContributions } from "../../src/learners/gbdt/explain/contributions.js";
import { childOf, rawScore, treeCount, type TreeEnsemble } from "../../src/learners/gbdt/trees.js";
import { testRun } from "../support/test-run.js";
import { randomRows, randomTrees, type Shape } from "./random-trees.js";

const fast = testRun({ threads: 2 });
const alone = testRun({ threads: 1 });
const plain = testRun({ threads: 2, plain: true });

const shapes: [string, Shape, rows: number][] = [
  ["numbers", { columns: 6, trees: 12, depth: 6 }, 37],
  [
    "categories, empty nodes",
    { columns: 8, trees: 12, depth: 6, categories: 2, empty: true, beyond: true },
    21,
  ],
  ["three outputs", { columns: 5, outputs: 3, trees: 9, depth: 5, categories: 3 }, 150],
  ["deep, many columns on a path", { columns: 40, trees: 4, depth: 14 }, 9],
  ["leaves only", { columns: 2, trees: 2, depth: 0 }, 3],
];

/** Largest difference of two arrays of numbers. */
function difference(a: Float64Array, b: Float64Array): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
}

/** Lundberg et al. (2020), algorithm 1: the score when only the columns of `known` are known. */
function knownScore(trees: TreeEnsemble, row: Float64Array, known: number, output: number): number {
  const below = (node: number): number => {
    const column = trees.feature[node];
    if (column < 0) return trees.value[node];
    if ((known >> column) & 1) return below(childOf(trees, node, row[column]));
    const { left, right, cover } = trees;
    if (cover[node] === 0) return (below(left[node]) + below(right[node])) / 2;
    return (below(left[node]) * cover[left[node]] + below(right[node]) * cover[right[node]]) / cover[node];
  };
  let score = trees.base[output];
  for (let t = 0; t < treeCount(trees); t++) if (trees.output[t] === output) score += below(trees.starts[t]);
  return score;
}

/** Shapley values by their definition: every subset of the columns. */
function bruteForce(columns: number, score: (known: number) => number): Float64Array {
  const scores = Float64Array.from({ length: 1 << columns }, (_, known) => score(known));
  const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
  const sizeOf = (set: number): number => (set === 0 ? 0 : (set & 1) + sizeOf(set >> 1));
  return Float64Array.from({ length: columns }, (_, column) => {
    let sum = 0;
    for (let set = 0; set < 1 << columns; set++) {
      if ((set >> column) & 1) continue;
      const size = sizeOf(set);
      sum +=
        ((factorial(size) * factorial(columns - size - 1)) / factorial(columns)) *
        (scores[set | (1 << column)] - scores[set]);
    }
    return sum;
  });
}

describe.each(shapes)("%s", (name, shape, count) => {
  const rng = seededRng(5, name);
  const trees = randomTrees(rng, shape);
  const rows = randomRows(rng, count, shape);
  const { columns, outputs = 1 } = shape;

  test("contributions add up to the score", async () => {
    const { expected, of, close } = await pathContributions(trees, columns, fast.pool);
    const values = of(rows);
    for (let r = 0; r < count; r++)
      rawScore(trees, rows, r * columns).forEach((score, o) => {
        const at = (r * outputs + o) * columns;
        const sum = values.slice(at, at + columns).reduce((a, b) => a + b, expected[o]);
        expect(Math.abs(sum - score)).toBeLessThan(1e-9);
      });
    close();
  });

  test("the kernel and its plain twin give the same bits, whatever the number of threads", async () => {
    const found = await Promise.all(
      [fast, alone, plain].map(async ({ pool }) => (await pathContributions(trees, columns, pool)).of(rows)),
    );
    expect(found[1]).toEqual(found[0]);
    expect(found[2]).toEqual(found[0]);
  });
});

test("equal to Shapley values by their definition, on up to 12 columns", async () => {
  for (const shape of [
    { columns: 12, trees: 3, depth: 6, categories: 4 },
    { columns: 4, trees: 5, depth: 8, categories: 3, outputs: 2 },
    { columns: 9, trees: 4, depth: 9 },
  ]) {
    const rng = seededRng(6, JSON.stringify(shape));
    const trees = randomTrees(rng, shape);
    const rows = randomRows(rng, 4, shape);
    const { outputs, columns } = { outputs: 1, ...shape };
    const { of, expected } = await pathContributions(trees, columns, fast.pool);
    const values = of(rows);
    for (let r = 0; r < 4; r++)
      for (let o = 0; o < outputs; o++) {
        const row = rows.slice(r * columns, (r + 1) * columns);
        const at = (r * outputs + o) * columns;
        expect(
          difference(
            values.slice(at, at + columns),
            bruteForce(columns, (known) => knownScore(trees, row, known, o)),
          ),
        ).toBeLessThan(1e-10);
        expect(expected[o]).toBeCloseTo(knownScore(trees, row, 0, o), 10);
      }
  }
});

describe("against background rows", () => {
  const shape = { columns: 9, trees: 4, depth: 6, categories: 4, outputs: 2 };
  const rng = seededRng(7, "background");
  const trees = randomTrees(rng, shape);
  const rows = randomRows(rng, 12, shape);
  const background = randomRows(rng, 30, shape);
  let values: Float64Array;
  let expected: Float64Array;
  beforeAll(async () => {
    const made = await backgroundContributions(trees, 9, background, fast.pool);
    expected = made.expected;
    values = made.of(rows);
  });

  test("the plain twin gives the same bits, of deep trees too", async () => {
    const deep = { columns: 14, trees: 3, depth: 10, categories: 3 };
    const own = randomTrees(rng, deep);
    const many = randomRows(rng, 70, deep);
    const same = randomRows(rng, 40, deep);
    const [a, b] = await Promise.all(
      [fast, plain].map(({ pool }) => backgroundContributions(own, 14, same, pool)),
    );
    const values = a.of(many);
    expect(values).toEqual(b.of(many));
    for (let r = 0; r < 70; r++) {
      const sum = values.slice(r * 14, (r + 1) * 14).reduce((x, y) => x + y, a.expected[0]);
      expect(Math.abs(sum - rawScore(own, many, r * 14)[0])).toBeLessThan(1e-9);
    }
  });

  test("contributions add up to the score", () => {
    for (let r = 0; r < 12; r++)
      rawScore(trees, rows, r * 9).forEach((score, o) => {
        const at = (r * 2 + o) * 9;
        expect(values.slice(at, at + 9).reduce((a, b) => a + b, expected[o])).toBeCloseTo(score, 10);
      });
  });

  test("equal to Shapley values by their definition", () => {
    for (let r = 0; r < 3; r++)
      for (let o = 0; o < 2; o++) {
        const row = rows.slice(r * 9, (r + 1) * 9);
        const mean = (known: number): number => {
          let sum = 0;
          for (let b = 0; b < 30; b++) {
            const mixed = row.map((value, c) => ((known >> c) & 1 ? value : background[b * 9 + c]));
            sum += rawScore(trees, mixed)[o] / 30;
          }
          return sum;
        };
        const at = (r * 2 + o) * 9;
        expect(difference(values.slice(at, at + 9), bruteForce(9, mean))).toBeLessThan(1e-10);
      }
  });
});

test("a column that no tree splits on has no share", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const rng = seededRng(seed, "dummy");
      const trees = randomTrees(rng, { columns: 3, trees: 3, depth: 4 });
      const rows = randomRows(rng, 5, { columns: 5, trees: 0, depth: 0 });
      const values = (await pathContributions(trees, 5, plain.pool)).of(rows);
      values.forEach((value, i) => i % 5 < 3 || expect(value).toBe(0));
    }),
    { numRuns: 20 },
  );
});

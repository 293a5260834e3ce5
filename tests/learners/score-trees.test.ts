import { expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { Frame } from "../../src/engine/frame.js";
import { rawScores, scoring } from "../../src/learners/gbdt/predict.js";
import { TreeBuilder } from "../../src/learners/gbdt/tree-builder.js";
import type { TreeColumn, TreeModel } from "../../src/learners/gbdt/trees.js";
import { testRun } from "../support/test-run.js";

const run = testRun({ threads: 3 });
const levelsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `l${i}`);
const columnsOf = (levels: number): TreeColumn[] => [
  { kind: "number", name: "a" },
  { kind: "category", name: "b", levels: levelsOf(levels) },
  { kind: "statistic", name: "c", levels: ["x", "y"], values: [0.25, 0.75], other: 0.5 },
];

/** Trees of random shape, thresholds among the values that are met, sets of levels, two outputs. */
function anyModel(seed: number, levelCount: number, deepest: number): TreeModel {
  const rng = seededRng(seed, "any trees");
  const builder = new TreeBuilder({ columns: [], featureOf: new Int32Array(0) });
  for (let t = 0; t < 12; t++) {
    const open = [{ node: builder.leaf(rng.normal(), 1), depth: 0 }];
    while (open.length > 0) {
      const { node, depth } = open.pop()!;
      if (depth >= deepest || rng.uniform() < 0.2) continue;
      const left = builder.leaf(rng.normal(), 1);
      const right = builder.leaf(rng.normal(), 1);
      const feature = rng.integer(3);
      const some = levelsOf(levelCount).flatMap((_, i) => (rng.uniform() < 0.4 ? [i] : []));
      builder.branch(node, {
        feature,
        missingLeft: rng.uniform() < 0.5,
        gain: 1,
        left,
        right,
        // A set may know fewer levels than the column has.
        ...(feature === 1
          ? { levels: some.filter((level) => level < 40), levelCount: Math.min(40, levelCount) }
          : { threshold: Math.fround(rng.normal()) }),
      });
      open.push({ node: left, depth: depth + 1 }, { node: right, depth: depth + 1 });
    }
    builder.endTree(t % 2);
  }
  const trees = builder.ensemble(Float64Array.of(0.5, -0.5));
  return { columns: columnsOf(levelCount), trees, link: "identity", objective: "squared" };
}

test("the kernel scores every row as the plain walk does, to the last bit", async () => {
  // Sets of levels within a word of 64 bits and beyond, trees of few levels and of many.
  for (const [seed, levelCount, deepest] of [
    [1, 70, 7],
    [2, 62, 7],
    [3, 41, 2],
    [4, 62, 12],
    [5, 9, 8],
  ]) {
    const model = anyModel(seed, levelCount, deepest);
    const rng = seededRng(seed, "rows");
    const rows = 1777;
    const odd = [NaN, Infinity, -Infinity, 0, -0, 1e300, -1e300, 5e-324, ...model.trees.threshold];
    // Doubles that are rounded up to a threshold of float32 are still below it.
    const near = [...model.trees.threshold].map((value) => value - Math.abs(value) * 1e-12);
    const a = Float64Array.from({ length: rows }, (_, r) => [...odd, ...near][r] ?? rng.normal());
    const frame: Frame = {
      rows,
      columns: new Map([
        ["a", { kind: "f64", values: a }],
        [
          "b",
          {
            kind: "code",
            values: Int32Array.from(a, () => rng.integer(73) - 1),
            levels: [...levelsOf(70), "new", "newer"],
          },
        ],
        [
          "c",
          { kind: "code", values: Int32Array.from(a, () => rng.integer(4) - 1), levels: ["x", "y", "z"] },
        ],
      ]),
    };
    const plain = rawScores(model, frame);
    const fast = await scoring(model, undefined, run, async (score) => score(frame));
    expect(fast).toEqual(plain);
  }
});

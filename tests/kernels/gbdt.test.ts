import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { SharedKernel } from "../../src/engine/pool.js";
import { plainGbdt } from "../../src/kernels/gbdt.js";
import { openPool } from "../../src/kernels/pool.js";
import { boost, rowFloats, type BoostParams } from "../../src/learners/gbdt/boost.js";
import { edgesOf, layoutOf, type BinColumn, type BinLayout } from "../../src/learners/gbdt/bins.js";
import { Encoder, Stage } from "../../src/learners/gbdt/encoding.js";
import { objectiveOf } from "../../src/learners/gbdt/objectives.js";
import { rawScore, type TreeColumn, type TreeEnsemble } from "../../src/learners/gbdt/trees.js";

const pools = [1, 2, 3].map((threads) => openPool({ threads }));
afterAll(() => Promise.all(pools.map((pool) => pool.close())));
const threads = (count: number): Promise<SharedKernel> =>
  pools[count - 1].kernel("gbdt").then((kernel) => kernel!);

interface Data {
  rows: number;
  columns: Float64Array[];
  layout: BinLayout;
  labels: Float32Array;
  weights?: Float32Array;
}

/** Numbers with ties and missing values, a constant, and categories of few and many levels. */
function drawn(rows: number, seed: number, oneHot = 4): Data {
  const rng = seededRng(seed, "gbdt kernel");
  const column = (draw: () => number): Float64Array => Float64Array.from({ length: rows }, draw);
  const columns = [
    column(() => rng.normal()),
    column(() => (rng.uniform() < 0.2 ? NaN : Math.round(rng.normal() * 3))),
    column(() => 7),
    column(() => (rng.uniform() < 0.1 ? NaN : rng.integer(3))),
    column(() => rng.integer(30)),
  ];
  const levels = [0, 0, 0, 3, 30];
  const layout = layoutOf(
    columns.map((values, f): BinColumn => {
      const name = `c${f}`;
      if (levels[f] > 0)
        return {
          column: { kind: "category", name, levels: Array.from({ length: levels[f] }, (_, i) => `l${i}`) },
          edges: new Float64Array(0),
          size: levels[f] + 1,
        };
      const edges = edgesOf(values.filter((value) => !Number.isNaN(value)).sort(), 20);
      return { column: { kind: "number", name }, edges, size: edges.length + 2 };
    }),
    oneHot,
  );
  const labels = Float32Array.from({ length: rows }, (_, r) => {
    const z = columns[0][r] + (Number.isNaN(columns[1][r]) ? 1 : columns[1][r] / 4) + (columns[4][r] % 3) - 1;
    return rng.uniform() < 1 / (1 + Math.exp(-z)) ? 1 : 0;
  });
  return { rows, columns, layout, labels };
}

function encoded(kernel: SharedKernel, { rows, columns, layout }: Data): number {
  const at = kernel.alloc(rows * layout.stride + 16);
  const stage = new Stage(
    kernel,
    columns.map((_, f) => f === 2),
    layout.columns.length,
    rows,
  );
  const hashes = new Map<TreeColumn, BigUint64Array>();
  columns.forEach((values, f) => {
    const { column } = layout.columns[f];
    if (column.kind !== "category") return stage.columns[f].set(values);
    const own = BigUint64Array.from(column.levels, (_, level) => hashOf(level));
    hashes.set(column, own);
    const texts = BigUint64Array.from(values, (level) => (Number.isNaN(level) ? hashOf(-1) : own[level]));
    stage.columns[f].set(new Float64Array(texts.buffer));
  });
  new Encoder(kernel, layout, hashes).encode(stage, rows, at);
  return at;
}

/** Stands for the engine's hash; four levels begin their search at one place. */
const hashOf = (level: number): bigint =>
  BigInt.asUintN(64, BigInt(level + 1) * 0x9e3779b97f4a7c15n) & (level < 4 ? ~511n : ~0n);

const plainParams: BoostParams = {
  trees: 6,
  eta: 0.3,
  depth: 4,
  leaves: Infinity,
  grow: "depth",
  rules: { lambda: 1, alpha: 0, childWeight: 0.5, catLambda: 1, catSmooth: 2, maxStep: 0 },
  gamma: 0,
  rowShare: 1,
  treeColumns: 1,
  nodeColumns: 1,
  drawn: 0,
  patience: 0,
  seed: 3,
};

async function grown(kernel: SharedKernel, data: Data, params: Partial<BoostParams>): Promise<TreeEnsemble> {
  const at = encoded(kernel, data);
  const labelsAt = rowFloats(kernel, data.rows);
  kernel.f32(labelsAt, data.rows).set(data.labels);
  const weightsAt = data.weights ? rowFloats(kernel, data.rows) : 0;
  const weights = data.weights && kernel.f32(weightsAt, data.rows);
  weights?.set(data.weights!);
  const labels = kernel.f32(labelsAt, data.rows);
  const objective = objectiveOf(
    "binary",
    { kernel, rows: data.rows, labels, labelsAt, weights, weightsAt },
    2,
    {
      quantile: 0.5,
      delta: 1,
      power: 1.5,
      top: 30,
      sigmoid: 1,
    },
  );
  const { trees } = await boost(kernel, { rows: data.rows, layout: data.layout, at }, objective, {
    ...plainParams,
    ...params,
    rules: { ...plainParams.rules, ...params.rules },
  });
  kernel.close();
  return trees;
}

const ways: Record<string, Partial<BoostParams>> = {
  "level by level": {},
  "leaf by leaf": { grow: "leaf", leaves: 12, depth: 64 },
  "leaf by leaf, sampled": { grow: "leaf", leaves: 12, depth: 64, rowShare: 0.6 },
  "sampled rows and columns": { rowShare: 0.5, treeColumns: 0.6, nodeColumns: 0.7 },
  "L1, bounded steps": { rules: { ...plainParams.rules, alpha: 0.7, maxStep: 0.4 } },
  monotone: { signs: [1, -1, 0, 0, 0] },
  "groups of columns": {
    groups: [
      [0, 1],
      [3, 4],
    ],
  },
  "drawn thresholds": { drawn: 1 },
  "thresholds drawn in half of the trees, leaf by leaf": { drawn: 0.5, grow: "leaf", leaves: 12, depth: 64 },
  "deeper than levels go": { depth: 10 },
};

describe.each(Object.entries(ways))("%s", (_, params) => {
  test("the kernel and its plain twin grow the same trees, whatever the number of threads", async () => {
    const data = drawn(9000, 5);
    const twin = await grown(plainGbdt(), data, params);
    expect(twin.feature.some((feature) => feature >= 0)).toBe(true);
    for (const count of [1, 2, 3]) expect(await grown(await threads(count), data, params)).toEqual(twin);
  });
});

/** A column's values in order, as the kernel sorts them. */
function sortedBy(kernel: SharedKernel, values: Float64Array): Float64Array {
  const at = kernel.alloc(values.length * 8);
  const counts = kernel.alloc(4);
  const spare = kernel.alloc(kernel.threads * (values.length * 8 + 16384));
  const counter = kernel.alloc(64);
  kernel.f64(at, values.length).set(values);
  kernel.u32(counter, 1)[0] = 0;
  kernel.each("setup", 0, 4, 0, 0, 0, 0, 0, 0, counter, 4, 0);
  kernel.each("sortColumns", at, values.length, 1, counts, spare);
  return kernel.f64(at, kernel.u32(counts, 1)[0]).slice();
}

test("sorting and encoding: any numbers come in order, and each into the bin that its edges say", async () => {
  const [kernel, twin] = [await threads(1), plainGbdt()];
  const odd = fc.constantFrom(
    0,
    -0,
    Infinity,
    -Infinity,
    NaN,
    5e-324,
    1e308,
    -1e308,
    3.4028234663852886e38,
    2 ** 40 + 1,
  );
  const any = fc.oneof(fc.double(), fc.float(), fc.integer({ min: -5, max: 300 }), odd);
  await fc.assert(
    fc.asyncProperty(
      fc.array(any, { minLength: 1, maxLength: 700 }),
      fc.integer({ min: 2, max: 255 }),
      async (list, bins) => {
        const values = Float64Array.from(list);
        const expected = values
          .filter((value) => !Number.isNaN(value))
          .map((value) => value + 0)
          .sort();
        for (const one of [kernel, twin]) {
          const mark = one.mark();
          expect(sortedBy(one, values)).toEqual(expected);
          const edges = edgesOf(expected, bins);
          const layout = layoutOf(
            [{ column: { kind: "number", name: "x" }, edges, size: edges.length + 2 }],
            4,
          );
          const data = {
            rows: values.length,
            columns: [values],
            layout,
            labels: new Float32Array(values.length),
          };
          const found = one.u8(encoded(one, data), values.length * 4);
          values.forEach((value, r) => {
            const below = edges.filter((edge) => edge <= value).length;
            expect(found[r * 4]).toBe(Number.isNaN(value) ? 0 : below + 1);
          });
          one.release(mark);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("the first split is the best of all splits, found by trying them", async () => {
  for (const seed of [1, 2, 3, 4]) {
    const data = drawn(300, seed, 0);
    const trees = await grown(await threads(1), data, { trees: 1, depth: 1, eta: 1 });
    const p = data.labels.reduce((a, b) => a + b, 0) / data.rows;
    const best = bruteForce(data, p);
    expect(trees.gain[0]).toBeGreaterThan(best * 0.995);
    expect(trees.gain[0]).toBeLessThan(best * 1.005);
  }
});

/** The gain of the best split: every threshold with both directions, every set in the order of the gradient. */
function bruteForce({ rows, columns, layout, labels }: Data, p: number): number {
  const g = Float64Array.from(labels, (y) => p - y);
  const h = p * (1 - p);
  const value = (left: boolean[], lambda: number): number => {
    let [gl, hl, gr, hr] = [0, 0, 0, 0];
    for (let r = 0; r < rows; r++)
      if (left[r]) [gl, hl] = [gl + g[r], hl + h];
      else [gr, hr] = [gr + g[r], hr + h];
    if (hl < 0.5 || hr < 0.5) return -1;
    return gl ** 2 / (hl + lambda) + gr ** 2 / (hr + lambda) - (gl + gr) ** 2 / (hl + hr + 1);
  };
  let best = -1;
  layout.columns.forEach(({ column, edges }, f) => {
    if (column.kind === "number") {
      for (const edge of [...edges, Infinity])
        for (const missing of [true, false]) {
          const left = Array.from(columns[f], (x) => (Number.isNaN(x) ? missing : x < edge));
          best = Math.max(best, value(left, 1));
        }
      return;
    }
    const sums = new Map<number, { g: number; h: number }>();
    for (let r = 0; r < rows; r++) {
      const key = Number.isNaN(columns[f][r]) ? -1 : columns[f][r];
      const sum = sums.get(key) ?? { g: 0, h: 0 };
      sums.set(key, { g: sum.g + g[r], h: sum.h + h });
    }
    const order = [...sums].sort((a, b) => a[1].g / (a[1].h + 2) - b[1].g / (b[1].h + 2)).map(([key]) => key);
    for (let i = 1; i < order.length; i++) {
      const chosen = new Set(order.slice(0, i));
      best = Math.max(
        best,
        value(
          Array.from(columns[f], (x) => chosen.has(Number.isNaN(x) ? -1 : x)),
          2,
        ),
      );
    }
  });
  return best;
}

test("monotone columns: raising or lowering them never moves the score the wrong way", async () => {
  const data = drawn(2000, 8);
  for (const params of [
    { signs: [1, -1, 0, 0, 0] },
    { signs: [-1, 1, 0, 0, 0], grow: "leaf", leaves: 20, depth: 64 },
  ] as const) {
    const trees = await grown(await threads(2), data, { ...params, trees: 20 });
    for (let r = 0; r < 200; r++) {
      const row = Float64Array.from(data.columns, (column) => column[r]);
      params.signs.slice(0, 2).forEach((sign, f) => {
        let last = -Infinity * sign;
        for (let x = -9; x <= 9; x += 0.5) {
          row[f] = x;
          const [score] = rawScore(trees, row);
          expect((score - last) * sign).toBeGreaterThanOrEqual(0);
          last = score;
        }
        row[f] = data.columns[f][r];
      });
    }
  }
});

test("interaction groups: no path mixes columns of different groups", async () => {
  const trees = await grown(await threads(2), drawn(2000, 9), {
    trees: 10,
    groups: [
      [0, 1],
      [3, 4],
    ],
  });
  const walk = (node: number, path: number[]): void => {
    if (trees.feature[node] < 0) return;
    const next = [...path, trees.feature[node]];
    expect(next.every((f) => f <= 1) || next.every((f) => f >= 3) || new Set(next).size === 1).toBe(true);
    walk(trees.left[node], next);
    walk(trees.right[node], next);
  };
  for (let t = 0; t < 10; t++) walk(trees.starts[t], []);
});

test("whole weights are rows given several times", async () => {
  const data = drawn(600, 10);
  const times = Array.from({ length: data.rows }, (_, r) => 1 + (r % 3));
  const repeated = (values: Float64Array | Float32Array): number[] =>
    Array.from(values).flatMap((value, r) => Array<number>(times[r]).fill(value));
  const weighted = await grown(await threads(1), { ...data, weights: Float32Array.from(times) }, {});
  const copied: Data = {
    ...data,
    rows: times.reduce((a, b) => a + b),
    columns: data.columns.map((column) => Float64Array.from(repeated(column))),
    labels: Float32Array.from(repeated(data.labels)),
  };
  const plain = await grown(await threads(1), copied, {});
  for (let r = 0; r < data.rows; r++) {
    const row = Float64Array.from(data.columns, (column) => column[r]);
    // Gradients are rounded to 16 bits at random, so the two sums differ in the fourth digit.
    expect(rawScore(weighted, row)[0]).toBeCloseTo(rawScore(plain, row)[0], 1);
  }
});

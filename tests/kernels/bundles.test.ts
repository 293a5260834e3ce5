import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { SharedKernel } from "../../src/engine/pool.js";
import { plainGbdt } from "../../src/kernels/gbdt.js";
import { openPool } from "../../src/kernels/pool.js";
import {
  apart,
  edgesOf,
  layoutOf,
  valueOf,
  type BinColumn,
  type BinLayout,
} from "../../src/learners/gbdt/bins.js";
import { boost, rowFloats, type BinnedRows, type BoostParams } from "../../src/learners/gbdt/boost.js";
import { bundlesOf, laidApart } from "../../src/learners/gbdt/bundles.js";
import { Encoder, Stage } from "../../src/learners/gbdt/encoding.js";
import { objectiveOf } from "../../src/learners/gbdt/objectives.js";
import type { TreeEnsemble } from "../../src/learners/gbdt/trees.js";

const pools = [1, 2].map((threads) => openPool({ threads }));
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

interface Data {
  rows: number;
  columns: Float64Array[];
  labels: Float32Array;
}

/**
 * Two dense columns, one-hot columns of a category of `kinds`, and counts that are 0, 1, 2 or missing for one kind
 * alone: from row `strange` on they are there for all.
 */
function drawn(rows: number, kinds: number, strange = rows): Data {
  const rng = seededRng(7, "bundles");
  const kind = Int32Array.from({ length: rows }, () => rng.integer(kinds));
  const column = (draw: (row: number) => number): Float64Array =>
    Float64Array.from({ length: rows }, (_, r) => draw(r));
  const columns = [
    column(() => rng.normal()),
    ...Array.from({ length: kinds }, (_, k) => column((r) => Number(kind[r] === k))),
    ...Array.from({ length: kinds }, (_, k) =>
      column((r) => (kind[r] === k || r >= strange ? [NaN, 0, 1, 2][rng.integer(4)] : 0)),
    ),
    // Missing but for one kind.
    ...Array.from({ length: kinds }, (_, k) => column((r) => (kind[r] === k ? rng.integer(3) : NaN))),
    column(() => rng.integer(9)),
  ];
  const labels = Float32Array.from({ length: rows }, (_, r) =>
    rng.uniform() < 1 / (1 + Math.exp(-columns[0][r] - (kind[r] % 3) + (columns[kinds + 2][r] || 0))) ? 1 : 0,
  );
  return { rows, columns, labels };
}

const binned = ({ columns }: Data): BinColumn[] =>
  columns.map((values, f) => {
    const edges = edgesOf(values.filter((value) => !Number.isNaN(value)).sort(), 20);
    return { column: { kind: "number", name: `c${f}` }, edges, size: edges.length + 2 };
  });

/** The layout that the first rows of the data suggest. */
function layoutFrom(data: Data, sample: number): BinLayout {
  const columns = binned(data);
  const of = new Map(columns.map(({ column }, f) => [column, data.columns[f].subarray(0, sample)]));
  return layoutOf(
    columns,
    4,
    bundlesOf(columns, (column) => of.get(column)),
  );
}

function encoded(
  kernel: SharedKernel,
  data: Data,
  layout: BinLayout,
): { rows: BinnedRows; clashes: Uint32Array } {
  const at = kernel.alloc(data.rows * layout.stride + 16);
  const narrow = data.columns.map((_, f) => f % 2 === 0);
  const stage = new Stage(kernel, narrow, data.columns.length, data.rows);
  data.columns.forEach((values, f) => stage.columns[f].set(values));
  const encoder = new Encoder(kernel, layout, new Map());
  encoder.encode(stage, data.rows, at);
  return { rows: { rows: data.rows, at, layout }, clashes: encoder.clashes()! };
}

const params: BoostParams = {
  trees: 5,
  eta: 0.3,
  depth: 5,
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

async function grown(
  kernel: SharedKernel,
  { labels: wanted }: Data,
  rows: BinnedRows,
  changed: Partial<BoostParams> = {},
): Promise<TreeEnsemble> {
  const labelsAt = rowFloats(kernel, rows.rows);
  const labels = kernel.f32(labelsAt, rows.rows);
  labels.set(wanted);
  const about = { kernel, rows: rows.rows, labels, labelsAt, weightsAt: 0 };
  const settings = { quantile: 0.5, delta: 1, power: 1.5, top: 30, sigmoid: 1 };
  const { trees } = await boost(kernel, rows, objectiveOf("binary", about, 2, settings), {
    ...params,
    ...changed,
  });
  return trees;
}

const kernels = async (): Promise<SharedKernel[]> => [
  plainGbdt(),
  ...(await Promise.all(pools.map(async (pool) => (await pool.kernel("gbdt"))!))),
];

test.each<[string, Partial<BoostParams>]>([
  ["level by level", {}],
  [
    "leaf by leaf, without a least weight",
    { grow: "leaf", leaves: 20, depth: 64, rules: { ...params.rules, childWeight: 0 } },
  ],
  ["of sampled rows and columns", { rowShare: 0.6, treeColumns: 0.5, nodeColumns: 0.8 }],
  ["with L1", { rules: { ...params.rules, alpha: 0.5 } }],
  ["by drawn thresholds", { drawn: 1 }],
])("columns that share bytes give the trees of columns that do not: %s", async (_, changed) => {
  const data = drawn(3000, 9);
  const layout = layoutFrom(data, data.rows);
  expect(layout.bytes.length).toBeLessThan(10);
  const alone = plainGbdt();
  const wanted = await grown(alone, data, encoded(alone, data, apart(layout)).rows, changed);
  expect(new Set(wanted.feature).size).toBeGreaterThan(8);
  for (const kernel of await kernels()) {
    const { rows, clashes } = encoded(kernel, data, layout);
    expect(clashes).toHaveLength(0);
    expect(await grown(kernel, data, rows, changed)).toEqual(wanted);
  }
});

test("columns that a sample takes for exclusive, and that are not, get bytes of their own", async () => {
  const data = drawn(3000, 9, 2500);
  const layout = layoutFrom(data, 2000);
  const alone = plainGbdt();
  const wanted = await grown(alone, data, encoded(alone, data, apart(layout)).rows);
  for (const kernel of await kernels()) {
    const { rows, clashes } = encoded(kernel, data, layout);
    expect(clashes.length).toBeGreaterThan(0);
    const moved = laidApart(kernel, rows, clashes);
    expect(moved.layout.bytes.length).toBeGreaterThan(layout.bytes.length);
    expect(await grown(kernel, data, moved)).toEqual(wanted);
  }
});

test("every bin that is stored has a value of its own in the byte of its column", () => {
  const sparse = fc.array(
    fc.record({
      rows: fc.uniqueArray(fc.nat(59), { maxLength: 8 }),
      value: fc.constantFrom(1, 2.5, -3, NaN),
    }),
    { minLength: 2, maxLength: 30 },
  );
  fc.assert(
    fc.property(sparse, (drawn) => {
      const columns = drawn.map(({ rows, value }) => {
        const values = new Float64Array(60);
        rows.forEach((row, i) => (values[row] = value + i));
        return values;
      });
      const layout = layoutFrom({ rows: 60, columns, labels: new Float32Array(60) }, 60);
      layout.bytes.forEach((own) => {
        if (!layout.stored[own[0]]) return expect(own).toHaveLength(1);
        const values = own.flatMap((f) =>
          Array.from({ length: layout.columns[f].size }, (_, bin) => valueOf(layout, f, bin)).filter(
            (v) => v > 0,
          ),
        );
        expect(new Set(values).size).toBe(values.length);
        expect(Math.max(...values)).toBe(values.length);
        for (let row = 0; row < 60; row++)
          expect(own.filter((f) => columns[f][row] !== 0).length).toBeLessThanOrEqual(1);
      });
      expect(Array.from(layout.byteOf, (byte, f) => layout.bytes[byte].includes(f))).not.toContain(false);
    }),
    { numRuns: 60 },
  );
});

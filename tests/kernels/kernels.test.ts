import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { rowStarts, transposed, type Csr } from "../../src/kernels/csr.js";
import { addDesignGram, addRow, rowTimes, type DesignMatrix } from "../../src/kernels/design.js";
import { addGram } from "../../src/kernels/gram.js";
import { minimise } from "../../src/kernels/lbfgs.js";
import { lloyd, plusPlus } from "../../src/kernels/lloyd.js";
import { topK } from "../../src/kernels/top-k.js";

/** Any small matrix with gaps, as rows of numbers; 0 is no entry. */
const anyMatrix = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .chain(([rows, cols]) =>
    fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: cols, maxLength: cols }), {
      minLength: rows,
      maxLength: rows,
    }),
  );

function sparse(dense: number[][]): Csr {
  const entries = dense.flatMap((row, r) => row.flatMap((value, c) => (value === 0 ? [] : [[r, c, value]])));
  return {
    rows: dense.length,
    cols: dense[0].length,
    starts: rowStarts(
      Int32Array.from(entries, ([r]) => r),
      dense.length,
    ),
    columns: Int32Array.from(entries, ([, c]) => c),
    values: Float32Array.from(entries, ([, , value]) => value),
  };
}

function dense({ rows, cols, starts, columns, values }: Csr): number[][] {
  const out = Array.from({ length: rows }, () => new Array<number>(cols).fill(0));
  for (let r = 0; r < rows; r++)
    for (let p = starts[r]; p < starts[r + 1]; p++) out[r][columns[p]] = values ? values[p] : 1;
  return out;
}

describe("sparse matrices", () => {
  test("transposed twice is the same; once, rows are columns", () => {
    fc.assert(
      fc.property(anyMatrix, (matrix) => {
        const once = transposed(sparse(matrix));
        expect(dense(once)).toEqual(matrix[0].map((_, c) => matrix.map((row) => row[c])));
        expect(dense(transposed(once))).toEqual(matrix);
      }),
    );
  });

  test("XᵀX, with values and without", () => {
    fc.assert(
      fc.property(anyMatrix, fc.boolean(), (matrix, binary) => {
        const x = sparse(matrix);
        if (binary) delete x.values;
        const full = dense(x);
        const found = new Float64Array(x.cols * x.cols);
        addGram(x, 0, x.rows, found);
        for (let i = 0; i < x.cols; i++)
          for (let j = 0; j <= i; j++)
            expect(found[i * x.cols + j]).toBe(full.reduce((sum, row) => sum + row[i] * row[j], 0));
      }),
    );
  });
});

test("topK is the head of a full sort, whatever ties and gaps there are", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant(-Infinity)), { maxLength: 40 }),
      fc.integer({ min: 0, max: 12 }),
      fc.integer(),
      (scores, k, seed) => {
        const tie = seededRng(seed).shuffle(Int32Array.from(scores, (_, i) => i));
        const into = new Int32Array(k);
        const found = topK(Float64Array.from(scores), tie, into);
        const wanted = scores
          .map((_, i) => i)
          .filter((i) => scores[i] > -Infinity)
          .sort((a, b) => scores[b] - scores[a] || tie[a] - tie[b])
          .slice(0, k);
        expect([...into.subarray(0, found)]).toEqual(wanted);
      },
    ),
  );
});

test("products with a design matrix are those of the dense one", () => {
  // Two numbers and four one-hot columns; the second row has no one.
  const x: DesignMatrix = {
    rows: 3,
    width: 6,
    numberWidth: 2,
    numbers: Float64Array.from([1, 2, 3, 4, 5, 6]),
    starts: Int32Array.from([0, 2, 2, 3]),
    ones: Int32Array.from([5, 2, 4]),
  };
  const full = [
    [1, 2, 1, 0, 0, 1],
    [3, 4, 0, 0, 0, 0],
    [5, 6, 0, 0, 1, 0],
  ];
  const weights = Float64Array.from([1, 10, 100, 1000, 10_000, 100_000]);
  expect([0, 1, 2].map((r) => rowTimes(x, r, weights))).toEqual([100_121, 43, 10_065]);
  const sums = new Float64Array(6);
  addRow(x, 0, 2, sums);
  addRow(x, 2, -1, sums);
  expect([...sums]).toEqual([-3, -2, 2, 0, -1, 2]);
  const gram = new Float64Array(36);
  const rowWeights = Float64Array.from([1, 2, 3]);
  addDesignGram(x, rowWeights, 0, 3, gram);
  for (let i = 0; i < 6; i++)
    for (let j = 0; j <= i; j++)
      expect(gram[i * 6 + j]).toBe(full.reduce((sum, row, r) => sum + rowWeights[r] * row[i] * row[j], 0));
});

describe("lbfgs", () => {
  test("finds the minimum of Rosenbrock's valley", async () => {
    const found = await minimise(
      ([a, b], gradient) => {
        gradient[0] = -2 * (1 - a) - 400 * a * (b - a * a);
        gradient[1] = 200 * (b - a * a);
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2;
      },
      Float64Array.from([-1.2, 1]),
      { tolerance: 1e-10, iterations: 200 },
    );
    expect(found.converged).toBe(true);
    expect(found.x[0]).toBeCloseTo(1, 8);
    expect(found.x[1]).toBeCloseTo(1, 8);
  });

  test("says when it stopped early, and when there was nothing to do", async () => {
    const square = ([a]: Float64Array, gradient: Float64Array): number => {
      gradient[0] = 4 * a ** 3;
      return a ** 4;
    };
    const early = await minimise(square, Float64Array.from([3]), { tolerance: 1e-12, iterations: 2 });
    expect([early.converged, early.iterations]).toEqual([false, 2]);
    const none = await minimise(square, Float64Array.from([0]), { tolerance: 1e-12, iterations: 2 });
    expect([none.converged, none.iterations]).toEqual([true, 0]);
  });
});

describe("k-means", () => {
  test("a center without points moves to the farthest one", async () => {
    const values = Float64Array.from([0, 1, 2, 10]);
    const found = await lloyd({ rows: 4, width: 1, values }, Float64Array.from([1, 1]), 50, 0);
    expect([...found.centers]).toEqual([1, 10]);
    expect(found.inertia).toBe(2);
  });

  test("more passes never raise the sum of squares, and starts are points", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 6 }), async (seed, k) => {
        const rng = seededRng(seed);
        const values = Float64Array.from({ length: 80 }, () => Math.round(rng.normal() * 4));
        const points = { rows: 40, width: 2, values };
        const starts = plusPlus(points, k, rng);
        const rows = new Set(Array.from({ length: 40 }, (_, r) => values.slice(2 * r, 2 * r + 2).join()));
        for (let c = 0; c < k; c++) expect(rows.has(starts.slice(2 * c, 2 * c + 2).join())).toBe(true);
        const sums: number[] = [];
        for (const passes of [1, 2, 5, 50]) sums.push((await lloyd(points, starts, passes, 0)).inertia);
        for (let i = 1; i < sums.length; i++) expect(sums[i]).toBeLessThanOrEqual(sums[i - 1] + 1e-9);
      }),
    );
  });
});

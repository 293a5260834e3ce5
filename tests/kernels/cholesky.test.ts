import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import {
  choleskyFactor,
  choleskyInverse,
  choleskySolve,
  inverseError,
  sharedInverse,
} from "../../src/kernels/cholesky.js";
import { transposed } from "../../src/kernels/csr.js";
import { addGram } from "../../src/kernels/gram.js";
import { openPool } from "../../src/kernels/pool.js";

/** A well-conditioned symmetric positive definite matrix: B Bᵀ / n + I. */
function positiveDefinite(n: number, seed: number): Float64Array {
  const rng = seededRng(seed, "matrix");
  const b = Float64Array.from({ length: n * n }, () => rng.normal());
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = i === j ? n : 0;
      for (let k = 0; k < n; k++) sum += b[i * n + k] * b[j * n + k];
      a[i * n + j] = sum / n;
    }
  return a;
}

describe("cholesky", () => {
  test("the factor of a matrix worked by hand", async () => {
    // Wikipedia, "Cholesky decomposition": [[4,12,-16],[12,37,-43],[-16,-43,98]].
    const a = Float64Array.from([4, 12, -16, 12, 37, -43, -16, -43, 98]);
    expect(await choleskyFactor(a, 3)).toBe(-1);
    expect([a[0], a[3], a[4], a[6], a[7], a[8]]).toEqual([2, 6, 1, -8, 5, 3]);
  });

  // Around one, two and three blocks of 64, where tiles have edges.
  test.each([1, 3, 4, 5, 63, 64, 65, 130, 193])("a times its inverse is one, n = %i", async (n) => {
    const a = positiveDefinite(n, n);
    const inverse = a.slice();
    expect(await choleskyFactor(inverse, n)).toBe(-1);
    await choleskyInverse(inverse, n);
    let worst = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += a[i * n + k] * inverse[k * n + j];
        worst = Math.max(worst, Math.abs(sum - (i === j ? 1 : 0)));
        expect(inverse[i * n + j]).toBe(inverse[j * n + i]);
      }
    expect(worst).toBeLessThan(1e-12 * n);
  });

  test("solves a x = b", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 90 }), fc.integer(), async (n, seed) => {
        const a = positiveDefinite(n, seed);
        const x = Float64Array.from({ length: n }, (_, i) => i - n / 3);
        const b = Float64Array.from({ length: n }, (_, i) =>
          x.reduce((sum, v, k) => sum + a[i * n + k] * v, 0),
        );
        const l = a.slice();
        expect(await choleskyFactor(l, n)).toBe(-1);
        choleskySolve(l, n, b);
        b.forEach((value, i) => expect(value).toBeCloseTo(x[i], 8));
      }),
      { numRuns: 20 },
    );
  });

  test("names the row where a matrix is not positive definite", async () => {
    expect(await choleskyFactor(Float64Array.from([1, 0, 0, -1]), 2)).toBe(1);
    expect(await choleskyFactor(Float64Array.from([Number.NaN]), 1)).toBe(0);
  });
});

describe("inverse by the kernel", () => {
  const pools = [1, 2, 3].map((threads) => openPool({ threads }));
  afterAll(() => Promise.all(pools.map((pool) => pool.close())));
  /** Every user has five items; values 1, 2, 3. */
  function interactions(users: number, items: number) {
    const rng = seededRng(items, "interactions");
    const rows = Array.from({ length: users }, () =>
      [...new Set(Array.from({ length: 5 }, () => rng.integer(items)))].sort((a, b) => a - b),
    );
    const columns = Int32Array.from(rows.flat());
    let filled = 0;
    return {
      rows: users,
      cols: items,
      starts: Int32Array.from([0, ...rows.map((row) => (filled += row.length))]),
      columns,
      values: Float32Array.from(columns, () => 1 + rng.integer(3)),
    };
  }

  // One, two and three blocks of 128, whole and begun.
  test.each([3, 128, 129, 300])("is that of the twin, by any number of threads, n = %i", async (n) => {
    const x = interactions(2 * n, n);
    const wanted = new Float64Array(n * n);
    addGram(x, 0, x.rows, wanted);
    for (let i = 0; i < n; i++) wanted[i * n + i] += 4;
    expect(await choleskyFactor(wanted, n)).toBe(-1);
    await choleskyInverse(wanted, n);
    let first: Float32Array | undefined;
    for (const pool of pools) {
      const found = (await sharedInverse((await pool.kernel("cholesky"))!, x, transposed(x), 4))!;
      expect(inverseError(x, 4, found)).toBeLessThan(1e-5);
      let worst = 0;
      for (let i = 0; i < n; i++)
        for (let j = i; j < n; j++)
          worst = Math.max(worst, Math.abs(found.negated[i * found.stride + j] + wanted[i * n + j]));
      expect(worst).toBeLessThan(1e-6);
      first ??= found.negated.slice();
      expect(Buffer.from(found.negated.slice().buffer).equals(Buffer.from(first.buffer))).toBe(true);
      found.close();
    }
  });

  test("of what 32 bits cannot hold the error is said", async () => {
    const x = interactions(100, 60);
    x.values.forEach((value, p) => (x.values[p] = value * 1000 ** (x.columns[p] % 3)));
    const found = await sharedInverse((await pools[0].kernel("cholesky"))!, x, transposed(x), 1e-3);
    expect(found === undefined || inverseError(x, 1e-3, found) > 1e-3).toBe(true);
    found?.close();
  });
});

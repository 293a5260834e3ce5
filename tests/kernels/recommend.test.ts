import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { SharedKernel } from "../../src/engine/pool.js";
import { afterAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { plainAls, sharedAls, type AlsProblem, type AlsSolver } from "../../src/kernels/als.js";
import { plainBpr, sharedBpr } from "../../src/kernels/bpr.js";
import { rowStarts, transposed, type Csr } from "../../src/kernels/csr.js";
import { plainFm, sharedFm, sharedFmBytes } from "../../src/kernels/fm.js";
import { sharedInverse, sharedInverseBytes } from "../../src/kernels/cholesky.js";
import { openPool } from "../../src/kernels/pool.js";
import { plainNearest, sharedNearest, type Likeness } from "../../src/kernels/similarity.js";
import { plainSlim, sharedSlim, sharedSlimBytes } from "../../src/kernels/slim.js";
import { factorTop, factorTopBytes, weightTop, weightTopBytes } from "../../src/kernels/top-rows.js";
import { factorModel } from "../../src/learners/factor-model.js";
import { listsOf } from "../../src/learners/list-batches.js";
import { nearestOfOthers, nearestRows, nearnessParams } from "../../src/learners/nearness.js";
import { neighbourModel } from "../../src/learners/neighbour-model.js";
import type { Catalogue } from "../../src/learners/recommendations.js";
import type { Scorer } from "../../src/learners/scorer.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";

const pools = [1, 2, 3].map((threads) => openPool({ threads }));
const run = testRun();
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

/** A random matrix, with rows and columns that hold nothing. */
function matrixOf(seed: number, rows: number, cols: number, share: number): Csr {
  const rng = seededRng(seed, "matrix");
  const entries: [number, number, number][] = [];
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++)
      if (r % 11 !== 3 && c % 13 !== 5 && rng.uniform() < share) entries.push([r, c, 1 + rng.integer(4)]);
  return {
    rows,
    cols,
    starts: rowStarts(
      Int32Array.from(entries, ([r]) => r),
      rows,
    ),
    columns: Int32Array.from(entries, ([, c]) => c),
    values: Float32Array.from(entries, ([, , value]) => value),
  };
}

function csrOf(dense: readonly number[][]): Csr {
  const entries = dense.flatMap((row, r) => row.flatMap((value, c) => (value ? [[r, c, value]] : [])));
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

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

describe("als", () => {
  const problem = (steps: number, factors = 10): AlsProblem => {
    const byUser = matrixOf(1, 90, 70, 0.2);
    const byItem = transposed(byUser);
    return {
      byUser,
      byItem,
      factors,
      steps,
      userPenalties: Float32Array.from({ length: 90 }, (_, u) => 0.5 + u / 90),
      itemPenalties: new Float32Array(70).fill(0.7),
    };
  };
  function swept(solver: AlsSolver, factors: number): [Float32Array, Float32Array] {
    const rng = seededRng(2, "start");
    for (const into of [solver.users.fill(0), solver.items.fill(0)])
      for (let at = 0; at < into.length; at += solver.width)
        for (let f = 0; f < factors; f++) into[at + f] = 0.1 * rng.normal();
    for (let sweep = 0; sweep < 3; sweep++) {
      solver.solveItems();
      solver.solveUsers();
    }
    const found: [Float32Array, Float32Array] = [solver.users.slice(), solver.items.slice()];
    solver.close();
    return found;
  }

  // 10 factors leave two of padding, 36 fill whole vectors and a rest, 3 steps and the exact solution.
  test.each([
    [3, 10],
    [3, 36],
    [0, 10],
  ])(
    "with %d steps and %d factors the kernel gives what the twin gives, by any number of threads",
    async (steps, factors) => {
      const wanted = swept(plainAls(problem(steps, factors)), factors);
      const found = [];
      for (const pool of pools)
        found.push(swept(sharedAls((await pool.kernel("als"))!, problem(steps, factors)), factors));
      for (const side of [0, 1]) {
        expect(furthest(found[0][side], wanted[side])).toBeLessThan(2e-5);
        expect(found[1][side]).toEqual(found[0][side]);
        expect(found[2][side]).toEqual(found[0][side]);
      }
    },
  );

  test("the exact step leaves no gradient", async () => {
    const asked = problem(0);
    const solver = sharedAls((await pools[1].kernel("als"))!, asked);
    const width = solver.width;
    const [x, y] = swept({ ...solver, close: () => undefined }, 10);
    const { byUser, userPenalties } = asked;
    for (const user of [0, 1, 42]) {
      const gradient = new Float64Array(10);
      const known = new Map(
        Array.from(byUser.columns.subarray(byUser.starts[user], byUser.starts[user + 1]), (item, p) => [
          item,
          byUser.values![byUser.starts[user] + p],
        ]),
      );
      for (let item = 0; item < byUser.cols; item++) {
        let score = 0;
        for (let f = 0; f < 10; f++) score += x[user * width + f] * y[item * width + f];
        const weight = known.get(item) ?? 0;
        for (let f = 0; f < 10; f++)
          gradient[f] += (1 + weight) * (score - (weight > 0 ? 1 : 0)) * y[item * width + f];
      }
      for (let f = 0; f < 10; f++) gradient[f] += userPenalties[user] * x[user * width + f];
      expect(furthest(gradient, new Float64Array(10))).toBeLessThan(1e-3);
    }
    solver.close();
  });
});

describe("bpr", () => {
  test("the kernel steps as the twin steps, by any number of threads", async () => {
    const problem = () => ({
      matrix: matrixOf(3, 120, 100, 0.15),
      factors: 10,
      rate: 0.05,
      penalty: 0.01,
      rng: seededRng(4, "bpr"),
    });
    const plain = plainBpr(problem());
    const trainers = await Promise.all(
      pools.map(async (pool) => sharedBpr((await pool.kernel("bpr"))!, problem())),
    );
    for (let epoch = 0; epoch < 5; epoch++) {
      const right = plain.epoch();
      for (const trainer of trainers) expect(trainer.epoch()).toBeCloseTo(right, 2);
    }
    for (const name of ["users", "items", "biases"] as const) {
      expect(furthest(trainers[0][name], plain[name])).toBeLessThan(1e-4);
      expect(trainers[1][name]).toEqual(trainers[0][name]);
      expect(trainers[2][name]).toEqual(trainers[0][name]);
    }
    for (const trainer of trainers) trainer.close();
  });

  test("it learns: a checkerboard is told apart", () => {
    const columns = Array.from({ length: 40 }, (_, u) =>
      Array.from({ length: 40 }, (_, i) => i).filter((i) => (i + u) % 2 === 0 && i !== u),
    );
    const matrix = {
      rows: 40,
      cols: 40,
      starts: Int32Array.from({ length: 41 }, (_, u) => columns.slice(0, u).flat().length),
      columns: Int32Array.from(columns.flat()),
    };
    const trainer = plainBpr({ matrix, factors: 4, rate: 0.1, penalty: 0.001, rng: seededRng(1, "board") });
    for (let epoch = 0; epoch < 30; epoch++) trainer.epoch();
    const score = (user: number, item: number): number => {
      let sum = trainer.biases[item];
      for (let f = 0; f < trainer.width; f++)
        sum += trainer.users[user * trainer.width + f] * trainer.items[item * trainer.width + f];
      return sum;
    };
    // Item u was held out for user u.
    for (let user = 0; user < 40; user++)
      expect(score(user, user)).toBeGreaterThan(score(user, (user + 1) % 40));
  });
});

describe("factorisation machines", () => {
  const problem = () => {
    const terms = (rows: number, more: number) => {
      const matrix = matrixOf(rows, rows, more, 0.2);
      const starts = Int32Array.from(matrix.starts, (start, row) => start + row);
      const row = (r: number) => matrix.columns.subarray(matrix.starts[r], matrix.starts[r + 1]);
      const all = Array.from({ length: rows }, (_, r) => [r, ...Array.from(row(r), (c) => rows + c)]).flat();
      const columns = Int32Array.from(all);
      return {
        rows,
        cols: rows + more,
        starts,
        columns,
        values: Float32Array.from(columns, (c) => (c < rows ? 1 : 0.4)),
      };
    };
    return {
      matrix: matrixOf(3, 60, 50, 0.2),
      userTerms: terms(60, 7),
      itemTerms: terms(50, 30),
      factors: 10,
      rate: 0.05,
      penalty: 0.01,
      rng: seededRng(4, "fm"),
    };
  };

  test("the kernel steps as the twin steps, in the memory that its formula says", async () => {
    const plain = plainFm(problem());
    const kernel = (await pools[0].kernel("fm", sharedFmBytes(problem())))!;
    const before = kernel.memory.buffer.byteLength;
    const shared = sharedFm(kernel, problem());
    for (let epoch = 0; epoch < 5; epoch++) expect(shared.epoch()).toBeCloseTo(plain.epoch(), 2);
    const [ours, theirs] = [shared.vectors(), plain.vectors()];
    for (const name of ["users", "items", "biases"] as const)
      expect(furthest(ours[name], theirs[name])).toBeLessThan(1e-4);
    expect(furthest(shared.userTerms(), plain.userTerms())).toBeLessThan(1e-4);
    expect(kernel.memory.buffer.byteLength).toBe(before);
    shared.close();
  });
});

describe("nearest rows", () => {
  const anyLikeness = fc.record({
    form: fc.constantFrom<Likeness["form"]>("ratio", "share"),
    shared: fc.constantFrom(-1, 0, 0.5),
    shrink: fc.constantFrom(0, 3),
  });
  test("the kernel keeps the same rows with the same bits as the twin, by any number of threads", async () => {
    const kernels = pools;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        anyLikeness,
        fc.integer({ min: 1, max: 30 }),
        fc.boolean(),
        async (seed, likeness, k, binary) => {
          const a = matrixOf(seed, 40, 25, 0.3);
          if (binary) delete a.values;
          const lengths = Float32Array.from({ length: 40 }, (_, r) => 5 + r / 7);
          const problem = {
            a,
            b: transposed(a),
            likeness: { ...likeness, left: lengths, right: lengths },
            k,
          };
          const wanted = plainNearest(problem);
          for (const pool of kernels)
            expect(sharedNearest((await pool.kernel("similarity"))!, problem)).toEqual(wanted);
        },
      ),
      { numRuns: 20 },
    );
  });
});

test.each([
  ["cosine", "none"],
  ["asymmetric", "tf-idf"],
  ["tversky", "bm25"],
] as const)(
  "%s with %s: a newcomer with the entries of a row has its neighbours, and that row",
  async (similarity, weighting) => {
    const matrix = matrixOf(8, 30, 40, 0.3);
    const nearness = { similarity, weighting, k: 50, shrink: 2, alpha: 0.7, beta: 0.4 };
    const rows = await nearestRows(matrix, nearness, run);
    const others = nearestOfOthers(matrix, nearness);
    for (const row of [0, 7, 29]) {
      const [from, to] = [matrix.starts[row], matrix.starts[row + 1]];
      const found = others(matrix.columns.subarray(from, to), matrix.values!.subarray(from, to));
      expect(found[0].similarity).toBeGreaterThan(0);
      const near = new Map(found.map((other) => [other.row, other.similarity]));
      expect(near.delete(row)).toBe(true);
      expect(near.size).toBe(rows.starts[row + 1] - rows.starts[row]);
      for (let q = rows.starts[row]; q < rows.starts[row + 1]; q++)
        expect(near.get(rows.columns[q])).toBeCloseTo(rows.values![q], 5);
    }
  },
);

describe("slim", () => {
  const problem = { matrix: matrixOf(5, 60, 40, 0.25), l2: 3, l1: 1, tolerance: 1e-9, epochs: 500 };
  test.each([12, 100])(
    "with %d candidates the kernel gives what the twin gives, by any number of threads",
    async (k) => {
      const wanted = plainSlim({ ...problem, k });
      const found = [];
      for (const pool of pools) found.push(sharedSlim((await pool.kernel("slim"))!, { ...problem, k }));
      expect(found[1]).toEqual(found[0]);
      expect(found[2]).toEqual(found[0]);
      expect(found[0].columns).toEqual(wanted.columns);
      expect(furthest(found[0].values!, wanted.values!)).toBeLessThan(1e-4);
    },
  );

  test("weights are those of scikit-learn's elastic net", async () => {
    // Version and script stand in the file.
    const reference = JSON.parse(
      readFileSync(join(root, "tests/parity/fixtures/recommend-slim.json"), "utf8"),
    ) as { dense: number[][]; weights: number[][]; l1: number; l2: number };
    const found = sharedSlim((await pools[1].kernel("slim"))!, {
      ...reference,
      matrix: csrOf(reference.dense),
      k: 100,
      tolerance: 1e-10,
      epochs: 10_000,
    });
    const dense = reference.weights.map((row) => row.map(() => 0));
    dense.forEach((row, item) => {
      for (let p = found.starts[item]; p < found.starts[item + 1]; p++)
        row[found.columns[p]] = found.values![p];
    });
    expect(furthest(dense.flat(), reference.weights.flat())).toBeLessThan(1e-5);
  });
});

describe("lists by the kernel", () => {
  const users = 300;
  const items = 20_000;
  const rng = seededRng(6, "lists");
  const floats = (count: number) => Float32Array.from({ length: count }, () => rng.normal());
  // Thirty items to a user; the last user had none, and the first all but five.
  const rows = Array.from({ length: users }, (_, user) =>
    user === 0
      ? Array.from({ length: items - 5 }, (_, i) => i)
      : user === users - 1
        ? []
        : [...new Set(Array.from({ length: 30 }, () => rng.integer(items)))].sort((a, b) => a - b),
  );
  const seen = {
    rows: users,
    cols: items,
    starts: Int32Array.from(
      [0, ...rows.keys()].slice(0, users + 1),
      (_, u) => rows.slice(0, u).flat().length,
    ),
    columns: Int32Array.from(rows.flat()),
  };
  const catalogue = {
    users: rows.map((_, u) => `${u}`),
    items: Array.from({ length: items }, (_, i) => `${i}`),
    seen,
    popularity: Float64Array.from({ length: items }, (_, i) => i % 7),
  } as unknown as Catalogue;
  const factors = floats(12 * items);
  // Two items alike, and users of zeros: equal scores go by popularity.
  factors.copyWithin(12 * 8, 12 * 15, 12 * 16);
  const userFactors = floats(12 * users).fill(0, 12 * 7, 12 * 8);
  const sparse = {
    rows: items,
    cols: items,
    starts: Int32Array.from({ length: items + 1 }, (_, i) => 20 * i),
    columns: Int32Array.from({ length: 20 * items }, (_, p) => ((p * 7919) % 997) + 1000 * (p % 20)),
    values: floats(20 * items),
  };
  async function lists(scorer: Scorer, pool: (typeof pools)[number], includeSeen: boolean) {
    const people = { count: users, person: (user: number) => ({ user }) };
    const found = [];
    for await (const list of listsOf(catalogue, scorer, people, { k: 7, includeSeen }, { ...run, pool }))
      found.push([Array.from(list.items), Array.from(list.scores)]);
    return found;
  }
  const biases = floats(items);
  test.each([
    ["factors", factorModel(catalogue, { width: 12, users: userFactors, items: factors }), false],
    [
      "factors with biases",
      factorModel(catalogue, { width: 12, users: userFactors, items: factors, biases }),
      true,
    ],
    ["sums of weights", neighbourModel(catalogue, sparse), false],
  ])("%s: the same items and the same bits as plain lists", async (_, { scorer }, includeSeen) => {
    const plain = await lists({ ...scorer!, made: undefined }, pools[0], includeSeen);
    expect(plain[0][0]).toHaveLength(includeSeen ? 7 : 5);
    for (const pool of pools.slice(0, 2)) expect(await lists(scorer!, pool, includeSeen)).toEqual(plain);
  });
});

test("kernels take the memory that their formulas say, and no more", async () => {
  const matrix = matrixOf(9, 200, 400, 0.1);
  const { threads } = pools[2];
  /** Whether the memory never had to grow. */
  const enough = async (name: string, bytes: number, work: (kernel: SharedKernel) => unknown) => {
    const kernel = (await pools[2].kernel(name, bytes))!;
    const before = kernel.memory.buffer.byteLength;
    await work({ ...kernel, close: () => undefined });
    expect(kernel.memory.buffer.byteLength, name).toBe(before);
    kernel.close();
  };
  await enough("cholesky", sharedInverseBytes(400, matrix.columns.length, 200, threads), (kernel) =>
    sharedInverse(kernel, matrix, transposed(matrix), 5),
  );
  const slim = { matrix, l2: 3, l1: 1, k: 390, tolerance: 1e-4, epochs: 9 };
  await enough("slim", sharedSlimBytes(slim, threads), (kernel) => sharedSlim(kernel, slim));
  const problem = { seen: matrix, includeSeen: false, k: 10, tie: new Int32Array(400) };
  const members = Int32Array.from({ length: 200 }, (_, user) => user);
  const factors = {
    width: 40,
    users: new Float32Array(8000).fill(1),
    items: new Float32Array(16_000).fill(1),
  };
  await enough("top-rows", factorTopBytes(factors, problem, threads), (kernel) =>
    factorTop(kernel, factors, problem).of(members),
  );
  const weights = new Float32Array(160_000).fill(1);
  await enough("top-rows", weightTopBytes(weights, problem, threads), (kernel) =>
    weightTop(kernel, weights, problem).of(members),
  );
});

interface Reference {
  dense: number[][];
  starts: { users: number[][]; items: number[][] };
  als: Record<"cg" | "cholesky", { users: number[][]; items: number[][] }> & {
    factors: number;
    lambda: number;
    alpha: number;
    sweeps: number;
  };
  similarity: Record<string, number[][]>;
}

describe("parity with implicit", () => {
  // Version and script stand in the file.
  const reference = JSON.parse(
    readFileSync(join(root, "tests/parity/fixtures/recommend-implicit.json"), "utf8"),
  ) as Reference;
  const byUser = csrOf(reference.dense);

  test.each(["cg", "cholesky"] as const)(
    "als by %s: the same factors from the same start",
    async (solver) => {
      const { factors, lambda, alpha, sweeps } = reference.als;
      const weighted = { ...byUser, values: byUser.values!.map((value) => alpha * value) };
      const als = sharedAls((await pools[1].kernel("als"))!, {
        byUser: weighted,
        byItem: transposed(weighted),
        factors,
        steps: solver === "cg" ? 3 : 0,
        userPenalties: new Float32Array(byUser.rows).fill(lambda),
        itemPenalties: new Float32Array(byUser.cols).fill(lambda),
      });
      const padded = (rows: number[][]): number[] =>
        rows.flatMap((row) => [...row, ...new Array<number>(als.width - factors).fill(0)]);
      als.users.set(padded(reference.starts.users));
      als.items.set(padded(reference.starts.items));
      for (let sweep = 0; sweep < sweeps; sweep++) {
        als.solveUsers();
        als.solveItems();
      }
      const wanted = reference.als[solver];
      // 32-bit sums run in another order there; exact equality is not meaningful.
      expect(furthest(als.users, padded(wanted.users))).toBeLessThan(1e-4);
      expect(furthest(als.items, padded(wanted.items))).toBeLessThan(1e-4);
      als.close();
    },
  );

  test.each([
    ["cosine", "none"],
    ["tf-idf", "tf-idf"],
    ["bm25", "bm25"],
  ] as const)("item similarities: %s", async (name, weighting) => {
    const params = Object.fromEntries(
      Object.entries(nearnessParams).map(([param, about]) => [param, about.default]),
    ) as unknown as Parameters<typeof nearestRows>[1];
    const found = await nearestRows(transposed(byUser), { ...params, weighting, shrink: 0 }, run);
    const wanted = reference.similarity[name];
    if (name === "bm25") return expectProducts(found, wanted);
    for (let item = 0; item < byUser.cols; item++) {
      const row = new Float64Array(byUser.cols);
      for (let q = found.starts[item]; q < found.starts[item + 1]; q++)
        row[found.columns[q]] = found.values![q];
      expect(
        furthest(
          row,
          wanted[item].map((value, other) => (other === item ? 0 : value)),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  /** implicit's BM25 takes plain products, without the lengths that a cosine divides by. */
  function expectProducts(found: Csr, wanted: number[][]): void {
    const lengths = wanted.map((row, item) => Math.sqrt(row[item]));
    for (let item = 0; item < byUser.cols; item++)
      for (let q = found.starts[item]; q < found.starts[item + 1]; q++)
        expect(found.values![q] * lengths[item] * lengths[found.columns[q]]).toBeCloseTo(
          wanted[item][found.columns[q]],
          3,
        );
  }
});

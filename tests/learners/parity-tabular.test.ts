import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { neighbourIndex } from "../../src/kernels/neighbours.js";
import { readModelFolder } from "../../src/learners/model-folder.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

// scikit-learn and PyOD; versions and script stand in the file.
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/tabular-sklearn.json"), "utf8"),
) as {
  rows: Record<string, Values>;
  cases: Record<
    string,
    {
      scores: number[] | number[][];
      weights: number[];
      threshold: number;
      labels: number[];
      l1: number;
      lambda: number;
      c: number;
      ratio: number;
    }
  >;
};
const run = testRun();
const folder = temporaryFolder();
const numbers = ["price", "visits", "days"];
const texts = ["country", "channel"];
let table: Relation;
let shifted: Relation;

beforeAll(async () => {
  const engine = await run.engine();
  const rows = { ...reference.rows, count: reference.rows.visits, amount: reference.rows.price };
  table = await relationFrom(engine, rows, { bought: "BIGINT" });
  const price = (reference.rows.price as number[]).map((value) => value + 3.3);
  shifted = await relationFrom(engine, { ...reference.rows, price }, { bought: "BIGINT" });
});

async function trained(name: string, ask: TrainingAsk) {
  const given = { features: [...numbers, ...texts], ...ask };
  return trainModel(await learnerNamed(name), table, given, run);
}

/** Compares scores of a model's predictions with those of a case, row by row. */
async function expectScores(
  model: Awaited<ReturnType<typeof trained>>,
  wanted: number[] | number[][],
  tolerance: number,
  rows = table,
): Promise<void> {
  const found = await rowsOf<Record<string, number>>(await model.predict(rows, {}, run));
  let worst = 0;
  wanted.forEach((want, r) => {
    const { score, prediction, ...others } = found[r];
    const own = Array.isArray(want)
      ? want.length === 2
        ? [1 - score, score]
        : Object.values(others)
      : [score ?? prediction];
    (Array.isArray(want) ? want : [want]).forEach(
      (value, i) => (worst = Math.max(worst, Math.abs(own[i] - value))),
    );
  });
  expect(worst).toBeLessThan(tolerance);
}

const of = (name: string) => reference.cases[name];

describe("as in scikit-learn", () => {
  test.each([
    ["logistic, lasso", "bought", undefined],
    ["logistic, elastic net, weighted", "bought", "weight"],
    ["logistic, elastic net, three classes", "tier", undefined],
  ])("%s", async (name, target, weight) => {
    const { c, ratio, scores } = of(name);
    const params = { lambda: (1 - ratio) / c, l1: ratio / c };
    const model = await trained("logistic", { roles: { target, weight }, params });
    expect(model.card.about).toMatchObject({ converged: true });
    await expectScores(model, scores, 2e-5);
  });

  test("linear: elastic net, Poisson, gamma", async () => {
    const net = of("linear, elastic net");
    const params = { lambda: net.lambda, l1: net.l1, path: 5 };
    const model = await trained("linear", { roles: { target: "spent" }, params });
    await expectScores(model, net.scores, 1e-6);
    const path = model.card.about.path as { l1: number; nonzero: number }[];
    expect(path).toHaveLength(5);
    expect(path[0].nonzero).toBe(0);
    expect(path[4]).toMatchObject({ l1: net.l1, nonzero: model.card.about.nonzero });
    // The targets are copies of features, which a column cannot be at once.
    const poisson = { family: "poisson", lambda: of("linear, poisson").lambda };
    await expectScores(
      await trained("linear", { roles: { target: "count" }, params: poisson }),
      of("linear, poisson").scores,
      1e-5,
    );
    const gamma = { family: "gamma", lambda: of("linear, gamma, weighted").lambda };
    await expectScores(
      await trained("linear", { roles: { target: "amount", weight: "weight" }, params: gamma }),
      of("linear, gamma, weighted").scores,
      1e-4,
    );
    const refused = trained("linear", {
      roles: { target: "visits" },
      features: texts,
      params: { family: "gamma" },
    });
    await expect(refused).rejects.toThrow("targets above 0");
  });

  test.each(["squared_hinge", "hinge"])("svm with loss %s: the margin's weights", async (loss) => {
    const params = { c: 0.7, loss, tolerance: 1e-9, iterations: 100_000 };
    const model = await trained("svm", { roles: { target: "bought" }, params });
    const path = join(folder, loss);
    await model.save(path);
    const weights = readModelFolder(path).array("weights", "f64");
    const wanted = of(`svm, ${loss}`).weights;
    expect(Math.max(...wanted.map((want, i) => Math.abs(weights[i] - want)))).toBeLessThan(1e-5);
  });

  test("naive-bayes: normals of numbers, smoothed shares of texts", async () => {
    const plain = await trained("naive-bayes", { roles: { target: "tier" }, features: numbers });
    await expectScores(plain, of("naive-bayes, numbers").scores, 1e-8);
    const params = { alpha: 0.5 };
    const roles = { target: "tier", weight: "weight" };
    await expectScores(
      await trained("naive-bayes", { roles, features: texts, params }),
      of("naive-bayes, texts, weighted").scores,
      1e-8,
    );
  });

  test("knn: shares and means of the nearest rows", async () => {
    for (const weights of ["uniform", "distance"])
      await expectScores(
        await trained("knn", { roles: { target: "tier" }, params: { k: 7, weights } }),
        of(`knn, ${weights}`).scores,
        1e-8,
        shifted,
      );
    const means = await trained("knn", { roles: { target: "spent" }, params: { k: 5, weights: "distance" } });
    expect(means.card.task).toBe("regression");
    await expectScores(means, of("knn, numbers").scores, 1e-8, shifted);
  });
});

describe("as in PyOD", () => {
  test("lof: the threshold of the training rows, the scores of others", async () => {
    const model = await trained("lof", { roles: {}, params: { k: 9 } });
    expect(model.card.about.threshold).toBeCloseTo(of("lof").threshold, 8);
    await expectScores(model, of("lof").scores, 1e-7, shifted);
  });

  test("ecod: scores and decisions of the training rows", async () => {
    const model = await trained("ecod", { roles: {}, features: numbers });
    expect(model.card.about.threshold).toBeCloseTo(of("ecod").threshold, 8);
    await expectScores(model, of("ecod").scores, 1e-8);
    const found = await rowsOf(await model.predict(table, {}, run));
    expect(found.map(({ prediction }) => Number(prediction))).toEqual(of("ecod").labels);
  });
});

test("the tree of neighbours finds what plain search finds, in any number of dimensions", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 18 }),
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 1000 }),
      (width, rows, k, seed) => {
        // Small integers: many equal distances.
        const values = Float64Array.from({ length: rows * width }, (_, i) => ((i + 1) * (seed + 7) * 31) % 5);
        const index = neighbourIndex({ rows, width, values });
        const near = new Int32Array(k);
        const squared = new Float64Array(k);
        const asked = seed % rows;
        const found = index.nearest(values, asked * width, asked, near, squared);
        const plain = Array.from({ length: rows }, (_, r) => {
          let sum = 0;
          for (let c = 0; c < width; c++) sum += (values[r * width + c] - values[asked * width + c]) ** 2;
          return { r, sum };
        })
          .filter(({ r }) => r !== asked)
          .sort((a, b) => a.sum - b.sum || a.r - b.r)
          .slice(0, k);
        expect([...near.subarray(0, found)]).toEqual(plain.map(({ r }) => r));
        expect([...squared.subarray(0, found)]).toEqual(plain.map(({ sum }) => sum));
      },
    ),
  );
});

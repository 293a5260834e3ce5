import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { lloyd } from "../../src/kernels/lloyd.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import { loadModel } from "../../src/learners/model.js";
import { readModelFolder } from "../../src/learners/model-folder.js";
import type { Relation } from "../../src/table/relation.js";
import { openTable } from "../../src/table/open.js";
import { root } from "../support/run-cli.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

interface Reference {
  rows: Record<string, Values>;
  cases: Record<
    string,
    {
      coefficients: number[] | number[][];
      probabilities: number[][];
      predictions: number[];
      classes: string[];
      starts: number[][];
      inertia: number;
      centers: number[][];
      labels: number[];
    }
  >;
}

// scikit-learn; versions and script stand in the file.
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/learners-sklearn.json"), "utf8"),
) as Reference;
const run = testRun();
const folder = temporaryFolder();
const features = ["price", "visits", "days", "country", "channel"];
let table: Relation;

beforeAll(async () => {
  table = await relationFrom(await run.engine(), reference.rows, { bought: "BIGINT" });
});

let models = 0;
async function trained(learner: string, ask: TrainingAsk) {
  const path = join(folder, `model-${++models}`);
  await (await trainModel(await learnerNamed(learner), table, { features, ...ask }, run)).save(path);
  return {
    weights: readModelFolder(path).array("weights", "f64"),
    predictions: await rowsOf<Record<string, number>>(await (await loadModel(path)).predict(table, {}, run)),
  };
}

function expectClose(found: Iterable<number>, wanted: readonly number[], tolerance: number): void {
  const values = [...found];
  expect(values).toHaveLength(wanted.length);
  const worst = Math.max(...values.map((value, i) => Math.abs(value - wanted[i])));
  expect(worst).toBeLessThan(tolerance);
}

describe("logistic equals LogisticRegression(C=1/lambda) behind StandardScaler and OneHotEncoder", () => {
  test.each<[string, TrainingAsk]>([
    ["logistic", { roles: { target: "bought" } }],
    [
      "logistic, lambda 0.1, weighted",
      { roles: { target: "bought", weight: "weight" }, params: { lambda: 0.1 } },
    ],
    ["logistic, balanced", { roles: { target: "bought" }, params: { balanced: true } }],
    ["logistic, three classes", { roles: { target: "tier" } }],
  ])("%s", async (name, ask) => {
    const { classes, coefficients, probabilities } = reference.cases[name];
    const { weights, predictions } = await trained("logistic", ask);
    expectClose(weights, (coefficients as number[][]).flat(), 1e-5);
    const names = classes.length === 2 ? ["score"] : classes.map((label) => `score_${label}`);
    const wanted = probabilities.map((row) => (classes.length === 2 ? row.slice(1) : row));
    expectClose(
      predictions.slice(0, 10).flatMap((row) => names.map((score) => row[score])),
      wanted.flat(),
      1e-6,
    );
  });
});

describe("linear equals Ridge(alpha=lambda) and LinearRegression", () => {
  test.each<[string, TrainingAsk]>([
    ["linear, ridge", { roles: { target: "spent" }, params: { lambda: 3 } }],
    [
      "linear, ridge, weighted, not scaled",
      { roles: { target: "spent", weight: "weight" }, params: { lambda: 0.5, scale: false } },
    ],
  ])("%s", async (name, ask) => {
    const { weights, predictions } = await trained("linear", ask);
    expectClose(weights, reference.cases[name].coefficients as number[], 1e-8);
    expectClose(
      predictions.slice(0, 10).map((row) => row.prediction),
      reference.cases[name].predictions,
      1e-8,
    );
  });

  // The one-hot columns depend on each other: weights are not unique there, predictions are.
  test("least squares", async () => {
    const { predictions } = await trained("linear", { roles: { target: "spent" }, params: { lambda: 0 } });
    const { predictions: wanted } = reference.cases["linear, least squares"];
    expectClose(
      predictions.slice(0, 10).map((row) => row.prediction),
      wanted,
      1e-8,
    );
  });
});

test("kmeans from given centers ends where KMeans does", async () => {
  const columns = ["price", "visits", "days"].map((name) => standardised(reference.rows[name] as number[]));
  const rows = columns[0].length;
  const values = Float64Array.from({ length: rows * 3 }, (_, p) => columns[p % 3][Math.floor(p / 3)]);
  const { starts, inertia, centers, labels } = reference.cases.kmeans;
  const found = await lloyd({ rows, width: 3, values }, Float64Array.from(starts.flat()), 300, 0);
  expect(found.inertia).toBeCloseTo(inertia, 9);
  expectClose(found.centers, centers.flat(), 1e-9);
  expect([...found.labels]).toEqual(labels);
});

function standardised(values: number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance));
}

/*
 * Ten unseen items for each of 943 users, on the item-stratified 75/25 split of Microsoft Recommenders; binary
 * relevance, means over users (their benchmark notebook). Figures recomputed with NumPy: EASE with lambda 300,
 * item-knn with cosine, shrink 10, k 200.
 */
const movielens = sharedData("movielens-100k/interactions-split75.csv");
describe.skipIf(!movielens)("MovieLens-100k (skipped without ../shared/data)", () => {
  let relevantOf: Map<number, Set<number>>;
  let train: Relation;

  beforeAll(async () => {
    const engine = await run.engine();
    train = await openTable(engine, [movielens!], { where: "split = 'train'" });
    const held = await rowsOf<{ user: bigint; item: bigint }>(
      await openTable(engine, [movielens!], { where: "split = 'test'" }),
    );
    relevantOf = new Map();
    for (const { user, item } of held)
      relevantOf.set(Number(user), (relevantOf.get(Number(user)) ?? new Set()).add(Number(item)));
  });

  test.each([
    ["ease", 0.48419, 0.42206, 0.22963, 0.14987],
    ["item-knn", 0.4433, 0.3885, 0.2108, 0.1323],
    ["popularity", 0.2524, 0.2287, 0.1132, 0.056],
  ])("%s: nDCG@10 %d, P@10 %d, R@10 %d, MAP@10 %d", async (name, ndcg, precision, recall, map) => {
    const model = await trainModel(
      await learnerNamed(name),
      train,
      { roles: { user: "user", item: "item" } },
      run,
    );
    const lists = new Map<number, boolean[]>();
    for (const { user, item } of await rowsOf<{ user: bigint; item: bigint }>(
      await model.predict(undefined, {}, run),
    ))
      lists.set(Number(user), [
        ...(lists.get(Number(user)) ?? []),
        relevantOf.get(Number(user))!.has(Number(item)),
      ]);
    expect(lists.size).toBe(943);
    const mean = (figure: (hits: boolean[], relevant: number) => number): number =>
      [...lists].reduce((sum, [user, hits]) => sum + figure(hits, relevantOf.get(user)!.size), 0) /
      lists.size;
    const count = (hits: boolean[]): number => hits.filter(Boolean).length;
    const gain = (hits: boolean[]): number =>
      hits.reduce((sum, hit, i) => sum + (hit ? 1 / Math.log2(i + 2) : 0), 0);
    const found = [
      mean((hits, relevant) => gain(hits) / gain(new Array<boolean>(Math.min(10, relevant)).fill(true))),
      mean((hits) => count(hits) / 10),
      mean((hits, relevant) => count(hits) / relevant),
      mean(
        (hits, relevant) =>
          hits.reduce((sum, hit, i) => sum + (hit ? count(hits.slice(0, i + 1)) / (i + 1) : 0), 0) / relevant,
      ),
    ];
    expectClose(found, [ndcg, precision, recall, map], 0.0005);
  });
});

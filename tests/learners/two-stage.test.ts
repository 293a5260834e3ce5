import { beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { standingOf } from "../../src/learners/ensemble/candidates.js";
import { fitRanker, rankerScore, type Query } from "../../src/learners/ensemble/ranker.js";
import { candidateScores, fitRanking } from "../../src/learners/ensemble/ranking.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";
import { sampleTable } from "./sample.js";

const run = testRun();
const roles = { user: "customer", item: "product" };
let table: Relation;
beforeAll(async () => {
  table = await sampleTable(await run.engine());
});

test("the ranker finds the weights that lists were drawn with, and its gradient vanishes there", async () => {
  const rng = seededRng(5, "lists");
  const truth = [1.5, -1, 0];
  const queries = Array.from({ length: 1500 }, (): Query => {
    const features = Float32Array.from({ length: 30 }, () => rng.normal());
    const odds = Array.from({ length: 10 }, (_, c) =>
      Math.exp(truth.reduce((sum, w, f) => sum + w * features[3 * c + f], 0)),
    );
    let left = rng.uniform() * odds.reduce((a, b) => a + b);
    const chosen = odds.findIndex((odd) => (left -= odd) <= 0);
    return { features, relevant: Uint8Array.from({ length: 10 }, (_, c) => (c === chosen ? 1 : 0)) };
  });
  const ranker = await fitRanker(queries, 3, 1e-6, run);
  truth.forEach((w, f) => expect(ranker.weights[f] / ranker.scales[f]).toBeCloseTo(w, 0.5));
  expect(ranker.loss).toBeLessThan(Math.log(10));
  expect(rankerScore(ranker, Float32Array.of(1, 0, 0, 0, 1, 0), 0)).toBeGreaterThan(
    rankerScore(ranker, Float32Array.of(1, 0, 0, 0, 1, 0), 3),
  );
});

test("what a part recalls comes first, the rest follows, and figures of the fit stand on the card", async () => {
  const ask = { roles, params: { recall: 3 }, parts: ["item-knn", "popularity"] };
  const model = await trainModel(await learnerNamed("two-stage"), table, ask, run);
  const rows = await rowsOf(await model.predict(undefined, { k: 100 }, run));
  const parts: Record<string, unknown>[] = [];
  for (const name of ["item-knn", "popularity"]) {
    const part = await trainModel(await learnerNamed(name), table, { roles }, run);
    parts.push(...(await rowsOf(await part.predict(undefined, { k: 3 }, run))));
  }
  const pair = ({ customer, product }: Record<string, unknown>): string => `${customer} ${product}`;
  const recalled = new Set(parts.map(pair));
  const places = (some: boolean): number[] =>
    rows
      .filter((row) => row.customer === rows[0].customer && recalled.has(pair(row)) === some)
      .map((row) => Number(row.rank));
  expect(Math.max(...places(true))).toBeLessThan(Math.min(...places(false)));
  expect(model.card.about).toMatchObject({
    "recall of the candidates": expect.any(Number),
    weights: { "item-knn score": expect.any(Number), "log popularity": expect.any(Number) },
  });
});

test("the linear ranker looks at the first features alone, trees at all; their mean is the order", async () => {
  const rng = seededRng(6, "lists");
  // The second feature decides, and only trees see it.
  const queries = Array.from({ length: 60 }, (): Query => {
    const features = Float32Array.from({ length: 20 }, () => rng.normal());
    return {
      features,
      relevant: Uint8Array.from({ length: 10 }, (_, c) => (features[2 * c + 1] > 1 ? 1 : 0)),
    };
  }).filter(({ relevant }) => relevant.includes(1));
  const names = { linear: ["noise"], more: ["what counts"] };
  const linear = await fitRanking(queries, names, 1, undefined, run);
  const both = await fitRanking(queries, names, 1, { trees: 20, depth: 2, child_weight: 0.01 }, run);
  expect([...linear.linear.weights].length).toBe(1);
  const features = Float32Array.of(0, -2, 0, 2, 0, -1);
  const flat = candidateScores(linear, features, 3);
  expect(flat[0]).toBe(flat[1]);
  const scores = candidateScores(both, features, 3);
  expect(scores[1]).toBeGreaterThan(Math.max(scores[0], scores[2]));
});

test("with times, the sequence recalls too and what sells of late is told apart; a saved model says the same", async () => {
  const week = Array.from({ length: 24 }, (_, i) => i);
  const rows = await relationFrom(await run.engine(), {
    user: week.flatMap((u) => [u, u, u, u]),
    item: week.flatMap((u) => ["a", "b", u % 2 ? "c" : "d", u < 20 ? "old" : "new"]),
    day: week.flatMap((u) => [u, u + 1, u + 2, u + 3]),
  });
  const timed = { user: "user", item: "item", time: "day" };
  const params = { trees: 5, ranker: "trees", "als.epochs": 2, "als.factors": 4 };
  const model = await trainModel(await learnerNamed("two-stage"), rows, { roles: timed, params }, run);
  expect(model.card.parts).toEqual(["ease", "als", "item-knn", "popularity", "sequence"]);
  const standing = await standingOf(rows, timed, ["a", "new", "old"]);
  expect(standing.popularity[0]).toBeCloseTo(Math.log(25), 12);
  expect(standing.trend![1]).toBeGreaterThan(standing.trend![2]);
});

test("rows that leave nothing to learn from are refused", async () => {
  const few = await relationFrom(await run.engine(), { customer: [1, 2], product: ["x", "y"] });
  await expect(trainModel(await learnerNamed("two-stage"), few, { roles }, run)).rejects.toMatchObject({
    kind: "data",
    message: expect.stringContaining("nothing to learn a ranker from"),
  });
});

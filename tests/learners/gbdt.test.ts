import { beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { Engine } from "../../src/engine/engine.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Learner, Model } from "../../src/learners/learner.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun({ threads: 2 });
let engine: Engine;
let gbdt: Learner;
beforeAll(async () => {
  engine = await run.engine();
  gbdt = await learnerNamed("gbdt");
});

const rows = 400;
const rng = seededRng(3, "gbdt rows");
const x = Array.from({ length: rows }, () => rng.normal());
const yes = x.map((value) => (value + rng.normal() / 2 > 0 ? "yes" : "no"));

async function trained(
  columns: Record<string, Values>,
  ask: Partial<TrainingAsk> = {},
): Promise<{ model: Model; table: Relation }> {
  const table = await relationFrom(engine, columns);
  const params = { trees: 20, eta: 0.3, ...ask.params };
  return { table, model: await trainModel(gbdt, table, { roles: { target: "y" }, ...ask, params }, run) };
}

const scores = async (model: Model, table: Relation): Promise<number[]> =>
  (await rowsOf<{ score: number }>(await model.predict(table, {}, run))).map(({ score }) => score);
const errorOf = (work: Promise<unknown>): Promise<{ kind: string; message: string }> =>
  work.then(
    () => {
      throw new Error("nothing was refused");
    },
    (error: { kind: string; message: string }) => error,
  );

test("constant and empty columns are learned from as far as they go: not at all", async () => {
  const { model, table } = await trained(
    { a: x.map(() => 5), b: x.map(() => null), y: yes },
    { params: { rows: 1 } },
  );
  const share = yes.filter((value) => value === model.card.positive).length / rows;
  for (const score of await scores(model, table)) expect(score).toBeCloseTo(share, 5);
});

test("infinite values are below or above all others", async () => {
  const odd = x.map((value, r) => (r % 50 === 0 ? (value > 0 ? Infinity : -Infinity) : value));
  const { model, table } = await trained({ a: odd, y: yes }, { params: { rows: 1, columns: 1 } });
  const found = await scores(model, table);
  const sign = (r: number): number => (model.card.positive === "yes" ? 1 : -1) * Math.sign(x[r]);
  for (let r = 0; r < rows; r += 50) if (sign(r) > 0) expect(found[r]).toBeGreaterThan(0.5);
});

test("a text of as many levels as rows becomes a statistic that does not give the target away", async () => {
  const { model, table } = await trained({ id: x.map((_, r) => `id-${r}`), y: yes });
  expect(model.trees!.columns[0].kind).toBe("statistic");
  const spread = await scores(model, table);
  expect(Math.max(...spread) - Math.min(...spread)).toBeLessThan(0.75);
});

test("missing values go where they do best, unseen levels where missing ones go", async () => {
  const a = x.map((value, r) => (yes[r] === "yes" && r % 2 === 0 ? null : value > 3 ? 3 : -1));
  const { model, table } = await trained({ a, y: yes }, { params: { rows: 1, columns: 1 }, positive: "yes" });
  (await scores(model, table)).forEach((score, r) => {
    if (a[r] === null) expect(score).toBeGreaterThan(0.9);
  });
});

test("--valid stops where the watched rows do best, and its columns are checked", async () => {
  const valid = await relationFrom(engine, { x: x.map((value) => value + 0.1), y: yes });
  const { model } = await trained({ x, y: yes }, { valid, params: { trees: 500, stop: 5 } });
  expect(model.card.about.rounds).toBeLessThan(500);
  expect(model.card.about.valid_loss).toBeGreaterThan(0);
  const other = await relationFrom(engine, { z: x, y: yes });
  const error = await errorOf(trained({ x, y: yes }, { valid: other }));
  expect([error.kind, error.message]).toEqual(["data", expect.stringContaining("x")]);
});

test("counts below 0 are refused by objectives for counts, constraints by columns that are not there", async () => {
  const negative = await errorOf(trained({ x, y: x }, { params: { objective: "poisson" } }));
  expect([negative.kind, negative.message]).toEqual(["data", expect.stringContaining("poisson")]);
  const unknown = await errorOf(trained({ x, y: yes }, { params: { monotone: "price:1" } }));
  expect([unknown.kind, unknown.message]).toEqual(["usage", expect.stringContaining('"price"')]);
});

test("quantile regression leaves the asked share of the targets below", async () => {
  const noise = x.map((value) => value * 3 + rng.normal());
  const { model, table } = await trained(
    { x, y: noise },
    { params: { objective: "quantile", quantile: 0.8, trees: 60, depth: 3 } },
  );
  const found = await rowsOf<{ prediction: number }>(await model.predict(table, {}, run));
  const below = found.filter(({ prediction }, r) => noise[r] <= prediction).length / rows;
  expect(below).toBeGreaterThan(0.72);
  expect(below).toBeLessThan(0.88);
});

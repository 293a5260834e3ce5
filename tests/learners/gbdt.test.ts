import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import type { Engine } from "../../src/engine/engine.js";
import { bestDepth, unlikeModels } from "../../src/learners/gbdt/members.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Learner, Model } from "../../src/learners/learner.js";
import type { Relation } from "../../src/table/relation.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun({ threads: 2 });
let engine: Engine;
let gbdt: Learner;
beforeAll(async () => {
  engine = await run.engine();
  gbdt = await learnerNamed("gbdt");
});

const models = temporaryFolder();
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

test("predictions read the columns that a tree asks for; the others must be there all the same", async () => {
  const { model, table } = await trained({ a: x.map(() => 5), x, b: x.map((_, r) => `k${r % 2}`), y: x });
  const all = await rowsOf<{ prediction: number }>(await model.predict(table, {}, run));
  const asked: string[] = [];
  const listening = { ...engine, run: (sql: string) => (asked.push(sql), engine.run(sql)) };
  await model.predict({ ...table, engine: listening }, {}, run);
  const [read] = asked[0].split(" FROM ");
  expect(read).toContain('"x"');
  expect(read).not.toContain('"a"');
  const other = { ...table, sql: table.sql.replace('"a"', '7 AS "a"') };
  expect(await rowsOf(await model.predict(other, {}, run))).toEqual(all);
  const lacking = { ...table, schema: table.schema.filter(({ name }) => name !== "a") };
  expect((await errorOf(model.predict(lacking, {}, run))).message).toContain("a");
});

test("with the defaults two columns that only say something together are learned from", async () => {
  const draw = seededRng(9, "together");
  const [a, b] = [x.map(() => draw.normal()), x.map(() => draw.normal())];
  const y = a.map((value, r) => (value * b[r] > 0 ? "yes" : "no"));
  const table = await relationFrom(engine, { a, b, y });
  const ask = { roles: { target: "y" }, positive: "yes", params: { eta: 0.3, stop: 10 } };
  const found = await scores(await trainModel(gbdt, table, ask, run), table);
  const right = found.filter((score, r) => score > 0.5 === (y[r] === "yes")).length;
  expect(right / rows).toBeGreaterThan(0.9);
});

test("models of few rows are unlike each other, but for what drawn thresholds learn worse", async () => {
  const roundsOf = async (thresholds: string): Promise<unknown> =>
    (await trained({ x, y: yes }, { params: { trees: 0, stop: 10, thresholds } })).model.card.about.rounds;
  expect(await roundsOf("auto")).toHaveLength(6);
  expect(await roundsOf("drawn")).toHaveLength(5);
  const drawnOf = async (loss: number): Promise<number[]> => {
    const asked: number[] = [];
    const { trees } = (await trained({ x, y: yes })).model.trees!;
    await unlikeModels(
      async (_, style) => {
        asked.push(style!.drawn!);
        return { trees, best: 1, history: [style!.drawn! > 0 ? loss : 1] };
      },
      0.5,
      100,
    );
    return asked;
  };
  expect(await drawnOf(1.09)).toEqual([0, 0.75, 0.75, 0.5, 0.75, 0.75]);
  expect(await drawnOf(1.11)).toEqual([0, 0.75, 0, 0, 0, 0]);
});

test("deeper trees are tried as long as they do better, on many rows", async () => {
  const { trees } = (await trained({ x, y: yes })).model.trees!;
  const asked: number[] = [];
  const best = await bestDepth([5, 8, 12, 20], async ({ depth }) => {
    asked.push(depth!);
    return { trees, best: 1, history: [Math.abs(depth! - 9)] };
  });
  expect([best.depth, asked]).toEqual([8, [5, 8, 12]]);

  const draw = seededRng(4, "cells");
  const many = 20_001;
  const column = (levels: number): number[] => Array.from({ length: many }, () => draw.integer(levels));
  const [a, b] = [column(16), column(16)];
  const cells = Array.from({ length: 256 }, () => draw.uniform() < 0.5);
  const depthFor = async (isYes: (r: number) => boolean): Promise<unknown> => {
    const table = await relationFrom(engine, { a, b, y: a.map((_, r) => String(isYes(r))) });
    const ask = { roles: { target: "y" }, params: { eta: 0.5, stop: 2 } };
    return (await trainModel(gbdt, table, ask, run)).card.about.depth;
  };
  expect(await depthFor((r) => cells[a[r] * 16 + b[r]] !== draw.uniform() < 0.1)).toBeGreaterThan(5);
  expect(await depthFor((r) => a[r] > 7 !== draw.uniform() < 0.2)).toBe(5);
});

test("drawn thresholds are others in every tree, of forests too", async () => {
  const forest = await learnerNamed("forest");
  const table = await relationFrom(engine, { x, y: yes });
  const extra = { roles: { target: "y" }, params: { kind: "extra", trees: 20 } };
  const { model } = await trained({ x, y: yes }, { params: { thresholds: "drawn" } });
  for (const { trees } of [model.trees!, (await trainModel(forest, table, extra, run)).trees!]) {
    const roots = trees.starts.subarray(0, -1);
    expect(new Set(Array.from(roots, (root) => trees.threshold[root])).size).toBeGreaterThan(15);
  }
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

test("--init adds trees to a model, as if they had been grown at once", async () => {
  const folder = join(models, "first");
  const id = x.map((_, r) => `id-${r % 300}`);
  const columns = { x, id, kind: x.map((_, r) => "abc"[r % 3]), y: yes };
  const whole = { rows: 1, columns: 1, levels: 20 };
  const { model: first, table } = await trained(columns, { params: { ...whole, trees: 8 } });
  await first.save(folder);
  const { model: both } = await trained(columns, { init: folder, params: { ...whole, trees: 12 } });
  const { model: once } = await trained(columns, { params: { ...whole, trees: 20 } });
  expect(both.trees!.trees.output.length).toBe(20);
  expect(both.trees!.columns).toEqual(first.trees!.columns);
  expect(both.trees!.trees.value.slice(0, 30)).toEqual(first.trees!.trees.value.slice(0, 30));
  const added = await scores(both, table);
  const wanted = await scores(once, table);
  const old = await scores(first, table);
  const loss = (found: number[]): number =>
    found.reduce(
      (sum, score, r) => sum - Math.log(yes[r] === both.card.positive ? score : 1 - score) / rows,
      0,
    );
  // The order of statistics gives rows other values while they are learned from than later.
  expect(Math.abs(loss(added) - loss(wanted))).toBeLessThan(0.05);
  expect(loss(added)).toBeLessThan(loss(old));
  const valid = await relationFrom(engine, columns);
  const { model: watched } = await trained(columns, { init: folder, valid, params: { trees: 0, stop: 3 } });
  expect(watched.trees!.trees.output.length).toBeGreaterThan(8);
});

test("--init refuses what it cannot go on from", async () => {
  const folder = join(models, "other");
  const { model } = await trained({ x, y: yes });
  await model.save(folder);
  const other = await errorOf(trained({ x, z: x, y: yes }, { init: folder }));
  expect([other.kind, other.message]).toEqual(["model", expect.stringContaining("x, z")]);
  const unsaid = await errorOf(trained({ x, y: yes }, { init: folder, params: { trees: 0 } }));
  expect([unsaid.kind, unsaid.message]).toEqual(["usage", expect.stringContaining("how many rounds")]);
  const forest = await learnerNamed("forest");
  const table = await relationFrom(engine, { x, y: yes });
  const unable = await errorOf(trainModel(forest, table, { roles: { target: "y" }, init: folder }, run));
  expect(unable.kind).toBe("usage");
});

test("one-side sampling learns nearly as well from a third of the rows", async () => {
  for (const grow of ["depth", "leaf"]) {
    const params = { rows: 1, columns: 1, depth: 3, grow };
    const { model: whole, table } = await trained({ x, y: yes }, { params });
    const { model: some } = await trained(
      { x, y: yes },
      { params: { ...params, goss: 0.2, goss_rest: 0.13 } },
    );
    const a = await scores(whole, table);
    const b = await scores(some, table);
    expect(b).not.toEqual(a);
    const apart = a.reduce((sum, score, r) => sum + Math.abs(score - b[r]), 0) / rows;
    expect(apart).toBeLessThan(0.06);
  }
});

test("weights of classes are weights of their rows", async () => {
  const params = { rows: 1, columns: 1 };
  const { model: named, table } = await trained(
    { x, y: yes },
    { params: { ...params, class_weights: "yes:3, no:0.5" } },
  );
  const weighted = await relationFrom(engine, { x, y: yes, w: yes.map((own) => (own === "yes" ? 3 : 0.5)) });
  const byRow = await trainModel(
    gbdt,
    weighted,
    { roles: { target: "y", weight: "w" }, params: { trees: 20, eta: 0.3, ...params } },
    run,
  );
  expect(await scores(named, table)).toEqual(await scores(byRow, weighted));
  for (const [given, words] of [
    ["maybe:2", "maybe"],
    ["yes", "yes:5"],
  ]) {
    const error = await errorOf(trained({ x, y: yes }, { params: { class_weights: given } }));
    expect([error.kind, error.message]).toEqual(["usage", expect.stringContaining(words)]);
  }
});

test("three hundred columns of which nearly all are empty: the others are learned from", async () => {
  const empty = Object.fromEntries(Array.from({ length: 290 }, (_, i) => [`e${i}`, x.map(() => null)]));
  const noise = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`n${i}`, x.map(() => rng.normal())]));
  const params = { columns: 1, rows: 1, depth: 2, trees: 5 };
  const { model } = await trained({ ...empty, ...noise, x, y: yes }, { params });
  const { feature } = model.trees!.trees;
  expect(model.trees!.columns[feature[0]].name).toBe("x");
});

test("a text of a hundred thousand levels is read, and unseen levels count as the mean", async () => {
  const many = 100_000;
  const levels = Array.from({ length: many }, (_, r) => `level ${r}`);
  const value = Array.from({ length: many }, (_, r) => r % 2);
  const table = await relationFrom(engine, {
    id: levels,
    x: value,
    y: value.map((own) => (own ? "a" : "b")),
  });
  const params = { trees: 2, eta: 1, columns: 1, rows: 1, depth: 1 };
  const ask = { roles: { target: "y" }, features: ["id", "x"], params };
  const model = await trainModel(gbdt, table, ask, run);
  expect(model.trees!.columns[0].kind).toBe("statistic");
  const other = await relationFrom(engine, { id: ["new", null], x: [1, 0] });
  for (const score of await scores(model, other)) expect(Number.isFinite(score)).toBe(true);
});

test("negative weights are refused", async () => {
  const table = await relationFrom(engine, { x, w: x.map((_, r) => (r === 3 ? -1 : 1)), y: yes });
  const error = await errorOf(trainModel(gbdt, table, { roles: { target: "y", weight: "w" } }, run));
  expect([error.kind, error.message]).toEqual(["data", expect.stringContaining("negative")]);
});

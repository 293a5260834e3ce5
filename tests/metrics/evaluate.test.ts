import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Model } from "../../src/learners/learner.js";
import { measured, type MeasureAsk } from "../../src/learners/measured.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import { compareWith, pairingOf } from "../../src/metrics/against.js";
import { scoreOf } from "../../src/metrics/scorecard.js";
import { relationOf, type Relation } from "../../src/table/relation.js";
import { runCli } from "../support/run-cli.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
const ask: MeasureAsk = { cuts: [2], by: [] };

async function table(sql: string): Promise<Relation> {
  return relationOf(await run.engine(), `SELECT *, row_number() OVER () AS _shopai_row FROM (${sql})`, {
    key: ["_shopai_row"],
    name: "test.csv",
  });
}
async function fitted(learner: string, sql: string, about: TrainingAsk): Promise<Model> {
  return trainModel(await learnerNamed(learner), await table(sql), about, run);
}

/** 200 visits; the odds of buying grow with x. */
const visits = (target: string) =>
  `SELECT i % 20 AS x, ['NO', 'SE', 'DK'][1 + i % 3] AS country, ${target} AS y FROM range(200) _(i)`;
const bought = visits("((i % 20) * 5 + (i * 37) % 50 > 70)");

describe("classification", () => {
  let model: Model;
  beforeAll(async () => {
    model = await fitted("logistic", bought, { roles: { target: "y" }, features: ["x"] });
  });

  test("measures the truth beside the predictions, with slices and groups", async () => {
    const result = await measured(
      model,
      await table(bought),
      { ...ask, by: ["country"], group: "country" },
      run,
    );
    const { metrics, intervals } = await scoreOf(result.subject, run.rng("bootstrap"), { resamples: 50 });
    expect(result.rows).toBe(200);
    expect(metrics.auc).toBeGreaterThan(0.9);
    expect(intervals.auc![0]).toBeLessThan(metrics.auc!);
    expect(Object.values(metrics).every((value) => value !== null)).toBe(true);
    expect(result.slicings[0]).toMatchObject({ column: "country", levels: ["DK", "NO", "SE"] });
    expect(result.groups!.data.classes[result.groups!.data.positive!]).toBe("true");
  });

  test("rows without a truth are left out, values unknown to the model count as wrong", async () => {
    const odd = `SELECT x, country, CASE WHEN x = 3 THEN NULL WHEN x = 4 THEN 'maybe' ELSE y::VARCHAR END AS y FROM (${bought})`;
    const result = await measured(model, await table(odd), ask, run);
    expect(result.rows).toBe(190);
    expect(run.warnings).toContain("10 rows without a value in y are not measured");
    expect(run.warnings).toContain("y holds maybe, which training did not: rows with it count as wrong");
    await expect(
      measured(model, await table(`SELECT 1 AS x, 'perhaps' AS y`), ask, run),
    ).rejects.toMatchObject({
      kind: "data",
      message: "no value of y is a class of the model: the table has perhaps, the model false, true",
    });
  });

  test.each([
    ["no rows", `SELECT * FROM (${bought}) WHERE false`, {}, "there are no rows to measure"],
    ["no truth", `SELECT x, NULL::BOOLEAN AS y FROM (${bought})`, {}, "no row has a value in the target y"],
    ["no target column", `SELECT x FROM (${bought})`, {}, 'column "y" is not in the table (it has x)'],
    [
      "a slice that is not there",
      bought,
      { by: ["land"] },
      'column "land" is not in the table (it has x, country, y)',
    ],
    [
      "a negative weight",
      `SELECT *, x - 5 AS w FROM (${bought})`,
      { weight: "w" },
      "a weight in w is -5, not a number >= 0",
    ],
  ])("%s is a data error", async (_, sql, more, message) => {
    await expect(measured(model, await table(sql), { ...ask, ...more }, run)).rejects.toMatchObject({
      kind: "data",
      message,
    });
  });

  test("weights count rows", async () => {
    const twice = await measured(model, await table(`${bought} UNION ALL ${bought}`), ask, run);
    const weighted = await measured(
      model,
      await table(`SELECT *, 2 AS w FROM (${bought})`),
      { ...ask, weight: "w" },
      run,
    );
    const values = async (subject: typeof twice.subject) =>
      (await scoreOf(subject, run.rng("b"), { resamples: 0 })).metrics;
    for (const [name, value] of Object.entries(await values(twice.subject)))
      expect((await values(weighted.subject))[name]).toBeCloseTo(value!, 12);
  });
});

test("a column may be a slice or a weight beside being the target", async () => {
  const counts = visits("1 + i % 3");
  const model = await fitted("linear", counts, { roles: { target: "y" }, features: ["x"] });
  const result = await measured(model, await table(counts), { ...ask, by: ["y"], weight: "y" }, run);
  expect(result.slicings[0].levels).toEqual(["1", "2", "3"]);
  expect([...result.subject.weights!.subarray(0, 4)]).toEqual([1, 2, 3, 1]);
});

test("several classes, regression and segments are measured by their task", async () => {
  const classes = visits("['a', 'b', 'c'][1 + (i % 20) // 7]");
  const multi = await measured(
    await fitted("logistic", classes, { roles: { target: "y" }, features: ["x"] }),
    await table(classes),
    ask,
    run,
  );
  const score = await scoreOf(multi.subject, run.rng("b"), { resamples: 0 });
  expect(Object.keys(score.metrics)).toContain("auc");
  expect(score.metrics.auc).toBeGreaterThan(0.8);

  const numbers = visits("3.5 * (i % 20) + (i * 37) % 5");
  const regression = await measured(
    await fitted("linear", numbers, { roles: { target: "y" }, features: ["x"] }),
    await table(numbers),
    ask,
    run,
  );
  const { metrics } = await scoreOf(regression.subject, run.rng("b"), { resamples: 0 });
  expect(metrics.r2).toBeGreaterThan(0.99);
  expect(metrics.mape).toBeNull();

  const clouds =
    "SELECT i % 4 * 10 + (i * 37) % 3 AS x, i % 4 // 2 * 10 + (i * 17) % 3 AS z FROM range(80) _(i)";
  const kmeans = await fitted("kmeans", clouds, { roles: {}, params: { k: 4 } });
  const segments = await measured(kmeans, await table(clouds), ask, run);
  const segmented = await scoreOf(segments.subject, run.rng("b"), { resamples: 0 });
  expect(segmented.metrics.silhouette).toBeGreaterThan(0.75);
});

describe("recommendations", () => {
  // Users 1 and 2 had a and b; c is the third of everybody else.
  const training =
    "SELECT * FROM (VALUES (1, 'a'), (1, 'b'), (2, 'a'), (2, 'b'), (3, 'a'), (3, 'c'), (4, 'a'), (4, 'c'), (5, 'd')) _(u, i)";
  const held =
    "SELECT * FROM (VALUES (1, 'c', 'NO'), (2, 'd', 'NO'), (3, 'b', 'SE'), (3, 'd', 'SE'), (3, 'd', 'SE')) _(u, i, land)";

  test("every metric by hand", async () => {
    const model = await fitted("popularity", training, { roles: { user: "u", item: "i" } });
    const result = await measured(model, await table(held), { cuts: [1, 2], by: ["land"] }, run);
    const { metrics } = await scoreOf(result.subject, run.rng("b"), { resamples: 0 });
    // Lists by popularity a4 b2 c2 d1 without the seen: 1 and 2: c d, 3: b d.
    expect(result).toMatchObject({ rows: 5, users: 3 });
    expect(metrics["precision@1"]).toBeCloseTo(2 / 3, 12);
    expect(metrics["recall@1"]).toBeCloseTo((1 + 0 + 0.5) / 3, 12);
    expect(metrics["map@2"]).toBeCloseTo((1 + 0.5 + 1) / 3, 12);
    expect(metrics["ndcg@2"]).toBeCloseTo((1 + 1 / Math.log2(3) + 1) / 3, 12);
    expect(metrics["mrr@2"]).toBeCloseTo((1 + 0.5 + 1) / 3, 12);
    expect(metrics["hit_rate@1"]).toBeCloseTo(2 / 3, 12);
    expect(metrics["coverage@1"]).toBe(0.5);
    expect(metrics["diversity@1"]).toBeCloseTo(2 / 3, 12);
    expect(metrics["novelty@1"]).toBeCloseTo(-Math.log2(2 / 5), 12);
    // User 1: c above d; user 2: d below c; user 3 has no other candidate.
    expect(metrics.auc_per_user).toBe(0.5);
    expect(result.slicings[0]).toMatchObject({ column: "land", levels: ["NO", "SE"] });
  });

  const interactions = sharedData("movielens-100k/interactions-split75.csv");
  // Needs the public MovieLens files beside the project.
  test.skipIf(!interactions)("EASE on MovieLens-100k as in the reference protocol", async () => {
    const of = (split: string) => `SELECT * FROM read_csv('${interactions}') WHERE split = '${split}'`;
    const model = await fitted("ease", of("train"), {
      roles: { user: "user", item: "item" },
      params: { lambda: 300 },
    });
    const result = await measured(model, await table(of("test")), { cuts: [10], by: [] }, run);
    const { metrics } = await scoreOf(result.subject, run.rng("b"), { resamples: 0 });
    expect(result).toMatchObject({ rows: 24_934, users: 943 });
    // Microsoft Recommenders protocol, item-stratified 75 %; values of a numpy implementation of EASE, lambda 300.
    expect(metrics["ndcg@10"]).toBeCloseTo(0.4842, 4);
    expect(metrics["precision@10"]).toBeCloseTo(0.4221, 4);
    expect(metrics["recall@10"]).toBeCloseTo(0.2296, 4);
    expect(metrics["map@10"]).toBeCloseTo(0.1499, 4);
  });
});

test("differences of two measurements are paired on common resamples", async () => {
  const of = async (features: string[]) => {
    const model = await fitted("logistic", bought, { roles: { target: "y" }, features });
    const result = await measured(model, await table(bought), ask, run);
    const score = await scoreOf(result.subject, run.rng("bootstrap"), { resamples: 200 });
    return { score, pairing: pairingOf(score, result.units, 42) };
  };
  const good = await of(["x"]);
  const poor = await of(["country"]);
  const file = join(folder, "before.json");
  const write = (content: unknown) => writeFileSync(file, JSON.stringify(content));
  write({ task: "classification", metrics: good.score.metrics, pairing: good.pairing });

  const same = compareWith(file, "classification", good.score, good.pairing);
  expect(same.comparison.differences.auc).toMatchObject({ difference: 0, interval: [0, 0] });
  const worse = compareWith(file, "classification", poor.score, poor.pairing);
  expect(worse.warning).toBeUndefined();
  expect(worse.comparison.differences.auc.interval![1]).toBeLessThan(0);

  write({
    task: "classification",
    metrics: good.score.metrics,
    pairing: { ...good.pairing, units: "others" },
  });
  const other = compareWith(file, "classification", poor.score, poor.pairing);
  expect(other.comparison).toMatchObject({ paired: false, differences: { auc: { interval: null } } });
  expect(other.warning).toMatch(/not paired: it was measured on other rows/);
  expect(() => compareWith(file, "regression", poor.score, poor.pairing)).toThrow(
    /metrics are of a classification model/,
  );
  expect(() => compareWith(join(folder, "befor.json"), "regression", poor.score, poor.pairing)).toThrow(
    /no such file/,
  );
});

describe("the command", () => {
  const data = join(folder, "visits.csv");
  const modelFolder = join(folder, "model");
  beforeAll(async () => {
    await (await run.engine()).run(`COPY (${bought}) TO '${data}' (HEADER)`);
    await (await fitted("logistic", bought, { roles: { target: "y" }, features: ["x"] })).save(modelFolder);
  });

  test("prints the contract's JSON, writes the file, and a gate ends with 6 after it", async () => {
    const out = join(folder, "metrics.json");
    const passed = await runCli([
      ...["evaluate", modelFolder, data, "-o", out, "--json", "--by", "country", "--group", "country"],
      ...["--metrics", "auc,f1", "--fail-if", "auc < 0.5", "--reference", "NO"],
    ]);
    expect(passed.stderr).not.toMatch(/error/);
    expect(passed.code).toBe(0);
    const result = passed.json<Record<string, never>>();
    expect(result).toMatchObject({ task: "classification", rows: 200, warnings: [], resamples: 1000 });
    expect(Object.keys(result.metrics)).toEqual(["auc", "f1"]);
    expect(Object.keys((result.slices as { country: object }).country).sort()).toEqual(["DK", "NO", "SE"]);
    expect(result.fairness).toMatchObject({ reference: "NO", groups: { NO: { disparate_impact: 1 } } });
    const written = JSON.parse(readFileSync(out, "utf8"));
    expect(written.metrics).toEqual(result.metrics);
    expect(written.provenance.inputs[0].sha256).toMatch(/^[0-9a-f]{64}$/);

    const second = join(folder, "second.json");
    const failed = await runCli([
      ...[
        "evaluate",
        modelFolder,
        data,
        "-o",
        second,
        "--against",
        out,
        "--fail-if",
        "auc < 0.999",
        "--threads",
        "1",
      ],
    ]);
    expect(failed.code).toBe(6);
    expect(failed.stderr).toMatch(/error: auc is 0\.9\d+, and the gate is auc < 0\.999/);
    const again = JSON.parse(readFileSync(second, "utf8"));
    expect(again.metrics.auc).toBe(written.metrics.auc);
    expect(again.against.differences.auc).toMatchObject({ difference: 0, interval: [0, 0] });
  });

  test.each([
    [
      "a gate on an unknown metric",
      ["--fail-if", "acu < 1"],
      2,
      /"acu" is not measured here[\s\S]*--fail-if auc/,
    ],
    ["--k for a classifier", ["--k", "5"], 2, /--k is for recommendations/],
  ])("%s is refused", async (_, more, code, message) => {
    const done = await runCli(["evaluate", modelFolder, data, ...more]);
    expect(done.stderr).toMatch(message);
    expect(done.code).toBe(code);
  });
});

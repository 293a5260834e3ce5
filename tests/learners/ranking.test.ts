import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { plainGbdt } from "../../src/kernels/gbdt.js";
import { crossValidated } from "../../src/learners/cross-validation.js";
import { rowFloats } from "../../src/learners/gbdt/boost.js";
import { lambdarank, queriesOf } from "../../src/learners/gbdt/lambdarank.js";
import { rankingScores, rankingTrees } from "../../src/learners/gbdt/ranking-trees.js";
import type { GradientAsk } from "../../src/learners/gbdt/objectives.js";
import type { Learner, Model } from "../../src/learners/learner.js";
import { measured } from "../../src/learners/measured.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import { measureQueries } from "../../src/metrics/queries.js";
import { scoreOf } from "../../src/metrics/scorecard.js";
import type { Relation } from "../../src/table/relation.js";
import { stream } from "../support/mulberry.js";
import { root } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/ranking-peers.json"), "utf8"),
) as {
  quality: Record<"lightgbm" | "xgboost", Record<string, number>>;
  rows: { relevance: number[]; scores: number[] };
  steps: Record<string, number[]>;
};
const run = testRun({ threads: 2 });
let gbdt: Learner;
beforeAll(async () => {
  gbdt = await learnerNamed("gbdt");
});

const perList = 12;

/** Lists of twelve rows, five of them relevant. */
function listsOf(queries: number, seed: number): Record<string, number[]> {
  const draw = stream(seed);
  const found: Record<string, number[]> = { query: [], a: [], b: [], c: [], d: [], taste: [], grade: [] };
  for (let q = 0; q < queries; q++) {
    const taste = draw();
    const worth: number[] = [];
    for (let i = 0; i < perList; i++) {
      const [a, b, c, d] = [draw(), draw(), draw(), draw()];
      worth.push(2 * a * b + c ** 2 - Math.abs(d - taste) + 0.8 * draw());
      Object.entries({ query: q, a, b, c, d, taste }).forEach(([name, value]) => found[name].push(value));
    }
    const order = worth.map((_, i) => i).sort((i, j) => worth[j] - worth[i]);
    const grade = new Array<number>(perList).fill(0);
    [3, 2, 2, 1, 1].forEach((own, place) => (grade[order[place]] = own));
    found.grade.push(...grade);
  }
  return found;
}

const table = async (columns: Record<string, Values>): Promise<Relation> =>
  relationFrom(await run.engine(), columns);
const roles = { target: "grade", query: "query" };
const asPeers = { trees: 100, eta: 0.1, depth: 4, rows: 1, columns: 1, top: 10 };

async function trained(rows: Relation, ask: Partial<TrainingAsk> = {}): Promise<Model> {
  return trainModel(gbdt, rows, { roles, ...ask, params: { ...asPeers, ...ask.params } }, run);
}

async function ndcg(model: Model, rows: Relation): Promise<Record<string, number | null>> {
  const { subject } = await measured(model, rows, { cuts: [5, 10], by: [] }, run);
  return (await scoreOf(subject, run.rng("bootstrap"), { resamples: 0 })).metrics;
}

test("ranks as well as LightGBM's lambdarank and XGBoost's rank:ndcg", async () => {
  const held = await table(listsOf(200, 2));
  const model = await trained(await table(listsOf(200, 1)));
  expect(model.card.task).toBe("ranking");
  const own = await ndcg(model, held);
  for (const peer of Object.values(reference.quality))
    for (const name of ["ndcg@5", "ndcg@10"]) expect(own[name]).toBeGreaterThan(peer[name] - 0.008);
});

test.each(Object.keys(reference.steps))(
  "lambdas and hessians are LightGBM's, pairs of the first %s places",
  (top) => {
    const { relevance, scores } = reference.rows;
    const kernel = plainGbdt();
    const at = (values: readonly number[]): number => {
      const pointer = rowFloats(kernel, values.length);
      kernel.f32(pointer, values.length).set(values);
      return pointer;
    };
    const labelsAt = at(relevance);
    const objective = lambdarank(
      {
        kernel,
        rows: 16,
        labels: kernel.f32(labelsAt, 16),
        labelsAt,
        weightsAt: 0,
        queries: queriesOf(Int32Array.from(relevance, (_, r) => Math.floor(r / 8))),
      },
      { top: Number(top), sigmoid: 1 },
    );
    const [g, h, partials] = [at(relevance), at(relevance), kernel.alloc(64)];
    objective.gradients({ k: 0, scores: [at(scores)], g, h, partials } as unknown as GradientAsk);
    const step = Array.from(kernel.f32(g, 16), (own, r) => -own / kernel.f32(h, 16)[r]);
    reference.steps[top].forEach((wanted, r) => {
      // It looks chances up in a table.
      expect(Math.abs(step[r] - wanted)).toBeLessThan(1e-4 * Math.max(1, Math.abs(wanted)));
    });
  },
);

test("stops where nDCG on the watched rows is best; folds keep queries together", async () => {
  const rows = await table(listsOf(60, 4));
  const valid = await table(listsOf(60, 5));
  const { card } = await trained(rows, { valid, params: { trees: 200, stop: 10, eta: 0.3 } });
  expect(card.about.rounds).toBeLessThan(200);
  const own = await ndcg(
    await trained(rows, { params: { trees: card.about.rounds as number, eta: 0.3 } }),
    valid,
  );
  expect(card.about.valid_loss).toBeCloseTo(1 - own["ndcg@10"]!, 5);
  const { metrics } = await crossValidated(
    gbdt,
    rows,
    { roles, params: { ...asPeers, trees: 20 } },
    { folds: 2 },
    run,
  );
  expect(metrics["ndcg@10"].mean).toBeGreaterThan(0.8);
});

test("lists in memory are ranked as the same table is", async () => {
  const columns = listsOf(60, 6);
  const names = ["a", "b", "c", "d", "taste"];
  const lists = Array.from({ length: 60 }, (_, q) => {
    const own = Array.from({ length: perList }, (_, i) => q * perList + i);
    return {
      features: Float32Array.from(own.flatMap((r) => names.map((name) => columns[name][r]))),
      relevance: own.map((r) => columns.grade[r]),
    };
  });
  const model = await rankingTrees(lists, names, { ...asPeers, trees: 10 }, run);
  const rounded = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, values.map(Math.fround)]),
  );
  const rows = await table(rounded);
  const wanted = await rowsOf<{ prediction: number }>(
    await (await trained(rows, { params: { trees: 10 } })).predict(rows, {}, run),
  );
  const scores = new Float64Array(perList);
  rankingScores(model, lists[3].features, scores);
  scores.forEach((score, i) => expect(score).toBeCloseTo(wanted[3 * perList + i].prediction, 9));
});

test("what cannot be ranked is refused", async () => {
  const columns = listsOf(20, 7);
  const refused = async (given: Record<string, Values>, ask: Partial<TrainingAsk> = {}) =>
    trained(await table({ ...columns, ...given }), ask).then(
      () => ["nothing was refused", ""],
      (error: { kind: string; message: string }) => [error.kind, error.message],
    );
  expect(await refused({ grade: columns.grade.map(() => 1) })).toEqual([
    "data",
    expect.stringContaining("no order to learn"),
  ]);
  expect(await refused({ grade: columns.grade.map((own) => own - 1) })).toEqual([
    "data",
    expect.stringContaining("0 to 31"),
  ]);
  expect(await refused({ query: columns.query.map((q, r) => (r === 5 ? null : q)) })).toEqual([
    "data",
    expect.stringContaining("1 rows have no query"),
  ]);
  expect(await refused({}, { task: "regression" })).toEqual(["usage", expect.stringContaining("--query")]);
  expect(await refused({}, { roles: { target: "grade" }, task: "ranking" })).toEqual([
    "usage",
    expect.stringContaining("--query"),
  ]);
});

test("metrics of queries are those of their definitions, whatever the order of the rows", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 9 }), (grades) => {
      fc.pre(grades.some((grade) => grade > 0));
      const best = grades.map((_, i) => i).sort((a, b) => grades[b] - grades[a]);
      const measure = measureQueries(
        {
          starts: Int32Array.of(0, grades.length),
          rows: Int32Array.from(grades, (_, i) => i),
          relevance: Float64Array.from(grades),
          score: Float64Array.from(grades, (_, i) => -best.indexOf(i)),
        },
        [3],
      );
      const values = measure.at(Float64Array.of(1));
      expect(values[measure.names.indexOf("ndcg@3")]).toBeCloseTo(1, 12);
      expect(values[measure.names.indexOf("mrr@3")]).toBe(1);
    }),
  );
  const measure = measureQueries(
    {
      starts: Int32Array.of(0, 3),
      rows: Int32Array.of(0, 1, 2),
      relevance: Float64Array.of(1, 0, 2),
      score: Float64Array.of(3, 2, 1),
    },
    [2],
  );
  const log3 = Math.log2(3);
  expect(measure.at(Float64Array.of(1))[measure.names.indexOf("ndcg@2")]).toBeCloseTo(1 / (3 + 1 / log3), 12);
});

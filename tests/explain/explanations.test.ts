import { beforeAll, describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { withCounterfactuals } from "../../src/learners/counterfactual.js";
import { effects } from "../../src/learners/effects.js";
import { treeImportance } from "../../src/learners/gbdt/explain/importance.js";
import type { Model } from "../../src/learners/learner.js";
import { permutationImportance } from "../../src/learners/permutation-importance.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { relationFrom, rowsOf, type Values } from "../learners/rows.js";
import { testRun } from "../support/test-run.js";

const run = testRun({ threads: 2 });
const rowCount = 160;
let table: Relation;

/** What was bought depends on visits and country, in no way on noise; price and spent go together. */
function columns(): Record<string, Values> {
  const rng = seededRng(3, "explanations");
  const draw = <T>(value: (row: number) => T): T[] =>
    Array.from({ length: rowCount }, (_, row) => value(row));
  const visits = draw(() => (rng.uniform() < 0.1 ? null : rng.integer(10)));
  const country = draw(() => (rng.uniform() < 0.1 ? null : ["NO", "DE", "SE"][rng.integer(3)]));
  const price = draw(() => Math.round(rng.uniform() * 1000) / 10);
  const score = draw((row) => (visits[row] ?? 3) - 4 + (country[row] === "NO" ? 3 : 0) + rng.normal());
  return {
    visits,
    country,
    price,
    member: draw(() => rng.uniform() < 0.5),
    noise: draw(() => rng.normal()),
    bought: score.map((value) => value > 0),
    tier: score.map((value) => (value < -2 ? "low" : value < 2 ? "mid" : "top")),
    spent: score.map((value, row) => 20 + 3 * value + price[row] / 5),
  };
}

beforeAll(async () => {
  table = await relationFrom(await run.engine(), columns(), {
    visits: "INTEGER",
    member: "BOOLEAN",
    bought: "BOOLEAN",
  });
});

const features = ["visits", "country", "price", "member", "noise"];
const trained = async (learner: string, target: string, ask: Partial<TrainingAsk> = {}): Promise<Model> =>
  trainModel(await learnerNamed(learner), table, { roles: { target }, features, ...ask }, run);
const few: Partial<TrainingAsk> = { params: { trees: 12, depth: 3, eta: 0.3 } };

type Row = Record<string, number | string | null>;

describe.each<[string, string, Partial<TrainingAsk>]>([
  ["logistic", "bought", {}],
  ["logistic", "tier", {}],
  ["linear", "spent", {}],
  ["gbdt", "bought", few],
  ["gbdt", "tier", few],
  ["gbdt", "spent", few],
  // Numbers that are split as texts are.
  ["gbdt", "bought", { params: { ...few.params, categories: "visits" } }],
])("reasons of %s for %s %o", (learner, target, ask) => {
  let model: Model;
  beforeAll(async () => {
    model = await trained(learner, target, ask);
  });

  /** The raw score that a prediction stands for; of several classes relative to the others. */
  const raw = (row: Row): number => {
    if (target === "spent") return row.prediction as number;
    const p = row.score as number;
    return Math.log(p / (1 - p));
  };

  test.each(["training rows", "background rows"])("add up to the score, against %s", async (against) => {
    const background = against === "background rows" ? table : undefined;
    // A model keeps the explainer that it made first.
    const own = background ? await trained(learner, target, ask) : model;
    const predictions = await own.predict(table, { explain: true, contributions: true, background }, run);
    const rows = await rowsOf<Row>(predictions);
    expect(rows).toHaveLength(rowCount);
    if (target === "tier") return;
    for (const row of rows) {
      const parts = features.map((name) => row[`contribution_${name}`] as number);
      const sum = parts.reduce((a, b) => a + b, row.contribution_base as number);
      expect(Math.abs(sum - raw(row))).toBeLessThan(1e-9);
    }
  });

  test("name the strongest features with their values, in words", async () => {
    const rows = await rowsOf<Row>(
      await model.predict(table, { explain: true, contributions: true, reasons: 2 }, run),
    );
    const given = await rowsOf<Row>(table);
    rows.forEach((row, r) => {
      const ranked = features
        .map((name) => ({ name, value: row[`contribution_${name}`] as number }))
        .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
      const [first, second] = String(row.reasons).split("; ");
      expect(first).toMatch(new RegExp(`^${ranked[0].name} `));
      expect(first).toContain(ranked[0].value > 0 ? "raises by" : "lowers by");
      expect(second).toMatch(new RegExp(`^${ranked[1].name} `));
      const value = given[r][ranked[0].name];
      if (value === null) expect(first).toContain(" is missing ");
      else if (typeof value === "string") expect(first).toContain(` = ${value} `);
    });
  });
});

test("a learner that cannot say why is refused by name", async () => {
  const model = await trainModel(
    await learnerNamed("kmeans"),
    table,
    { roles: {}, features: ["price"] },
    run,
  );
  await expect(model.predict(table, { explain: true }, run)).rejects.toThrow(/kmeans cannot say/);
});

describe("importance", () => {
  test("shuffling what matters hurts, shuffling noise does not", async () => {
    const model = await trained("gbdt", "bought", few);
    const found = await permutationImportance(model, table, { repeats: 3 }, run);
    expect(found.metric).toBe("auc");
    const dropOf = (name: string): number => found.features.find(({ feature }) => feature === name)!.drop;
    expect(found.features[0].feature).toBe("visits");
    expect(dropOf("visits")).toBeGreaterThan(0.1);
    expect(Math.abs(dropOf("noise"))).toBeLessThan(0.05);
    for (const { drop, interval } of found.features) {
      expect(drop).toBeGreaterThanOrEqual(interval[0] - 1e-12);
      expect(drop).toBeLessThanOrEqual(interval[1] + 1e-12);
    }
    expect(await permutationImportance(model, table, { repeats: 3 }, run)).toEqual(found);
  });

  test("a metric where less is better turns round", async () => {
    const model = await trained("linear", "spent");
    const { metric, value, features: found } = await permutationImportance(model, table, { repeats: 2 }, run);
    expect([metric, value > 0]).toEqual(["rmse", true]);
    expect(
      found
        .slice(0, 2)
        .map(({ feature }) => feature)
        .sort(),
    ).toEqual(["price", "visits"]);
    expect(found[0].drop).toBeGreaterThan(0);
  });

  test("shares of gain and cover add up to 1", async () => {
    const model = await trained("gbdt", "bought", few);
    const found = treeImportance(model.trees!);
    const sum = (of: "gain" | "cover"): number => found.reduce((total, each) => total + each[of], 0);
    expect(found[0].feature).toBe("visits");
    expect(sum("gain")).toBeCloseTo(1, 12);
    expect(sum("cover")).toBeCloseTo(1, 12);
    expect(found.reduce((total, { splits }) => total + splits, 0)).toBe(
      model.trees!.trees.feature.filter((column) => column >= 0).length,
    );
  });
});

describe("effects", () => {
  test("of a linear model are straight lines with its slope", async () => {
    const model = await trained("linear", "spent");
    const ask = { features: ["price"], grid: 5, rows: 40, ice: 3 };
    const found = await rowsOf<{
      number: number;
      row: number | null;
      prediction: number;
      lo: number;
      hi: number;
    }>(await effects(model, table, ask, run));
    const mean = found.filter(({ row }) => row === null);
    expect(mean).toHaveLength(5);
    expect(found).toHaveLength(20);
    const slope = (line: typeof found): number =>
      (line[4].prediction - line[0].prediction) / (line[4].number - line[0].number);
    for (const row of new Set(found.map((each) => each.row)))
      expect(slope(found.filter((each) => each.row === row))).toBeCloseTo(slope(mean), 9);
    for (const { lo, hi, prediction } of mean) {
      expect(lo).toBeLessThanOrEqual(prediction);
      expect(hi).toBeGreaterThanOrEqual(prediction);
    }
  });

  test("of texts name their levels, missing ones too; several classes have lines of their own", async () => {
    const model = await trained("gbdt", "tier", few);
    const found = await rowsOf<{ value: string | null; class: string; prediction: number }>(
      await effects(model, table, { features: ["country"], grid: 20, rows: 50, ice: 0 }, run),
    );
    expect(found.map((row) => row.value).filter((_, i) => i < 4)).toEqual(["DE", "NO", "SE", null]);
    for (const value of ["DE", "NO", "SE", null]) {
      const own = found.filter((row) => row.value === value);
      expect(own.map((row) => row.class).sort()).toEqual(["low", "mid", "top"]);
      expect(own.reduce((sum, row) => sum + row.prediction, 0)).toBeCloseTo(1, 9);
    }
  });
});

describe("counterfactuals", () => {
  const changed = async (model: Model, freeze?: string[]): Promise<Row[]> =>
    rowsOf<Row>(
      await withCounterfactuals(model, table, await model.predict(table, {}, run), { freeze }, run),
    );

  /** The row with the changes that a text tells. */
  const apply = (row: Row, text: string): Row =>
    text.split("; ").reduce((made, change) => {
      const [, name, , to] = /^(\w+) from (.+) to (.+)$/.exec(change)!;
      const value = to === "missing" ? null : Number.isNaN(Number(to)) ? to : Number(to);
      return { ...made, [name]: value };
    }, row);

  test("turn the decision when they are carried out, and leave frozen features alone", async () => {
    const model = await trained("gbdt", "bought", few);
    const found = await changed(model, ["country", "member"]);
    const given = await rowsOf<Row>(table);
    const turned = found.flatMap((row, r) => (row.counterfactual === null ? [] : [r]));
    expect(turned.length).toBeGreaterThan(rowCount / 2);
    const made = turned.map((r) => apply(given[r], String(found[r].counterfactual)));
    const names = Object.keys(given[0]);
    const again = await relationFrom(
      await run.engine(),
      Object.fromEntries(names.map((name) => [name, made.map((row) => row[name])])),
      { visits: "INTEGER", member: "BOOLEAN", bought: "BOOLEAN" },
    );
    const after = await rowsOf<Row>(await model.predict(again, {}, run));
    turned.forEach((r, i) => {
      expect(found[r].counterfactual).not.toMatch(/country|member/);
      expect(after[i].prediction).not.toBe(found[r].prediction);
      expect(after[i].score).toBeCloseTo(found[r].counterfactual_score as number, 9);
      expect(found[r].counterfactual_plausibility).toBeGreaterThanOrEqual(0);
      expect(found[r].counterfactual_plausibility).toBeLessThanOrEqual(1);
    });
  });

  test("are null where nothing that may change turns the decision", async () => {
    const model = await trained("logistic", "bought");
    const found = await changed(model, features);
    expect(found.every((row) => row.counterfactual === null && row.counterfactual_score === null)).toBe(true);
    await expect(changed(model, ["pirce"])).rejects.toThrow(/pirce is no feature/);
  });
});

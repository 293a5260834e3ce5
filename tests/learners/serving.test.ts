import { beforeAll, describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import type { Engine } from "../../src/engine/engine.js";
import type { Model } from "../../src/learners/learner.js";
import { learnerNamed, learnerNames } from "../../src/learners/registry.js";
import { sharesOf, similarityOf, trainingProfile } from "../../src/learners/scorer.js";
import { trainModel } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";
import { sampleAsk, sampleItems, sampleTable } from "./sample.js";

const run = testRun();
let engine: Engine;
let table: Relation;
beforeAll(async () => {
  engine = await run.engine();
  table = await sampleTable(engine);
});

const given = (columns: Record<string, Values>, types: Record<string, string> = {}): Promise<Relation> =>
  relationFrom(engine, columns, types);
const roles = { user: "user", item: "item" };
const baskets = {
  user: ["ann", "ann", "ann", "bob", "bob", "cy", "cy", "cy", "dee"],
  item: ["tea", "tea", "jam", "tea", "jam", "tea", "jam", "oats", "oats"],
};
const trained = async (name: string, columns: Record<string, Values> = baskets): Promise<Model> =>
  trainModel(await learnerNamed(name), await given(columns), { roles }, run);
const itemsOf = (rows: Record<string, unknown>[]): unknown[] => rows.map((row) => row.item);

describe("newcomers", () => {
  test.each(["ease", "item-knn"])("%s: one with ann's items gets what ann gets", async (name) => {
    const model = await trained(name);
    const ann = await rowsOf(await model.predict(await given({ user: ["ann"] }), {}, run));
    run.warnings.length = 0;
    const rows = await given({ user: ["eve", "eve"], item: ["tea", "jam"] });
    const eve = await rowsOf(await model.predict(rows, {}, run));
    expect(eve.map(({ item, score, rank }) => ({ item, score, rank }))).toEqual(
      ann.map(({ item, score, rank }) => ({ item, score, rank })),
    );
    expect(run.warnings).toEqual([
      "1 of 1 users were not seen in training: they are answered from their items in the table or the history",
    ]);
  });

  test("known users are answered from training, whatever they have in the table", async () => {
    const model = await trained("ease");
    const plain = await rowsOf(await model.predict(await given({ user: ["dee"] }), {}, run));
    const beside = await given({ user: ["dee"], item: ["tea"] });
    expect(await rowsOf(await model.predict(beside, {}, run))).toEqual(plain);
  });

  test("with a history known users are answered from it too, and what it holds is left out", async () => {
    const model = await trained("item-knn");
    const history = await given({
      user: ["dee", "new", "new", "stranger"],
      item: ["tea", "jam", "ham", "ham"],
    });
    const lists = await rowsOf(await model.predict(undefined, { history, explain: true }, run));
    expect(itemsOf(lists.filter((row) => row.user === "dee"))).toEqual(["jam"]);
    expect(itemsOf(lists.filter((row) => row.user === "new"))).toEqual(["tea", "oats"]);
    // Nothing that the model knows speaks for the stranger.
    expect(lists.filter((row) => row.user === "stranger").map((row) => row.source)).toEqual([
      "popularity",
      "popularity",
      "popularity",
    ]);
    const twin = await trained("item-knn", {
      user: [...baskets.user, "dee"],
      item: [...baskets.item, "tea"],
    });
    const dee = async (model: Model, ask: object): Promise<unknown> =>
      itemsOf(await rowsOf(await model.predict(await given({ user: ["dee"] }), ask, run)));
    expect(await dee(model, { history })).toEqual(await dee(twin, {}));
  });

  test("ratings of the history count, and add up with those of training", async () => {
    const columns = {
      user: ["a", "a", "b", "b", "c"],
      item: ["x", "y", "x", "z", "z"],
      stars: [5, 1, 1, 5, 3],
    };
    const model = await trainModel(
      await learnerNamed("item-knn"),
      await given(columns),
      { roles: { ...roles, rating: "stars" }, params: { shrink: 0 } },
      run,
    );
    const scores = async (stars: number[]): Promise<Record<string, unknown>> => {
      const rows = await given({ user: ["n", "n"], item: ["x", "z"], stars });
      const [first] = await rowsOf(await model.predict(rows, {}, run));
      return first;
    };
    const one = await scores([1, 0]);
    expect((await scores([3, 0])).score).toBeCloseTo(3 * (one.score as number), 6);
    const bad = await given({ user: ["n"], item: ["x"], stars: [-1] });
    await expect(model.predict(bad, {}, run)).rejects.toThrow(/ratings in stars are missing, negative/);
  });

  test("somebody who had everything gets nothing, and k beyond the catalogue gives all that is left", async () => {
    const model = await trained("ease", {
      user: ["a", "a", "b"],
      item: ["x", "y", "x"],
    });
    const lists = await rowsOf(await model.predict(undefined, { k: 1000 }, run));
    expect(lists.map((row) => [row.user, row.item])).toEqual([["b", "y"]]);
  });
});

describe("why", () => {
  test("source and reason stand beside the score; strangers are told that it is popular", async () => {
    const model = await trained("item-knn");
    const rows = await given({ user: ["dee", "zoe"] });
    const lists = await model.predict(rows, { explain: true, k: 1 }, run);
    expect(lists.schema.map((field) => field.name)).toEqual([
      "user",
      "item",
      "score",
      "rank",
      "source",
      "reason",
    ]);
    expect(await rowsOf(lists)).toMatchObject([
      { user: "dee", item: "jam", source: "model", reason: "oats (100 %)" },
      { user: "zoe", item: "jam", source: "popularity", reason: "popular: place 1 of 3" },
    ]);
  });

  test("a user column called source cannot stand beside the source of a list", async () => {
    const model = await trainModel(
      await learnerNamed("ease"),
      await given({ source: ["a", "b"], item: ["x", "y"] }),
      { roles: { user: "source", item: "item" } },
      run,
    );
    const refused = model.predict(undefined, { explain: true }, run);
    await expect(refused).rejects.toThrow(ShopaiError);
    await expect(refused).rejects.toThrow(/source/);
  });

  // Every recommender: shares explain the whole score where the model is linear in the user's items.
  test.each(["ease", "item-knn"])("%s: the shares of a user's items add up to the score", async (name) => {
    const model = await trainModel(await learnerNamed(name), table, sampleAsk(await learnerNamed(name)), run);
    const catalogue = model.catalogue!;
    const scorer = model.scorer!;
    const scores = new Float64Array(catalogue.items.length);
    for (let user = 0; user < catalogue.users.length; user++) {
      scorer.user(user, scores);
      const profile = trainingProfile(catalogue, user);
      const shares = new Float64Array(profile.items.length);
      const loose = new Float64Array(profile.items.length);
      for (let item = 0; item < scores.length; item += 7) {
        sharesOf(catalogue, scorer)!(profile, item, shares);
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(scores[item], 6);
        sharesOf(catalogue, { ...scorer, shares: undefined })!(profile, item, loose);
        shares.forEach((share, p) => expect(loose[p]).toBeCloseTo(share, 6));
      }
    }
  });
});

describe("similar items", () => {
  test("the nearest by the learner's own measure, in the item's type, itself left out", async () => {
    const model = await trained("item-knn");
    const lists = await model.similar!(undefined, { k: 1 }, run);
    expect(lists.schema.map((field) => field.name)).toEqual(["item", "similar_item", "score", "rank"]);
    expect(await rowsOf(lists)).toMatchObject([
      { item: "jam", similar_item: "tea", rank: 1 },
      { item: "oats", similar_item: "jam", rank: 1 },
      { item: "tea", similar_item: "jam", rank: 1 },
    ]);
  });

  test("of the items of a table; one that training did not see is left out with a warning", async () => {
    const model = await trained("ease");
    run.warnings.length = 0;
    const rows = await model.similar!(await given({ item: ["tea", "ham"] }), {}, run);
    expect((await rowsOf(rows)).every((row) => row.item === "tea")).toBe(true);
    expect(run.warnings).toEqual([
      "1 of 2 items were not seen in training: nothing is known to be alike to them",
    ]);
  });

  test("without a measure of the learner's, the cosine of the items' users", async () => {
    const { catalogue } = await trained("popularity");
    const alike = new Float64Array(3);
    similarityOf(catalogue!, { user: () => undefined })(catalogue!.items.indexOf("tea"), alike);
    expect(alike[catalogue!.items.indexOf("jam")]).toBeCloseTo(1, 12);
    expect(alike[catalogue!.items.indexOf("oats")]).toBeCloseTo(1 / Math.sqrt(3 * 2), 12);
  });

  test("every recommender answers, for users with and without a history", async () => {
    for (const name of learnerNames) {
      const learner = await learnerNamed(name);
      if (learner.task !== "recommendation") continue;
      const model = await trainModel(
        learner,
        table,
        sampleAsk(learner, false, await sampleItems(engine)),
        run,
      );
      expect(await rowsOf(await model.similar!(undefined, { k: 3 }, run)), name).not.toEqual([]);
      const history = await given({ customer: [1, 1], product: ["P0", "P3"] }, { customer: "BIGINT" });
      const lists = await rowsOf(
        await model.predict(
          await given({ customer: [1] }, { customer: "BIGINT" }),
          { history, explain: true },
          run,
        ),
      );
      expect(
        lists.map((row) => row.product),
        name,
      ).not.toContain("P0");
      expect(lists.length, name).toBeGreaterThan(0);
    }
  });
});

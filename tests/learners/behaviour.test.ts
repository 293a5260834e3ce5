import { beforeAll, describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import type { Engine } from "../../src/engine/engine.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { chosenFeatures } from "../../src/learners/chosen-features.js";
import { trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf, type Values } from "./rows.js";

const run = testRun();
let engine: Engine;
beforeAll(async () => {
  engine = await run.engine();
});

const given = (columns: Record<string, Values>, types: Record<string, string> = {}): Promise<Relation> =>
  relationFrom(engine, columns, types);

async function trained(name: string, table: Relation, ask: TrainingAsk) {
  return trainModel(await learnerNamed(name), table, ask, run);
}

async function refusal(work: Promise<unknown>): Promise<{ kind: string; message: string; try?: string }> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ShopaiError) return { kind: error.kind, message: error.message, try: error.try };
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("recommenders", () => {
  const roles = { user: "user", item: "item" };
  const baskets = {
    user: ["ann", "ann", "ann", "bob", "bob", "cy", "cy", "cy", "dee"],
    item: ["tea", "tea", "jam", "tea", "jam", "tea", "jam", "oats", "oats"],
  };
  const listOf = (rows: Record<string, unknown>[], user: string): unknown[] =>
    rows.filter((row) => row.user === user).map((row) => row.item);

  test("popularity counts rows, leaves out what was had, and breaks ties by item", async () => {
    const model = await trained("popularity", await given(baskets), { roles });
    const rows = await rowsOf(await model.predict(undefined, {}, run));
    expect(listOf(rows, "ann")).toEqual(["oats"]);
    expect(listOf(rows, "dee")).toEqual(["tea", "jam"]);
    expect(rows.find((row) => row.user === "dee")).toMatchObject({ score: 4, rank: 1 });
    const all = await rowsOf(await model.predict(undefined, { includeSeen: true, k: 2 }, run));
    expect(listOf(all, "cy")).toEqual(["tea", "jam"]);
  });

  test("popularity adds ratings up, and counts the last days only", async () => {
    const table = await given(
      {
        user: ["a", "b", "c", "d"],
        item: ["old", "old", "new", "rare"],
        units: [1, 1, 1, 0.5],
        at: ["2024-01-01 00:00:00", "2024-01-02 00:00:00", "2024-03-01 00:00:00", "2024-03-02 00:00:00"],
      },
      { at: "TIMESTAMP" },
    );
    const top = async (ask: TrainingAsk): Promise<unknown[]> =>
      (
        await rowsOf(
          await (
            await trained("popularity", table, ask)
          ).predict(await given({ user: ["stranger"] }), {}, run),
        )
      ).map((row) => [row.item, row.score]);
    expect(await top({ roles })).toEqual([
      ["old", 2],
      ["new", 1],
      ["rare", 1],
    ]);
    expect(await top({ roles: { ...roles, rating: "units" } })).toEqual([
      ["old", 2],
      ["new", 1],
      ["rare", 0.5],
    ]);
    expect(await top({ roles: { ...roles, time: "at" }, params: { days: 30 } })).toEqual([
      ["new", 1],
      ["rare", 1],
      ["old", 0],
    ]);
    expect(await refusal(top({ roles, params: { days: 30 } }))).toMatchObject({
      kind: "usage",
      try: "--time <column>",
    });
  });

  test("segments: everybody gets what is popular in theirs, newcomers by the column of their rows", async () => {
    const table = await given({
      user: ["a", "b", "c", "d", "e"],
      item: ["brown cheese", "brown cheese", "bread", "bread", "bread"],
      land: ["NO", "NO", "DE", "DE", "DE"],
    });
    const strangers = await given({ user: ["n", "g", "x", "y"], land: ["NO", "DE", "FR", null] });
    const firsts = async (name: string): Promise<unknown[]> => {
      const model = await trained(name, table, { roles: { ...roles, segment: "land" } });
      const rows = await rowsOf(await model.predict(strangers, { k: 1, explain: true }, run));
      return rows.map((row) => [row.user, row.item, row.reason]);
    };
    const expected = [
      ["g", "bread", "popular in DE: place 1 of 2"],
      ["n", "brown cheese", "popular in NO: place 1 of 2"],
      ["x", "bread", "popular: place 1 of 2"],
      ["y", "bread", "popular: place 1 of 2"],
    ];
    for (const name of ["popularity", "item-knn", "ease"]) expect(await firsts(name), name).toEqual(expected);
    const model = await trained("popularity", table, { roles: { ...roles, segment: "land" } });
    const own = await rowsOf(await model.predict(undefined, { includeSeen: true, k: 1 }, run));
    expect(listOf(own, "a")).toEqual(["brown cheese"]);
    expect(listOf(own, "d")).toEqual(["bread"]);
  });

  test("item-knn: cosine and jaccard worked by hand, a pair counted once", async () => {
    // tea: ann bob cy; jam: ann bob cy; oats: cy dee.
    const scored = async (params: Record<string, string | number>): Promise<Record<string, unknown>> => {
      const model = await trained("item-knn", await given(baskets), {
        roles,
        params: { shrink: 0, ...params },
      });
      const rows = await rowsOf(await model.predict(await given({ user: ["dee"] }), {}, run));
      return Object.fromEntries(rows.map((row) => [row.item, row.score]));
    };
    const cosine = await scored({ similarity: "cosine" });
    expect(cosine.tea).toBeCloseTo(1 / Math.sqrt(3 * 2), 6);
    const jaccard = await scored({ similarity: "jaccard" });
    expect(jaccard.jam).toBeCloseTo(1 / 4, 6);
    const shrunk = await scored({ shrink: 3 });
    expect(shrunk.tea).toBeCloseTo(1 / (Math.sqrt(6) + 3), 6);
    // With one neighbour each, tea and jam are nearest to each other and not to oats.
    expect(await scored({ k: 1 })).toEqual({ tea: 0, jam: 0 });
  });

  test("ease finds the held-out diagonal of a checkerboard", async () => {
    // Every user has the items of their own colour but one; the missing one is the best.
    const user: string[] = [];
    const item: string[] = [];
    for (let u = 0; u < 12; u++)
      for (let i = 0; i < 12; i++)
        if (u % 2 === i % 2 && u !== i) {
          user.push(`u${u}`);
          item.push(`i${i}`);
        }
    const model = await trained("ease", await given({ user, item }), { roles, params: { lambda: 1 } });
    const best = await rowsOf(await model.predict(undefined, { k: 1 }, run));
    for (const row of best) expect(String(row.item).slice(1)).toBe(String(row.user).slice(1));
    expect(best).toHaveLength(12);
  });

  test("ease weighs interactions by summed ratings", async () => {
    const once = await given({ user: ["a", "a", "b", "b"], item: ["x", "y", "x", "z"], n: [3, 1, 2, 1] });
    const twice = await given({
      user: ["a", "a", "a", "b", "b"],
      item: ["x", "x", "y", "x", "z"],
      n: [1, 2, 1, 2, 1],
    });
    const scores = async (table: Relation, ask: TrainingAsk) =>
      rowsOf(await (await trained("ease", table, ask)).predict(undefined, {}, run));
    const weighted = { roles: { ...roles, rating: "n" } };
    expect(await scores(twice, weighted)).toEqual(await scores(once, weighted));
    expect(await scores(once, weighted)).not.toEqual(await scores(once, { roles }));
  });

  test("users that were not seen get the most popular items, and it is said", async () => {
    const model = await trained("ease", await given(baskets), { roles });
    run.warnings.length = 0;
    const rows = await rowsOf(
      await model.predict(await given({ user: ["zoe", "ann", "zoe", null] }), { k: 2 }, run),
    );
    expect(rows.map((row) => [row.user, row.item, row.rank])).toEqual([
      ["ann", "oats", 1],
      ["zoe", "jam", 1],
      ["zoe", "tea", 2],
    ]);
    expect(run.warnings).toEqual(["1 of 2 users were not seen in training: they get the most popular items"]);
  });

  test("rows without user or item are left out, with a warning; users keep their type", async () => {
    run.warnings.length = 0;
    const table = await given(
      { user: [7, 7, null, 9007199254740991], item: ["a", "b", "a", "b"] },
      { user: "BIGINT" },
    );
    const model = await trained("item-knn", table, { roles });
    expect(run.warnings).toEqual(["1 rows lack a user or an item and are left out of training"]);
    const predictions = await model.predict(undefined, {}, run);
    expect(predictions.schema[0]).toEqual({ name: "user", type: "BIGINT" });
    expect((await rowsOf(predictions)).map((row) => [row.user, row.item])).toEqual([
      [9007199254740991n, "a"],
    ]);
    expect(await refusal(model.predict(await given({ user: ["x7"] }), {}, run))).toMatchObject({
      kind: "data",
      message: 'the user "x7" is no BIGINT, as users were in training',
    });
  });

  test("ratings must be numbers of 0 or more", async () => {
    const table = await given({ user: ["a", "b"], item: ["x", "y"], stars: [1, -1], word: ["five", "one"] });
    for (const rating of ["stars", "word"])
      expect((await refusal(trained("ease", table, { roles: { ...roles, rating } }))).message).toContain(
        rating,
      );
  });
});

describe("features and targets", () => {
  const columns = {
    id: [1, 2, 3, 4, 5, 6],
    page_a: [1, 2, 3, 4, 5, 6],
    page_b: [3, 1, 2, 6, 4, 5],
    colour: ["red", "blue", "red", null, "blue", "red"],
    bought: ["no", "yes", "no", "yes", "no", "no"],
    split: ["train", "train", "train", "train", "test", "test"],
  };

  test("names and globs choose, -name leaves out, roles and split stay out", async () => {
    const table = await given(columns);
    const names = (patterns?: string[]): string[] =>
      chosenFeatures(table, { target: "bought" }, patterns).map((field) => field.name);
    expect(names()).toEqual(["id", "page_a", "page_b", "colour"]);
    expect(names(["page_*", "colour"])).toEqual(["page_a", "page_b", "colour"]);
    expect(names(["-id", "-*_b"])).toEqual(["page_a", "colour"]);
    expect(names(["*", "-id"])).toEqual(["page_a", "page_b", "colour", "split"]);
    expect(() => names(["page_c"])).toThrow('column "page_c" is not in the table');
    expect(() => names(["bought"])).toThrow("bought is the --target");
    expect(() => names(["-*"])).toThrow("no feature column is left");
  });

  test("a column of a type that cannot be a feature is named, all at once", async () => {
    const table = await given(
      { tags: ["[1]", "[2]"], more: ["{a: 1}", "{a: 2}"], y: [1, 2] },
      { tags: "INTEGER[]", more: "STRUCT(a INTEGER)" },
    );
    expect(await refusal(trained("linear", table, { roles: { target: "y" } }))).toEqual({
      kind: "data",
      message: "columns of a type that cannot be a feature: tags (INTEGER[]), more (STRUCT(a INTEGER))",
      try: "--features -tags,-more",
    });
  });

  test.each<[string, Values, string | undefined]>([
    ["true", [true, false, false], undefined],
    ["1", [0, 1, 1], undefined],
    ["Yes", ["Yes", "No", "Yes"], undefined],
    ["rare", ["often", "rare", "often"], undefined],
    ["often", ["often", "rare", "often"], "often"],
  ])("the positive class: %s of %j", async (positive, y, named) => {
    const table = await given(
      { x: [1, 2, 3], y },
      y.every((v) => typeof v === "number") ? { y: "INTEGER" } : {},
    );
    const model = await trained("logistic", table, { roles: { target: "y" }, positive: named });
    expect(model.card.positive).toBe(positive);
  });

  test("targets that cannot be learned are refused, and say why", async () => {
    const table = await given(
      {
        x: [1, 2, 3],
        one: ["a", "a", "a"],
        none: [null, null, null],
        y: ["a", "b", "c"],
        inf: [1, Infinity, 2],
      },
      { none: "VARCHAR" },
    );
    const reason = async (learner: string, ask: TrainingAsk): Promise<string> => {
      const error = await refusal(trained(learner, table, { features: ["x"], ...ask }));
      return `${error.kind}: ${error.message}`;
    };
    expect(await reason("logistic", { roles: { target: "one" } })).toBe(
      "data: the target one has one class only, a",
    );
    expect(await reason("logistic", { roles: { target: "none" } })).toBe(
      "data: the target none has no value in any row",
    );
    expect(await reason("logistic", { roles: { target: "y" }, positive: "d" })).toContain('no class "d"');
    expect(await reason("logistic", { roles: { target: "y" }, positive: "a" })).toContain(
      "usage: --positive is for two",
    );
    expect(await reason("linear", { roles: { target: "y" } })).toContain("a regression needs numbers");
    expect(await reason("linear", { roles: { target: "inf" } })).toContain("NaN or infinite");
    expect(await reason("linear", { roles: { target: "x" }, features: ["inf"] })).toBe(
      "data: infinite values in inf",
    );
    expect(await reason("linear", { roles: { target: "x", weight: "inf" }, features: ["y"] })).toContain(
      "weights",
    );
    expect(await reason("linear", { roles: { target: "x" }, positive: "a", features: ["y"] })).toContain(
      "usage: --positive",
    );
    expect(await reason("ease", { roles: { user: "x", item: "y" } })).toContain("takes no feature columns");
  });

  test("rows without a target are left out, and it is said", async () => {
    run.warnings.length = 0;
    const model = await trained("linear", await given({ x: [1, 2, 3, 4], y: [2, 4, null, 8] }), {
      roles: { target: "y" },
      params: { lambda: 0 },
    });
    expect(model.card.rows).toBe(3);
    expect(run.warnings).toEqual(["1 row has no y and is left out of training"]);
    const [row] = await rowsOf(await model.predict(await given({ x: [10] }), {}, run));
    expect(row.prediction).toBeCloseTo(20, 9);
  });

  test("a level that training did not see is all zeros, a missing number is the mean", async () => {
    const table = await given({
      colour: ["red", "red", "blue", "blue"],
      size: [1, 3, 1, 3],
      y: [1, 3, 11, 13],
    });
    const model = await trained("linear", table, { roles: { target: "y" }, params: { lambda: 1e-9 } });
    const rows = await rowsOf(
      await model.predict(
        await given({ colour: ["green", null, "red", "blue"], size: [2, 2, null, 2] }),
        { keep: ["colour"] },
        run,
      ),
    );
    const [green, none, red, blue] = rows.map((row) => row.prediction as number);
    expect(green).toBe(none);
    expect(red).toBeCloseTo(2, 5);
    expect(blue).toBeCloseTo(12, 5);
    expect(rows.map((row) => row.colour)).toEqual(["green", null, "red", "blue"]);
  });

  test("of too many levels the most frequent are kept, with a warning", async () => {
    run.warnings.length = 0;
    const table = await given({ code: ["b", "a", "b", "c", "a", "d"], y: [1, 2, 3, 4, 5, 6] });
    await trained("linear", table, { roles: { target: "y" }, params: { levels: 2 } });
    expect(run.warnings).toEqual([
      "code has 4 different values; the 2 most frequent are used (--param levels=n, or --features -code)",
    ]);
  });

  test("a feature that no longer holds numbers is refused, and a kept column cannot hide the prediction", async () => {
    const model = await trained("linear", await given({ x: [1, 2, 3], y: [1, 2, 4] }), {
      roles: { target: "y" },
    });
    expect((await refusal(model.predict(await given({ x: ["one", "two"] }), {}, run))).message).toBe(
      "x is VARCHAR here and was DOUBLE in training",
    );
    const table = await given({ x: [1], prediction: [2] });
    expect((await refusal(model.predict(table, { keep: ["prediction"] }, run))).kind).toBe("usage");
    expect(await rowsOf(await model.predict({ ...table, sql: `${table.sql} WHERE false` }, {}, run))).toEqual(
      [],
    );
  });

  test("kmeans finds planted segments, the largest first, and says their centers", async () => {
    const spend = [1, 2, 1.5, 2, 1, 100, 101, 99, 500, 501];
    const model = await trained("kmeans", await given({ spend }), { roles: {}, params: { k: 3 } });
    const rows = await rowsOf(await model.predict(await given({ spend }), {}, run));
    expect(rows.map((row) => row.prediction)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 2, 2]);
    const segments = model.card.about.segments as { rows: number; center: { spend: number } }[];
    expect(segments.map((segment) => segment.rows)).toEqual([5, 3, 2]);
    expect(segments[2].center.spend).toBeCloseTo(500.5, 9);
    expect((await refusal(trained("kmeans", await given({ spend: [1] }), { roles: {} }))).kind).toBe("data");
  });
});

test("with patience a learner trains as long as held-out items get better, then so long on all rows", async () => {
  const engine = await run.engine();
  const rows = Array.from({ length: 40 }, (_, user) =>
    Array.from({ length: 20 }, (_, item) => ({ user, item })).filter(
      ({ item }) => (item + user) % 2 === 0 && (item * 7 + user) % 5 > 0,
    ),
  ).flat();
  const table = await relationFrom(engine, {
    user: rows.map((row) => row.user),
    item: rows.map((row) => row.item),
  });
  for (const name of ["als", "bpr", "fm"]) {
    const train = async (params: Record<string, number>) =>
      trainModel(
        await learnerNamed(name),
        table,
        { roles: { user: "user", item: "item" }, params: { factors: 4, ...params } },
        run,
      );
    const stopped = await train({ epochs: 30, patience: 2 });
    const { epochs } = stopped.card.about as { epochs: number };
    expect(stopped.card.about).toMatchObject({ "validation users": 40 });
    expect(epochs).toBeLessThanOrEqual(30);
    const asLong = await train({ epochs });
    expect(await rowsOf(await stopped.predict(undefined, {}, run))).toEqual(
      await rowsOf(await asLong.predict(undefined, {}, run)),
    );
  }
});

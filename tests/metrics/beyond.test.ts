import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { historySlice } from "../../src/learners/measured-ranking.js";
import { measured, type MeasureAsk, type Measured } from "../../src/learners/measured.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import {
  addMix,
  giniIndex,
  listDiversity,
  longTail,
  miscalibration,
} from "../../src/metrics/beyond-accuracy.js";
import { userAuc } from "../../src/metrics/ranking.js";
import { scoreOf, sliceScores } from "../../src/metrics/scorecard.js";
import { relationFrom, rowsOf } from "../learners/rows.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
let engine: Engine;
beforeAll(async () => {
  engine = await run.engine();
});

test("gini: 0 when all have alike, 1 when one has all, by hand between", () => {
  expect(giniIndex(Float64Array.of(3, 3, 3))).toBe(0);
  expect(giniIndex(Float64Array.of(0, 0, 7))).toBe(1);
  // Differences |1-2| |1-3| |2-3|, each twice, over n (n - 1), over twice the mean: 8 / 6 / 4.
  expect(giniIndex(Float64Array.of(2, 1, 3))).toBeCloseTo(1 / 3, 12);
  expect(giniIndex(Float64Array.of(0, 0))).toBeNaN();
});

test("the long tail: the least popular with the last fifth", () => {
  expect([...longTail(Float64Array.of(80, 1, 10, 9, 0))]).toEqual([0, 1, 1, 1, 1]);
  expect([...longTail(Float64Array.of(5, 5, 5, 5, 5))]).toEqual([0, 0, 0, 0, 1]);
});

describe("categories", () => {
  // Item 0: a; 1: a and b; 2: b; 3: none.
  const categories = { starts: Int32Array.of(0, 1, 3, 4, 4), columns: Int32Array.of(0, 0, 1, 1), count: 2 };

  test("mix and divergence by hand", () => {
    const wanted = new Float64Array(2);
    expect(addMix(categories, Int32Array.of(0, 1, 3), wanted)).toBe(2);
    expect([...wanted]).toEqual([0.75, 0.25]);
    const listed = new Float64Array(2);
    addMix(categories, Int32Array.of(0), listed);
    expect(miscalibration(wanted, wanted)).toBeCloseTo(0, 12);
    expect(miscalibration(wanted, listed)).toBeCloseTo(
      0.75 * Math.log(0.75 / (0.99 + 0.0075)) + 0.25 * Math.log(0.25 / 0.0025),
      12,
    );
  });

  test("diversity of a list: pairs of items with categories alone", () => {
    expect(listDiversity(categories, Int32Array.of(0, 1, 2, 3))).toBeCloseTo((0.5 + 1 + 0.5) / 3, 12);
    expect(listDiversity(categories, Int32Array.of(0, 3))).toBeNaN();
  });
});

test("AUC of a user is the share of pairs in the right order", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ score: fc.integer({ min: 0, max: 5 }), relevant: fc.boolean(), out: fc.boolean() }),
        {
          maxLength: 20,
        },
      ),
      (items) => {
        const scores = Float64Array.from(items, ({ score, out }) => (out ? -Infinity : score));
        const relevant = Int32Array.from([...items.keys()].filter((i) => items[i].relevant));
        let [right, pairs] = [0, 0];
        for (const hit of items)
          for (const miss of items)
            if (hit.relevant && !miss.relevant && !hit.out && !miss.out) {
              pairs++;
              right += hit.score > miss.score ? 1 : hit.score === miss.score ? 0.5 : 0;
            }
        const auc = userAuc(scores, relevant);
        if (pairs === 0) expect(auc).toBeNaN();
        else expect(auc).toBeCloseTo(right / pairs, 12);
      },
    ),
  );
});

describe("evaluate", () => {
  const training = {
    u: ["a", "a", "b", "b", "c", "c", "d"],
    i: ["hit", "old", "hit", "old", "hit", "rare", "hit"],
  };
  const roles = { user: "u", item: "i" };
  const held = { u: ["c", "d", "d", "new"], i: ["old", "rare", "unheard", "hit"] };
  const measure = async (ask: Partial<MeasureAsk> = {}) => {
    const model = await trainModel(
      await learnerNamed("item-knn"),
      await relationFrom(engine, training),
      { roles },
      run,
    );
    return measured(model, await relationFrom(engine, held), { cuts: [1, 2], by: [], ...ask }, run);
  };

  test("beyond accuracy, by hand", async () => {
    const { metrics } = await scoreOf((await measure()).subject, run.rng("b"), { resamples: 0 });
    // Holders: hit 4, old 2, rare 1; tail: rare. Lists: c: old; d: old, rare (by similarity); new: hit, old, rare.
    expect(metrics["tail_share@1"]).toBe(0);
    expect(metrics["tail_share@2"]).toBeCloseTo(1 / 5, 12);
    expect(metrics["tail_recall@2"]).toBe(1);
    expect(metrics["tail_recall@1"]).toBe(0);
    // d's rare is second by popularity among what is new to d: expected at 2, unexpected at none.
    expect(metrics["serendipity@2"]).toBe(0);
    // c had hit and rare (5/8 of users on average), d had hit (1); they get old (1/2) and old (1/2).
    expect(metrics["popularity_lift@1"]).toBeCloseTo(1 / (5 / 8 + 1) - 1, 12);
    expect(metrics["hit_rate@1"]).toBeCloseTo(2 / 3, 12);
    // d holds two relevant items, one of them unknown to the model.
    expect(metrics["recall@2"]).toBeCloseTo((1 + 0.5 + 1) / 3, 12);
    expect(metrics["gini@1"]).toBeCloseTo(giniIndex(Float64Array.of(1, 2, 0)), 12);
  });

  test("slices by what users had in training", async () => {
    const result = await measure({ by: [historySlice] });
    const [slicing] = result.slicings;
    expect(slicing.column).toBe("training_items");
    const { slices } = await sliceScores(result.subject, slicing, run.rng, { resamples: 0 });
    expect(Object.keys(slices).sort()).toEqual(["0", "1 to 9"]);
    expect(slices["0"]).toMatchObject({ rows: 1, metrics: { "hit_rate@1": 1 } });
  });

  test("with categories of the items: calibration and diversity of lists", async () => {
    const items = await relationFrom(engine, {
      i: ["hit", "old", "rare"],
      kind: ["pop|rock", "rock", "folk; rock"],
    });
    const { metrics } = await scoreOf(
      (await measure({ categories: { items, column: "kind" } })).subject,
      run.rng("b"),
      {
        resamples: 0,
      },
    );
    // Lists of two or more: d: old, rare (1 of 2 in common); new: hit, old (1 of 2).
    expect(metrics["list_diversity@2"]).toBeCloseTo(0.5, 12);
    expect(metrics["calibration@1"]).toBeGreaterThan(0);
  });

  test("a history between training and the measured rows is known, and not recommended", async () => {
    const history = await relationFrom(engine, { u: ["new", "d"], i: ["rare", "old"] });
    const { metrics } = await scoreOf((await measure({ history })).subject, run.rng("b"), { resamples: 0 });
    // new had rare, like c, who had hit too; d had hit and old: rare is what is left.
    expect(metrics["hit_rate@1"]).toBe(1);
  });

  test("drawn negatives can be stored, and rank the same when they are given", async () => {
    const score = async ({ subject }: Measured) =>
      (await scoreOf(subject, run.rng("b"), { resamples: 0 })).metrics;
    const drawn = await measure({ negatives: 1, keepNegatives: true });
    expect(drawn.ranked).toEqual({ candidates: "sampled", negatives: 1, seed: run.seed });
    const negatives = drawn.negatives!;
    // c has nothing left beside its relevant item, d has old; new, whose relevant item is hit, may get either.
    const [first, second, ...others] = await rowsOf(negatives);
    expect([first, second.u, others]).toEqual([{ u: "d", i: "old" }, "new", []]);
    expect(["old", "rare"]).toContain(second.i);
    const stored = await measure({ negatives });
    expect(stored.ranked).toMatchObject({ candidates: "stored", file: "negatives" });
    expect(await score(stored)).toEqual(await score(drawn));
    expect((await measure({ negatives: 1 })).negatives).toBeUndefined();
  });
});

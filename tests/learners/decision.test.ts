import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { calibrated, calibrationKinds, fitCalibrator } from "../../src/learners/calibration.js";
import { withClassWeights } from "../../src/learners/class-weights.js";
import { groupThresholds } from "../../src/learners/group-thresholds.js";
import { loadModel } from "../../src/learners/model.js";
import { trained, type Procedure } from "../../src/learners/procedure.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { reweighed } from "../../src/learners/reweighing.js";
import { parseCost, parseThreshold, thresholdFor } from "../../src/learners/threshold.js";
import { alertFigures } from "../../src/metrics/alerts.js";
import { costThreshold } from "../../src/metrics/cost.js";
import { floats } from "../../src/engine/frame.js";
import { featureAsks } from "../../src/learners/design-matrix.js";
import { frameOf, type Relation } from "../../src/table/relation.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";
import { sampleTable } from "./sample.js";

const run = testRun();
const folder = temporaryFolder();

// scikit-learn and betacal; versions and script stand in the file.
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/calibration.json"), "utf8"),
) as Record<string, number[]>;

test.each([
  ["platt", false, 1e-6],
  ["platt", true, 1e-6],
  ["isotonic", false, 1e-12],
  ["isotonic", true, 1e-12],
  ["beta", false, 1e-5],
] as const)("%s (weights: %s) equals the reference", async (kind, weighted, tolerance) => {
  const fitted = await fitCalibrator(
    kind,
    Float64Array.from(reference.score),
    Uint8Array.from(reference.hit),
    weighted ? Float64Array.from(reference.weight) : undefined,
  );
  const wanted = reference[weighted ? `${kind}_weighted` : kind];
  reference.grid.forEach((score, i) =>
    expect(Math.abs(calibrated(fitted, score) - wanted[i])).toBeLessThan(tolerance),
  );
});

const scoredRows = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { minLength: 4, maxLength: 40 })
  .filter((rows) => rows.some(([, hit]) => hit) && rows.some(([, hit]) => !hit))
  .map((rows) => ({
    scores: Float64Array.from(rows, ([score]) => score / 20),
    hits: Uint8Array.from(rows, ([, hit]) => Number(hit)),
  }));

test("calibrators keep the order of scores and stay between 0 and 1", async () => {
  await fc.assert(
    fc.asyncProperty(scoredRows, async ({ scores, hits }) => {
      for (const kind of calibrationKinds) {
        const fitted = await fitCalibrator(kind, scores, hits);
        if (fitted.kind === "platt" && fitted.a < 0) continue;
        let before = 0;
        for (let i = 0; i <= 100; i++) {
          const now = calibrated(fitted, i / 100);
          expect(now).toBeGreaterThanOrEqual(before - 1e-12);
          expect(now).toBeLessThanOrEqual(1);
          before = now;
        }
      }
    }),
    { numRuns: 40 },
  );
});

describe("thresholds", () => {
  const cuts = Array.from({ length: 1001 }, (_, i) => i / 1000);
  const counts = ({ scores, hits }: { scores: Float64Array; hits: Uint8Array }, cut: number) => {
    let [tp, fp, fn, tn] = [0, 0, 0, 0];
    scores.forEach((score, r) => {
      if (score >= cut && hits[r]) tp++;
      else if (score >= cut) fp++;
      else if (hits[r]) fn++;
      else tn++;
    });
    return { tp, fp, fn, tn };
  };

  test("are as good as the best of a thousand cuts, for F-beta, cost and balanced accuracy", () => {
    const cost = { fp: 1, fn: 5, tp: -0.5, tn: 0 };
    fc.assert(
      fc.property(scoredRows, (rows) => {
        const worths = {
          fbeta: ({ tp, fp, fn }: ReturnType<typeof counts>) => (5 * tp) / (5 * tp + 4 * fn + fp),
          cost: ({ tp, fp, fn, tn }: ReturnType<typeof counts>) =>
            -(cost.tp * tp + cost.fp * fp + cost.fn * fn + cost.tn * tn),
          balanced_accuracy: ({ tp, fp, fn, tn }: ReturnType<typeof counts>) =>
            tp / (tp + fn) + tn / (fp + tn),
        };
        const asks = {
          fbeta: { by: "fbeta", beta: 2 },
          cost: { by: "cost", cost },
          balanced_accuracy: { by: "balanced_accuracy" },
        } as const;
        for (const name of ["fbeta", "cost", "balanced_accuracy"] as const) {
          const own = worths[name](counts(rows, thresholdFor(asks[name], rows)));
          const best = Math.max(...cuts.map((cut) => worths[name](counts(rows, cut))));
          expect(own).toBeGreaterThanOrEqual(best - 1e-12);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("by capacity alert at most so many rows, and no fewer than they must", () => {
    fc.assert(
      fc.property(scoredRows, fc.integer({ min: 1, max: 5 }), (rows, perDay) => {
        const cut = thresholdFor({ by: "alerts", perDay }, { ...rows, days: 2 });
        const alerted = rows.scores.filter((score) => score >= cut).length;
        expect(alerted).toBeLessThanOrEqual(2 * perDay);
        const next = Math.max(-1, ...rows.scores.filter((score) => score < cut));
        if (next >= 0)
          expect(rows.scores.filter((score) => score >= next).length).toBeGreaterThan(2 * perDay);
      }),
    );
  });

  test("by expected cost are Elkan's", () => {
    expect(costThreshold({ fp: 1, fn: 5, tp: 0, tn: 0 })).toBeCloseTo(1 / 6, 12);
    expect(
      thresholdFor(
        { by: "expected_cost", cost: { fp: 2, fn: 2, tp: 0, tn: 0 } },
        { scores: new Float64Array(0), hits: new Uint8Array(0) },
      ),
    ).toBe(0.5);
  });

  test("and costs that mean nothing are refused", () => {
    expect(parseThreshold("0.3", undefined)).toEqual({ by: "value", value: 0.3 });
    expect(parseThreshold("f0.5", undefined)).toEqual({ by: "fbeta", beta: 0.5 });
    for (const text of ["1.2", "fx", "", "cots"])
      expect(() => parseThreshold(text, undefined)).toThrow("--threshold");
    expect(() => parseThreshold("cost", undefined)).toThrow("what errors cost");
    expect(parseCost({})).toBeUndefined();
    expect(parseCost({ FP: 1, fn: 5 })).toEqual({ fp: 1, fn: 5, tp: 0, tn: 0 });
    expect(() => parseCost({ fp: 1 })).toThrow("must cost more");
    expect(() => parseCost({ fpp: 1 })).toThrow("got fpp");
    expect(() => parseCost({ fp: "much" })).toThrow("must be a number");
  });
});

test("thresholds for groups select each at the rate of all, and of the positives for opportunity", () => {
  const scores = Float64Array.from({ length: 200 }, (_, r) => ((r * 37) % 200) / 200 / (r < 100 ? 1 : 2));
  const hits = Uint8Array.from(scores, (_, r) => (r % 3 === 0 ? 1 : 0));
  const code = Int32Array.from(scores, (_, r) => (r < 100 ? 0 : 1));
  for (const aim of ["parity", "opportunity"] as const) {
    const cuts = groupThresholds(aim, { scores, hits }, 0.4, code, ["a", "b"]);
    const rates = ["a", "b"].map((name, level) => {
      const own = [...scores.keys()].filter((r) => code[r] === level && (aim === "parity" || hits[r]));
      return own.filter((r) => scores[r] >= cuts[name]).length / own.length;
    });
    expect(Math.abs(rates[0] - rates[1])).toBeLessThanOrEqual(0.04);
    expect(cuts.a).toBeGreaterThan(cuts.b);
  }
});

describe("what a procedure stores", () => {
  let table: Relation;
  const base: Procedure = {
    roles: { target: "bought" },
    features: ["price", "visits", "country"],
    folds: { folds: 3 },
  };
  beforeAll(async () => {
    table = await sampleTable(await run.engine());
  });

  test.each([
    ["calibration and F1", { calibrate: "isotonic", threshold: { by: "fbeta", beta: 1 } }],
    ["expected cost", { cost: { fp: 1, fn: 4, tp: 0, tn: 0 } }],
    ["alerts a day", { threshold: { by: "alerts", perDay: 1 }, roles: { target: "bought", time: "at" } }],
    ["thresholds for groups", { fair: { by: "parity", group: "visits > 4" } }],
    ["weights for groups", { fair: { by: "reweigh", group: "member" }, calibrate: "platt" }],
  ] as [string, Partial<Procedure>][])(
    "%s: decides after loading as before, by the stored cut",
    async (name, about) => {
      const model = await trained(await learnerNamed("logistic"), table, { ...base, ...about }, run);
      const path = join(folder, name.replaceAll(" ", "-"));
      await model.save(path);
      const before = await rowsOf(await model.predict(table, { keep: ["product"] }, run));
      expect(Object.keys(before[0])).toEqual(["product", "prediction", "score"]);
      const loaded = await loadModel(path);
      expect(await rowsOf(await loaded.predict(table, { keep: ["product"] }, run))).toEqual(before);
      const memory = await frameOf(table, featureAsks(loaded.card.features));
      const streamed = await loaded.predict({ ...table, memory }, {}, run);
      if (streamed.memory)
        expect([...floats(streamed.memory, "score")]).toEqual(before.map(({ score }) => score));
      expect(streamed.memory === undefined).toBe(name === "thresholds for groups");
      const { decision } = loaded.card;
      if (decision?.threshold !== undefined && !decision.groups)
        for (const { prediction, score } of before)
          expect(prediction).toBe((score as number) >= decision.threshold);
      if (decision?.groups) expect(Object.keys(decision.groups.thresholds)).toEqual(["false", "true"]);
      if (name === "alerts a day") {
        const days = new Set((await rowsOf(table)).map(({ at }) => Math.floor(Number(at) / 86400))).size;
        expect(before.filter(({ prediction }) => prediction).length).toBeLessThan(1.5 * days);
      }
    },
  );

  test("several classes: scores are calibrated one by one and sum to 1; a threshold is refused", async () => {
    const several = { ...base, roles: { target: "country" }, features: ["price", "visits", "member"] };
    const logistic = await learnerNamed("logistic");
    const model = await trained(logistic, table, { ...several, calibrate: "platt" }, run);
    for (const row of await rowsOf(await model.predict(table, {}, run))) {
      const scores = Object.entries(row).filter(([name]) => name.startsWith("score_")) as [string, number][];
      expect(scores.reduce((sum, [, score]) => sum + score, 0)).toBeCloseTo(1, 9);
      const best = scores.reduce((a, b) => (b[1] > a[1] ? b : a))[0];
      expect(row.prediction).toBe(best.slice("score_".length));
    }
    const cut: Procedure = { ...several, threshold: { by: "value", value: 0.3 } };
    await expect(trained(logistic, table, cut, run)).rejects.toThrow("for two classes");
    const numbers: Procedure = { ...base, roles: { target: "spent" }, calibrate: "platt" };
    await expect(trained(await learnerNamed("linear"), table, numbers, run)).rejects.toThrow(
      "--calibrate is for classification",
    );
  });
});

test("reweighing makes group and class independent: the weighted parity difference is 0", async () => {
  const young = Array.from({ length: 60 }, (_, r) => (r % 3 === 0 ? "yes" : "no"));
  const good = young.map((own, r) => (own === "yes" ? r % 2 === 0 : r % 5 > 0));
  const table = await relationFrom(
    await run.engine(),
    { young, good, w: young.map((_, r) => 1 + (r % 4)) },
    { good: "BOOLEAN" },
  );
  for (const weight of [undefined, "w"]) {
    const { relation, roles } = await reweighed(table, { target: "good", weight }, "young");
    expect(roles.weight).toBe("fair_weight");
    const rates = await relation.engine.rows<{ rate: number }>(
      `SELECT sum(fair_weight) FILTER (good) / sum(fair_weight) AS rate FROM (${relation.sql}) GROUP BY young ORDER BY young`,
    );
    expect(rates[0].rate - rates[1].rate).toBeCloseTo(0, 12);
  }
});

test("weights of classes are weights of rows, times those that rows have", async () => {
  const learner = await learnerNamed("logistic");
  const table = await sampleTable(await run.engine(), 120);
  const features = ["price", "visits"];
  const procedure: Procedure = { roles: { target: "bought" }, features, folds: { folds: 2 } };
  const twice = await trained(learner, table, { ...procedure, classWeights: { true: 2.5 } }, run);
  expect(twice.card.about.class_weights).toEqual({ true: 2.5 });
  const sql = `SELECT *, CASE WHEN bought THEN 2.5 ELSE 1 END AS w FROM (${table.sql})`;
  const schema = [...table.schema, { name: "w", type: "DOUBLE" }];
  const roles = { target: "bought", weight: "w" };
  const own = await trained(learner, { ...table, sql, schema }, { ...procedure, roles }, run);
  expect(await rowsOf(await twice.predict(table, {}, run))).toEqual(
    await rowsOf(await own.predict(table, {}, run)),
  );
  const { relation } = await withClassWeights({ ...table, sql, schema }, roles, { true: 2 });
  const [sums] = await relation.engine.rows(
    `SELECT sum(class_weight) FILTER (bought) / sum(w) FILTER (bought) AS yes, sum(class_weight) FILTER (NOT bought) / sum(w) FILTER (NOT bought) AS no FROM (${relation.sql})`,
  );
  expect(sums).toEqual({ yes: 2, no: 1 });
  for (const [weights, message] of [
    [{ maybe: 2 }, 'no class "maybe"'],
    [{ true: 0 }, "must be above 0, got true=0"],
  ] as const)
    await expect(withClassWeights(table, { target: "bought" }, weights)).rejects.toThrow(message);
});

test("card precision: the first alerts of a day, a found card once", () => {
  const days = Int32Array.of(1, 1, 1, 1, 2, 2, 2);
  const cards = Int32Array.of(0, 0, 1, 2, 0, 1, 3);
  const scores = Float64Array.of(0.2, 0.9, 0.8, 0.1, 0.99, 0.5, 0.4);
  const hits = Uint8Array.of(1, 0, 0, 1, 1, 0, 1);
  // Day 1: card 0 (0.9, fraud), card 1 (0.8, none) are first. Day 2: card 0 is known; card 1 (none), card 3 (fraud).
  expect(alertFigures(scores, hits, days, cards, 2)).toEqual({
    per_day: 2,
    days: 2,
    precision: 0.5,
    recall: 2 / 3,
  });
  // Without cards every row counts: 0.9 and 0.8 are none; 0.99 is a fraud, 0.5 none.
  expect(alertFigures(scores, hits, days, undefined, 2)).toEqual({
    per_day: 2,
    days: 2,
    precision: 0.25,
    recall: 0.25,
  });
});

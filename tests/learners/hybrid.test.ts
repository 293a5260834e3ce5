import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { seededRng } from "../../src/core/rng.js";
import { validationCut } from "../../src/learners/ensemble/cut.js";
import { fuse, voiceOf } from "../../src/learners/ensemble/voices.js";
import { ndcgMeter, tunedWeights, type Ballot } from "../../src/learners/ensemble/weights.js";
import type { Model } from "../../src/learners/learner.js";
import { loadModel } from "../../src/learners/model.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { sharesOf, trainingProfile } from "../../src/learners/scorer.js";
import { trainingData, trainModel, type TrainingAsk } from "../../src/learners/training.js";
import type { Relation } from "../../src/table/relation.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";
import { sampleTable } from "./sample.js";

const run = testRun();
const folder = temporaryFolder();
const roles = { user: "customer", item: "product" };
let table: Relation;
beforeAll(async () => {
  table = await sampleTable(await run.engine());
});

const trained = async (name: string, ask: Partial<TrainingAsk> = {}): Promise<Model> =>
  trainModel(await learnerNamed(name), table, { roles, ...ask }, run);
const listsOf = async (model: Model): Promise<unknown[][]> =>
  (await rowsOf(await model.predict(undefined, {}, run))).map((row) => [row.customer, row.product]);
async function refusal(work: Promise<unknown>): Promise<ShopaiError> {
  const error = await work.catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

describe("fusion", () => {
  const profile = { user: -1, items: Int32Array.of(0), fresh: 0 };
  const ties = Int32Array.of(0, 1, 2, 3, 4);

  test("blend: mean 0 and deviation 1 over what is new; the unknown is the mean", () => {
    const scores = Float64Array.of(100, 1, 3, 5, NaN);
    expect(fuse("blend", scores, profile, ties)).toBeCloseTo(Math.sqrt(8 / 3), 12);
    expect([...scores.subarray(1)].map((z) => z.toFixed(4))).toEqual([
      "-1.2247",
      "0.0000",
      "1.2247",
      "0.0000",
    ]);
    const flat = Float64Array.of(9, 2, 2, 2, 2);
    expect(fuse("blend", flat, profile, ties)).toBe(Infinity);
    expect([...flat]).toEqual([0, 0, 0, 0, 0]);
  });

  test("rrf: 1 / (60 + rank) among what is new and known", () => {
    const scores = Float64Array.of(100, 1, 3, 5, NaN);
    fuse("rrf", scores, profile, ties);
    expect([...scores]).toEqual([0, 1 / 63, 1 / 62, 1 / 61, 0]);
  });
});

describe("weights", () => {
  // The second part knows; the first says the contrary; the third is noise.
  const rng = seededRng(3, "ballots");
  const ballots = Array.from({ length: 40 }, (): Ballot => {
    const relevant = Uint8Array.from({ length: 30 }, () => (rng.uniform() < 0.2 ? 1 : 0));
    return {
      relevant,
      said: Float32Array.from({ length: 90 }, (_, i) => {
        const knows = relevant[Math.floor(i / 3)] + 0.7 * rng.normal();
        return [-knows, knows, rng.normal()][i % 3];
      }),
      tie: Int32Array.from({ length: 30 }, (_, i) => i),
      held: Math.max(
        1,
        relevant.reduce((a, b) => a + b, 0),
      ),
    };
  });

  test("the part that knows gets most; no point of the search beats what is found", () => {
    const { weights, ndcg } = tunedWeights(ballots, 3, seededRng(1, "w"));
    expect(weights[1]).toBeGreaterThan(0.6);
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    const measure = ndcgMeter(ballots, 3);
    expect(measure(weights)).toBe(ndcg);
    for (const other of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [1, 1, 1],
    ])
      expect(measure(Float64Array.from(other, (w) => w / other.reduce((a, b) => a + b)))).toBeLessThanOrEqual(
        ndcg,
      );
  });

  test("nDCG of a ballot by hand", () => {
    const measure = ndcgMeter(
      [
        {
          said: Float32Array.of(3, 2, 1),
          relevant: Uint8Array.of(0, 1, 0),
          tie: Int32Array.of(0, 1, 2),
          held: 2,
        },
      ],
      1,
    );
    expect(measure(Float64Array.of(1))).toBeCloseTo(1 / Math.log2(3) / (1 + 1 / Math.log2(3)), 12);
  });
});

describe("the validation cut", () => {
  test.each(["random", "time"] as const)(
    "%s: no pair on both sides, none lost, every row of a pair together",
    async (cut) => {
      const learner = await learnerNamed("hybrid");
      const data = await trainingData(learner, table, { roles: { ...roles, time: "at" } }, run);
      const { catalogue } = await trained("item-knn");
      const made = await validationCut(data, catalogue!, { cut, share: 0.3, number: 0 }, run);
      const left = new Set((await rowsOf(made.rows)).map((row) => `${row.customer} ${row.product}`));
      const held = [...catalogue!.users.keys()].flatMap((user) =>
        [...made.held(user)].map((item) => `${catalogue!.users[user]} ${catalogue!.items[item]}`),
      );
      expect(held.filter((pair) => left.has(pair))).toEqual([]);
      expect(left.size + held.length).toBe(catalogue!.seen.columns.length);
      expect(held.length).toBeGreaterThan(10);
      for (const user of made.users) {
        const profile = made.profile(user);
        expect(profile.items.length).toBeGreaterThan(0);
        expect([...profile.items, ...made.held(user)].sort((a, b) => a - b)).toEqual([
          ...trainingProfile(catalogue!, user).items,
        ]);
      }
      await made.drop();
    },
  );
});

describe("hybrid", () => {
  test("with all weight on one part it gives that part's lists", async () => {
    const one = await trained("hybrid", { params: { tune: false }, parts: ["ease", "same=ease"] });
    expect(await listsOf(one)).toEqual(await listsOf(await trained("ease")));
    expect(one.card.about.weights).toEqual({ ease: 0.5, same: 0.5 });
  });

  test("parameters reach the part that they name, and the parts are on the card", async () => {
    const model = await trained("hybrid", {
      parts: ["near=item-knn", "ease"],
      params: { "near.k": 3, "ease.lambda": 9, tune: false },
    });
    expect(model.card.parts).toEqual(["near=item-knn", "ease"]);
    expect(model.card.params).toMatchObject({ "near.k": 3, "ease.lambda": 9 });
    const path = join(folder, "parts");
    await model.save(path);
    const [near, ease] = JSON.parse(readFileSync(join(path, "parts.json"), "utf8"));
    expect([near.card.params.k, ease.card.params.lambda]).toEqual([3, 9]);
    expect(await listsOf(await loadModel(path))).toEqual(await listsOf(model));
  });

  test("takes models that were trained before, on rows of their own", async () => {
    const path = join(folder, "before");
    const fewer = { ...table, sql: `SELECT * FROM (${table.sql}) WHERE customer < 1020 AND product <> 'P0'` };
    await (await trainModel(await learnerNamed("ease"), fewer, { roles }, run)).save(path);
    const model = await trained("hybrid", { parts: [path, "item-knn"] });
    expect(Object.keys(model.card.about.weights as object)).toEqual(["before", "item-knn"]);
    const lists = await listsOf(model);
    expect(new Set(lists.map(([user]) => user)).size).toBe(25);
    const own = join(folder, "with-before");
    await model.save(own);
    expect(await listsOf(await loadModel(own))).toEqual(lists);
  });

  test("what does not go together is refused", async () => {
    const texts = await relationFrom(await run.engine(), {
      customer: ["a", "a", "b"],
      product: ["x", "y", "x"],
    });
    const path = join(folder, "texts");
    await (await trainModel(await learnerNamed("ease"), texts, { roles }, run)).save(path);
    const other = await refusal(trained("hybrid", { parts: [path, "ease"] }));
    expect([other.kind, other.message]).toEqual([
      "model",
      "the users of the part are customer (VARCHAR), and those of the rows customer (BIGINT)",
    ]);
    const copy = join(folder, "damaged");
    cpSync(path, copy, { recursive: true });
    writeFileSync(join(copy, "weights.bin"), "SHPM");
    expect(await refusal(trained("hybrid", { parts: [copy, "ease"] }))).toMatchObject({
      kind: "model",
      message: expect.stringContaining("weights.bin"),
    });
    expect(await refusal(trained("hybrid", { parts: [join(folder, "nothing"), "ease"] }))).toMatchObject({
      kind: "model",
    });
    for (const [ask, message] of [
      [{ parts: ["ease"] }, "needs two parts or more"],
      [{ parts: ["ease", "ease"] }, "two parts of hybrid are called ease"],
      [{ parts: ["ease", "logistic"] }, "logistic is for classification"],
      [{ parts: ["ease", "item-kn"] }, '"item-kn" is not a learner'],
      [{ params: { "als.factors": 3 } }, 'hybrid fits no part "als"'],
      [{ params: { "ease.lamda": 3 } }, 'ease has no parameter "lamda"'],
      [{ params: { cut: "time" } }, "a cut by time needs a column of times"],
    ] as [Partial<TrainingAsk>, string][])
      expect(await refusal(trained("hybrid", ask))).toMatchObject({
        kind: "usage",
        message: expect.stringContaining(message),
      });
    expect((await refusal(trained("ease", { parts: ["item-knn"] }))).message).toBe("ease has no parts");
  });

  test("too few rows for a cut: all alike, and it is said", async () => {
    run.warnings.length = 0;
    const few = await relationFrom(await run.engine(), { customer: [1, 2], product: ["x", "y"] });
    const model = await trainModel(await learnerNamed("hybrid"), few, { roles }, run);
    expect(run.warnings.join()).toContain("no user has enough items for a validation cut");
    expect(model.card.about.weights).toEqual({ ease: 0.5, "item-knn": 0.5 });
  });

  test("shares of the user's items differ from the score by one number per user: they are additive", async () => {
    const model = await trained("hybrid", { parts: ["ease", "item-knn"] });
    const catalogue = model.catalogue!;
    const scores = new Float64Array(catalogue.items.length);
    const profile = trainingProfile(catalogue, 4);
    model.scorer!.profile!(profile, scores);
    const shares = new Float64Array(profile.items.length);
    const gaps = [...scores].map((score, item) => {
      sharesOf(catalogue, model.scorer!)!(profile, item, shares);
      return score - shares.reduce((a, b) => a + b, 0);
    });
    for (const gap of gaps) expect(gap).toBeCloseTo(gaps[0], 5);
  });

  test("a member hears of users and items in its own codes", async () => {
    const path = join(folder, "odd-codes");
    const fewer = { ...table, sql: `SELECT * FROM (${table.sql}) WHERE product > 'P12'` };
    await (await trainModel(await learnerNamed("item-knn"), fewer, { roles }, run)).save(path);
    const part = await loadModel(path);
    const { catalogue } = await trained("popularity");
    const voice = voiceOf(catalogue!, { name: "part", model: part });
    const scores = new Float64Array(catalogue!.items.length);
    const own = new Float64Array(part.catalogue!.items.length);
    const user = part.catalogue!.users[2];
    expect(voice.scores(trainingProfile(catalogue!, catalogue!.users.indexOf(user)), scores)).toBe(true);
    part.scorer!.user(2, own);
    catalogue!.items.forEach((item, code) => {
      const theirs = part.catalogue!.items.indexOf(item);
      expect(scores[code]).toEqual(theirs < 0 ? NaN : own[theirs]);
    });
  });
});

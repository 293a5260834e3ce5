import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRng } from "../../src/core/rng.js";
import type { Engine } from "../../src/engine/engine.js";
import { dealtIndex, plainIndexedTop } from "../../src/kernels/item-index.js";
import { openPool } from "../../src/kernels/pool.js";
import { factorModel, withIndexes, type Factors } from "../../src/learners/factor-model.js";
import type { Model } from "../../src/learners/learner.js";
import { listsOf } from "../../src/learners/list-batches.js";
import { loadModel } from "../../src/learners/model.js";
import type { Catalogue } from "../../src/learners/recommendations.js";
import { learnerNamed } from "../../src/learners/registry.js";
import type { Scorer } from "../../src/learners/scorer.js";
import { alikeMaker } from "../../src/learners/similar-items.js";
import { trainModel } from "../../src/learners/training.js";
import { testRun } from "../support/test-run.js";
import { relationFrom, rowsOf } from "./rows.js";

const pools = [
  openPool({ threads: 1 }),
  openPool({ threads: 3 }),
  openPool({ threads: 1, plain: true }),
] as const;
const run = testRun();
let engine: Engine;
beforeAll(async () => {
  engine = await run.engine();
});
afterAll(() => Promise.all(pools.map((pool) => pool.close())));

// So many that the kernel makes the lists.
const users = 700;
const items = 6000;
const width = 8;
const rng = seededRng(3, "near index");
/** Items in sixty clouds, users near some of them. */
const clouds = Float64Array.from({ length: 60 * width }, () => rng.normal());
const near = (count: number, spread: number): Float32Array => {
  const found = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const cloud = rng.integer(60);
    for (let f = 0; f < width; f++)
      found[row * width + f] = clouds[cloud * width + f] + spread * rng.normal();
  }
  return found;
};
const factors: Factors = {
  width,
  users: near(users, 0.5),
  items: near(items, 0.3),
  biases: Float32Array.from({ length: items }, () => 0.1 * rng.normal()),
};
// Two items alike: equal scores go by popularity. The last user had everything but three.
factors.items.copyWithin(width * 8, width * 15, width * 16);
factors.biases![8] = factors.biases![15];
const had = Array.from({ length: users }, (_, user) =>
  user === users - 1
    ? Array.from({ length: items - 3 }, (_, item) => item)
    : Array.from({ length: 20 }, (_, i) => 300 * i + rng.integer(300)),
);
const catalogue = {
  users: had.map((_, user) => `${user}`),
  items: Array.from({ length: items }, (_, item) => `${item}`),
  seen: {
    rows: users,
    cols: items,
    starts: Int32Array.from({ length: users + 1 }, (_, user) => had.slice(0, user).flat().length),
    columns: Int32Array.from(had.flat()),
  },
  popularity: Float64Array.from({ length: items }, (_, item) => item % 7),
} as unknown as Catalogue;

let indexed: Awaited<ReturnType<typeof withIndexes>>;
beforeAll(async () => {
  indexed = await withIndexes(catalogue, factors, 1000, { ...run, pool: pools[1] });
});
async function listed(scorer: Scorer, pool: (typeof pools)[number], k: number, whole = false) {
  const people = { count: users, person: (user: number) => ({ user }) };
  const found: [number[], number[]][] = [];
  for await (const list of listsOf(catalogue, scorer, people, { k, whole: () => whole }, { ...run, pool }))
    found.push([Array.from(list.items), Array.from(list.scores)]);
  return found;
}
const shareIn = (found: [number[], number[]][], wanted: [number[], number[]][]): number =>
  found.reduce((sum, [own], row) => sum + own.filter((item) => wanted[row][0].includes(item)).length, 0) /
  wanted.reduce((sum, [own]) => sum + own.length, 0);

test("the same index for any number of threads and without kernels; every item lies in one list", async () => {
  const few = { width, items: factors.items.slice(0, 900 * width), biases: factors.biases!.slice(0, 900) };
  const [one, three, plain] = await Promise.all(
    pools.map((pool) => dealtIndex(few, pool, seededRng(1, "index"), async () => undefined)),
  );
  expect(three).toEqual(one);
  expect(plain).toEqual(one);
  expect(one.lists.rows).toBe(4 * 30);
  expect([...one.lists.columns].sort((a, b) => a - b)).toEqual([...Array(900).keys()]);
});

describe("lists", () => {
  test("from the index: nearly the best, and the same bytes by any kernel and without", async () => {
    const { factors: withIndex, about } = indexed;
    const { scorer } = factorModel(catalogue, withIndex);
    const exact = await listed(factorModel(catalogue, factors).scorer!, pools[0], 10);
    const found = await listed(scorer!, pools[1], 10);
    expect(found).toEqual(await listed(scorer!, pools[0], 10));
    expect(found).toEqual(await listed(scorer!, pools[2], 10));
    expect(found).toEqual(await listed(scorer!, pools[1], 10, true));
    const card = about.index as Record<string, number>;
    expect(card["recall@20"]).toBeGreaterThanOrEqual(0.99);
    expect(card["lists looked into"]).toBeLessThan(card.lists / 4);
    expect(shareIn(found, exact)).toBeGreaterThan(0.99);
    // What is found has its exact score.
    found.forEach(([own, scores], user) =>
      own.forEach((item, i) => {
        const place = exact[user][0].indexOf(item);
        if (place >= 0) expect(scores[i]).toBe(exact[user][1][place]);
      }),
    );
    // Three items were left to the last user; no list that it looks into need hold them.
    expect(found[users - 1]).toEqual(exact[users - 1]);
    expect(found[users - 1][0]).toHaveLength(3);
  });

  test("long ones look at all items", async () => {
    const { factors: withIndex } = indexed;
    const long = await listed(factorModel(catalogue, withIndex).scorer!, pools[1], 60);
    expect(long).toEqual(await listed(factorModel(catalogue, factors).scorer!, pools[0], 60));
  });

  test("an index that looks into every list finds what is best", async () => {
    const index = indexed.factors.index!;
    const problem = {
      seen: catalogue.seen,
      includeSeen: false,
      k: 10,
      tie: Int32Array.from({ length: items }, (_, item) => item),
    };
    const all = plainIndexedTop(factors, problem, { ...index, probes: index.lists.rows });
    const tied = { ...catalogue, popularity: new Float64Array(items) };
    const { scorer } = factorModel(tied, factors);
    const people = { count: 60, person: (place: number) => ({ user: users - 1 - place }) };
    let user = users;
    for await (const list of listsOf(tied, scorer!, people, { k: 10 }, { ...run, pool: pools[0] })) {
      const found = all(--user);
      // The last user has fewer than ten left: all items are looked at then.
      expect([...(found?.items ?? [])]).toEqual(user < users - 1 ? [...list.items] : []);
    }
  });

  test("items alike: by the index nearly, without it exactly what one by one are", async () => {
    const { factors: withIndex, about } = indexed;
    const alike = (own: Factors) => {
      const one = alikeMaker(catalogue, factorModel(catalogue, own).scorer!);
      return Array.from({ length: 100 }, (_, item) => [...one(item, 5).items]);
    };
    const [exact, found] = [alike(factors), alike(withIndex)];
    expect((about["alike index"] as Record<string, number>)["recall@20"]).toBeGreaterThanOrEqual(0.99);
    const shared = found.reduce(
      (sum, own, i) => sum + own.filter((item) => exact[i].includes(item)).length,
      0,
    );
    expect(shared / 500).toBeGreaterThan(0.97);
    expect(found[8]).toContain(15);
  });
});

describe("a learner", () => {
  const folder = mkdtempSync(join(tmpdir(), "shopai-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const table = () =>
    relationFrom(engine, {
      user: had.slice(0, 100).flatMap((own, user) => own.map(() => `u${user}`)),
      item: had.slice(0, 100).flatMap((own) => own.map((item) => `i${item % 600}`)),
    });
  const trained = async (index: number): Promise<Model> =>
    trainModel(
      await learnerNamed("als"),
      await table(),
      { roles: { user: "user", item: "item" }, params: { factors: 8, epochs: 2, index } },
      run,
    );

  test("has an index from so many items on, and keeps it in its folder", async () => {
    expect((await trained(0)).card.about).not.toHaveProperty("index");
    const model = await trained(500);
    expect(model.card.about).toHaveProperty("index");
    await model.save(join(folder, "model"));
    const loaded = await loadModel(join(folder, "model"));
    for (const ask of [{}, { k: 3 }])
      expect(await rowsOf(await loaded.predict(undefined, ask, run))).toEqual(
        await rowsOf(await model.predict(undefined, ask, run)),
      );
    const one = await relationFrom(engine, { user: ["u7"] });
    const all = await rowsOf(await loaded.predict(undefined, {}, run));
    expect(await rowsOf(await loaded.predict(one, {}, run))).toEqual(all.filter(({ user }) => user === "u7"));
    const similar = await rowsOf(await loaded.similar!(undefined, { k: 2 }, run));
    expect(similar).toEqual(await rowsOf(await model.similar!(undefined, { k: 2 }, run)));
  });
});

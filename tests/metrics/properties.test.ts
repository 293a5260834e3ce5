import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { measureClassification, classificationSubset } from "../../src/metrics/classification.js";
import type { Measure } from "../../src/metrics/metric.js";
import { measureRanking, rankingSubset, type RankingRows } from "../../src/metrics/ranking.js";
import { measureRegression } from "../../src/metrics/regression.js";

const ones = (n: number): Float64Array => new Float64Array(n).fill(1);
const valueOf = (measure: Measure, name: string, weights = ones(measure.units)): number =>
  measure.at(weights)[measure.names.indexOf(name)];

/** Rows of a binary task: truth, a score of few levels (so that ties occur), how often the row counts. */
const anyRows = fc.array(
  fc.record({
    truth: fc.integer({ min: 0, max: 1 }),
    score: fc.integer({ min: 0, max: 20 }),
    copies: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 60 },
);
type Rows = { truth: number; score: number; copies: number }[];

function binaryData(rows: Rows, score = (row: Rows[number]) => row.score / 20) {
  const scores = Float64Array.from(rows, score);
  return {
    classes: ["0", "1"],
    positive: 1,
    truth: Int32Array.from(rows, (row) => row.truth),
    predicted: Int32Array.from(scores, (p) => (p >= 0.5 ? 1 : 0)),
    probability: [scores.map((p) => 1 - p), scores],
  };
}

describe("classification", () => {
  test("auc depends on the order of the scores alone", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const plain = measureClassification(binaryData(rows));
        const bent = measureClassification(binaryData(rows, (row) => Math.tanh((row.score / 20) ** 3)));
        expect(valueOf(bent, "auc")).toBe(valueOf(plain, "auc"));
        expect(valueOf(bent, "pr_auc")).toBe(valueOf(plain, "pr_auc"));
      }),
    );
  });

  test("auc of the complement is the complement of the auc", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const auc = valueOf(measureClassification(binaryData(rows)), "auc");
        const other = valueOf(measureClassification(binaryData(rows, (row) => 1 - row.score / 20)), "auc");
        if (Number.isNaN(auc)) expect(other).toBeNaN();
        else expect(auc + other).toBeCloseTo(1, 12);
      }),
    );
  });

  test("auc is the share of pairs in the right order, ties one half", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        let right = 0;
        let pairs = 0;
        for (const yes of rows.filter((row) => row.truth === 1))
          for (const no of rows.filter((row) => row.truth === 0)) {
            pairs++;
            right += yes.score > no.score ? 1 : yes.score === no.score ? 0.5 : 0;
          }
        const auc = valueOf(measureClassification(binaryData(rows)), "auc");
        if (pairs === 0) expect(auc).toBeNaN();
        else expect(auc).toBeCloseTo(right / pairs, 12);
      }),
    );
  });

  test("a weight of n is the row n times", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const copied = rows.flatMap((row) => new Array<Rows[number]>(row.copies).fill(row));
        fc.pre(copied.length > 0);
        const weighted = measureClassification(binaryData(rows)).at(Float64Array.from(rows, (r) => r.copies));
        const plain = measureClassification(binaryData(copied)).at(ones(copied.length));
        weighted.forEach((value, i) =>
          Number.isNaN(plain[i]) ? expect(value).toBeNaN() : expect(value).toBeCloseTo(plain[i], 10),
        );
      }),
    );
  });

  test("a subset measures as its rows would alone", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const kept = Uint32Array.from(rows.keys()).filter((row) => rows[row].copies > 0);
        fc.pre(kept.length > 0);
        const part = measureClassification(classificationSubset(binaryData(rows), kept));
        const alone = measureClassification(binaryData([...kept].map((row) => rows[row])));
        expect([...part.at(ones(kept.length))]).toEqual([...alone.at(ones(kept.length))]);
      }),
    );
  });

  test("one class only leaves auc, recall and mcc without a value", () => {
    const rows = [0.2, 0.7, 0.4].map((p) => ({ truth: 0, score: p * 20, copies: 1 }));
    const measure = measureClassification(binaryData(rows));
    for (const name of ["auc", "pr_auc", "recall", "mcc"]) expect(valueOf(measure, name)).toBeNaN();
    expect(valueOf(measure, "accuracy")).toBeCloseTo(2 / 3, 12);
  });
});

describe("regression", () => {
  test("mape without a value where a truth is zero, r2 where all are equal", () => {
    const measure = measureRegression({ truth: Float64Array.of(0, 0), predicted: Float64Array.of(1, 2) });
    expect(valueOf(measure, "mape")).toBeNaN();
    expect(valueOf(measure, "wape")).toBeNaN();
    expect(valueOf(measure, "r2")).toBeNaN();
    expect(valueOf(measure, "mae")).toBe(1.5);
    // A row of weight 0 is no row.
    expect(
      valueOf(
        measureRegression({ truth: Float64Array.of(0, 2), predicted: Float64Array.of(1, 1) }),
        "mape",
        Float64Array.of(0, 1),
      ),
    ).toBe(0.5);
  });
});

/** Lists of different items for a few users. */
function randomLists(seed: number): RankingRows {
  const rng = seededRng(seed);
  const users = 1 + rng.integer(12);
  const items = 20;
  const lists = Array.from({ length: users }, () =>
    [...rng.shuffle(Int32Array.from({ length: items }, (_, i) => i))].slice(0, rng.integer(12)),
  );
  const hits = lists.map((list) => list.map(() => (rng.uniform() < 0.3 ? 1 : 0)));
  const listStarts = new Int32Array(users + 1);
  lists.forEach((list, u) => (listStarts[u + 1] = listStarts[u] + list.length));
  return {
    users,
    relevant: Int32Array.from(hits, (hit) => hit.reduce((a: number, b) => a + b, 0) + 1 + rng.integer(3)),
    listStarts,
    listItem: Int32Array.from(lists.flat()),
    listHit: Uint8Array.from(hits.flat()),
    items,
  };
}

describe("ranking", () => {
  test("every metric of accuracy lies in 0..1, and a perfect list has ndcg 1", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const measure = measureRanking(randomLists(seed), [1, 5, 10]);
        const values = measure.at(ones(measure.units));
        measure.names.forEach((name, i) => {
          if (Number.isNaN(values[i])) return expect(name).toMatch(/^(coverage|diversity|gini|novelty)/);
          expect(values[i], name).toBeGreaterThanOrEqual(0);
          expect(values[i], name).toBeLessThanOrEqual(1);
        });
      }),
    );
    const perfect = measureRanking(
      {
        users: 2,
        relevant: Int32Array.of(2, 5),
        listStarts: Int32Array.of(0, 3, 6),
        listItem: Int32Array.of(0, 1, 2, 3, 4, 5),
        listHit: Uint8Array.of(1, 1, 0, 1, 1, 1),
        items: 6,
      },
      [3],
    );
    expect(valueOf(perfect, "ndcg@3")).toBe(1);
    expect(valueOf(perfect, "diversity@3")).toBe(1);
    expect(valueOf(perfect, "coverage@3")).toBe(1);
  });

  test("a user without recommendations counts 0", () => {
    const measure = measureRanking(
      {
        users: 2,
        relevant: Int32Array.of(1, 4),
        listStarts: Int32Array.of(0, 1, 1),
        listItem: Int32Array.of(0),
        listHit: Uint8Array.of(1),
        items: 1,
      },
      [1],
    );
    for (const name of ["precision@1", "recall@1", "ndcg@1", "map@1", "mrr@1", "hit_rate@1"])
      expect(valueOf(measure, name)).toBe(0.5);
  });

  test("a subset of users measures as they would alone", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const data = randomLists(seed);
        const kept = Uint32Array.from({ length: data.users }, (_, u) => u).filter((u) => u % 2 === 0);
        const weights = Float64Array.from({ length: data.users }, (_, u) => (u % 2 === 0 ? 1 : 0));
        const part = measureRanking(rankingSubset(data, kept), [5]).at(ones(kept.length));
        const masked = measureRanking(data, [5]).at(weights);
        part.forEach((value, i) =>
          Number.isNaN(value) ? expect(masked[i]).toBeNaN() : expect(masked[i]).toBeCloseTo(value, 12),
        );
      }),
    );
  });
});

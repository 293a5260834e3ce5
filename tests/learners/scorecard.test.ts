import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { join } from "node:path";
import { readModelFolder } from "../../src/learners/model-folder.js";
import { learnerNamed } from "../../src/learners/registry.js";
import { evidence, informationValue, levelBins, numberBins } from "../../src/learners/scorecard/bins.js";
import { trainModel } from "../../src/learners/training.js";
import { stream } from "../support/mulberry.js";
import { root } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { rowsOf } from "./rows.js";
import { sampleTable } from "./sample.js";

const run = testRun();
const folder = temporaryFolder();

interface Table {
  hits: number[];
  misses: number[];
  woe: number[];
  iv: number;
}
// optbinning; version and script stand in the file.
const reference = JSON.parse(
  readFileSync(join(root, "tests/parity/fixtures/scorecard-optbinning.json"), "utf8"),
) as {
  rows: number;
  hits: number;
  cuts: number[];
  given: Record<string, Table>;
  best: Record<string, Table>;
};

/** What the script of the fixture draws. */
function referenceRows(): Record<"age" | "income", Float64Array> & { town: string[]; hits: Uint8Array } {
  const draw = stream(11);
  const [age, income] = [new Float64Array(reference.rows), new Float64Array(reference.rows)];
  const town: string[] = [];
  const hits = Uint8Array.from({ length: reference.rows }, (_, r) => {
    [age[r], income[r]] = [draw(), draw()];
    const place = Math.floor(draw() * 9);
    const missing = draw() < 0.1;
    town.push(`t${place}`);
    const z = -1.5 + 2 * age[r] - 1.5 * income[r] * income[r] + (place - 4) / 4 + (missing ? 0.5 : 0);
    if (missing) income[r] = NaN;
    return draw() < 1 / (1 + Math.exp(-z)) ? 1 : 0;
  });
  return { age, income, town, hits };
}

test("weights of evidence and information values are optbinning's, but for the half row that is added", () => {
  const rows = referenceRows();
  const total = { hits: reference.hits, misses: reference.rows - reference.hits };
  expect(rows.hits.reduce((sum, hit) => sum + hit, 0)).toBe(reference.hits);
  for (const [name, { hits, misses, woe, iv }] of Object.entries(reference.given)) {
    const bins = hits.map((count, i) => ({ hits: count, misses: misses[i] }));
    // optbinning's sign is that of the negatives.
    bins.forEach((bin, i) => {
      expect(Math.abs(evidence(bin, total) + woe[i])).toBeLessThan(0.5 / bin.hits + 0.5 / bin.misses);
      const exact = Math.log(bin.hits / total.hits / (bin.misses / total.misses));
      expect(exact).toBeCloseTo(-woe[i], 10);
    });
    expect(Math.abs(informationValue(bins, total) / iv - 1)).toBeLessThan(0.01);
    const values = rows[name as "age" | "income"];
    const counted = [...reference.cuts, Infinity].map((below, i) => {
      const from = i === 0 ? -Infinity : reference.cuts[i - 1];
      const own = [...values.keys()].filter((r) => values[r] >= from && values[r] < below);
      return own.reduce((sum, r) => sum + rows.hits[r], 0);
    });
    expect(counted).toEqual(hits.slice(0, counted.length));
  }
});

test("bins hold nearly the information of optbinning's, which cuts at any value", () => {
  const { age, income, town, hits } = referenceRows();
  const ask = { bins: 6, share: 0.05 };
  const total = { hits: reference.hits, misses: reference.rows - reference.hits };
  const levels = new Map<string, { hits: number; misses: number }>();
  town.forEach((level, r) => {
    const own = levels.get(level) ?? { hits: 0, misses: 0 };
    own[hits[r] ? "hits" : "misses"]++;
    levels.set(level, own);
  });
  const missing = { hits: 0, misses: 0 };
  income.forEach((value, r) => Number.isNaN(value) && missing[hits[r] ? "hits" : "misses"]++);
  const found = {
    age: numberBins(age, hits, undefined, ask),
    income: [...numberBins(income, hits, undefined, ask), missing],
    town: levelBins(levels, ask),
  };
  for (const [name, bins] of Object.entries(found))
    expect(informationValue(bins, total), name).toBeGreaterThan(0.965 * reference.best[name].iv);
});

test("weight of evidence and information value, worked out by hand", () => {
  const total = { hits: 20, misses: 80 };
  const bins = [
    { hits: 15, misses: 20 },
    { hits: 5, misses: 60 },
  ];
  expect(evidence(bins[0], total)).toBeCloseTo(Math.log(15.5 / 20.5 / (20.5 / 80.5)), 12);
  const value =
    (15 / 20 - 20 / 80) * evidence(bins[0], total) + (5 / 20 - 60 / 80) * evidence(bins[1], total);
  expect(informationValue(bins, total)).toBeCloseTo(value, 12);
});

test("bins of a number hold every row once, are monotone, large and few enough", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean()), { minLength: 20, maxLength: 200 }),
      fc.integer({ min: 2, max: 8 }),
      (rows, most) => {
        const values = Float64Array.from(rows, ([value]) => (value === 40 ? NaN : value));
        const hits = Uint8Array.from(rows, ([, hit]) => Number(hit));
        const bins = numberBins(values, hits, undefined, { bins: most, share: 0.1 });
        const known = values.filter((value) => !Number.isNaN(value)).length;
        expect(bins.reduce((sum, bin) => sum + bin.hits + bin.misses, 0)).toBe(known);
        expect(bins.length).toBeLessThanOrEqual(most);
        if (bins.length > 1)
          for (const bin of bins) expect(bin.hits + bin.misses).toBeGreaterThanOrEqual(0.1 * known);
        const rates = bins.map((bin) => bin.hits / (bin.hits + bin.misses));
        const rising = rates.every((rate, i) => i === 0 || rate >= rates[i - 1]);
        const falling = rates.every((rate, i) => i === 0 || rate <= rates[i - 1]);
        expect(rising || falling).toBe(true);
        let low = -Infinity;
        for (const { below = Infinity, hits: own, misses } of bins) {
          const inside = [...values.keys()].filter((r) => values[r] >= low && values[r] < below);
          expect(inside.length).toBe(own + misses);
          low = below;
        }
      },
    ),
  );
});

test("levels with like shares share a bin", () => {
  const counts = new Map([
    ["a", { hits: 50, misses: 50 }],
    ["b", { hits: 5, misses: 95 }],
    ["c", { hits: 51, misses: 49 }],
    ["rare", { hits: 1, misses: 0 }],
  ]);
  const bins = levelBins(counts, { bins: 2, share: 0.05 });
  expect(bins.map(({ levels }) => levels)).toEqual([["b"], ["a", "c", "rare"]]);
});

test("points add up to the score: twice the odds are `double` points more", async () => {
  const table = await sampleTable(await run.engine(), 400);
  const ask = {
    roles: { target: "bought" },
    features: ["price", "visits", "country"],
    params: { base: 500, odds: 10, double: 30 },
  };
  const model = await trainModel(await learnerNamed("scorecard"), table, ask, run);
  const path = join(folder, "card");
  await model.save(path);
  interface Card {
    base: number;
    features: {
      name: string;
      number: boolean;
      bins: { below?: number; levels?: string[]; points: number }[];
      missing: { points: number };
    }[];
  }
  const card = readModelFolder(path).json<Card>("scorecard");
  const answers = await rowsOf<{ score: number }>(await model.predict(table, {}, run));
  const rows = await rowsOf(table);
  answers.forEach(({ score }, r) => {
    const points = card.features.reduce((sum, { name, number, bins, missing }) => {
      const value = rows[r][name];
      const bin =
        value === null
          ? missing
          : number
            ? bins.find(({ below }) => below === undefined || Number(value) < below)!
            : bins.find(({ levels }) => levels!.includes(String(value)))!;
      return sum + bin.points;
    }, card.base);
    const wanted = 500 + (30 / Math.LN2) * (Math.log((1 - score) / score) - Math.log(10));
    // Points are rounded to a tenth, in each of the features.
    expect(Math.abs(points - wanted)).toBeLessThan(0.05 * (card.features.length + 1) + 1e-9);
  });
  expect(Object.keys(model.card.about.information as object)).toEqual(["price", "visits", "country"]);
});

test("an explained card says the points, and what each feature costs beside its best bin", async () => {
  const table = await sampleTable(await run.engine(), 400);
  const ask = { roles: { target: "bought" }, features: ["price", "visits", "country"] };
  const model = await trainModel(await learnerNamed("scorecard"), table, ask, run);
  type Told = Record<"points" | "contribution_base" | "contribution_price", number> & { reasons: string };
  const told = await rowsOf<Told>(await model.predict(table, { explain: true, contributions: true }, run));
  const best = Math.max(...told.map(({ points }) => points));
  for (const row of told) {
    const lost = Object.entries(row).filter(([name]) => /^contribution_(?!base)/.test(name));
    const sum = lost.reduce((total, [, points]) => total + Number(points), row.contribution_base);
    expect(sum).toBeCloseTo(row.points, 9);
    expect(Math.max(...lost.map(([, points]) => Number(points)))).toBeLessThanOrEqual(0);
    const said = /price (?:= \S+|is missing) costs ([\d.]+) points/.exec(row.reasons);
    const cost = -row.contribution_price;
    expect(Number(said?.[1] ?? 0)).toBe(Number(cost.toPrecision(3)) || 0);
  }
  expect(told[0].contribution_base).toBeGreaterThanOrEqual(best);
  expect(Object.keys((await rowsOf(await model.predict(table, {}, run)))[0])).toEqual([
    "prediction",
    "score",
  ]);
});

test("a hundred thousand levels are pooled before they are joined", () => {
  const counts = new Map(
    Array.from({ length: 100_000 }, (_, i) => [
      `c${i}`,
      { hits: i % 500 === 0 ? 30 : 0, misses: 1 + (i % 40) },
    ]),
  );
  const bins = levelBins(counts, { bins: 6, share: 0.02 });
  expect(bins.length).toBeLessThanOrEqual(6);
  expect(bins.flatMap(({ levels }) => levels!)).toHaveLength(100_000);
});

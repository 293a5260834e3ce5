import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFit, writeFit } from "../../src/features/fit-file.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { featuresOf, rowsOf, tableOf, type Row } from "./tables.js";

const run = testRun();
const folder = temporaryFolder();
const types = {
  id: "VARCHAR",
  split: "VARCHAR",
  city: "VARCHAR",
  size: "VARCHAR",
  price: "DOUBLE",
  units: "INTEGER",
  age: "DOUBLE",
  bought: "BOOLEAN",
};

const everyPart = `
target: bought
key: id
missing: [age]
impute:
  - { of: age, with: mean }
  - { of: size, with: mode }
  - { of: units, with: median }
encode:
  - { of: city, with: target, smoothing: 3, folds: 3, keep: true }
  - { of: city, with: frequency, keep: true }
  - { of: city, with: hash, buckets: 4 }
  - { of: size, with: one-hot, max: 2, keep: true }
  - { of: size, with: ordinal }
bins: [{ of: price, into: 4 }]
scale:
  - { of: price, with: standard }
  - { of: units, with: minmax }
  - { of: age, with: quantile, landmarks: 5 }
`;

const number = fc.oneof(
  fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  fc.constantFrom(NaN, Infinity, -Infinity, 0),
);
const cells = fc.record({
  city: fc.option(fc.constantFrom("Oslo", "Bergen", "北京", "", "O'Hare"), { nil: null }),
  size: fc.option(fc.constantFrom("S", "M", "L"), { nil: null }),
  price: fc.option(number, { nil: null }),
  units: fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: null }),
  age: fc.option(number, { nil: null }),
  bought: fc.option(fc.boolean(), { nil: null }),
});
/** Values that train rows cannot hold. */
const strange = fc.record({
  city: fc.constantFrom("Atlantis", "☃", "Oslo"),
  size: fc.constantFrom("XXL", "S"),
  price: fc.constantFrom(1e15, -1e15, NaN, Infinity),
  units: fc.integer({ min: 100_000, max: 2_000_000 }),
  age: fc.constantFrom(1e12, NaN, 3),
  bought: fc.boolean(),
});
/** A train row that makes every part fittable. */
const whole = { city: "Oslo", size: "M", price: 1, units: 1, age: 30, bought: true };
const rowsFrom = (split: string, rows: readonly Row[]): Row[] =>
  rows.map((row, i) => ({ ...row, id: `${split} ${i}`, split }));

test("rows outside train influence neither the fit file nor any feature of a train row, to the byte", async () => {
  const engine = await run.engine();
  let count = 0;
  const outcome = async (
    train: readonly Row[],
    others: readonly Row[],
  ): Promise<{ fit: string; rows: unknown[] }> => {
    const source = await tableOf(engine, types, [
      ...rowsFrom("train", [whole, ...train]),
      ...rowsFrom("test", others),
    ]);
    const { rows, made } = await featuresOf(run, source, everyPart);
    const path = join(folder, `fit-${++count}.json`);
    await writeFit(path, made.fit);
    return { fit: readFileSync(path, "utf8"), rows: rows.filter((row) => row.split === "train") };
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(cells, { maxLength: 12 }),
      fc.array(cells, { maxLength: 4 }),
      fc.array(strange, { minLength: 1, maxLength: 4 }),
      async (train, test, other) => {
        const before = await outcome(train, test);
        const after = await outcome(train, other);
        expect(after.fit).toBe(before.fit);
        expect(after.rows).toEqual(before.rows);
      },
    ),
    { numRuns: 8 },
  );
}, 60_000);

describe("fitted parts", () => {
  const sales: Row[] = [
    ["train", "Oslo", "S", 10, true],
    ["train", "Oslo", "M", 20, false],
    ["train", "Bergen", "M", 30, true],
    ["train", null, "L", null, false],
    ["test", "Tromsø", "XL", 1000, true],
  ].map(
    ([split, city, size, price, bought], i) => ({ id: String(i), split, city, size, price, bought }) as Row,
  );

  test("unknown categories get the documented values, and a stored fit repeats them", async () => {
    const engine = await run.engine();
    const yaml = `
target: bought
key: id
encode:
  - { of: city, with: frequency, keep: true }
  - { of: city, with: target, smoothing: 1, folds: 2 }
  - { of: size, with: ordinal, order: [S, M, L], keep: true }
  - { of: size, with: one-hot, max: 2 }
`;
    const { rows, made } = await featuresOf(run, await tableOf(engine, types, sales), yaml);
    // One of four train rows is Bergen; the prior is 2 of 4; M is the commonest size, then L (by name).
    expect(rows.map((row) => row.city_frequency)).toEqual([0.5, 0.5, 0.25, 0.25, 0]);
    expect(rows[4].city_target).toBe(0.5);
    expect(rows.map((row) => row.size_ordinal)).toEqual([0, 1, 1, 2, -1]);
    expect(rows.map((row) => [row.size_m, row.size_l, row.size_other])).toEqual([
      [0, 0, 1],
      [1, 0, 0],
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    const path = join(folder, "sales.json");
    await writeFit(path, made.fit);
    const stored = readFit(path);
    const again = await featuresOf(run, await tableOf(engine, types, [...sales].reverse()), yaml, {
      recipe: { spec: stored.spec },
      fitted: stored.fitted,
    });
    const [unknown, , bergen] = again.rows;
    expect(unknown).toEqual(rows[4]);
    // Applied, a row gets the statistics of all train rows: (1 + 1 · 0.5) / (1 + 1).
    expect(bergen.city_target).toBe(0.75);
  });

  test("a train row's target encoding never sees its own fold", async () => {
    const engine = await run.engine();
    const rows = Array.from({ length: 60 }, (_, i) => ({
      id: String(i),
      split: "train",
      city: ["Oslo", "Bergen", `only ${i}`][i % 3],
      bought: i % 7 < 3,
    }));
    const yaml = "{target: bought, key: id, encode: [{of: city, with: target, smoothing: 0, folds: 4}]}";
    const encoded = async (given: readonly Row[]): Promise<number[]> =>
      (await featuresOf(run, await tableOf(engine, types, given), yaml)).rows.map(
        (row) => row.city_target as number,
      );
    const before = await encoded(rows);
    // Its own target turned round, a row keeps its value: nothing of it leaks.
    for (const i of [0, 1, 2, 33]) {
      const turned = rows.map((row, j) => (j === i ? { ...row, bought: !row.bought } : row));
      expect((await encoded(turned))[i]).toBe(before[i]);
    }
    expect(new Set(before).size).toBeGreaterThan(3);
  });

  test("a damaged, changed or foreign fit file is a model error", async () => {
    const engine = await run.engine();
    const { made } = await featuresOf(
      run,
      await tableOf(engine, types, sales),
      "{scale: [{of: price, with: robust}]}",
    );
    const path = join(folder, "damage.json");
    await writeFit(path, made.fit);
    const { writeFileSync } = await import("node:fs");
    const text = readFileSync(path, "utf8");
    for (const bad of [
      text.slice(0, 100),
      text.replace('"centre": 20', '"centre": 21'),
      '{"a":1}',
      text.replace('"format_version": 1', '"format_version": 9'),
    ]) {
      expect(bad).not.toBe(text);
      writeFileSync(path, bad);
      expect(() => readFit(path)).toThrowError(expect.objectContaining({ kind: "model" }));
    }
    expect(() => readFit(join(folder, "none.json"))).toThrowError(expect.objectContaining({ kind: "data" }));
  });

  test("a column without a train value, or without a train row, is refused by name", async () => {
    const engine = await run.engine();
    const scale = "{scale: [{of: age, with: standard}]}";
    await expect(featuresOf(run, await tableOf(engine, types, sales), scale)).rejects.toMatchObject({
      kind: "data",
      message: "age holds no value in the train rows, so nothing can be fitted",
    });
    const tests = sales.map((row) => ({ ...row, split: "test" }));
    await expect(featuresOf(run, await tableOf(engine, types, tests), scale)).rejects.toMatchObject({
      kind: "data",
    });
    await expect(
      featuresOf(run, await tableOf(engine, types, sales), "{scale: [{of: city, with: standard}]}"),
    ).rejects.toMatchObject({ kind: "data" });
  });
});

describe("row-wise features", () => {
  test("date parts, time since, ratios and crosses", async () => {
    const engine = await run.engine();
    const source = await tableOf(
      engine,
      {
        ordered: "TIMESTAMP",
        sent: "TIMESTAMP",
        price: "DOUBLE",
        units: "INTEGER",
        a: "VARCHAR",
        b: "BOOLEAN",
      },
      [
        { ordered: "2024-02-29 18:30:00", sent: "2024-03-01 06:30:00", price: 10, units: 4, a: "x", b: true },
        { ordered: "2024-06-02 00:00:00", sent: null, price: 10, units: 0, a: null, b: false },
      ],
    );
    const { rows } = await featuresOf(
      run,
      source,
      `
dates: [{ of: ordered, parts: [year, month, day_of_week, hour, is_weekend, is_month_end, days_in_month, hour_sin] }]
since: [{ of: ordered, until: sent }]
ratios: [{ of: price, per: units }]
crosses: [{ of: [a, b] }]
missing: [sent]
columns: ["ordered_*", "days_*", "*_per_*", "*_x_*", "*_missing", "-ordered_year"]
`,
    );
    expect(rows).toEqual([
      {
        ordered_month: 2n,
        ordered_day_of_week: 4n,
        ordered_hour: 18n,
        ordered_is_weekend: 0,
        ordered_is_month_end: 1,
        ordered_days_in_month: 29n,
        ordered_hour_sin: -1,
        days_since_ordered: 0.5,
        price_per_units: 2.5,
        a_x_b: "x×true",
        sent_missing: 0,
      },
      {
        ordered_month: 6n,
        ordered_day_of_week: 7n,
        ordered_hour: 0n,
        ordered_is_weekend: 1,
        ordered_is_month_end: 0,
        ordered_days_in_month: 30n,
        ordered_hour_sin: 0,
        days_since_ordered: null,
        price_per_units: null,
        a_x_b: null,
        sent_missing: 1,
      },
    ]);
  });

  test("a derived column may read nothing but its row", async () => {
    const engine = await run.engine();
    const source = await tableOf(engine, { price: "DOUBLE" }, [{ price: 1 }]);
    for (const derive of ["(SELECT 1)", "1); DROP TABLE x; --", "read_text('/etc/passwd')"])
      await expect(
        featuresOf(run, source, JSON.stringify({ derive: { stolen: derive } })),
      ).rejects.toMatchObject({ name: "ShopaiError" });
    await expect(featuresOf(run, source, '{derive: {double: "prise * 2"}}')).rejects.toMatchObject({
      kind: "data",
      try: "price",
    });
    await expect(featuresOf(run, source, '{derive: {price: "price * 2"}}')).rejects.toMatchObject({
      kind: "usage",
    });
  });
});

test("scalers equal scikit-learn's", async () => {
  const reference = JSON.parse(
    readFileSync(new URL("../parity/fixtures/scalers.json", import.meta.url), "utf8"),
  ) as {
    made_with: string;
    x: number[];
    train: number;
  } & Record<"standard" | "minmax" | "robust" | "quantile", number[]>;
  const engine = await run.engine();
  const rows = reference.x.map((x, i) => ({ x, split: i < reference.train ? "train" : "test" }));
  for (const scaler of ["standard", "minmax", "robust", "quantile"] as const) {
    const source = await tableOf(engine, { x: "DOUBLE", split: "VARCHAR" }, rows);
    const landmarks = scaler === "quantile" ? ", landmarks: 11" : "";
    const { made } = await featuresOf(run, source, `{scale: [{of: x, with: ${scaler}${landmarks}}]}`);
    const found = (await rowsOf(made.plan)).map((row) => row.x as number);
    found.forEach((value, i) =>
      expect(Math.abs(value - reference[scaler][i]), `${scaler} ${i}`).toBeLessThan(1e-12),
    );
  }
});

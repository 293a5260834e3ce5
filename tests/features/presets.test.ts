import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { featurize, type FeaturizeAsk } from "../../src/features/featurize.js";
import { relationOfPlan } from "../../src/features/plan.js";
import { presetNamed } from "../../src/features/presets/listing.js";
import type { PresetOptions } from "../../src/features/presets/preset.js";
import { recipeOfPreset, type PresetAsk } from "../../src/features/recipe.js";
import { provenanceOf } from "../../src/table/provenance.js";
import { fileColumn, relationOf, rowColumn, type Relation } from "../../src/table/relation.js";
import { writeTable } from "../../src/table/write.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { rowsOf, tableOf, type Row } from "./tables.js";

const run = testRun();
const folder = temporaryFolder();
const usual: PresetOptions = { freq: "D", fill: "zero", from: "own", gap: 30, form: "list" };

type More = Partial<Omit<PresetAsk, "options">> & {
  options?: Partial<PresetOptions>;
  split?: FeaturizeAsk["split"];
};

async function made(source: Relation, name: string, more: More = {}) {
  const asked = await recipeOfPreset(source, {
    preset: presetNamed(name)!,
    roles: {},
    ...more,
    options: { ...usual, ...more.options },
  });
  const features = await featurize(
    source,
    { recipe: asked.recipe, moments: asked.moments, split: more.split, seed: 42 },
    run,
  );
  return { ...features, asked, rows: await rowsOf(features.plan) };
}

const events: Row[] = [
  ["ann", "pen", "2024-01-01 10:00:00", "view", 0],
  ["ann", "pen", "2024-01-01 10:10:00", "purchase", 3],
  ["ann", "ink", "2024-01-01 11:00:00", "view", 0],
  ["bob", "pen", "2024-01-02 09:00:00", "view", 0],
  ["bob", "ink", "2024-01-03 09:00:00", "purchase", 5],
  ["bob", "cup", "2024-02-10 09:00:00", "view", 0],
].map(([user_id, sku, ts, event_type, amount]) => ({ user_id, sku, ts, event_type, amount }) as Row);
const eventTypes = {
  user_id: "VARCHAR",
  sku: "VARCHAR",
  ts: "TIMESTAMP",
  event_type: "VARCHAR",
  amount: "DECIMAL(10,2)",
};
const log = async (rows: readonly Row[] = events): Promise<Relation> =>
  tableOf(await run.engine(), eventTypes, rows);

describe("presets", () => {
  test("behaviour: columns by event type, money, items and recency; the columns guessed are named", async () => {
    const { rows, asked } = await made(await log(), "behaviour", {
      moments: { kind: "dates", dates: ["2024-01-05"] },
    });
    expect(asked.guessed).toEqual([
      "--event event_type",
      "--user user_id",
      "--time ts",
      "--item sku",
      "--value amount",
    ]);
    expect(rows[0]).toMatchObject({
      user_id: "ann",
      n_events_7d: 3n,
      n_view_30d: 2n,
      n_purchase_90d: 1n,
      amount_sum_7d: 3,
      sku_distinct_7d: 2n,
      days_since_last: 3n,
      days_since_last_purchase: 3n,
    });
    expect(rows[1]).toMatchObject({ user_id: "bob", n_events_7d: 2n, days_since_last_view: 2n });
    expect(rows.length).toBe(2);
  });

  test("behaviour: an event type that only later events or test users know makes no column", async () => {
    const split = { kind: "group", ratio: [0.5, 0.5], columns: ["user_id"], seed: 42 } as const;
    const moments = { kind: "dates", dates: ["2024-01-05"] } as const;
    const later = await made(
      await log([
        ...events,
        { user_id: "ann", sku: "pen", ts: "2024-01-05 00:00:00", event_type: "refund", amount: 1 },
      ]),
      "behaviour",
      { moments },
    );
    expect(later.rows).toEqual((await made(await log(), "behaviour", { moments })).rows);

    const labels = await tableOf(
      await run.engine(),
      { user_id: "VARCHAR", as_of: "TIMESTAMP", split: "VARCHAR" },
      [
        { user_id: "bob", as_of: "2024-01-03 00:00:00", split: "train" },
        { user_id: "ann", as_of: "2024-01-03 00:00:00", split: "test" },
      ],
    );
    const labelled = await made(await log(), "behaviour", {
      moments: { kind: "table", rows: labels, column: "as_of" },
    });
    expect(labelled.rows.map((row) => [row.user_id, row.n_events_7d, row.n_view_7d])).toEqual([
      ["bob", 1n, 1n],
      ["ann", 3n, 2n],
    ]);
    expect(Object.keys(labelled.rows[0])).not.toContain("n_purchase_7d");

    const before = await made(await log(), "behaviour", { moments, split });
    const testUser = before.rows.find((row) => row.split === "test")!.user_id as string;
    const odd = { user_id: testUser, sku: "pen", ts: "2024-01-04 00:00:00", event_type: "odd", amount: 1 };
    const after = await made(await log([...events, odd]), "behaviour", { moments, split });
    const train = (rows: Record<string, unknown>[]) => rows.filter((row) => row.split === "train");
    expect(train(after.rows).length).toBeGreaterThan(0);
    expect(train(after.rows)).toEqual(train(before.rows));
  });

  test("rfm: hand-worked customers; equal values share a score", async () => {
    const orders = Array.from({ length: 10 }, (_, i) =>
      Array.from({ length: i < 5 ? 1 : i - 3 }, (_, j) => ({
        CustomerID: `c${i}`,
        InvoiceNo: `${i}-${j}`,
        InvoiceDate: `2024-01-${String(10 + i).padStart(2, "0")} 12:00:00`,
        UnitPrice: 2.5,
        Quantity: 2 * (i + 1),
      })),
    ).flat();
    const source = await tableOf(
      await run.engine(),
      {
        CustomerID: "VARCHAR",
        InvoiceNo: "VARCHAR",
        InvoiceDate: "TIMESTAMP",
        UnitPrice: "DECIMAL(10,2)",
        Quantity: "INTEGER",
      },
      orders,
    );
    const { rows } = await made(source, "rfm", { moments: { kind: "dates", dates: ["2024-01-20"] } });
    expect(rows[0]).toEqual({
      CustomerID: "c0",
      as_of: "2024-01-20 00:00:00",
      recency_days: 9n,
      frequency: 1n,
      monetary: 5,
      first_at: "2024-01-10 12:00:00",
      last_at: "2024-01-10 12:00:00",
      tenure_days: 9n,
      average_basket: 5,
      r_score: 1,
      f_score: 1,
      m_score: 1,
      segment: "hibernating",
    });
    expect(rows[9]).toMatchObject({
      frequency: 6n,
      monetary: 300,
      r_score: 5,
      f_score: 5,
      m_score: 5,
      segment: "champions",
    });
    expect(rows.map((row) => row.r_score)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(rows.map((row) => row.f_score)).toEqual([1, 1, 1, 1, 1, 3, 4, 4, 5, 5]);
    expect(rows.every((row) => row.segment !== null)).toBe(true);
  });

  test("interactions: weights, half-life and the k-core", async () => {
    const { rows } = await made(await log(), "interactions", {
      moments: { kind: "dates", dates: ["2024-01-03 10:10:00"] },
      options: { weights: { view: 1, purchase: 4 }, halfLife: 1 },
    });
    expect(rows.map((row) => [row.user_id, row.sku, row.n, row.last_time])).toEqual([
      ["ann", "ink", 1n, "2024-01-01 11:00:00"],
      ["ann", "pen", 2n, "2024-01-01 10:10:00"],
      ["bob", "ink", 1n, "2024-01-03 09:00:00"],
      ["bob", "pen", 1n, "2024-01-02 09:00:00"],
    ]);
    const decay = (minutes: number): number => 0.5 ** (minutes / 1440);
    expect(rows[1].rating).toBeCloseTo(4 * decay(2 * 1440) + decay(2 * 1440 + 10), 12);

    // bob-cup goes (one user), then nobody falls below two items.
    const core = await made(await log(), "interactions", { options: { minUser: 2, minItem: 2 } });
    expect(core.rows.map((row) => `${row.user_id} ${row.sku}`)).toEqual([
      "ann ink",
      "ann pen",
      "bob ink",
      "bob pen",
    ]);
    const none = await made(await log(), "interactions", { options: { minUser: 3, minItem: 2 } });
    expect(none.rows).toEqual([]);
  });

  test("sessions: a gap of more than 30 minutes begins a new one", async () => {
    const { rows } = await made(await log(), "sessions");
    expect(
      rows.map((row) => [row.user_id, row.session, row.n_events, row.duration_minutes, row.converted]),
    ).toEqual([
      ["ann", 1, 2n, 10, true],
      ["ann", 2, 1n, 0, false],
      ["bob", 1, 1n, 0, false],
      ["bob", 2, 1n, 0, true],
      ["bob", 3, 1n, 0, false],
    ]);
    const wide = await made(await log(), "sessions", { options: { gap: 50 } });
    expect(wide.rows[0]).toMatchObject({ n_events: 3n, n_items: 2n, value: 3 });
  });

  test("series: missing dates are 0 up to the last date of the table; lags and rolling look back only", async () => {
    const sales = [
      { sku: "a", day: "2024-01-01", units: 2 },
      { sku: "a", day: "2024-01-04", units: 5 },
      { sku: "a", day: "2024-01-04", units: 1 },
      { sku: "b", day: "2024-01-03", units: 7 },
    ];
    const source = await tableOf(
      await run.engine(),
      { sku: "VARCHAR", day: "DATE", units: "INTEGER" },
      sales,
    );
    const { rows } = await made(source, "series", { options: { lags: [1], rolling: [2] } });
    expect(rows.map((row) => [row.sku, row.day, row.units, row.units_lag_1, row.units_mean_2])).toEqual([
      ["a", "2024-01-01", 2n, null, null],
      ["a", "2024-01-02", 0n, 2n, 2],
      ["a", "2024-01-03", 0n, 0n, 1],
      ["a", "2024-01-04", 6n, 0n, 0],
      ["b", "2024-01-03", 7n, null, null],
      ["b", "2024-01-04", 0n, 7n, 7],
    ]);
    const weeks = await made(source, "series", { options: { freq: "W", from: "table" } });
    expect(weeks.rows.map((row) => [row.sku, row.day, row.units])).toEqual([
      ["a", "2024-01-01", 8n],
      ["b", "2024-01-01", 7n],
    ]);
    const sparse = await made(source, "series", { options: { fill: "none", series: [] } });
    expect(sparse.rows.map((row) => [row.day, row.units])).toEqual([
      ["2024-01-01", 2n],
      ["2024-01-03", 7n],
      ["2024-01-04", 6n],
    ]);
  });

  test("baskets: lists in order of items, or one row per order and item", async () => {
    const lines = [
      { order_id: "1", sku: "pen", qty: 2 },
      { order_id: "1", sku: "ink", qty: 1 },
      { order_id: "1", sku: "pen", qty: 1 },
      { order_id: "2", sku: "cup", qty: 1 },
      { order_id: "2", sku: null, qty: 1 },
    ];
    const source = await tableOf(
      await run.engine(),
      { order_id: "VARCHAR", sku: "VARCHAR", qty: "INTEGER" },
      lines,
    );
    expect((await made(source, "baskets")).rows).toEqual([
      { order_id: "1", n_items: 2n, qty: 4n, items: ["ink", "pen"] },
      { order_id: "2", n_items: 1n, qty: 1n, items: ["cup"] },
    ]);
    expect((await made(source, "baskets", { options: { form: "long" } })).rows).toEqual([
      { order_id: "1", sku: "ink", n_lines: 1n, qty: 1n },
      { order_id: "1", sku: "pen", n_lines: 2n, qty: 3n },
      { order_id: "2", sku: "cup", n_lines: 1n, qty: 1n },
    ]);
  });

  test("text: words, letters of unspaced scripts, character n-grams", async () => {
    const texts = [
      { review: "Great pen, great INK! 5 stars" },
      { review: "很好用 good" },
      { review: "" },
      { review: null },
    ];
    const source = await tableOf(await run.engine(), { review: "VARCHAR" }, texts);
    const { rows } = await made(source, "text");
    expect(rows.map((row) => row.review_tokens)).toEqual([
      ["great", "pen", "great", "ink", "5", "stars"],
      ["很", "好", "用", "good"],
      [],
      null,
    ]);
    expect(rows[0]).toMatchObject({
      review_n_chars: 29n,
      review_n_tokens: 6n,
      review_n_distinct_tokens: 5n,
      review_n_exclamations: 1n,
      review_upper_share: 4 / 29,
    });
    expect(rows[1]).toMatchObject({ review_han_share: 3 / 8 });
    const grams = await made(source, "text", { options: { ngrams: [2, 3] } });
    expect(grams.rows[1].review_tokens).toEqual([
      "很好",
      "好用",
      "用 ",
      " g",
      "go",
      "oo",
      "od",
      "很好用",
      "好用 ",
      "用 g",
      " go",
      "goo",
      "ood",
    ]);
    expect(grams.rows[2].review_tokens).toEqual([]);
  });

  test("a role that no column name tells is asked for by its flag", async () => {
    const source = await tableOf(await run.engine(), { x: "VARCHAR", y: "VARCHAR" }, []);
    await expect(made(source, "interactions")).rejects.toMatchObject({
      kind: "usage",
      message: "the preset interactions needs the user column, and no name tells which it is",
      try: "--user <one of x, y>",
    });
    const pairs = { roles: { user: "x", item: "y" }, options: { weights: { view: 1 } } };
    await expect(made(source, "interactions", pairs)).rejects.toMatchObject({
      kind: "usage",
      try: "--event <column>",
    });
    await expect(made(source, "interactions", { roles: { user: "z" } })).rejects.toMatchObject({
      kind: "data",
    });
  });
});

test("columns with SQL, quotes and blanks in their names are columns like any other", async () => {
  const user = '"; DROP TABLE x; --';
  const types = { [user]: "VARCHAR", "order's": "VARCHAR", "when ✓": "TIMESTAMP", "the price": "DOUBLE" };
  const rows = [{ [user]: "a", "order's": "1", "when ✓": "2024-01-01 00:00:00", "the price": 2.5 }];
  const source = await tableOf(await run.engine(), types, rows);
  const found = await made(source, "rfm", {
    roles: { user, order: "order's", time: "when ✓", value: "the price" },
    moments: { kind: "dates", dates: ["2024-01-03"] },
  });
  expect(found.rows[0]).toMatchObject({ [user]: "a", recency_days: 2n, frequency: 1n, monetary: 2.5 });
});

const threadRuns = [1, 2, 4].map((threads) => testRun({ threads }));

test("the same bytes for 1, 2 and 4 threads, whatever the order of summation", async () => {
  const files: Buffer[][] = [];
  for (const { engine: open, threads } of threadRuns) {
    const engine = await open();
    await engine.run(`CREATE TABLE log AS
      SELECT (i * 7919 % 500)::INTEGER AS user_id, TIMESTAMP '2024-01-01' + to_minutes(i * 37 % 129600) AS ts,
        (i * 104729 % 1000003) / 7.0::DOUBLE AS amount, ['view', 'cart', 'purchase'][1 + i % 3] AS event_type,
        (i * 31 % 97)::VARCHAR AS sku, 0 AS ${fileColumn}, i AS ${rowColumn}
      FROM range(130000) AS r(i)`);
    const source = await relationOf(engine, "SELECT * FROM log", { key: [fileColumn, rowColumn] });
    const bytes: Buffer[] = [];
    for (const name of ["behaviour", "rfm", "interactions", "sessions", "series"]) {
      const { plan } = await made(source, name, {
        moments: { kind: "dates", dates: ["2024-03-01"] },
        options: { halfLife: 9, rolling: [7] },
        split: { kind: "random", ratio: [0.8, 0.2], columns: [], seed: 1 },
      });
      const path = join(folder, `${name}-${threads}.parquet`);
      await writeTable(await relationOfPlan(plan), path, provenanceOf("featurize", {}, 42, []));
      bytes.push(readFileSync(path));
    }
    files.push(bytes);
  }
  for (const other of files.slice(1))
    other.forEach((bytes, i) => expect(bytes.equals(files[0][i]), `preset ${i}`).toBe(true));
}, 60_000);

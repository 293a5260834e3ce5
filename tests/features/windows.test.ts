import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { windowOf } from "../../src/features/naming.js";
import { planOf, planSql, extended } from "../../src/features/plan.js";
import { windowSteps, type Aggregate } from "../../src/features/windows.js";
import { testRun } from "../support/test-run.js";
import { featuresOf, rowsOf, tableOf, type Row } from "./tables.js";

const run = testRun();
const types = { user_id: "VARCHAR", ts: "TIMESTAMP", amount: "DOUBLE", kind: "VARCHAR" };
const schema = Object.entries(types).map(([name, type]) => ({ name, type }));
const week = [windowOf("7d")];

describe("the plan is one SQL statement", () => {
  const aggregates: Aggregate[] = [
    { verb: "count", windows: [windowOf("7d"), windowOf("30d")] },
    { verb: "count", where: "kind = 'buy'", as: "n_buys", windows: week },
  ];

  test("one moment: a GROUP BY; entities that were only seen long ago come as one row each", () => {
    const { steps, key } = windowSteps({
      events: "input",
      schema,
      entity: ["user_id"],
      time: "ts",
      aggregates,
      asOf: { kind: "dates", dates: ["2024-03-01"] },
    });
    expect(key).toEqual(["user_id"]);
    expect(planSql({ steps: [{ name: "input", sql: "SELECT 1" }, ...steps] })).toBe(
      `WITH "input" AS NOT MATERIALIZED (
SELECT 1
),
"events" AS NOT MATERIALIZED (
SELECT "user_id", CAST("ts" AS TIMESTAMP) AS "ts", coalesce((kind = 'buy'
), false) AS "where_1"
FROM "input"
WHERE "user_id" IS NOT NULL AND CAST("ts" AS TIMESTAMP) < TIMESTAMP '2024-03-01' AND CAST("ts" AS TIMESTAMP) >= TIMESTAMP '2024-03-01' - INTERVAL 30 DAY
),
"earlier" AS NOT MATERIALIZED (
SELECT DISTINCT "user_id"
FROM "input"
WHERE "user_id" IS NOT NULL AND CAST("ts" AS TIMESTAMP) < TIMESTAMP '2024-03-01' - INTERVAL 30 DAY
),
"aggregated" AS NOT MATERIALIZED (
SELECT e."user_id", TIMESTAMP '2024-03-01' AS as_of, count(e."ts") FILTER (WHERE e."ts" >= TIMESTAMP '2024-03-01' - INTERVAL 7 DAY) AS "n_events_7d", count(e."ts") AS "n_events_30d", count(e."ts") FILTER (WHERE e."where_1" AND e."ts" >= TIMESTAMP '2024-03-01' - INTERVAL 7 DAY) AS "n_buys_7d"
FROM events AS e
GROUP BY e."user_id"
)
SELECT coalesce(a."user_id", o."user_id") AS "user_id", TIMESTAMP '2024-03-01' AS as_of, coalesce(a."n_events_7d", 0) AS "n_events_7d", coalesce(a."n_events_30d", 0) AS "n_events_30d", coalesce(a."n_buys_7d", 0) AS "n_buys_7d"
FROM aggregated AS a
FULL JOIN earlier AS o ON o."user_id" = a."user_id"`,
    );
  });

  test("many moments: the range join", () => {
    const { steps, key } = windowSteps({
      events: "input",
      schema,
      entity: ["user_id"],
      time: "ts",
      aggregates: aggregates.slice(0, 1),
      asOf: { kind: "dates", dates: ["2024-02-01", "2024-03-01"] },
    });
    expect(key).toEqual(["user_id", "as_of"]);
    expect(steps.find((step) => step.name === "aggregated")!.sql).toBe(
      `SELECT s."user_id", s.as_of AS as_of, count(e."ts") FILTER (WHERE e."ts" >= s.as_of - INTERVAL 7 DAY) AS "n_events_7d", count(e."ts") AS "n_events_30d"
FROM spine AS s
LEFT JOIN events AS e ON e."user_id" = s."user_id" AND e."ts" < s.as_of AND e."ts" >= s.as_of - INTERVAL 30 DAY
GROUP BY s."user_id", s.as_of`,
    );
  });

  test("DuckDB accepts every aggregate, over one moment and over many (EXPLAIN)", async () => {
    const engine = await run.engine();
    const input = await planOf(await tableOf(engine, types, []));
    const all: Aggregate[] = [
      ...(["count", "recency", "frequency", "first", "last", "tenure"] as const).map((verb) => ({
        verb,
        windows: week,
      })),
      ...(["sum", "mean", "std", "min", "max", "monetary", "trend"] as const).map((verb) => ({
        verb,
        column: "amount",
        windows: week,
      })),
      ...(["distinct", "entropy"] as const).map((verb) => ({ verb, column: "kind", windows: week })),
      { verb: "share", where: "kind = 'buy'", as: "buys", windows: week },
    ];
    for (const dates of [["2024-03-01"], ["2024-02-01", "2024-03-01"]]) {
      const { steps, key } = windowSteps({
        events: "input",
        schema: input.columns,
        entity: ["user_id"],
        time: "ts",
        aggregates: all,
        asOf: { kind: "dates", dates },
      });
      const plan = await extended(input, steps, key);
      await engine.rows(`EXPLAIN ${planSql(plan)}`);
      expect(plan.columns.length).toBe(2 + all.length);
    }
  });
});

const origin = Date.UTC(2024, 0, 1);
const at = (hours: number): string =>
  new Date(origin + hours * 3_600_000).toISOString().slice(0, 19).replace("T", " ");

const anyEvents = fc.array(
  fc.record({
    user_id: fc.constantFrom("a", "b", "c"),
    hours: fc.integer({ min: 0, max: 24 * 100 }),
    amount: fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { nil: null }),
    kind: fc.constantFrom("view", "buy", "cart"),
  }),
  { maxLength: 60 },
);
type Event = { user_id: string; hours: number; amount: number | null; kind: string };
const asRows = (events: readonly Event[]): Row[] =>
  events.map(({ hours, ...event }) => ({ ...event, ts: at(hours) }));

const everything = `
entity: user_id
time: ts
windows: [7d, 30d]
aggregates:
  - count
  - { count: "*", where: "kind = 'buy'", as: n_buys }
  - { sum: amount }
  - { mean: amount }
  - { std: amount }
  - { min: amount }
  - { max: amount }
  - { distinct: kind }
  - recency
  - { trend: amount }
  - { entropy: kind }
  - { share: "*", where: "kind = 'buy'", as: buy_share }
`;

/** What each feature should be, worked out event by event. */
function expected(events: readonly Event[], user: string, asOfHours: number): Record<string, unknown> {
  const before = events.filter((event) => event.user_id === user && event.hours < asOfHours);
  const features: Record<string, unknown> = {};
  for (const days of [7, 30]) {
    const inside = before.filter((event) => event.hours >= asOfHours - days * 24);
    const values = inside.flatMap((event) => (event.amount === null ? [] : [event.amount]));
    const sum = values.reduce((a, b) => a + b, 0);
    const mean = sum / values.length;
    const counts = ["view", "buy", "cart"].map(
      (kind) => inside.filter((event) => event.kind === kind).length,
    );
    const daily = Array.from({ length: days }, () => 0);
    for (const event of inside)
      daily[days - 1 - Math.floor(((asOfHours - event.hours) * 3600e6 - 1) / 864e8)] += event.amount ?? 0;
    const middle = (days - 1) / 2;
    Object.assign(features, {
      [`n_events_${days}d`]: inside.length,
      [`n_buys_${days}d`]: counts[1],
      [`amount_sum_${days}d`]: sum,
      [`amount_mean_${days}d`]: values.length > 0 ? mean : null,
      [`amount_std_${days}d`]:
        values.length > 1
          ? Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1))
          : null,
      [`amount_min_${days}d`]: values.length > 0 ? Math.min(...values) : null,
      [`amount_max_${days}d`]: values.length > 0 ? Math.max(...values) : null,
      [`kind_distinct_${days}d`]: counts.filter((n) => n > 0).length,
      [`amount_trend_${days}d`]:
        daily.reduce((a, y, d) => a + (d - middle) * y, 0) /
        daily.reduce((a, _, d) => a + (d - middle) ** 2, 0),
      [`kind_entropy_${days}d`]:
        inside.length > 0
          ? counts.reduce((a, n) => (n > 0 ? a - (n / inside.length) * Math.log2(n / inside.length) : a), 0)
          : null,
      [`buy_share_${days}d`]: inside.length > 0 ? counts[1] / inside.length : null,
    });
    if (days === 30)
      features.days_since_last =
        inside.length > 0
          ? Math.floor((asOfHours - Math.max(...inside.map((event) => event.hours))) / 24)
          : null;
  }
  return features;
}

function expectClose(found: Record<string, unknown>, wanted: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(wanted)) {
    const got = found[name] === null ? null : Number(found[name]);
    if (value === null) expect([name, got]).toEqual([name, null]);
    else
      expect(Math.abs(got! - Number(value)), name).toBeLessThanOrEqual(
        1e-7 * Math.max(1, Math.abs(Number(value))),
      );
  }
}

describe("point in time", () => {
  const moments = [24 * 20, 24 * 50 + 7, 24 * 90];

  test("every aggregate equals the one worked out event by event, at every moment", async () => {
    const engine = await run.engine();
    await fc.assert(
      fc.asyncProperty(anyEvents, async (events) => {
        const source = await tableOf(engine, types, asRows(events));
        const { rows } = await featuresOf(run, source, everything, {
          moments: { kind: "dates", dates: moments.map(at) },
        });
        const wanted = ["a", "b", "c"].flatMap((user) =>
          moments
            .filter((moment) => events.some((event) => event.user_id === user && event.hours < moment))
            .map((moment) => ({ user, moment })),
        );
        expect(rows.map((row) => [row.user_id, row.as_of])).toEqual(
          wanted.map(({ user, moment }) => [user, at(moment)]),
        );
        rows.forEach((row, i) => expectClose(row, expected(events, wanted[i].user, wanted[i].moment)));
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  test("events at or after the moment change nothing, whatever they are", async () => {
    const engine = await run.engine();
    const later = fc.array(
      fc.record({
        user_id: fc.constantFrom("a", "b", "c", "new"),
        hours: fc.integer({ min: 24 * 90, max: 24 * 400 }),
        amount: fc.option(fc.double({ noNaN: false }), { nil: null }),
        kind: fc.constantFrom("view", "buy", "never seen before"),
      }),
      { minLength: 1, maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(anyEvents, later, async (events, future) => {
        const known = events.filter((event) => event.hours < 24 * 90);
        const ask = { moments: { kind: "dates", dates: moments.map(at) } } as const;
        const before = await featuresOf(run, await tableOf(engine, types, asRows(known)), everything, ask);
        const after = await featuresOf(
          run,
          await tableOf(engine, types, asRows([...known, ...future])),
          everything,
          ask,
        );
        expect(after.rows).toEqual(before.rows);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  test("the grouping of one moment and the join of many agree to the bit", async () => {
    const engine = await run.engine();
    const yaml = everything.replace("  - { std: amount }\n", "");
    const both = { kind: "dates", dates: [at(480), at(2160)] } as const;
    const one = { kind: "dates", dates: [at(2160)] } as const;
    await fc.assert(
      fc.asyncProperty(anyEvents, async (events) => {
        const source = await tableOf(engine, types, asRows(events));
        const joined = await featuresOf(run, source, yaml, { moments: both });
        const grouped = await featuresOf(run, source, yaml, { moments: one });
        expect(joined.rows.filter((row) => row.as_of === at(2160))).toEqual(grouped.rows);
      }),
      { numRuns: 12 },
    );
  });

  test("a table of (entity, as_of) rows keeps its rows, columns and order; each row sees its own past", async () => {
    const engine = await run.engine();
    const source = await tableOf(engine, types, [
      { user_id: "a", ts: at(1), amount: 5, kind: "buy" },
      { user_id: "a", ts: at(30), amount: 7, kind: "buy" },
    ]);
    const labels = await tableOf(engine, { user_id: "VARCHAR", as_of: "TIMESTAMP", churned: "BOOLEAN" }, [
      { user_id: "b", as_of: at(30), churned: true },
      { user_id: "a", as_of: at(30), churned: false },
      { user_id: "a", as_of: at(31), churned: false },
      { user_id: "a", as_of: at(30), churned: true },
    ]);
    const { rows } = await featuresOf(
      run,
      source,
      "{entity: user_id, time: ts, windows: [7d], aggregates: [count, {sum: amount}]}",
      { moments: { kind: "table", rows: labels, column: "as_of" } },
    );
    expect(rows.map((row) => [row.user_id, row.churned, row.n_events_7d, row.amount_sum_7d])).toEqual([
      ["b", true, 0n, 0],
      ["a", false, 1n, 5],
      ["a", false, 2n, 12],
      ["a", true, 1n, 5],
    ]);
  });

  test("as_of: row gives each row what was known just before it", async () => {
    const engine = await run.engine();
    const source = await tableOf(engine, types, [
      { user_id: "a", ts: at(2), amount: 7, kind: "buy" },
      { user_id: "a", ts: at(1), amount: 5, kind: "buy" },
      { user_id: "a", ts: at(2), amount: 1, kind: "view" },
    ]);
    const made = await featuresOf(
      run,
      source,
      "{entity: user_id, time: ts, as_of: row, windows: [7d], aggregates: [count, {sum: amount}]}",
    );
    expect(made.rows.map((row) => [row.amount, row.n_events_7d, row.amount_sum_7d])).toEqual([
      [7, 1n, 5],
      [5, 0n, 0],
      [1, 1n, 5],
    ]);
    expect(await rowsOf(made.made.plan)).toEqual(made.rows);
  });

  test("NaN and infinity count as missing", async () => {
    const engine = await run.engine();
    const source = await tableOf(engine, types, [
      { user_id: "a", ts: at(1), amount: NaN, kind: "buy" },
      { user_id: "a", ts: at(2), amount: Infinity, kind: "buy" },
      { user_id: "a", ts: at(3), amount: 4, kind: "buy" },
    ]);
    const { rows } = await featuresOf(
      run,
      source,
      "{entity: user_id, time: ts, as_of: 2024-01-02, windows: [7d], aggregates: [count, {sum: amount}, {mean: amount}, {max: amount}]}",
    );
    expect(rows[0]).toMatchObject({ n_events_7d: 3n, amount_sum_7d: 4, amount_mean_7d: 4, amount_max_7d: 4 });
  });
});

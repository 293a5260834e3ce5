import fc from "fast-check";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { allocate, type Claim } from "../../src/decide/inventory/allocate.js";
import { newsvendorCost } from "../../src/decide/inventory/base-stock.js";
import { countDemand } from "../../src/decide/inventory/demand.js";
import { stockPolicy, type Product } from "../../src/decide/inventory/policy.js";
import { due, simulate } from "../../src/decide/inventory/simulate.js";
import { windowDemand } from "../../src/decide/inventory/window.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** Twenty days for three products: steady, rising spread, none. */
function forecastCsv(): string {
  const rows = ["sku,day,model,mean,lo_95,hi_95"];
  for (const [sku, mean, grow] of [
    ["a", 10, 0],
    ["b", 3, 1],
    ["c", 0, 0],
  ] as const)
    for (let day = 1; day <= 20; day++) {
      const half = 1.96 * (mean / 2) * Math.sqrt(1 + grow * day * 0.2);
      rows.push(`${sku},2024-03-${String(day).padStart(2, "0")},ses,${mean},${mean - half},${mean + half}`);
    }
  return rows.join("\n");
}
writeFileSync(at("forecast.csv"), forecastCsv());
writeFileSync(
  at("stock.csv"),
  "sku,on_hand,lead_time,unit_cost,price,pack_size,min_order,shelf_life\na,20,4,2,5,12,,\nb,0,4,10,30,1,25,\nz,7,1,1,2,1,,\n",
);

interface Json {
  orders: number;
  spend: number;
  expected_cost: number;
  cost_interval: [number, number];
  cost_without_orders: number;
  bound: Record<string, number>;
  unmatched: { noStock: number; noForecast: number };
  late: number;
}
const decide = (...words: string[]) =>
  runCli([
    "decide",
    "inventory",
    at("forecast.csv"),
    at("stock.csv"),
    "-o",
    at("orders.csv"),
    "--json",
    ...words,
  ]);
const orders = (): Record<string, string>[] => {
  const [head, ...rows] = readFileSync(at("orders.csv"), "utf8").trim().split("\n");
  return rows.map((row) => Object.fromEntries(row.split(",").map((cell, i) => [head.split(",")[i], cell])));
};

describe("decide inventory", () => {
  test("orders in packs, from the fewest on, with the constraint that bound and the money", async () => {
    const { code, stderr, json } = await decide(
      ...["--param", "lead_time=4", "--param", "unit_cost=1", "--param", "price=2", "--service", "0.95"],
    );
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("error")]);
    const result = json<Json>();
    expect(result.unmatched).toEqual({ noStock: 1, noForecast: 1 });
    // Four days of 10 before an order comes, with 20 in stock; of b four days of 3 with none.
    expect(result.late).toBe(2);
    const [a, b, c] = orders();
    // Five days of 10 with five independent deviations of 5: 50 + 1.645 * 11.2, less 20 in stock, in dozens.
    expect([a.sku, Number(a.demand), a.order_units, a.constraint]).toEqual(["a", 50, "60.0", "pack_size"]);
    expect(Number(a.demand_sd)).toBeCloseTo(5 * Math.sqrt(5), 3);
    expect([b.order_units, b.constraint]).toEqual([
      expect.stringMatching(/^(2[5-9]|3\d)\.0$/),
      expect.any(String),
    ]);
    expect([c.order_units, c.constraint]).toEqual(["0.0", "none"]);
    expect(a.abc_xyz[0] + b.abc_xyz[0] + c.abc_xyz[0]).toBe("AAC");
    expect(result.spend).toBe(2 * Number(a.order_units) + 10 * Number(b.order_units));
    expect(result.expected_cost).toBeLessThan(result.cost_without_orders);
    expect(result.cost_interval[0]).toBeLessThan(result.expected_cost);
  });

  test("the same call, the same bytes", async () => {
    await decide("--param", "lead_time=4");
    const first = readFileSync(at("orders.csv"));
    await decide("--param", "lead_time=4", "--threads", "1");
    expect(readFileSync(at("orders.csv"))).toEqual(first);
  });

  test("a budget is kept and named", async () => {
    const { json } = await decide("--param", "lead_time=4", "--param", "unit_cost=1", "--budget", "200");
    const result = json<Json>();
    expect(result.spend).toBeLessThanOrEqual(200);
    expect(result.spend).toBeGreaterThan(100);
    expect(result.bound.budget).toBeGreaterThan(0);
  });

  test("order days: the order waits for its day and must last until the next", async () => {
    // 2024-03-01 is a Friday.
    await decide("--param", "lead_time=4", "--order-days", "1", "--service", "0.9");
    const [a] = orders();
    expect([a.order_on, Number(a.demand)]).toEqual(["2024-03-04", expect.closeTo(10 * (3 + 4 + 7), 9)]);
  });

  test("a lead time of 0: what is ordered is there for the demand of its day", async () => {
    await decide("--param", "lead_time=0", "--service", "0.95", "--policy", "base-stock");
    const [, , c] = orders();
    expect(c.order_units).toBe("0.0");
    writeFileSync(at("now.csv"), "sku,on_hand,lead_time\na,0,0\nb,0,0\nc,0,0\n");
    const ran = await runCli([
      ...[
        "decide",
        "inventory",
        at("forecast.csv"),
        at("now.csv"),
        "-o",
        at("orders.csv"),
        "--service",
        "0.95",
      ],
    ]);
    expect(ran.code, ran.stderr).toBe(0);
    const [a] = orders();
    expect(Number(a.demand)).toBeCloseTo(10, 9);
    expect(Number(a.service)).toBeGreaterThan(0);
  });

  test("perishables are held down to what can be sold", async () => {
    await decide("--param", "lead_time=4", "--param", "shelf_life=2", "--service", "0.999");
    const [a] = orders();
    expect(a.constraint).toMatch(/shelf_life|pack_size/);
    expect(Number(a.order_up_to)).toBeLessThan(75);
  });

  test("a series that ended early is told of, months as text are in their order, and today is that of the others", async () => {
    const months = ["Nov 2023", "Dec 2023", "Jan 2024", "Feb 2024"];
    const rows = [
      ...months.slice(0, 3).map((month, i) => `old,${month},ses,${i},${i},${i}`),
      ...months
        .slice(1)
        .map((month, i) => `new,${month},ses,${[9, 0, 0][i]},${[9, 0, 0][i]},${[9, 0, 0][i]}`),
    ];
    writeFileSync(at("months.csv"), `sku,month,model,mean,lo_95,hi_95\n${rows.join("\n")}\n`);
    const done = await runCli([
      ...["decide", "inventory", at("months.csv"), "-o", at("orders.csv"), "--json"],
      ...["--param", "lead_time=0", "--service", "0.9"],
    ]);
    expect(JSON.parse(done.stdout)).toMatchObject({ early: 1, products: 2 });
    expect(orders()).toMatchObject([
      { sku: "new", order_on: "Dec 2023", demand: "9.0" },
      { sku: "old", order_on: "Dec 2023", demand: "0.0" },
    ]);
  });

  test.each<[string, string[], number, string]>([
    [
      "an unknown topic",
      ["decide", "inventry", at("forecast.csv"), "-o", at("o.csv")],
      2,
      "shopai decide inventory",
    ],
    [
      "no lead time",
      ["decide", "inventory", at("forecast.csv"), "-o", at("o.csv")],
      3,
      "3 of 3 products have no lead time: a, b, c",
    ],
    [
      "a lead time beyond the forecast",
      ["decide", "inventory", at("forecast.csv"), "-o", at("o.csv"), "--param", "lead_time=30"],
      3,
      "shopai forecast --horizon 31",
    ],
    [
      "an unknown attribute",
      ["decide", "inventory", at("forecast.csv"), "-o", at("o.csv"), "--param", "lead_tim=3"],
      2,
      "--param lead_time=3",
    ],
    [
      "a table that is no forecast",
      ["decide", "inventory", at("stock.csv"), "-o", at("o.csv")],
      3,
      "no table of forecasts",
    ],
    [
      "negative stock",
      ["decide", "inventory", at("forecast.csv"), at("negative.csv"), "-o", at("o.csv")],
      3,
      "1 values of on_hand are below 0",
    ],
    [
      "a product twice",
      ["decide", "inventory", at("forecast.csv"), at("twice.csv"), "-o", at("o.csv")],
      3,
      "a (2 rows)",
    ],
    [
      "stock without the series",
      ["decide", "inventory", at("forecast.csv"), at("other.csv"), "-o", at("o.csv")],
      3,
      'column "sku" is not in the table',
    ],
    [
      "a budget without costs",
      [
        "decide",
        "inventory",
        at("forecast.csv"),
        "-o",
        at("o.csv"),
        "--param",
        "lead_time=3",
        "--budget",
        "1",
      ],
      3,
      "a budget needs the unit_cost",
    ],
    [
      "two goals",
      [
        "decide",
        "inventory",
        at("forecast.csv"),
        "-o",
        at("o.csv"),
        "--service",
        "0.9",
        "--fill-rate",
        "0.9",
      ],
      2,
      "two goals",
    ],
    [
      "two models",
      ["decide", "inventory", at("two.csv"), "-o", at("o.csv"), "--param", "lead_time=3"],
      2,
      "--model naive",
    ],
  ])("refuses %s", async (_, words, code, text) => {
    writeFileSync(at("negative.csv"), "sku,on_hand,lead_time\na,-3,2\n");
    writeFileSync(at("twice.csv"), "sku,on_hand,lead_time\na,3,2\na,4,2\n");
    writeFileSync(at("other.csv"), "item,on_hand,lead_time\na,3,2\n");
    writeFileSync(at("two.csv"), `${forecastCsv()}\na,2024-03-01,naive,1,0,2`);
    const ran = await runCli(words);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(text)]);
    expect(ran.stderr).toContain("  try ");
  });
});

const steady = (mean: number, deviation: number, periods: number): Product["demand"] => ({
  means: new Float64Array(periods).fill(mean),
  deviations: new Float64Array(periods).fill(deviation),
});

test("errors that carry on make a window less certain than independent ones, and less than all of one", () => {
  const demand = {
    means: new Float64Array(12).fill(5),
    deviations: Float64Array.from({ length: 12 }, (_, h) => 2 * Math.sqrt(1 + 0.25 * h)),
  };
  // ARIMA(0,1,1) with α = 0.5: Var of the sum of n = Σ_k (1 + (n - k) α)² σ².
  const exact = Array.from({ length: 6 }, (_, k) => (1 + (5 - k) * 0.5) ** 2).reduce(
    (sum, term) => sum + 4 * term,
    0,
  );
  expect(windowDemand(demand, 0, 6).deviation).toBeCloseTo(Math.sqrt(exact), 9);
});

test("one period without a lead time costs what the newsvendor says", () => {
  const product: Product = {
    demand: steady(8, 4, 1),
    ...{ leadTime: 0, leadTimeDeviation: 0, wait: 0, review: 1 },
    ...{ holding: 1, penalty: 4, orderCost: 0, unitCost: 1, shelfLife: Infinity },
  };
  const policy = stockPolicy("base-stock", product, { kind: "cost" });
  const order = due(policy, 0, 1, "base-stock");
  const outcome = simulate(
    "base-stock",
    product,
    policy,
    { onHand: 0, onOrder: 0, backorders: 0, packSize: 1, order },
    20_000,
    seededRng(1),
  );
  const mean = outcome.costs.reduce((sum, cost) => sum + cost, 0) / 20_000;
  expect(mean).toBeCloseTo(newsvendorCost(countDemand(8, 4), { holding: 1, penalty: 4 }, order), 0);
  expect(1 - outcome.stockOut).toBeCloseTo(countDemand(8, 4).cdf(order), 1);
});

test("what is shared out is within the limit and no worse than any other sharing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ mean: fc.integer({ min: 1, max: 6 }), cost: fc.integer({ min: 1, max: 5 }) }), {
        minLength: 2,
        maxLength: 3,
      }),
      fc.integer({ min: 3, max: 30 }),
      async (products, budget) => {
        const claims = products.map(({ mean, cost }): Claim => ({
          window: countDemand(mean, Math.sqrt(mean)),
          costs: { holding: 0.1 * cost, penalty: 3 * cost },
          ...{ position: 0, order: 8, minOrder: 0, packSize: 1, orderCost: 0, unitCost: cost, volume: 1 },
        }));
        const costOf = (units: ArrayLike<number>): number =>
          claims.reduce((sum, { window, costs }, i) => sum + newsvendorCost(window, costs, units[i]), 0);
        const found = await allocate(claims, { budget });
        const spent = (units: ArrayLike<number>): number =>
          products.reduce((sum, { cost }, i) => sum + cost * units[i], 0);
        expect(spent(found)).toBeLessThanOrEqual(budget + 1e-6);
        let best = Infinity;
        const all = (units: number[]): void => {
          if (units.length === products.length) {
            if (spent(units) <= budget) best = Math.min(best, costOf(units));
          } else for (let n = 0; n <= 8; n++) all([...units, n]);
        };
        all([]);
        // Whole packs are cut down from the programme's fractions: at most a unit of each product.
        const slack = products.reduce((sum, { cost }) => sum + 3 * cost, 0);
        expect(costOf(found)).toBeLessThanOrEqual(best + slack);
      },
    ),
    { numRuns: 25 },
  );
});

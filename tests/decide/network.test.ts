import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  economicQuantity,
  paidFor,
  raisedToBreak,
  type PriceList,
} from "../../src/decide/inventory/discounts.js";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const table = (name: string): Record<string, string>[] => {
  const [head, ...rows] = readFileSync(at(name), "utf8").trim().split("\n");
  return rows.map((row) => Object.fromEntries(row.split(",").map((cell, i) => [head.split(",")[i], cell])));
};
const inventory = (...words: string[]) => runCli(["decide", "inventory", ...words, "--json"]);

describe("places that deliver to each other", () => {
  test("a chain with guaranteed service: the published optimum of Snyder & Shen, example 6.3", async () => {
    const file = write(
      "chain.csv",
      "node,to,time,holding_cost,supplier_time,customer_time,demand_sd,demand_mean\nplant,depot,1,2,1,,,\ndepot,shop,0,4,,,,\nshop,,1,7,,1,1,10\n",
    );
    const done = await inventory(
      "--network",
      file,
      "--service",
      "0.8413447460685429",
      "-o",
      at("levels.csv"),
    );
    expect([done.code, done.stderr]).toEqual([0, expect.not.stringContaining("error")]);
    // The bound of one deviation.
    expect(done.json()).toMatchObject({ nodes: 3, cost: expect.closeTo(2.8284271247, 9) });
    const [plant, depot, shop] = table("levels.csv");
    expect([plant.node, depot.node, shop.node]).toEqual(["plant", "depot", "shop"]);
    expect(Number(plant.safety_stock)).toBeCloseTo(Math.SQRT2, 9);
    expect(Number(plant.order_up_to)).toBeCloseTo(10 * 2 + Math.SQRT2, 9);
    expect([Number(shop.safety_stock), Number(shop.service_time)]).toEqual([0, 1]);
  });

  test("a chain of echelon base stock: Clark & Scarf's optimum of stockpyl's example", async () => {
    // Local holding costs: each stage adds 2, 2, 3.
    const file = write(
      "serial.csv",
      "node,to,time,holding_cost,stockout_cost,demand_mean,demand_sd\nplant,depot,2,2,,,\ndepot,shop,1,4,,,\nshop,,1,7,37.12,5,1\n",
    );
    const done = await inventory("--network", file, "--network-model", "serial", "-o", at("levels.csv"));
    expect(done.json()).toMatchObject({
      nodes: 3,
      cost: expect.closeTo(47.6686531271, 1),
      safety_stock: null,
    });
    const levels = table("levels.csv").map(({ echelon_level: level }) => Number(level));
    [22.7002, 12.0123, 6.5144].forEach((level, i) => expect(Math.abs(levels[i] - level)).toBeLessThan(0.03));
    const [plant] = table("levels.csv");
    expect(Number(plant.order_up_to)).toBeCloseTo(levels[0] - levels[1], 9);
  });

  test("demand is that of the forecast; networks that are none are refused", async () => {
    const forecast = write(
      "shops.csv",
      `shop,day,model,mean,lo_95,hi_95\n${["s1", "s2"].flatMap((s) => [1, 2, 3].map((d) => `${s},2024-03-0${d},ses,10,${10 - 1.959964 * 2},${10 + 1.959964 * 2}`)).join("\n")}\n`,
    );
    const good = write("tree.csv", "node,to,time,holding_cost\ndepot,s1|s2,4,1\ns1,,1,2\ns2,,1,2\n");
    const done = await inventory(forecast, "--network", good, "-o", at("levels.csv"));
    expect(done.code, done.stderr).toBe(0);
    const [depot] = table("levels.csv");
    expect([Number(depot.demand_mean), Number(depot.demand_sd)]).toEqual([
      20,
      expect.closeTo(Math.sqrt(8), 5),
    ]);
    for (const [rows, options, message] of [
      ["node,to,time,holding_cost\na,b,1,1\n", [], /a delivers to b, which has no row/],
      ["node,to,time,holding_cost\na,b,1,1\nb,a,1,1\n", [], /do not make one tree/],
      ["node,to,time,holding_cost\na,,1.5,1\n", [], /time of a must be whole periods/],
      ["node,to,time\na,,1\n", [], /holding_cost/],
      ["node,to,time,holding_cost\na,c,1,1\nb,c,1,1\nc,,1,2\n", ["--network-model", "serial"], /one chain/],
    ] as const) {
      const refused = await inventory(
        "--network",
        write("bad.csv", rows),
        ...options,
        "-o",
        at("bad.out.csv"),
      );
      expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(message)]);
    }
  }, 60_000);
});

describe("discounts", () => {
  const all: PriceList = { kind: "all-units", breaks: [0, 200, 500], costs: [500, 475, 450] };
  const beyond: PriceList = { kind: "incremental", breaks: [0, 300, 600], costs: [100, 90, 80] };

  test("what is paid, and Snyder & Shen's examples 3.4 and 3.5 in periods", () => {
    expect(paidFor(100, all)).toBe(50_000);
    expect(paidFor(200, all)).toBe(95_000);
    expect(paidFor(700, beyond)).toBe(300 * 100 + 300 * 90 + 100 * 80);
    expect(economicQuantity(all, 200, 1000, 0.2)).toBe(500);
    expect(economicQuantity(beyond, 150, 2400, 0.25)).toBeCloseTo(1481.8906842274, 8);
  });

  test("an order just short of a break is raised to it, one far from it is not", () => {
    // Ten units more save 25 on each of 200, less a month of a year's fifth on them.
    expect(raisedToBreak(190, all, 300 / 365, 0.2 / 365)).toBe(200);
    expect(raisedToBreak(20, all, 1 / 365, 0.2 / 365)).toBe(20);
    expect(raisedToBreak(0, all, 3, 0.001)).toBe(0);
    expect(raisedToBreak(290, beyond, 10, 0.001)).toBe(600);
    expect(raisedToBreak(590, beyond, 1, 0.01)).toBe(590);
  });
});

test("orders at discounts, on the forecast's own paths", async () => {
  const days = Array.from({ length: 60 }, (_, i) =>
    new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10),
  );
  const sales = write(
    "sales.csv",
    `sku,day,units\n${["a", "b"].flatMap((sku) => days.map((day, i) => `${sku},${day},${6 + ((i * 7) % 5)}`)).join("\n")}\n`,
  );
  const forecast = await runCli([
    ...["forecast", sales, "-o", at("f.csv"), "--series", "sku", "--time", "day", "--value", "units"],
    ...["--horizon", "14", "--model", "ses", "--paths", "30", "--paths-out", at("paths.csv"), "--quiet"],
  ]);
  expect(forecast.code, forecast.stderr).toBe(0);
  const prices = write("prices.csv", "sku,from_units,unit_cost\na,0,5\na,90,4\n");
  const base = [at("f.csv"), "-o", at("orders.csv"), "--service", "0.95"];
  const params = ["--param", "lead_time=7", "--param", "price=9", "--param", "unit_cost=5"];
  const done = await inventory(...base, ...params, "--discounts", prices, "--demand-paths", at("paths.csv"));
  expect(done.code, done.stderr).toBe(0);
  const [a, b] = table("orders.csv");
  expect([a.constraint, Number(a.order_units), Number(a.order_value)]).toEqual(["discount", 90, 360]);
  expect(Number(b.order_value)).toBe(5 * Number(b.order_units));
  // Thirty paths: shares of them.
  expect((30 * Number(b.service)) % 1).toBeCloseTo(0, 9);
  const bad = await inventory(
    ...base,
    ...params,
    "--discounts",
    write("up.csv", "sku,from_units,unit_cost\na,0,5\na,9,6\n"),
  );
  expect([bad.code, bad.stderr]).toEqual([
    3,
    expect.stringContaining("prices must begin at 0 units and fall"),
  ]);
  const short = readFileSync(at("paths.csv"), "utf8").trim().split("\n").slice(0, -1).join("\n");
  const lost = await inventory(...base, ...params, "--demand-paths", write("short.csv", `${short}\n`));
  expect([lost.code, lost.stderr]).toEqual([3, expect.stringContaining("the paths are not 14 periods")]);
}, 60_000);

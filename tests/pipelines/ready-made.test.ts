import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { shipped, statuses } from "./shipped.js";

const once = ["--threads", "1"];

test(
  "nightly-recommend: lists of ten by the champion, and then nothing to do",
  { timeout: 60_000 },
  async () => {
    const it = shipped("nightly-recommend", { shop: true });
    expect(statuses(await it.states(...once))).toEqual(["ran"]);
    expect(it.result<{ rows: number }>("recommendations").rows).toBeGreaterThan(100 * 10);
    expect(it.result<object>("promote")).toMatchObject({ version: 1, champion: 1, promoted: true });
    expect(it.file("work/nightly-recommend/gates.xml")).toContain('failures="0"');
    expect(statuses(await it.states(...once, "--frozen"))).toEqual(["fresh"]);
  },
);

test("demand-stock: an order for every product, less what is in stock", { timeout: 60_000 }, async () => {
  const it = shipped("demand-stock", { shop: true });
  expect(statuses(await it.states(...once))).toEqual(["ran"]);
  const orders = (): Record<string, number> => {
    const [head, ...lines] = it.file("work/demand-stock/buy.csv").trim().split("\n");
    const at = head.split(",").indexOf("order_units");
    return Object.fromEntries(lines.map((line) => [line.split(",")[0], Number(line.split(",")[at])]));
  };
  const before = orders();
  expect(Object.keys(before)).toHaveLength(40);
  expect(Math.max(...Object.values(before))).toBeGreaterThan(0);
  const [most] = Object.entries(before).sort(([, a], [, b]) => b - a)[0];
  const stock = join(it.folder, "stock.csv");
  writeFileSync(stock, `product_id,price,cost,on_hand\n${most},10,5,10000\n`);
  const contract = it
    .file("pipelines/contracts/shop-stock.yaml")
    .replace("  cost:", "  on_hand: { type: integer }\n  cost:");
  writeFileSync(join(it.folder, "stock.yaml"), contract);
  const again = await it.states(
    ...once,
    "--param",
    "stock=stock.csv",
    "--param",
    "stock-contract=stock.yaml",
  );
  expect(again).toMatchObject({ orders: "fresh", forecast: "fresh", stock: "ran", buy: "ran" });
  expect(orders()[most]).toBe(0);
});

test(
  "conversion: drift and gates are measured, the champion scores; a refused model does not stop the night",
  { timeout: 60_000 },
  async () => {
    const it = shipped("conversion", { shop: true });
    expect(statuses(await it.states(...once))).toEqual(["ran"]);
    expect(it.result<{ metrics: Record<string, number> }>("metrics").metrics.auc).toBeGreaterThan(0.7);
    expect(it.result<{ metrics: Record<string, number> }>("drift").metrics.psi).toBeLessThan(0.5);
    // Half of the columns: a worse model, which the rules refuse; the scores are still the champion's.
    const yaml = join(it.folder, "pipelines/conversion.yaml");
    const worse = '"-started_at", "-product_views", "-pages", "-seconds"]';
    writeFileSync(yaml, readFileSync(yaml, "utf8").replace('"-started_at"]', worse));
    const again = await it.states(...once, "--param", "least-auc=0.5");
    expect(again).toMatchObject({ model: "ran", promote: "ran", scores: "fresh" });
    expect(it.result<object>("promote")).toMatchObject({ version: 2, champion: 1, promoted: false });
    const shown = await runCli(["models", "show", "conversion"], { cwd: it.folder });
    expect(shown.stdout).toMatch(/refuse +2 +1 → 1 +.*auc gains/);
  },
);

test("churn: today's customers get a score, and only they", { timeout: 60_000 }, async () => {
  const it = shipped("churn", { shop: true });
  expect(statuses(await it.states(...once))).toEqual(["ran"]);
  const rows = it.result<{ rows: number }>("scores").rows;
  expect(rows).toBeGreaterThan(50);
  expect(rows).toBeLessThanOrEqual(200);
  expect(it.result<{ metrics: Record<string, number> }>("metrics").metrics.auc).toBeGreaterThan(0.55);
});

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const dayText = (i: number): string => new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10);
let files = 0;
function csv(head: string, rows: readonly string[]): string {
  const path = join(folder, `in${files++}.csv`);
  writeFileSync(path, `${head}\n${rows.join("\n")}\n`);
  return path;
}
function table(path: string): Record<string, string>[] {
  const [head, ...lines] = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) =>
    Object.fromEntries(line.split(",").map((value, i) => [head.split(",")[i], value])),
  );
}
/** Runs a forecast with time `day` and value `units`; gives the outcome and the rows written. */
async function forecast(file: string, ...options: string[]) {
  const out = join(folder, `out${files++}.csv`);
  const done = await runCli([
    "forecast",
    file,
    "-o",
    out,
    "--time",
    "day",
    "--value",
    "units",
    "--json",
    ...options,
  ]);
  return { done, rows: done.code === 0 ? table(out) : [], out };
}

test("regressors known ahead are used, and must be there for the future", async () => {
  const promo = (i: number): number => ((i * 7919) % 13 < 3 ? 1 : 0);
  const rows = (ahead: number) =>
    Array.from(
      { length: 120 + ahead },
      (_, i) => `${dayText(i)},${i < 120 ? (20 + (i % 7)) * (1 + promo(i)) : ""},${promo(i)}`,
    );
  const file = csv("day,units,promo", rows(10));
  const plain = ["--horizon", "10", "--model", "dynamic-theta,arima", "--freq", "D"];
  const { done, rows: found } = await forecast(file, ...plain, "--regressors", "promo");
  expect(done.stderr).not.toMatch(/error/);
  expect(done.json()).toMatchObject({ regressors: ["promo"], filled: { tail: 0, missing: 0 } });
  for (const model of ["dynamic-theta", "arima"])
    found
      .filter((row) => row.model === model)
      .forEach((row, h) => {
        const truth = (20 + ((120 + h) % 7)) * (1 + promo(120 + h));
        expect(Math.abs(Number(row.mean) / truth - 1), `${model} ${row.day}`).toBeLessThan(0.25);
      });
  const short = await forecast(csv("day,units,promo", rows(9)), ...plain, "--regressors", "promo");
  expect(short.done.code).toBe(3);
  expect(short.done.stderr).toMatch(/promo lacks values of the next 10 days in 1 of 1 series/);
}, 60_000);

test("holidays, stock-outs, transforms, quantiles and paths", async () => {
  const rows = Array.from(
    { length: 140 },
    (_, i) => `${dayText(i)},${i % 20 === 3 ? 0 : 30 + (i % 7)},${i % 20 === 3 ? 0 : 9}`,
  );
  const file = csv("day,units,stock", rows);
  const paths = join(folder, "paths.csv");
  const { done, rows: found } = await forecast(
    file,
    ...[
      "--horizon",
      "3",
      "--model",
      "ets",
      "--holidays",
      "US",
      "--censored-by",
      "stock",
      "--transform",
      "box-cox",
    ],
    ...["--level", "80", "--quantiles", "0.5,0.9,0.1", "--paths", "40", "--paths-out", paths],
  );
  expect(done.code).toBe(0);
  expect(done.json<{ regressors: string[]; filled: object }>().regressors).toContain("memorial day");
  // Seven days without stock are unknown, so no zero is left.
  expect(done.json()).toMatchObject({ filled: { missing: 7 } });
  expect(Object.keys(found[0])).toEqual([
    "day",
    "model",
    "mean",
    "lo_80",
    "hi_80",
    "q_0.1",
    "q_0.5",
    "q_0.9",
  ]);
  for (const row of found) {
    expect(Number(row.mean)).toBeGreaterThan(28);
    expect(Number(row["q_0.1"])).toBeLessThanOrEqual(Number(row["q_0.5"]));
    expect(Number(row["q_0.5"])).toBeLessThanOrEqual(Number(row["q_0.9"]));
  }
  const futures = table(paths);
  expect(futures).toHaveLength(40 * 3);
  expect(Object.keys(futures[0])).toEqual(["day", "model", "path", "value"]);
  expect(futures.map((row) => row.path).slice(0, 4)).toEqual(["1", "1", "1", "2"]);
}, 60_000);

test("a hierarchy adds up, with metrics by level, and refuses holes", async () => {
  const rows = ["n", "s"].flatMap((region) =>
    ["1", "2"].flatMap((store) =>
      Array.from(
        { length: 60 },
        (_, i) => `${region},${region}${store},${dayText(i)},${Number(store) * 5 + ((i * 31) % 7)}`,
      ),
    ),
  );
  const options = ["--hierarchy", "region/store", "--horizon", "4", "--model", "ses", "--by", "level"];
  const { done, rows: found } = await forecast(csv("region,store,day,units", rows), ...options);
  expect(done.code).toBe(0);
  expect(done.json()).toMatchObject({ series: 7 });
  expect(Object.keys(done.json<{ slices: object }>().slices)).toEqual(["total", "region", "store"]);
  expect(found).toHaveLength(7 * 4);
  for (const total of found.filter((row) => row.region === "")) {
    const sum = (level: (row: Record<string, string>) => boolean) =>
      found
        .filter((row) => row.day === total.day && level(row))
        .reduce((all, row) => all + Number(row.mean), 0);
    expect(Math.abs(sum((row) => row.store !== "") - Number(total.mean))).toBeLessThan(1e-9);
    expect(Math.abs(sum((row) => row.region !== "" && row.store === "") - Number(total.mean))).toBeLessThan(
      1e-9,
    );
  }
  const crossed = ["--hierarchy", "region,store", "--horizon", "4", "--model", "ses", "--by", "level"];
  const twoWays = rows.map((line) => line.replace(/,[ns]/, ",all"));
  const both = await forecast(csv("region,store,day,units", twoWays), ...crossed);
  expect(both.done.json()).toMatchObject({ series: 9 });
  expect(Object.keys(both.done.json<{ slices: object }>().slices)).toEqual([
    "total",
    "store",
    "region",
    "region*store",
  ]);
  const [first] = both.rows;
  const ofDay = both.rows.filter((row) => row.day === first.day);
  const total = (among: (row: Record<string, string>) => boolean) =>
    ofDay.filter(among).reduce((all, row) => all + Number(row.mean), 0);
  const everything = total((row) => row.region === "" && row.store === "");
  for (const part of [
    total((row) => row.region !== "" && row.store === ""),
    total((row) => row.region === "" && row.store !== ""),
    total((row) => row.region !== "" && row.store !== ""),
  ])
    expect(Math.abs(part - everything)).toBeLessThan(1e-9 * everything);
  const down = await forecast(csv("region,store,day,units", twoWays), ...crossed, "--reconcile", "top-down");
  expect([down.done.code, down.done.stderr]).toEqual([
    2,
    expect.stringMatching(/no one way down[\s\S]*mint/),
  ]);
  const holed = await forecast(csv("region,store,day,units", [...rows, `,x,${dayText(0)},1`]), ...options);
  expect(holed.done.code).toBe(3);
  expect(holed.done.stderr).toMatch(/region of the hierarchy has empty values/);
}, 60_000);

test.each([
  ["a horizon of 0", ["--horizon", "0"], 2, /--horizon must be an integer from 1/],
  ["a parameter of no model", ["--horizon", "3", "--param", "alfa=1"], 2, /has a parameter "alfa"/],
  ["an unknown calendar", ["--horizon", "3", "--holidays", "XX"], 2, /no holiday calendar "XX"/],
  [
    "a regressor that is not there",
    ["--horizon", "3", "--regressors", "price"],
    3,
    /column "price" is not in the table/,
  ],
  ["a slice by no series column", ["--horizon", "3", "--by", "shop"], 2, /--by shop is no series column/],
  ["a hierarchy of nothing", ["--horizon", "3", "--hierarchy", "/"], 2, /--hierarchy names no column/],
  [
    "series beside a hierarchy",
    ["--horizon", "3", "--hierarchy", "sku", "--series", "sku"],
    2,
    /--hierarchy names the series/,
  ],
  [
    "a season of 1.5",
    ["--horizon", "3", "--season", "1.5"],
    2,
    /a season is a whole number of periods, got 1.5/,
  ],
])("%s is refused", async (_, options, code, message) => {
  const file = csv(
    "sku,day,units",
    Array.from({ length: 20 }, (_v, i) => `a,${dayText(i)},${i}`),
  );
  const { done } = await forecast(file, ...options);
  expect(done.stderr).toMatch(message);
  expect(done.code).toBe(code);
});

test("odd input has an answer: unsorted and repeated dates, a horizon beyond the history, one value, NaN", async () => {
  const file = csv("sku,day,units", [
    ...[3, 1, 2, 0, 2].map((i) => `a,${dayText(i)},${i + 1}`),
    `one,${dayText(3)},5`,
    ...[0, 1, 2, 3].map((i) => `odd,${dayText(i)},${i === 1 ? "NaN" : 4}`),
  ]);
  const { done, rows } = await forecast(file, "--series", "sku", "--horizon", "30", "--freq", "D");
  expect(done.code).toBe(0);
  expect(rows).toHaveLength(3 * 30);
  expect(rows.every((row) => Number.isFinite(Number(row.mean)))).toBe(true);
  expect(rows.filter((row) => row.sku === "one").every((row) => Math.abs(Number(row.mean) - 5) < 1e-9)).toBe(
    true,
  );
  expect(rows.filter((row) => row.sku === "odd").every((row) => Math.abs(Number(row.mean) - 4) < 1e-9)).toBe(
    true,
  );
});

test("dates of two formats are texts, and refused as such", async () => {
  const { done } = await forecast(csv("day,units", ["2024-01-01,1", "02/01/2024,2"]), "--horizon", "3");
  expect(done.code).toBe(3);
  expect(done.stderr).toMatch(/day are text, and \d+ of \d+ are no dates/);
});

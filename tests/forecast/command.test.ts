import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const demand = join(folder, "demand.csv");
const rows = Array.from({ length: 56 }, (_, i) => {
  const day = new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10);
  return `a,${day},${10 + (i % 7)}\nb,${day},${i % 2}`;
});
writeFileSync(demand, `sku,day,units\n${rows.join("\n")}\n`);
const columns = ["--series", "sku", "--time", "day", "--value", "units"];

test("forecast writes a long table and says what it did", async () => {
  const out = join(folder, "f.csv");
  const done = await runCli([
    ...["forecast", demand, "-o", out, ...columns, "--horizon", "7", "--model", "seasonal-naive,ses"],
    ...["--level", "95,80", "--json"],
  ]);
  expect(done.stderr).not.toMatch(/error|warning/);
  expect(done.code).toBe(0);
  const result = done.json<Record<string, unknown>>();
  expect(result).toMatchObject({
    out,
    horizon: 7,
    levels: [80, 95],
    rows: 28,
    series: 2,
    freq: "D",
    season: 7,
    filled: { rule: "zero", gaps: 0, tail: 0, missing: 0 },
    backtest: { origins: 4, windows: 8, series: 2 },
  });
  expect(Object.keys((result.metrics as Record<string, object>).ses)).toEqual(
    expect.arrayContaining(["smape", "mase", "rmsse", "wape", "bias", "coverage_80", "coverage_95"]),
  );
  const lines = readFileSync(out, "utf8").trim().split("\n");
  expect(lines[0]).toBe("sku,day,model,mean,lo_80,hi_80,lo_95,hi_95");
  expect(lines).toHaveLength(29);
  expect(lines[1]).toMatch(/^a,2024-02-26,seasonal-naive,10\.0,/);
});

test.each([
  ["an unknown model", ["--model", "seasonal"], 2, /"seasonal" is not a forecasting model/],
  ["a column that is not there", ["--value", "unit"], 3, /column "unit" is not in the table/],
])("%s is refused without an output", async (_, more, code, message) => {
  const out = join(folder, "refused.csv");
  const done = await runCli(["forecast", demand, "-o", out, ...columns, "--horizon", "7", ...more]);
  expect(done.code).toBe(code);
  expect(done.stderr).toMatch(message);
  expect(existsSync(out)).toBe(false);
});

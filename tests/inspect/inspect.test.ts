import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { runCli } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();
const raw = join(folder, "orders.csv");
const table = join(folder, "orders.parquet");
const model = join(folder, "model");

beforeAll(async () => {
  const rows = Array.from(
    { length: 30 },
    (_, i) => `${i % 6},i${i % 5},${i % 10 === 0 ? "" : i / 2},day ${i}`,
  );
  writeFileSync(raw, `user,item,price,note\n${rows.join("\n")}\n`);
  await runCli(["clean", raw, "-o", table, "--quiet"]);
  await runCli(["train", "popularity", table, "--user", "user", "--item", "item", "-o", model, "--quiet"]);
});

test("a table: rows, profile, provenance and the first rows, for people and for programs", async () => {
  const { json } = await runCli(["inspect", table, "--head", "2", "--json"]);
  const found = json<{ provenance: { inputs: { path: string }[] }[] }>();
  expect(found).toMatchObject({
    name: table,
    rows: 30,
    columns: [
      { name: "user", kind: "integer", nulls: 0, distinct: 6, quantiles: { p50: 2.5 } },
      { name: "item", kind: "text", top: expect.arrayContaining([{ value: "i0", count: 6 }]) },
      { name: "price", nulls: 3 },
      { name: "note", distinct: 30, distinct_exact: true },
    ],
    provenance: [{ path: table, command: "clean", seed: 42, inputs: [{ path: raw }] }],
    head: [{ user: 0, item: "i0", price: null }, { user: 1 }],
  });
  const shown = await runCli(["inspect", table, "--head", "2"]);
  expect(shown.stdout).toContain(`${table}: 30 rows, 4 columns\n`);
  expect(shown.stdout).toMatch(/\n {2}price\s+\S+\s+10%\s+27/);
  expect(shown.stdout).toContain("all different");
  expect(shown.stdout).toContain("made by shopai");
  expect(shown.stdout).toContain("\nfirst 2 rows\n");
});

test("stdin is a table like any other", async () => {
  const { json, code } = await runCli(["inspect", "-", "--format", "csv", "--json"], {
    input: "a,b\n1,x\n2,y\n",
  });
  expect(code).toBe(0);
  expect(json()).toMatchObject({
    rows: 2,
    columns: [{ name: "a", mean: 1.5 }, { name: "b" }],
    provenance: [],
  });
});

test("a model shows its card; options of tables are refused", async () => {
  const { json } = await runCli(["inspect", model, "--json"]);
  expect(json()).toMatchObject({
    model: { learner: "popularity", rows: 30, roles: { user: "user", item: "item" } },
  });
  const refused = await runCli(["inspect", model, "--head", "3"]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("--head is for tables, and this is a model");
});

test("bars are ASCII where the locale is not UTF-8", async () => {
  const env = { LC_ALL: "C" };
  const { stdout } = await runCli(["inspect", table, "--quiet"], { env });
  expect(stdout).not.toMatch(/[▁-█]/);
  expect(stdout).toMatch(/#/);
});

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root, runCli } from "../support/run-cli.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { openTable } from "../../src/table/open.js";
import { rowsOf } from "./cleaning.js";

const folder = temporaryFolder();
const run = testRun();
const at = (name: string): string => join(folder, name);
const file = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};

const retail = sharedData("online-retail-raw/by-day");
// Needs the public data set beside the project.
test.skipIf(!retail)("online-retail-raw gives the counts of its README", async () => {
  const out = at("retail.parquet");
  const contract = join(root, "pipelines/contracts/online-retail.yaml");
  const { code, json } = await runCli(["clean", retail!, "--contract", contract, "-o", out, "--json"]);
  expect(code).toBe(0);
  expect(json()).toMatchObject({
    rows_in: 77_628,
    rows_out: 76_881,
    rejected: 0,
    duplicates: 747,
    by_rule: {
      "customer.required": 28_866,
      "quantity.min": 1_595,
      "invoice.pattern": 1_429,
      "price_gbp.above": 413,
      "description.required": 239,
      "duplicate(exact)": 747,
    },
  });
  const table = await openTable(await run.engine(), [out]);
  expect(Object.fromEntries(table.schema.map(({ name, type }) => [name, type]))).toMatchObject({
    customer: "BIGINT",
    price_gbp: "DECIMAL(12,2)",
    ordered_at: "TIMESTAMP",
    amount_gbp: "DECIMAL(18,2)",
    _flags: "VARCHAR",
  });
});

const shoppers = sharedData("online-shoppers/online_shoppers_intention.csv");
test.skipIf(!shoppers)("online-shoppers passes its contract, semicolons found out", async () => {
  const contract = join(root, "pipelines/contracts/online-shoppers.yaml");
  const { json } = await runCli([
    "clean",
    shoppers!,
    "--contract",
    contract,
    "-o",
    at("shoppers.parquet"),
    "--json",
  ]);
  expect(json()).toMatchObject({ rows_in: 12_330, rows_out: 12_330, by_rule: {} });
});

describe("what was refused", () => {
  const input = file("orders.csv", "id,n\na,1\nb,two\nc\nd,4\n");
  const contract = file("orders.yaml", "columns: { id: { type: text }, n: { type: integer } }\n");

  test("goes to the rejects, and the output says where it came from", async () => {
    const { code, stderr, stdout } = await runCli([
      "clean",
      input,
      "--contract",
      contract,
      "-o",
      at("o.parquet"),
      "--rejects",
      at("r.csv"),
    ]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("warning")]);
    expect(stdout).toMatch(/rows in +4\n.*rows out +2\n.*rejected +2/);
    expect(readFileSync(at("r.csv"), "utf8")).toBe(
      `id,n,_reason,_source,_line,_raw\nb,two,n.type,${input},3,\n,,1 field where the header has 2,${input},4,c\n`,
    );
    expect(await rowsOf(await openTable(await run.engine(), [at("o.parquet")]))).toEqual([
      { id: "a", n: 1n },
      { id: "d", n: 4n },
    ]);
  });

  test("is counted and warned of without --rejects", async () => {
    const { code, stderr } = await runCli(["clean", input, "--contract", contract, "-o", at("w.csv")]);
    expect([code, readFileSync(at("w.csv"), "utf8")]).toEqual([0, "id,n\na,1\nd,4\n"]);
    expect(stderr).toContain("warning: 2 rows were refused; --rejects <file> keeps them, with reasons");
  });

  test("beyond --max-reject-rate only the rejects are written, exit 3", async () => {
    mkdirSync(at("rate"));
    const { code, stderr } = await runCli([
      "clean",
      input,
      "--contract",
      contract,
      "-o",
      at("rate/o.parquet"),
      "--rejects",
      at("rate/r.csv"),
      "--max-reject-rate",
      "0.25",
      "--quiet",
    ]);
    expect([code, readdirSync(at("rate"))]).toEqual([3, ["r.csv"]]);
    expect(stderr).toBe(
      `error: 2 of 4 rows (50.00 %) were refused, more than --max-reject-rate 0.25 allows\n  in  ${input}\n  try reading ${at("rate/r.csv")}, where they are with their reasons\n`,
    );
  });

  test("on stdout nothing comes out before it is approved", async () => {
    const args = ["clean", input, "--contract", contract, "-o", "-", "--quiet"];
    expect(await runCli(args)).toMatchObject({ code: 0, stdout: "id,n\na,1\nd,4\n" });
    expect(await runCli([...args, "--max-reject-rate", "0"])).toMatchObject({ code: 3, stdout: "" });
  });

  test("without a contract is only what cannot be read; types are found out", async () => {
    const { json } = await runCli(["clean", input, "-o", at("n.parquet"), "--json", "--quiet"]);
    expect(json()).toMatchObject({ rows_in: 4, rows_out: 3, rejected: 1 });
  });
});

describe("bad input: one clear error, the documented exit code, no output", () => {
  const good = file("good.csv", "id,n\na,1\n");
  const check = async (args: string[], code: number, ...words: string[]): Promise<void> => {
    const out = at(`bad-${Math.random()}.parquet`);
    const outcome = await runCli(["clean", ...args, "-o", out, "--quiet"]);
    for (const word of words) expect(outcome.stderr).toContain(word);
    expect(outcome.stderr).toMatch(/^error: .*\n {2}in {2}[^]*\n {2}try .*\n$/);
    expect([outcome.code, existsSync(out), outcome.stdout]).toEqual([code, false, ""]);
  };

  test("a contract with an unknown key", async () => {
    const contract = file("typo.yaml", "columns:\n  n: { type: integer, requird: true }\n");
    await check(
      [good, "--contract", contract],
      2,
      `in  ${contract}:2:23\n      2 |   n: { type: integer, requird: true }\n        |                       ^\n  try required\n`,
    );
  });

  test("text where numbers are promised, and the contract says fail", async () => {
    const contract = file("fail.yaml", "columns: { id: { type: integer, on: fail } }");
    await check([good, "--contract", contract], 3, 'breaks the rule "id.type"', `${good}:2`);
  });

  test("a contract that is not there, and a column that is not", async () => {
    await check([good, "--contract", at("none.yaml")], 3, "no such file");
    await check(
      [good, "--contract", file("c.yaml", "columns: { m: {} }")],
      3,
      'column "m" is not in the table (it has id, n)',
      "try from: n",
    );
  });

  test("no --out", async () => {
    const { code, stderr } = await runCli(["clean", good]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("clean needs -o, --out <path>")]);
  });
});

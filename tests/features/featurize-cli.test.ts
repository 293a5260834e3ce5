import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { featurize } from "../../src/features/featurize.js";
import { planSql } from "../../src/features/plan.js";
import { openTable } from "../../src/table/open.js";
import { materialised } from "../../src/table/relation.js";
import { runCli } from "../support/run-cli.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { spec } from "./tables.js";

const run = testRun();
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

describe("shopai featurize", () => {
  writeFileSync(
    at("orders.csv"),
    "customer_id,order_id,ordered_at,amount\nc1,1,2024-01-01 10:00:00,5.50\nc1,2,2024-01-20 10:00:00,4.50\nc2,3,2024-01-25 10:00:00,20\n",
  );

  test("a preset: table, JSON and the words that say which columns were guessed", async () => {
    const made = await runCli([
      "featurize",
      at("orders.csv"),
      ...["--preset", "rfm", "--as-of", "2024-02-01", "-o", at("rfm.csv"), "--fit", at("rfm.json"), "--json"],
    ]);
    expect(made.stderr).toContain("--user customer_id --time ordered_at --value amount --order order_id");
    expect(made.code).toBe(0);
    expect(made.json()).toMatchObject({ rows: 2, as_of: ["2024-02-01"], train_rows: 2 });
    const lines = readFileSync(at("rfm.csv"), "utf8").trim().split("\n");
    expect(lines[0]).toBe(
      "customer_id,as_of,recency_days,frequency,monetary,first_at,last_at,tenure_days,average_basket,r_score,f_score,m_score,segment",
    );
    expect(lines[1]).toMatch(/^c1,2024-02-01 00:00:00,11,2,10(\.0)?,/);

    const again = await runCli([
      ...[
        "featurize",
        at("orders.csv"),
        "--apply",
        at("rfm.json"),
        "--as-of",
        "2024-02-01",
        "-o",
        at("again.csv"),
      ],
    ]);
    expect(again.code).toBe(0);
    expect(readFileSync(at("again.csv"), "utf8")).toBe(readFileSync(at("rfm.csv"), "utf8"));
  });

  test("--sql prints a plan that the engine runs, and asks for no output", async () => {
    const engine = await run.engine();
    await engine.run(`COPY (FROM '${at("orders.csv")}') TO '${at("orders.parquet")}'`);
    const asked = ["featurize", at("orders.parquet"), "--preset", "behaviour", "--as-of", "2024-02-01"];
    const { code, stdout } = await runCli([...asked, "--sql"]);
    expect(code).toBe(0);
    const rows = await engine.rows<{ customer_id: string; amount_sum_30d: number }>(stdout);
    expect(rows.map((row) => [row.customer_id, row.amount_sum_30d]).sort()).toEqual([
      ["c1", 4.5],
      ["c2", 20],
    ]);
    const bare = await runCli(asked);
    expect(bare.code).toBe(2);
    expect(bare.stderr).toContain("featurize needs -o, --out <path>");
  });

  test("the table goes to stdout, the words to stderr", async () => {
    const made = await runCli([
      ...[
        "featurize",
        at("orders.csv"),
        "--preset",
        "series",
        "--series",
        "customer_id",
        "--value",
        "amount",
      ],
      ...["--freq", "M", "-o", "-"],
    ]);
    expect(
      made.stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(/\.0$/, "")),
    ).toEqual(["customer_id,ordered_at,amount", "c1,2024-01-01,10", "c2,2024-01-01,20"]);
  });

  test.each([
    [["--preset", "rmf"], 2, "--preset rfm"],
    [[], 2, "--preset interactions|rfm"],
    [["--preset", "rfm", "--as-of", "yesterday"], 2, "2011-02-01"],
    [["--preset", "rfm", "--user", "customer"], 3, "--user customer_id"],
    [["--preset", "rfm", "--apply", "x.json"], 2, "--apply"],
    [["--spec", "none.yaml"], 3, "YAML"],
  ])("%j is refused with what to try", async (words, code, advice) => {
    const refused = await runCli(["featurize", at("orders.csv"), "-o", at("no.csv"), ...words]);
    expect(refused.code).toBe(code);
    expect(refused.stderr).toMatch(/^error: /m);
    expect(refused.stderr).toContain(advice);
    expect(refused.stderr).not.toMatch(/^\s+at /m);
    expect(() => readFileSync(at("no.csv"))).toThrow();
  });
});

const shoppers = sharedData("online-shoppers/online_shoppers_intention.csv");
test.skipIf(!shoppers)(
  "online-shoppers (public data): a stratified split keeps the share of buyers exactly",
  async () => {
    const made = await runCli([
      ...[
        "featurize",
        shoppers!,
        "--spec",
        "pipelines/features/online-shoppers.yaml",
        "--fit",
        at("shoppers.json"),
      ],
      ...["-o", at("shoppers.csv"), "--json"],
    ]);
    expect(made.stderr).not.toContain("error");
    // 12,330 sessions, 1,908 with a purchase: 80 % of each class, rounded.
    expect(made.json()).toMatchObject({ rows: 12330, split: { train: 8338 + 1526, test: 2084 + 382 } });
    const [head, ...lines] = readFileSync(at("shoppers.csv"), "utf8").trim().split("\n");
    const names = head.split(",");
    const [split, target] = [
      names.indexOf("split"),
      names.findIndex((name) => name.toLowerCase() === "revenue"),
    ];
    const buyers = lines.map((line) => line.split(",")).filter((cells) => cells[target] === "true");
    expect(buyers.filter((cells) => cells[split] === "train").length).toBe(1526);
    expect(buyers.filter((cells) => cells[split] === "test").length).toBe(382);
  },
);

const retail = sharedData("online-retail-raw/by-day");
test.skipIf(!retail)("online-retail (public data): RFM and daily demand equal plain SQL", async () => {
  const engine = await run.engine();
  const source = await openTable(engine, [retail!], {
    where: "CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0",
  });
  const rows = await materialised(source);
  const made = async (yaml: string): Promise<string> => {
    const { plan } = await featurize(rows, { recipe: { spec: spec(yaml) }, seed: 42 }, run);
    return planSql(plan);
  };
  const rfm = await made(
    "{entity: CustomerID, time: InvoiceDate, as_of: 2011-02-01, windows: [all], derive: {amount: 'CAST(Quantity * UnitPrice AS DECIMAL(18,2))'}, aggregates: [{frequency: InvoiceNo}, {monetary: amount}, last]}",
  );
  const byHand = `SELECT CustomerID, count(DISTINCT InvoiceNo) AS frequency, CAST(sum(CAST(Quantity * UnitPrice AS DECIMAL(18,2))) AS DOUBLE) AS monetary, max(InvoiceDate) AS last_at FROM (${rows.sql}) GROUP BY ALL`;
  const [{ n }] = await engine.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM (SELECT CustomerID, frequency, monetary, last_at FROM (${rfm}) INTERSECT ${byHand})`,
  );
  const [{ customers }] = await engine.rows<{ customers: bigint }>(
    `SELECT count(*) AS customers FROM (${byHand})`,
  );
  expect(n).toBe(customers);
  expect(customers).toBe(1302n);

  const demand = await made("{time: InvoiceDate, series: {by: StockCode, value: Quantity, freq: D}}");
  const [told] = await engine.rows<Record<string, bigint>>(
    `SELECT count(*) AS days, CAST(sum(Quantity) AS BIGINT) AS units, count(DISTINCT StockCode) AS products FROM (${demand})`,
  );
  const [wanted] = await engine.rows<Record<string, bigint>>(
    `SELECT CAST(sum(last - first + 1) AS BIGINT) AS days, CAST(sum(units) AS BIGINT) AS units, count(*) AS products FROM (SELECT StockCode, min(InvoiceDate::DATE) AS first, sum(Quantity) AS units FROM (${rows.sql}) GROUP BY 1), (SELECT max(InvoiceDate::DATE) AS last FROM (${rows.sql}))`,
  );
  expect(told).toEqual(wanted);
});

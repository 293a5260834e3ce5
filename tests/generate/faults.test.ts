import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faults, orderColumns } from "../../src/generate/dirt.js";
import { root, runCli } from "../support/run-cli.js";
import { testRun } from "../support/test-run.js";
import { temporaryFolder } from "../support/temporary.js";

const shop = join(root, "fixtures/shop");
const folder = temporaryFolder();

interface Record_ {
  line: number;
  fields: string[];
  raw: string;
  /** What a reader of RFC 4180 cannot accept. */
  broken?: "bad_quote";
}

/** Records of a CSV by RFC 4180, over Latin-1 text, with the physical line on which each begins. */
function recordsOf(text: string): Record_[] {
  const records: Record_[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    const start = at;
    const record: Record_ = { line, fields: [], raw: "" };
    for (;;) {
      let field = "";
      if (text[at] === '"') {
        for (at++; ; at++) {
          if (text[at] === '"' && text[at + 1] === '"') at++;
          else if (text[at] === '"') break;
          if (text[at] === "\n") line++;
          field += text[at];
        }
        at++;
        if (text[at] !== "," && text[at] !== "\n") record.broken = "bad_quote";
      }
      while (text[at] !== "," && text[at] !== "\n") field += text[at++];
      record.fields.push(field);
      if (text[at++] === "\n") break;
    }
    line++;
    record.raw = text.slice(start, at - 1);
    records.push(record);
  }
  return records;
}

/** The fault that a strict reader sees in a record, by rules that know nothing of the generator. */
function faultOf(record: Record_, previous: Record_ | undefined): string | undefined {
  if (record.broken) return record.broken;
  if (record.fields.length < orderColumns.length) return "ragged_short";
  if (record.fields.length > orderColumns.length) return "ragged_long";
  if (record.raw === previous?.raw) return "duplicate";
  const value = Object.fromEntries(orderColumns.map((name, i) => [name, record.fields[i]]));
  if (!isUtf8(Buffer.from(record.raw, "latin1"))) return "bad_encoding";
  if (value.title.includes("\n")) return "newline_in_title";
  if (value.customer_id === "") return "missing_customer";
  if (Number(value.quantity) < 0) return "negative_quantity";
  if (/^\d\d\.\d\d\.\d{4} /.test(value.ordered_at)) return "date_dotted";
  if (/^\d\d\/\d\d\/\d{4} /.test(value.ordered_at)) return "date_slashed";
  if (Buffer.from(value.ordered_at, "latin1").toString().includes("年")) return "date_chinese";
  if (value.ordered_at.slice(5, 10) === "02-31") return "bad_date";
  if (value.product_id === "P?") return "unknown_product";
  if (/^p\d/.test(value.product_id)) return "lower_case";
  if (/[^\d.,]/.test(value.unit_price)) return "currency_sign";
  if (value.unit_price.includes(",")) return "thousands_separator";
  if (Number(value.unit_price) <= 0 || Number(value.unit_price) > 100_000) return "price_out_of_range";
  if (value.payment !== value.payment.trim()) return "blanks_around";
  return undefined;
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString("utf8")).equals(bytes);
}

test("truth/faults.csv lists exactly the faults that a strict reader finds in orders.csv, by physical line", () => {
  const [header, ...records] = recordsOf(readFileSync(join(shop, "orders.csv"), "latin1"));
  expect(header.fields).toEqual(orderColumns);
  const found = records.flatMap((record, i) => {
    const kind = faultOf(record, records[i - 1]);
    return kind ? [`${record.line} ${kind}`] : [];
  });
  const listed = readFileSync(join(shop, "truth/faults.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
  expect(found).toEqual(listed.map(([, line, kind]) => `${line} ${kind}`));
  expect(new Set(listed.map(([, , kind]) => kind))).toEqual(new Set(faults.map(({ kind }) => kind)));
});

test("clean with the shop's contract refuses every structural and wrong record, no other, and mends the rest to the truth", async () => {
  const [out, rejects] = [join(folder, "orders.parquet"), join(folder, "rejects.parquet")];
  const contract = join(root, "pipelines/contracts/shop-orders.yaml");
  const outcome = await runCli([
    "clean",
    join(shop, "orders.csv"),
    "--contract",
    contract,
    "-o",
    out,
    "--rejects",
    rejects,
    "--json",
  ]);
  expect(outcome.code, outcome.stderr).toBe(0);
  const engine = await testRun().engine();
  const [found] = await engine.rows(
    `WITH planted AS (FROM read_csv('${shop}/truth/faults.csv')), refused AS (SELECT DISTINCT _line::INT AS line FROM '${rejects}'),
       truth AS (FROM '${shop}/truth/orders/*.parquet'), clean AS (FROM '${out}')
     SELECT (SELECT count(*)::INT FROM (SELECT line FROM planted WHERE class IN ('structural', 'value') EXCEPT SELECT line FROM refused)) AS missed,
       (SELECT count(*)::INT FROM (SELECT line FROM refused EXCEPT SELECT line FROM planted WHERE class IN ('structural', 'value'))) AS refused_in_error,
       (SELECT count(*)::INT FROM truth) - (SELECT count(*)::INT FROM clean) - (SELECT count(*)::INT FROM planted WHERE class IN ('structural', 'value')) AS lost,
       (SELECT count(*)::INT FROM clean c JOIN truth t USING (order_id, line)
        WHERE (c.customer_id, c.product_id, c.quantity, c.unit_price, c.status, date_trunc('minute', c.ordered_at)) <> (t.customer_id, t.product_id, t.quantity, t.unit_price, t.status, date_trunc('minute', t.ordered_at))) AS wrong`,
  );
  expect(found).toEqual({ missed: 0, refused_in_error: 0, lost: 0, wrong: 0 });
  const duplicates = readFileSync(join(shop, "truth/faults.csv"), "utf8").match(
    /,duplicate,duplicate,/g,
  )!.length;
  expect(outcome.json<{ duplicates: number }>().duplicates).toBe(duplicates);
});

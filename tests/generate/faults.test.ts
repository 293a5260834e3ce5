import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faults, orderColumns } from "../../src/generate/dirt.js";
import { root } from "../support/run-cli.js";

const shop = join(root, "fixtures/shop");

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

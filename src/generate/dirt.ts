import type { ShopTables } from "./catalogue.js";
import { withDraws } from "./draws.js";

/** What a planted fault does to a good reader: refuse the record, drop it as a copy, refuse it by a rule, or repair it. */
export type FaultClass = "structural" | "duplicate" | "value" | "format";

interface Fault {
  kind: string;
  class: FaultClass;
  /** The column it is in; none when it is the record as a whole. */
  column?: string;
  /** Of a thousand order lines. */
  perMille: number;
}

/** Every fault planted in `orders.csv`, at most one in a record. */
export const faults: readonly Fault[] = [
  { kind: "ragged_short", class: "structural", perMille: 5 },
  { kind: "ragged_long", class: "structural", perMille: 5 },
  { kind: "bad_quote", class: "structural", column: "title", perMille: 4 },
  { kind: "bad_encoding", class: "structural", column: "title", perMille: 5 },
  { kind: "duplicate", class: "duplicate", perMille: 8 },
  { kind: "missing_customer", class: "value", column: "customer_id", perMille: 10 },
  { kind: "negative_quantity", class: "value", column: "quantity", perMille: 5 },
  { kind: "price_out_of_range", class: "value", column: "unit_price", perMille: 5 },
  { kind: "bad_date", class: "value", column: "ordered_at", perMille: 4 },
  { kind: "unknown_product", class: "value", column: "product_id", perMille: 4 },
  { kind: "date_dotted", class: "format", column: "ordered_at", perMille: 20 },
  { kind: "date_slashed", class: "format", column: "ordered_at", perMille: 15 },
  { kind: "date_chinese", class: "format", column: "ordered_at", perMille: 8 },
  { kind: "currency_sign", class: "format", column: "unit_price", perMille: 20 },
  { kind: "thousands_separator", class: "format", column: "unit_price", perMille: 200 },
  { kind: "blanks_around", class: "format", column: "payment", perMille: 15 },
  { kind: "lower_case", class: "format", column: "product_id", perMille: 8 },
  { kind: "newline_in_title", class: "format", column: "title", perMille: 6 },
];

/** The columns of `orders.csv`, in order. */
export const orderColumns = [
  "order_id",
  "line",
  "ordered_at",
  "customer_id",
  "product_id",
  "title",
  "quantity",
  "unit_price",
  "discount",
  "promotion",
  "status",
  "payment",
  "shipping",
  "country",
  "ip_country",
] as const;

/** Stands for the byte E9 (é in Latin-1, no UTF-8) in texts of the engine; three bytes EE 80 80, written as one. */
export const badByteMark = "\ue000";

/** SQL of the fault's number in `faults`, or NULL. */
function faultSql(): string {
  let reached = 0;
  const cases = faults.map(({ perMille, kind }, i) => {
    reached += perMille / 1000;
    const onlyWhere = kind === "thousands_separator" ? " AND price_cents >= 100000" : "";
    return `WHEN u_fault < ${reached.toFixed(3)} THEN CASE WHEN true${onlyWhere} THEN ${i} END`;
  });
  return `CASE ${cases.join(" ")} END`;
}

/**
 * SELECT of the raw records of `orders.csv` for clean order lines: `record` is the text, `fault` the
 * number of what was planted in it (or NULL), `breaks` the newlines inside it.
 */
export function recordsSql(lines: string, tables: ShopTables, seed: number): string {
  const drawn = withDraws(
    `SELECT l.*, k.customer_id FROM ${lines} l JOIN ${tables.customer} k USING (c)`,
    seed,
    "dirt",
    {
      u_fault: "visit * 64 + look",
      u_form: "visit * 64 + look",
    },
  );
  const is = (kind: string): string => `fault = ${faults.findIndex((fault) => fault.kind === kind)}`;
  const price = "printf('%.2f', price_cents / 100.0)";
  const quoted = "replace(title, '\"', '\"\"')";
  const fields: Record<(typeof orderColumns)[number], string> = {
    order_id: "order_id",
    line: "line::VARCHAR",
    ordered_at: `CASE WHEN ${is("bad_date")} THEN strftime(ordered_at, '%Y-02-31 %H:%M:%S')
      WHEN ${is("date_dotted")} THEN strftime(ordered_at, '%d.%m.%Y %H:%M')
      WHEN ${is("date_slashed")} THEN strftime(ordered_at, '%m/%d/%Y %H:%M')
      WHEN ${is("date_chinese")} THEN strftime(ordered_at, '%Y年%m月%d日 %H:%M')
      ELSE strftime(ordered_at, '%Y-%m-%d %H:%M:%S') END`,
    customer_id: `CASE WHEN ${is("missing_customer")} THEN '' ELSE customer_id END`,
    product_id: `CASE WHEN ${is("unknown_product")} THEN 'P?' WHEN ${is("lower_case")} THEN lower(product_id) ELSE product_id END`,
    title: `CASE WHEN ${is("bad_quote")} THEN '"' || ${quoted} || '" XL'
      WHEN ${is("bad_encoding")} THEN '"' || ${quoted} || ' caf${badByteMark}"'
      WHEN ${is("newline_in_title")} THEN '"' || replace(${quoted}, ' ', chr(10)) || '"'
      WHEN contains(title, ',') OR contains(title, '"') THEN '"' || ${quoted} || '"' ELSE title END`,
    quantity: `CASE WHEN ${is("negative_quantity")} THEN -quantity ELSE quantity END::VARCHAR`,
    unit_price: `CASE WHEN ${is("price_out_of_range")} THEN CASE WHEN u_form < 0.5 THEN '0.00' ELSE printf('%.2f', price_cents * 10.0 + 100000) END
      WHEN ${is("currency_sign")} THEN CASE WHEN u_form < 0.5 THEN '€' || ${price} ELSE ${price} || ' EUR' END
      WHEN ${is("thousands_separator")} THEN '"' || format('{:,}', price_cents // 100) || printf('.%02d', price_cents % 100) || '"'
      ELSE ${price} END`,
    discount: "discount_percent::VARCHAR || '%'",
    promotion: "coalesce(promotion, '')",
    status: "status",
    payment: `CASE WHEN ${is("blanks_around")} THEN '  ' || payment || ' ' ELSE payment END`,
    shipping: "shipping",
    country: "country_code",
    ip_country: "ip_country",
  };
  const texts = orderColumns.map((name) => fields[name]);
  const whole = `concat_ws(',', ${texts.join(", ")})`;
  const short = `concat_ws(',', ${texts.slice(0, -3).join(", ")})`;
  return `SELECT order_number, line, order_id, copy, CASE WHEN fault = ${faults.findIndex(({ kind }) => kind === "duplicate")} AND copy = 0 THEN NULL ELSE fault END AS fault,
      record, length(record) - length(replace(record, chr(10), '')) AS breaks
    FROM (SELECT order_number, line, order_id, fault, unnest(CASE WHEN ${is("duplicate")} THEN [0, 1] ELSE [0] END) AS copy,
            CASE WHEN ${is("ragged_short")} THEN ${short} WHEN ${is("ragged_long")} THEN ${whole} || ',surplus' ELSE ${whole} END AS record
          FROM (SELECT *, ${faultSql()} AS fault FROM (${drawn})))`;
}

/** SELECT of the planted faults with the physical line on which their record begins. */
export function faultListSql(numbered: string): string {
  const column = faults.map((fault) => `'${fault.column ?? ""}'`).join(", ");
  return `SELECT 'orders.csv' AS file, start_line AS line, ([${faults.map(({ kind }) => `'${kind}'`).join(", ")}])[1 + fault] AS kind,
      ([${faults.map((fault) => `'${fault.class}'`).join(", ")}])[1 + fault] AS class, nullif(([${column}])[1 + fault], '') AS "column",
      order_id, line AS order_line
    FROM ${numbered} WHERE fault IS NOT NULL ORDER BY start_line`;
}

/** SELECT that numbers raw records in the order of the file. @param before physical lines already written, the header included */
export function numberedSql(records: string, before: number): string {
  return `SELECT *, ${before} + row_number() OVER w + coalesce(sum(breaks) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS start_line
    FROM (${records}) WINDOW w AS (ORDER BY order_number, line, copy)`;
}

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { cleanCsv, columnOf, rowsOf } from "./cleaning.js";

const run = testRun();
const folder = temporaryFolder();
const clean = (csv: string | Uint8Array, yaml: string): ReturnType<typeof cleanCsv> =>
  cleanCsv(run, folder, csv, yaml);

describe("what each action does to a row that breaks a rule", () => {
  const csv = "id,n\na,5\nb,50\nc,x\nd,\n";
  const contract = (on: string): string =>
    `columns: { id: { type: text }, n: { type: integer, max: 9, on: ${on} } }`;

  test("reject: the row goes to the rejects as read, with reason, file and line", async () => {
    const { table, rejects, counts, path } = await clean(csv, contract("reject"));
    expect(await columnOf(table, "id")).toEqual(["a", "d"]);
    expect(await rowsOf(rejects)).toEqual([
      { id: "b", n: "50", _reason: "n.max", _source: path, _line: 3n, _raw: null },
      { id: "c", n: "x", _reason: "n.type", _source: path, _line: 4n, _raw: null },
    ]);
    expect(counts).toEqual({
      rows_in: 4,
      rows_out: 2,
      rejected: 2,
      duplicates: 0,
      repaired: 0,
      by_rule: { "n.max": 1, "n.type": 1 },
    });
  });

  test("fix: the value is moved to the nearest allowed one; what has none is rejected", async () => {
    const { table, counts } = await clean(csv, contract("fix"));
    expect(await columnOf(table, "n")).toEqual([5n, 9n, null]);
    expect(counts).toMatchObject({ rejected: 1, repaired: 1, by_rule: { "n.max": 1, "n.type": 1 } });
  });

  test("null: the value goes, the row stays", async () => {
    const { table, counts } = await clean(csv, contract("null"));
    expect(await columnOf(table, "n")).toEqual([5n, null, null, null]);
    expect(counts).toMatchObject({ rejected: 0, repaired: 2 });
  });

  test("flag: the row stays and says which rules it broke", async () => {
    const { table, counts } = await clean(csv, contract("flag"));
    expect(await rowsOf(table)).toEqual([
      { id: "a", n: 5n, _flags: null },
      { id: "b", n: 50n, _flags: "n.max" },
      { id: "c", n: null, _flags: "n.type" },
      { id: "d", n: null, _flags: null },
    ]);
    expect(counts.repaired).toBe(0);
  });

  test("fail: nothing comes out, and the first lines are named", async () => {
    await expect(clean(csv, contract("fail"))).rejects.toMatchObject({
      kind: "data",
      message: '1 row breaks the rule "n.type", which says fail',
      where: expect.stringMatching(/\.csv:4$/) as string,
    });
  });

  test("a rule of its own action beside the column's", async () => {
    const { counts, table } = await clean(csv, contract("{ max: flag, type: null }"));
    expect(counts.rejected).toBe(0);
    expect(await columnOf(table, "_flags")).toEqual([null, "n.max", null, null]);
  });
});

describe("types: a pattern is asked before a cast is believed", () => {
  const values = async (type: string, texts: string[], more = ""): Promise<unknown[]> => {
    const csv = `v\n${texts.map((text) => `"${text}"`).join("\n")}\n`;
    const { table } = await clean(csv, `columns: { v: { type: "${type}", on: null${more} } }`);
    return columnOf(table, "v");
  };

  test("integers", async () => {
    const texts = [
      "12",
      "-7",
      "+3",
      "007",
      "17850.0",
      "9007199254740993",
      "12.7",
      "1e3",
      "0x1F",
      "1_000",
      " 5 ",
      "nan",
      "",
      "99999999999999999999",
    ];
    expect(await values("integer", texts)).toEqual([
      12n,
      -7n,
      3n,
      7n,
      17850n,
      9007199254740993n,
      null,
      null,
      null,
      null,
      5n,
      null,
      null,
      null,
    ]);
  });

  test("decimals keep every digit or none", async () => {
    expect(
      await values("decimal(10,2)", ["1.5", "1.50", "1.500", "1.239", "-.5", "inf", "1e2", "123456789.12"]),
    ).toEqual(["1.50", "1.50", "1.50", null, "-0.50", null, null, null]);
    expect(await values("decimal(10,2)", ["1.239", "1.235"], ", formats: [round]")).toEqual(["1.24", "1.24"]);
  });

  test("numbers are finite", async () => {
    expect(await values("number", ["1e3", ".5", "nan", "inf", "-Infinity", "1,5"])).toEqual([
      1000,
      0.5,
      null,
      null,
      null,
      null,
    ]);
  });

  test("numbers as people write them", async () => {
    const money = ", formats: [currency, thousands, accounting, percent]";
    expect(
      await values(
        "decimal(12,4)",
        ["€1,234.50", "1 234,50", "$ -3", "-£3", "(12.50)", "12.5%", "1,23", "1,234,567", "12 EUR", "7"],
        money,
      ),
    ).toEqual([
      "1234.5000",
      null,
      "-3.0000",
      "-3.0000",
      "-12.5000",
      "0.1250",
      null,
      "1234567.0000",
      "12.0000",
      "7.0000",
    ]);
    const comma = ", formats: [comma-decimal, thousands, currency]";
    expect(
      await values("decimal(12,2)", ["1.234,56 €", "1,5", "1.5", "1.234", "12", "kr 5,00"], comma),
    ).toEqual(["1234.56", "1.50", null, "1234.00", "12.00", "5.00"]);
    expect(await values("integer", ["1,200", "$5"], ", formats: [thousands, currency]")).toEqual([1200n, 5n]);
  });

  test("booleans", async () => {
    expect(await values("boolean", ["TRUE", "no", "1", "J", "2"], ', formats: ["j/n"]')).toEqual([
      true,
      false,
      true,
      true,
      null,
    ]);
  });

  test("dates in ISO and in named formats", async () => {
    const formats = ', formats: ["%d/%m/%Y", "%b %d, %Y"]';
    expect(
      await values(
        "date",
        [
          "2024-02-29",
          "2023-02-29",
          "31/12/2023",
          "Jan 02, 2024",
          "infinity",
          "2024-01-01 00:00:00",
          "2024-01-01 10:00:00",
          "20240101",
        ],
        formats,
      ),
    ).toEqual(["2024-02-29", null, "2023-12-31", "2024-01-02", null, "2024-01-01", null, null]);
  });

  test("timestamps: an offset is kept as UTC, never dropped", async () => {
    expect(
      await values(
        "timestamp",
        [
          "2024-01-01 10:00:00",
          "2024-01-01T10:00",
          "2024-01-01T10:00:00+02:00",
          "2024-01-01T10:00:00Z",
          "2024-01-01",
          "01.02.2024 10:00",
        ],
        ', formats: ["%d.%m.%Y %H:%M"]',
      ),
    ).toEqual([
      "2024-01-01 10:00:00",
      "2024-01-01 10:00:00",
      "2024-01-01 08:00:00",
      "2024-01-01 10:00:00",
      "2024-01-01 00:00:00",
      "2024-02-01 10:00:00",
    ]);
    expect(await values("timestamptz", ["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00"])).toEqual([
      "2024-01-01 08:00:00+00",
      null,
    ]);
    expect(await values("timestamp", ["1700000000", "1700000000.5"], ", formats: [epoch]")).toEqual([
      "2023-11-14 22:13:20",
      null,
    ]);
  });

  test("times of day", async () => {
    expect(await values("time", ["10:30", "10:30:15", "25:00", "noon"])).toEqual([
      "10:30:00",
      "10:30:15",
      null,
      null,
    ]);
  });
});

describe("texts", () => {
  const text = async (value: string, keys: string): Promise<unknown> =>
    (
      await columnOf(
        (await clean(`v,w\n"${value}",1\n`, `columns: { v: { type: text, ${keys} } }`)).table,
        "v",
      )
    )[0];

  test.each([
    ["  a b \u00a0\u3000", "", "a b"],
    ["  a  b ", "trim: collapse", "a b"],
    [" a ", "trim: false", " a "],
    ["cafe\u0301", "unicode: nfc", "café"],
    ["ＡＢＣ１２３ ﬁ", "unicode: nfkc", "ABC123 fi"],
    ["no", "case: upper", "NO"],
    ["N/A", 'null_words: ["n/a"]', null],
    ["", "", null],
    ["", "null_words: []", ""],
    ["EIRE", "replace: { EIRE: Ireland }", "Ireland"],
    ["007", "null_words: [007]", null],
    ["united-kingdom", "values: [United Kingdom, France], on: fix", "United Kingdom"],
    ["abcdef", "max_length: 3, on: fix", "abc"],
  ])("%j with %s is %j", async (value, keys, wanted) => {
    expect(await text(value, keys)).toBe(wanted);
  });

  test("a default fills what is missing", async () => {
    const { table, counts } = await clean(
      "v,w\n,1\nx,2\n",
      "columns: { v: { type: text, default: none, required: true } }",
    );
    expect(await columnOf(table, "v")).toEqual(["none", "x"]);
    expect(counts).toMatchObject({ repaired: 1, by_rule: { "v.default": 1 } });
  });
});

describe("columns", () => {
  test("are renamed, dropped, derived, and come in the contract's order", async () => {
    const { table } = await clean(
      "Qty,Price,Note\n3,2.50,x\n",
      `columns:
  price: { from: [UnitPrice, Price], type: "decimal(10,2)" }
  quantity: { from: Qty, type: integer, keep: false }
  net: { derive: "quantity * price", type: "decimal(12,2)", min: 0 }
  gross: { derive: "net * 1.25", type: "decimal(12,2)" }`,
    );
    expect(await rowsOf(table)).toEqual([{ price: "2.50", net: "7.50", gross: "9.38", Note: "x" }]);
    expect(table.schema.map((field) => field.name)).toEqual(["price", "Note", "net", "gross"]);
  });

  test("that are missing are named, with the nearest", async () => {
    await expect(clean("Quantity\n1\n", "columns: { qty: { from: Quantiy } }")).rejects.toMatchObject({
      kind: "data",
      message: 'column "Quantiy" is not in the table (it has Quantity)',
      try: "from: Quantity",
      where: expect.stringContaining("contract.yaml:1:12") as string,
    });
    const { table } = await clean(
      "a\n1\n",
      "columns: { a: {}, b: { type: integer, optional: true, default: 5 } }",
    );
    expect(await rowsOf(table)).toEqual([{ a: "1", b: 5n }]);
  });

  test("that the contract does not name are kept, dropped or refused", async () => {
    const names = async (extra: string): Promise<string[]> =>
      (await clean("a,b\n1,2\n", `columns: { a: {} }\nextra_columns: ${extra}`)).table.schema.map(
        (field) => field.name,
      );
    expect(await names("keep")).toEqual(["a", "b"]);
    expect(await names("drop")).toEqual(["a"]);
    await expect(names("fail")).rejects.toMatchObject({
      kind: "data",
      message: "columns that the contract does not name: b",
    });
  });

  test("with SQL in their names are only names", async () => {
    const odd = '"; drop table x; --';
    const { table } = await clean(
      `"${odd.replaceAll('"', '""')}",b\n1,2\n`,
      `columns: { ${JSON.stringify(odd)}: { type: integer, required: true, min: 0 } }`,
    );
    expect(await rowsOf(table)).toEqual([{ [odd]: 1n, b: "2" }]);
  });
});

describe("rules over several columns", () => {
  const csv = "paid,shipped\n2024-01-01,2024-01-03\n2024-01-05,2024-01-03\n2024-01-05,\n";
  const contract = (rule: string): string =>
    `columns: { paid: { type: date }, shipped: { type: date } }\nrules: [{ name: in_order, sql: "paid <= shipped", ${rule} }]`;

  test("an unknown answer breaks no rule", async () => {
    const { counts, table } = await clean(csv, contract("on: reject"));
    expect(counts.by_rule).toEqual({ in_order: 1 });
    expect(await columnOf(table, "shipped")).toEqual(["2024-01-03", null]);
  });

  test("fix by expressions, null by columns", async () => {
    expect(
      await columnOf((await clean(csv, contract("on: fix, set: { shipped: paid }"))).table, "shipped"),
    ).toEqual(["2024-01-03", "2024-01-05", null]);
    expect(
      await columnOf((await clean(csv, contract("on: null, columns: [shipped]"))).table, "shipped"),
    ).toEqual(["2024-01-03", null, null]);
  });

  test.each([
    ["paid <= shiped", 'column "shiped" is not in the table at this step', "shipped"],
    ["paid <= (SELECT max(x) FROM 't.csv')", "rules.0.sql is not one SQL expression", undefined],
    ["paid <=", "rules.0.sql is not one SQL expression", undefined],
  ])("an expression that cannot be is refused with its place: %s", async (sql, message, advice) => {
    const failed = clean(
      csv,
      `columns: { paid: { type: date }, shipped: { type: date } }\nrules: [{ name: r, sql: "${sql}" }]`,
    );
    await expect(failed).rejects.toMatchObject({
      kind: "usage",
      message: expect.stringContaining(message) as string,
      where: expect.stringContaining("contract.yaml:2:25") as string,
      ...(advice && { try: advice }),
    });
  });
});

describe("keys, duplicates, foreign keys", () => {
  const csv = "id,v,at\n1,a,3\n1,a,3\n2,b,1\n2,c,2\n,d,1\n,d,2\n";
  const columns = "columns: { id: { type: integer }, v: { type: text }, at: { type: integer } }\n";

  test("exact duplicates go, the first stays", async () => {
    const { table, counts } = await clean(csv, `${columns}duplicates: { exact: true }`);
    expect(await columnOf(table, "v")).toEqual(["a", "b", "c", "d", "d"]);
    expect(counts).toMatchObject({ duplicates: 1, rejected: 0, rows_out: 5 });
  });

  test("keyed duplicates: first or last by a column; a key with a null is none", async () => {
    const kept = async (how: string): Promise<unknown[]> =>
      columnOf((await clean(csv, `${columns}duplicates: { by: [id], ${how} }`)).table, "v");
    expect(await kept("keep: first, order_by: at")).toEqual(["a", "b", "d", "d"]);
    expect(await kept("keep: last, order_by: at")).toEqual(["a", "c", "d", "d"]);
    expect(await kept("keep: last")).toEqual(["a", "c", "d", "d"]);
  });

  test("keys must be unique: later rows break the rule", async () => {
    const { counts, rejects } = await clean(csv, `${columns}keys: [id]`);
    expect(counts).toMatchObject({ rejected: 2, by_rule: { "key(id)": 2 } });
    expect(await columnOf(rejects, "_line")).toEqual([3n, 5n]);
    const flagged = await clean(csv, "columns: { id: { type: integer, unique: true, on: flag } }");
    expect(await columnOf(flagged.table, "_flags")).toEqual([null, "key(id)", null, "key(id)", null, null]);
    await expect(clean(csv, `${columns}keys: [{ columns: [id, v], on: fail }]`)).rejects.toMatchObject({
      message: '1 row breaks the rule "key(id,v)", which says fail',
    });
  });

  test("foreign keys are looked up in another table", async () => {
    writeFileSync(join(folder, "things.csv"), "thing,name\n1,one\n3,three\n");
    const { table, counts } = await clean(
      csv,
      `${columns}foreign_keys: [{ columns: [id], table: things.csv, references: [thing], on: flag }]`,
    );
    expect(counts.by_rule).toEqual({ "foreign_key(id)": 2 });
    expect(await columnOf(table, "_flags")).toEqual([
      null,
      null,
      "foreign_key(id)",
      "foreign_key(id)",
      null,
      null,
    ]);
    expect(table.inputs.map((input) => input.path)).toContain(join(folder, "things.csv"));
  });
});

test("structural rejects: ragged, bad quotes and bad bytes, with physical lines after newlines in quotes", async () => {
  const csv = Buffer.concat([
    Buffer.from('a,b\n1,"x\ny"\n2\n3,"p" q\n4,5,6\n'),
    Buffer.from([0x37, 0x2c, 0xff, 0x0a]),
    Buffer.from("8,z\n"),
  ]);
  const { table, rejects, counts } = await clean(csv, "columns: { a: { type: integer }, b: { type: text } }");
  expect(await columnOf(table, "a")).toEqual([1n, 8n]);
  expect(await columnOf(rejects, "_line")).toEqual([4n, 5n, 6n, 7n]);
  expect(counts).toMatchObject({ rows_in: 6, rows_out: 2, rejected: 4 });
  expect(await columnOf(rejects, "_raw")).toEqual(["2", '3,"p" q', "4,5,6", "7,\\xFF"]);
  expect(Object.keys(counts.by_rule).every((rule) => rule.startsWith("structure: "))).toBe(true);
});

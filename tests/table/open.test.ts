import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { openTable, type OpenOptions } from "../../src/table/open.js";
import { selectOrdered } from "../../src/table/relation.js";
import { sharedData } from "../support/shared-data.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
let count = 0;

function file(content: string | Uint8Array, ending = "csv"): string {
  const path = join(folder, `${++count}.${ending}`);
  writeFileSync(path, content);
  return path;
}

async function read(paths: string | string[], options: OpenOptions = {}) {
  const relation = await openTable(await run.engine(), [paths].flat(), options);
  const rows = await relation.engine.rows(selectOrdered(relation));
  return {
    types: Object.fromEntries(relation.schema.map((field) => [field.name, field.type])),
    rows: rows.map((row) => Object.values(row)),
    relation,
  };
}

async function failure(paths: string | string[], options: OpenOptions = {}): Promise<ShopaiError> {
  const error = await read(paths, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

/** The type that one column of a CSV with these values gets. */
async function typeOf(...values: string[]): Promise<string> {
  const { types } = await read(file(`k,v\n${values.map((value) => `1,${value}`).join("\n")}\n`));
  return types.v;
}

describe("types of CSV columns", () => {
  test.each([
    ["BIGINT", ["1", "-20", "", "9223372036854775807"]],
    ["DOUBLE", ["1", "2.5", "-.5", "1e-07", "1.5E10", "7."]],
    ["DOUBLE", ["1.5", "nan", "-inf", "NaN"]],
    ["BOOLEAN", ["true", "False", ""]],
    ["DATE", ["2024-02-29", ""]],
    ["TIMESTAMP", ["2024-02-29", "2024-02-29 12:00", "2024-02-29T12:00:00.123456"]],
    ["TIMESTAMP WITH TIME ZONE", ["2024-02-29T12:00:00Z", "2024-02-29 12:00:00+05:30"]],
    ["VARCHAR", ["007", "8"]],
    ["VARCHAR", ["9223372036854775808", "1"]],
    ["VARCHAR", ["12E4", "12"]],
    ["VARCHAR", ["1_000", "1"]],
    ["VARCHAR", ["0x1F"]],
    ["VARCHAR", [" 12"]],
    ["VARCHAR", ["1", "2", "C3"]],
    ["VARCHAR", ["nan", "inf"]],
    ["VARCHAR", ["1.5", "12345678901234567"]],
    ["VARCHAR", ["2024-02-30"]],
    ["VARCHAR", ["infinity"]],
    ["VARCHAR", ["2024-02-29 12:00:00", "2024-02-29T12:00:00Z"]],
    ["VARCHAR", ["yes", "no"]],
    ["VARCHAR", ["", ""]],
    ["BIGINT", ["1", '""']],
  ])("%s from %j", async (type, values) => {
    expect(await typeOf(...values)).toBe(type);
  });

  test("a value far down decides as well", async () => {
    const values = Array.from({ length: 25_000 }, (_, i) => String(i));
    expect(await typeOf(...values)).toBe("BIGINT");
    expect(await typeOf(...values, "C1")).toBe("VARCHAR");
  });

  test("values survive the typing", async () => {
    const { rows } = await read(
      file('a,b,c,d,e\n9007199254740993,0.1,2024-02-29T23:30:00-02:00,true,\n,-.5,,,""\n'),
    );
    expect(rows).toEqual([
      [9007199254740993n, 0.1, "2024-03-01 01:30:00+00", true, null],
      [null, -0.5, null, null, ""],
    ]);
  });
});

test("what no ending tells is known by its first bytes where they tell; addresses are not fetched", async () => {
  expect(await failure(file("PK\u0003\u0004....", "xlsx"))).toMatchObject({
    kind: "data",
    message:
      "the ending does not say what the file is, and its bytes are those of a zip archive (an Excel workbook is one)",
    try: "the unpacked file, or the sheet saved as CSV",
  });
  expect((await read(file(gzipSync("a,b\n1,2\n"), "dat.gz"), { format: "csv" })).rows).toHaveLength(1);
  expect(await failure(file("a,b\n", "dat"))).toMatchObject({
    message: "the ending does not say what the file is",
    try: expect.stringContaining("--format parquet|arrow|csv"),
  });
  expect(await failure("https://example.com/orders.csv")).toMatchObject({
    message: "no such file: https:// is not read, for nothing is fetched at run time",
    try: "a copy on this machine",
  });
});

test("a record that cannot be read is an error that names the first", async () => {
  const path = file("a,b\n1,2\n3\n4,5\n6\n");
  const error = await failure(path);
  expect(error.message).toBe("2 of 4 records cannot be read; the first: 1 field where the header has 2");
  expect(error.where).toBe(`${path}, line 3`);
  expect(error.try).toBe(`shopai clean ${path} -o clean.parquet --rejects rejects.csv`);
});

test("--where filters, and names a column that is not there", async () => {
  const path = file("price,sku\n1,a\n2,b\n");
  expect((await read(path, { where: "price > 1" })).rows).toEqual([[2n, "b"]]);
  expect((await failure(path, { where: "prise > 1" })).message).toBe(
    'column "prise" is not in the table (it has price, sku)',
  );
});

test("NDJSON keeps the types that JSON has, and finds times", async () => {
  const { types, rows } = await read(
    file(
      [
        {
          i: 1,
          d: 1,
          s: "1",
          b: true,
          t: "2024-01-02T03:04:05Z",
          li: [1, null],
          ls: ["a"],
          o: { x: 1 },
          m: 1,
        },
        { i: 2, d: 1.5, s: "x", b: null, t: null, li: [], ls: null, o: null, m: "a" },
      ]
        .map((row) => JSON.stringify(row))
        .join("\n")
        .replace('"i":2', '"i":9007199254740993'),
      "ndjson",
    ),
  );
  expect(types).toEqual({
    i: "BIGINT",
    d: "DOUBLE",
    s: "VARCHAR",
    b: "BOOLEAN",
    t: "TIMESTAMP WITH TIME ZONE",
    li: "BIGINT[]",
    ls: "VARCHAR[]",
    o: "VARCHAR",
    m: "VARCHAR",
  });
  expect(rows).toEqual([
    [1n, 1, "1", true, "2024-01-02 03:04:05+00", [1n, null], ["a"], '{"x":1}', "1"],
    [9007199254740993n, 1.5, "x", null, null, [], null, null, "a"],
  ]);
});

describe("Parquet", () => {
  async function parquet(name: string, sql: string): Promise<string> {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    await (await run.engine()).run(`COPY (${sql}) TO '${path}' (FORMAT parquet)`);
    return path;
  }

  test("files of a folder are matched by name, partitions become columns", async () => {
    await parquet("sales/day=2024-01-01/a.parquet", "SELECT 1 AS a, 'x' AS b");
    await parquet("sales/day=2024-01-02/b.parquet", "SELECT 'y' AS b, 2::BIGINT AS a, 3 AS c");
    const { types, rows } = await read(join(folder, "sales"));
    expect(types).toEqual({ a: "BIGINT", b: "VARCHAR", c: "INTEGER", day: "DATE" });
    expect(rows).toEqual([
      [1n, "x", null, "2024-01-01"],
      [2n, "y", 3, "2024-01-02"],
    ]);
  });

  test("types that do not meet are named", async () => {
    const one = await parquet("t1.parquet", "SELECT 1 AS a");
    const two = await parquet("t2.parquet", "SELECT 'x' AS a");
    const error = await failure([one, two]);
    expect(error.message).toBe(`a is INTEGER in ${one} and VARCHAR here`);
    expect(error.where).toBe(two);
  });

  test("a file cut in half, one of another kind and a folder of nothing are refused", async () => {
    const path = await parquet("cut.parquet", "SELECT * FROM range(1000) t(a)");
    const whole = readFileSync(path);
    truncateSync(path, whole.length >> 1);
    expect(await failure(path)).toMatchObject({
      kind: "data",
      message: "the Parquet file is cut short: its end is missing",
      where: path,
    });
    const torn = Buffer.concat([whole.subarray(0, whole.length >> 1), whole.subarray(-8)]);
    expect((await failure(file(torn, "parquet"))).message).toBe(
      "the Parquet file is damaged: its description of itself cannot be read",
    );
    expect((await failure(file("a,b\n1,2\n", "parquet"))).message).toBe(
      "this is no Parquet file: it does not begin with PAR1",
    );
    expect((await failure(file("", "parquet"))).message).toBe("the file is empty (0 bytes)");
  });
});

// The counts of data/README.md; absent where the public data sets are.
const retail = sharedData("online-retail-raw/by-day");
test.skipIf(!retail)("the raw shop files of online-retail-raw give the counts of their README", async () => {
  const relation = await openTable(await run.engine(), [retail!]);
  const [row] = await relation.engine.rows(
    `SELECT count(*) AS rows, count(*) FILTER (WHERE CustomerID IS NULL) AS anonymous, count(*) FILTER (WHERE Quantity < 0) AS negative, count(*) FILTER (WHERE UnitPrice <= 0) AS free, count(*) FILTER (WHERE InvoiceNo LIKE 'C%') AS cancelled, count(*) FILTER (WHERE trim(coalesce(Description, '')) = '') AS blank FROM (${relation.sql})`,
  );
  expect(row).toEqual({
    rows: 77628n,
    anonymous: 28866n,
    negative: 1595n,
    free: 413n,
    cancelled: 1429n,
    blank: 239n,
  });
  expect(Object.fromEntries(relation.schema.map((field) => [field.name, field.type]))).toMatchObject({
    InvoiceNo: "VARCHAR",
    Quantity: "BIGINT",
    InvoiceDate: "TIMESTAMP",
    UnitPrice: "DOUBLE",
  });
  expect(relation.inputs).toHaveLength(44);
});

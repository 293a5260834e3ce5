import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC, tableToIPC, type Table } from "apache-arrow";
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { describe, expect, test } from "vitest";
import { openDuckDb } from "../../src/engine/duckdb.js";
import { openTable } from "../../src/table/open.js";
import { openText } from "../../src/table/open-text.js";
import { provenanceOf } from "../../src/table/provenance.js";
import { readProvenance } from "../../src/table/read-provenance.js";
import { relationOf, selectOrdered, type Relation } from "../../src/table/relation.js";
import { writeTable } from "../../src/table/write.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
const provenance = provenanceOf("test", { a: 1 }, 42, [{ path: "x.csv", sha256: "00", rows: 2 }]);

/** Every type that must survive, three rows: usual, extreme, absent. */
const everything = `SELECT * FROM (VALUES
  (1, 9007199254740993::BIGINT, 1.10::DECIMAL(10,2), 12345678901234567890.123456::DECIMAL(38,6), 0.1::DOUBLE, 1.5::FLOAT, true, 'a "q", 茶🛒', DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.123456', TIMESTAMPTZ '2024-02-29 12:00:00+05:30', [1, NULL, 3]::BIGINT[], {'x': 1, 'y': 'é'}, TIME '10:11:12.5', '\\xAA\\x00'::BLOB, 200::UTINYINT, MAP {'k': 1}, [['a'], []]),
  (2, '-9223372036854775808'::BIGINT, -99999999.99::DECIMAL(10,2), -0.000001::DECIMAL(38,6), -1e300::DOUBLE, -0.25::FLOAT, false, '', DATE '1900-01-01', TIMESTAMP '1969-12-31 23:59:59', TIMESTAMPTZ '1999-12-31 23:59:59Z', []::BIGINT[], {'x': NULL, 'y': ''}, TIME '00:00:00', ''::BLOB, 0::UTINYINT, MAP {}, NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) t(id, big, price, wide, d, f, yes, name, day, moment, zoned, list, record, clock, bytes, small, dict, nested)`;

async function relation(sql: string, key = ["id"]): Promise<Relation> {
  return relationOf(await run.engine(), sql, { key });
}

async function rowsOf(table: Relation) {
  return (await table.engine.rows(selectOrdered(table))).map((row) => Object.values(row));
}

const typesOf = (table: Relation) => table.schema.map((field) => field.type);
const hash = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

describe.each(["parquet", "arrow", "arrows", "feather"])("%s", (ending) => {
  test("keeps types and values, and says what made it", async () => {
    const table = await relation(everything);
    const path = join(folder, `all.${ending}`);
    expect(await writeTable(table, path, provenance)).toEqual({ rows: 3 });
    const back = await openTable(await run.engine(), [path]);
    expect(typesOf(back)).toEqual(typesOf(table));
    expect(await rowsOf(back)).toEqual(await rowsOf(table));
    expect(await readProvenance(await run.engine(), path)).toEqual(provenance);
    expect(back.inputs).toEqual([{ path, sha256: hash(path), rows: 3 }]);
  });

  test("keeps the columns of a table without rows", async () => {
    const table = await relation(`SELECT * FROM (${everything}) WHERE id > 9`);
    const path = join(folder, `none.${ending}`);
    expect(await writeTable(table, path, provenance)).toEqual({ rows: 0 });
    const back = await openTable(await run.engine(), [path]);
    expect(typesOf(back)).toEqual(typesOf(table));
    expect(await rowsOf(back)).toEqual([]);
  });
});

describe("independent readers", () => {
  test("hyparquet reads our Parquet", async () => {
    const path = join(folder, "independent.parquet");
    await writeTable(await relation(everything), path, provenance);
    const file = readFileSync(path);
    const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer;
    const metadata = parquetMetadata(bytes);
    expect(metadata.key_value_metadata?.find((entry) => entry.key === "shopai")?.value).toBe(
      JSON.stringify({
        command: "test",
        created_by: provenance.created_by,
        inputs: [{ path: "x.csv", rows: 2, sha256: "00" }],
        options: { a: 1 },
        seed: 42,
        version: provenance.version,
      }),
    );
    const rows = await parquetReadObjects({ file: bytes, compressors });
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatchObject({
      id: 1,
      big: 9007199254740993n,
      price: 1.1,
      d: 0.1,
      yes: true,
      name: 'a "q", 茶🛒',
      list: [1n, null, 3n],
      record: { x: 1, y: "é" },
      zoned: new Date("2024-02-29T06:30:00Z"),
    });
    expect(rows[1]).toMatchObject({ name: "", list: [] });
    expect(rows[2].name ?? null).toBeNull();
  });

  test("apache-arrow reads our Arrow files, and we read its", async () => {
    const path = join(folder, "independent.arrow");
    await writeTable(await relation(everything), path, provenance);
    const table: Table = tableFromIPC(readFileSync(path));
    expect(table.numRows).toBe(3);
    expect(table.schema.fields.map((field) => String(field.type))).toEqual([
      "Int32",
      "Int64",
      "Decimal[10e+2]",
      "Decimal[38e+6]",
      "Float64",
      "Float32",
      "Bool",
      "Utf8",
      "Date32<DAY>",
      "Timestamp<MICROSECOND>",
      "Timestamp<MICROSECOND, UTC>",
      "List<Int64>",
      "Struct<{x:Int32, y:Utf8}>",
      "Time64<MICROSECOND>",
      "Binary",
      "Uint8",
      "Map<{key:Utf8, value:Int32}>",
      "List<List<Utf8>>",
    ]);
    expect(table.getChild("big")!.toJSON()).toEqual([9007199254740993n, -9223372036854775808n, null]);
    expect(table.getChild("name")!.toJSON()).toEqual(['a "q", 茶🛒', "", null]);
    for (const kind of ["file", "stream"] as const) {
      const again = join(folder, `again.${kind === "file" ? "arrow" : "arrows"}`);
      writeFileSync(again, tableToIPC(table, kind));
      expect(await rowsOf(await openTable(await run.engine(), [again]))).toEqual(
        await rowsOf(await relation(everything)),
      );
    }
  });
});

describe("text", () => {
  test("CSV keeps empty apart from absent, and lists as JSON", async () => {
    const path = join(folder, "all.csv");
    expect(await writeTable(await relation(everything), path, provenance)).toEqual({ rows: 3 });
    const back = await openTable(await run.engine(), [path]);
    expect(Object.fromEntries(back.schema.map((field) => [field.name, field.type]))).toMatchObject({
      big: "BIGINT",
      price: "DOUBLE",
      wide: "VARCHAR",
      yes: "BOOLEAN",
      day: "DATE",
      moment: "TIMESTAMP",
      zoned: "TIMESTAMP WITH TIME ZONE",
      list: "VARCHAR",
    });
    const rows = await back.engine.rows(selectOrdered(back, ["big", "wide", "name", "zoned", "list", "d"]));
    expect(rows.map((row) => Object.values(row))).toEqual([
      [
        9007199254740993n,
        "12345678901234567890.123456",
        'a "q", 茶🛒',
        "2024-02-29 06:30:00+00",
        "[1,null,3]",
        0.1,
      ],
      [-9223372036854775808n, "-0.000001", "", "1999-12-31 23:59:59+00", "[]", -1e300],
      [null, null, null, null, null, null],
    ]);
  });

  test.each(["ndjson", "json"])(
    "%s keeps numbers exact and nulls explicit; NaN becomes null",
    async (ending) => {
      const table = await relation(
        "SELECT 1 AS id, 9007199254740993 AS big, 1.10::DECIMAL(10,2) AS price, 'nan'::DOUBLE AS n, NULL AS none, [1, 2] AS list, '' AS empty",
      );
      const path = join(folder, `exact.${ending}`);
      await writeTable(table, path, provenance);
      const line = '{"id":1,"big":9007199254740993,"price":1.1,"n":null,"none":null,"list":[1,2],"empty":""}';
      expect(readFileSync(path, "utf8").replace(/\s/g, "")).toBe(ending === "json" ? `[${line}]` : line);
      const back = await openTable(await run.engine(), [path]);
      expect(await rowsOf(back)).toEqual([[1n, 9007199254740993n, 1.1, null, null, [1n, 2n], ""]]);
    },
  );

  test.each(["csv.gz", "csv.zst", "tsv", "ndjson.gz", "ndjson.zst"])(
    "%s can be read back",
    async (ending) => {
      const path = join(folder, `small.${ending}`);
      const table = await relation("SELECT range AS id, 'text	' || range AS t FROM range(5000)");
      expect(await writeTable(table, path, provenance)).toEqual({ rows: 5000 });
      expect(await rowsOf(await openTable(await run.engine(), [path]))).toEqual(await rowsOf(table));
    },
  );

  test("any table of texts comes back from CSV as it was", async () => {
    const engine = await run.engine();
    const text = fc.option(
      fc
        .array(
          fc.constantFrom(
            "a",
            '"',
            "\n",
            "\r",
            "\r\n",
            ",",
            ";",
            "\t",
            "|",
            " ",
            "茶",
            "🛒",
            "\\",
            "'",
            "#",
            "\u0001",
          ),
          { maxLength: 6 },
        )
        .map((parts) => parts.join("")),
    );
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc
          .integer({ min: 1, max: 4 })
          .chain((width) =>
            fc.array(fc.array(text, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }),
          ),
        fc.constantFrom("csv", "tsv"),
        async (rows, ending) => {
          const names = rows[0].map((_, i) => `c${i}`);
          const table = engine.fresh("property");
          await engine.run(
            `CREATE TABLE ${table} (id INTEGER, ${names.map((name) => `${name} VARCHAR`).join(", ")})`,
          );
          for (const [id, row] of rows.entries())
            await engine.run(
              `INSERT INTO ${table} VALUES (${[id, ...names].map((_, i) => `$${i + 1}`).join(", ")})`,
              [id, ...row],
            );
          const source = await relationOf(engine, `SELECT * FROM ${table}`, { key: ["id"] });
          const path = join(folder, `property${number++}.${ending}`);
          await writeTable({ ...source, schema: source.schema.slice(1) }, path, provenance);
          const back = await openText(engine, [path], { delimiter: ending === "tsv" ? "tab" : "," });
          expect(await rowsOf(back.relation)).toEqual(rows);
          expect(back.records).toBe(rows.length);
        },
      ),
      { numRuns: 40, examples: [[[["\u0001\u0001"], [null]], "csv"]] },
    );
  });
});

test("the bytes depend neither on the threads nor on a filter before", async () => {
  const endings = ["parquet", "arrow", "csv", "ndjson", "csv.gz"];
  const hashes = new Map<string, Set<string>>(endings.map((ending) => [ending, new Set()]));
  for (const threads of [1, 2, 4]) {
    const engine = await openDuckDb({ threads, memory: 1e9 });
    try {
      const sql =
        "SELECT range AS id, range % 7 AS g, 'text ' || (range * 7919 % 100003) AS t, CASE WHEN range % 3 > 0 THEN range / 3 END AS d FROM range(160000) WHERE range % 5 <> 3";
      const table = await relationOf(engine, sql, { key: ["id"] });
      for (const ending of endings) {
        const path = join(folder, `threads.${ending}`);
        expect(await writeTable(table, path, provenance)).toEqual({ rows: 128_000 });
        hashes.get(ending)!.add(hash(path));
      }
    } finally {
      await engine.close();
    }
  }
  expect([...hashes].map(([ending, set]) => [ending, set.size])).toEqual(
    endings.map((ending) => [ending, 1]),
  );
});

describe("what cannot be written", () => {
  test("a table without columns", async () => {
    const table = { ...(await relation("SELECT 1 AS id")), schema: [] };
    await expect(writeTable(table, join(folder, "zero.parquet"), provenance)).rejects.toMatchObject({
      kind: "data",
      message: "a table without columns cannot be written",
    });
  });

  test("an unknown ending, and a compressed Parquet", async () => {
    const table = await relation("SELECT 1 AS id");
    await expect(writeTable(table, join(folder, "x.xlsx"), provenance)).rejects.toMatchObject({
      kind: "usage",
    });
    await expect(writeTable(table, join(folder, "x.parquet.gz"), provenance)).rejects.toMatchObject({
      kind: "usage",
    });
  });

  test("a query that fails leaves nothing behind, and the old file as it was", async () => {
    for (const ending of ["parquet", "arrow", "csv"]) {
      const path = join(folder, `old.${ending}`);
      await writeTable(await relation("SELECT 1 AS id"), path, provenance);
      const before = hash(path);
      const bad = await relation(
        "SELECT range AS id, CASE WHEN range > 90000 THEN error('boom') END AS x FROM range(100000)",
      );
      await expect(writeTable(bad, path, provenance)).rejects.toThrow(/boom/);
      expect(hash(path)).toBe(before);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(existsSync(join(folder, "zero.parquet"))).toBe(false);
  });
});

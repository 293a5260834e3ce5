import { gzipSync } from "node:zlib";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import iconv from "iconv-lite";
import { describe, expect, test } from "vitest";
import { ShopaiError } from "../../src/core/errors.js";
import { openText } from "../../src/table/open-text.js";
import type { OpenOptions } from "../../src/table/open.js";
import { countRows, fileColumn, rowColumn, selectOrdered, type Relation } from "../../src/table/relation.js";
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
  const raw = await openText(await run.engine(), [paths].flat(), options);
  const rows = async (relation: Relation, columns?: string[]) =>
    (await relation.engine.rows(selectOrdered(relation, columns))).map((row) => Object.values(row));
  const good = await rows(raw.relation);
  const refused = await rows(raw.refused, ["_line", "_reason", "_raw"]);
  expect(raw.records).toBe(good.length + refused.length);
  return {
    names: raw.relation.schema.map((field) => field.name),
    rows: good,
    lines: (await rows(raw.relation, [rowColumn])).map(([line]) => Number(line)),
    files: (await rows(raw.relation, [fileColumn])).map(([number]) => Number(number)),
    refused: refused.map(([line, ...rest]) => [Number(line), ...rest]),
    raw,
  };
}

async function failure(paths: string | string[], options: OpenOptions = {}): Promise<ShopaiError> {
  const error = await read(paths, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ShopaiError);
  return error as ShopaiError;
}

describe("CSV", () => {
  test("keeps text as it stands, absent apart from empty, with physical lines", async () => {
    const text = '\ufeffsku,name,note\n1,,""\n\n2,"a ""b""\r\nc","d,e"\n3,12" pipe, "x" \n4, a ,🛒茶';
    const got = await read(file(text));
    expect(got.names).toEqual(["sku", "name", "note"]);
    expect(got.rows).toEqual([
      ["1", null, ""],
      ["2", 'a "b"\r\nc', "d,e"],
      ["3", '12" pipe', ' "x" '],
      ["4", " a ", "🛒茶"],
    ]);
    expect(got.lines).toEqual([2, 4, 6, 7]);
    expect(got.refused).toEqual([]);
  });

  test("sets aside what is no record, with the reason and the line, and loses no good row", async () => {
    const text = Buffer.concat([
      Buffer.from('a,b,c\n1,2,3\n1,2\n1,2,3,4\n"x"y,2,3\n5,5,5\n6,"open,6\n7,"seven",7\n8,8,\0\n9,\\'),
      Buffer.from([0xff, 0xe9]),
      Buffer.from(',é\n10,10,10\n11,11,"never\n12,12,12\n'),
    ]);
    const got = await read(file(text));
    expect(got.rows.map((row) => row[0])).toEqual(["1", "5", "7", "10", "12"]);
    expect(got.lines).toEqual([2, 6, 8, 11, 13]);
    expect(got.refused).toEqual([
      [3, "2 fields where the header has 3", "1,2"],
      [4, "4 fields where the header has 3", "1,2,3,4"],
      [5, "text after the closing quote of field 1", '"x"y,2,3'],
      [7, "the quote opened in field 2 is not closed before other text", '6,"open,6'],
      [9, "a NUL byte", "8,8,\\x00"],
      [10, "bytes that are not UTF-8", "9,\\\\\\xFF\\xE9,é"],
      [12, "the quote opened in field 3 is never closed", '11,11,"never'],
    ]);
  });

  test.each([
    ["CRLF", "a,b\r\n1,2\r\n\r\n3,4\r\n"],
    ["CR", "a,b\r1,2\r\r3,4\r"],
    ["mixed line ends", "a,b\r\n1,2\n\r3,4"],
  ])("reads %s", async (_, text) => {
    const got = await read(file(text));
    expect(got.rows).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
    expect(got.lines).toEqual([2, 4]);
  });

  test.each([
    [";", "a;b\n1,5;2\n3,5;4\n"],
    ["\t", "a\tb\n1,5\t2\n3,5\t4\n"],
    ["|", "a|b\n1,5|2\n3,5|4\n"],
    [",", 'a,b\n"1,5",2\n"3,5",4\n'],
  ])("finds the separator %j", async (_, text) => {
    expect((await read(file(text))).rows).toEqual([
      ["1,5", "2"],
      ["3,5", "4"],
    ]);
  });

  test.each([
    ["latin-1", "latin1", "café,ñandú"],
    ["windows-1252", "windows-1252", "€ 5,“x”"],
    ["gbk", "gbk", "中文,茶叶"],
    ["gb18030", "gb18030", "中文🛒,茶叶"],
    ["utf-16", "utf-16", "中文🛒,茶叶"],
  ])("decodes %s", async (encoding, codec, line) => {
    const path = file(iconv.encode(`a,b\n${line}\n`, codec, { addBOM: codec === "utf-16" }));
    expect((await read(path, { encoding })).rows).toEqual([line.split(",")]);
  });

  test("reads a large file the same in any pieces, also from gz", async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) =>
      i % 7 === 0 ? `${i},"q ${i}\n, ""茶"""` : `${i},plain ${"x".repeat(20)} ${i}`,
    );
    const text = `id,t\n${lines.join("\n")}\n`;
    expect(text.length).toBeGreaterThan(1.2e6);
    const plain = await read(file(text));
    expect(plain.rows).toHaveLength(40_000);
    expect(plain.rows[7]).toEqual(["7", 'q 7\n, "茶"']);
    expect(plain.lines[8]).toBe(12);
    const zipped = await read(file(gzipSync(text), "csv.gz"));
    expect(zipped.rows).toEqual(plain.rows);
    expect(zipped.lines).toEqual(plain.lines);
  });

  test("an unclosed quote swallows no more than its line", async () => {
    const rest = Array.from({ length: 400_000 }, (_, i) => `${i},some more text here`).join("\n");
    const raw = await openText(await run.engine(), [file(`a,b\n0,"open\n${rest}\n`)]);
    expect(raw.records).toBe(400_001);
    expect(await countRows(raw.relation)).toBe(400_000);
    expect(await raw.refused.engine.rows(selectOrdered(raw.refused, ["_line", "_reason", "_raw"]))).toEqual([
      { _line: 2n, _reason: "the quote opened in field 2 is never closed", _raw: '0,"open' },
    ]);
  });

  test("a header alone is a table without rows", async () => {
    const got = await read(file("a,b\n"));
    expect(got.names).toEqual(["a", "b"]);
    expect(got.rows).toEqual([]);
  });

  test("several files are matched by name", async () => {
    const sub = join(folder, "days");
    mkdirSync(join(sub, "country=NO"), { recursive: true });
    writeFileSync(join(sub, "1.csv"), "a,b\n1,2\n");
    writeFileSync(join(sub, "2.csv"), "b,a\n4,3\n5\n");
    const got = await read(sub);
    expect(got.rows).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
    expect(got.files).toEqual([0, 1]);
    expect(got.refused).toEqual([[3, "1 field where the header has 2", "5"]]);
    writeFileSync(join(sub, "3.csv"), "a,c\n1,2\n");
    const error = await failure(sub);
    expect(error.message).toBe(
      "the columns differ from those of the first file: it lacks b, it has c besides",
    );
    expect(error.where).toBe(join(sub, "3.csv"));
  });

  test("hive partitions become columns", async () => {
    const sub = join(folder, "parts");
    for (const [country, text] of [
      ["NO", "a\n1\n"],
      ["SE", "a\n2\n"],
    ]) {
      mkdirSync(join(sub, `country=${country}`), { recursive: true });
      writeFileSync(join(sub, `country=${country}`, "x.csv"), text);
    }
    const got = await read(sub);
    expect(got.names).toEqual(["a", "country"]);
    expect(got.rows).toEqual([
      ["1", "NO"],
      ["2", "SE"],
    ]);
  });

  test.each([
    ["0 bytes", "", "the file is empty (0 bytes)"],
    ["blank lines only", "\n\n", "the file holds only blank lines"],
    ["the same name twice", "a,b,a\n1,2,3\n", 'two columns are called "a"'],
    ["names that differ in case", "a,A\n1,2\n", 'the columns "a" and "A" differ only in the case of letters'],
    ["Parquet under another name", "PAR1....", "this is no text: it is Parquet"],
    ["a zip", "PK\u0003\u0004....", "this is no text: it is a zip archive (an Excel workbook is one)"],
    ["a web page", "<!DOCTYPE html>\n<html></html>", "this is no CSV: it is a web page or XML"],
    ["JSON", '{"a": 1}\n{"a": 2}\n', "this is no CSV: it is JSON"],
    ["binary", "\u0001\u0002\u0003,\u0004\u0005", "this is no text: it holds binary bytes"],
    [
      "a header that does not end well",
      'a,"b\n1,2\n',
      "the header cannot be read: the quote opened in field 2 is never closed",
    ],
  ])("refuses %s", async (_, text, message) => {
    const error = await failure(file(text));
    expect(error.kind).toBe("data");
    expect(error.message).toBe(message);
  });

  test("a file without a header has the names that are given, or places, and loses no row", async () => {
    const path = file("39,State-gov\n50,State-gov\n");
    const unnamed = await read(path, { header: ["none"] });
    expect([unnamed.names, unnamed.rows, unnamed.lines]).toEqual([
      ["column_1", "column_2"],
      [
        ["39", "State-gov"],
        ["50", "State-gov"],
      ],
      [1, 2],
    ]);
    expect((await read(path, { header: ["age", "sector"] })).names).toEqual(["age", "sector"]);
    expect(await failure(path, { header: ["age"] })).toMatchObject({
      kind: "usage",
      message: "--header names 1 column, and the first record has 2 fields",
    });
    expect((await failure(path, { header: ["age", "Age"] })).message).toContain("differ only in the case");
    expect((await failure(file("1,x,1\n2,y,2\n"))).try).toContain(
      "; --header none, if the first line is no header",
    );
  });

  test("refuses the wrong separator and says the right one", async () => {
    const error = await failure(file("a,b\n1,2\n3,4\n"), { delimiter: ";" });
    expect(error.message).toBe('with the separator ";" the file has one column, with "," it has 2');
    expect(error.try).toBe('--delimiter ","');
  });

  test("a damaged gz file is refused", async () => {
    const zipped = gzipSync(`a,b\n${"1,2\n".repeat(50_000)}`);
    expect((await failure(file(zipped.subarray(0, 80), "csv.gz"))).message).toBe(
      "the gzip file is damaged: it ends too early",
    );
    zipped[zipped.length - 6] ^= 1;
    expect((await failure(file(zipped, "csv.gz"))).message).toBe(
      "the gzip file is damaged: its checksum or its content is wrong",
    );
    expect((await failure(file("a,b\n", "csv.gz"))).message).toBe(
      "the gzip file is damaged: it is not gzip at all",
    );
  });
});

test("a zstd file that is cut short or none at all is refused", async () => {
  const whole = join(folder, "whole.csv.zst");
  await (
    await run.engine()
  ).run(
    `COPY (SELECT range AS a, md5(range::VARCHAR) AS b FROM range(20000)) TO '${whole}' (FORMAT csv, HEADER, COMPRESSION zstd)`,
  );
  expect((await read(whole)).lines.at(-1)).toBe(20_001);
  const bytes = readFileSync(whole);
  for (const cut of [1, 100, bytes.length - 10, bytes.length - 3])
    expect((await failure(file(bytes.subarray(0, bytes.length - cut), "csv.zst"))).message).toBe(
      "the zstd file is damaged: it ends too early",
    );
  const twice = file(Buffer.concat([bytes, bytes]), "csv.zst");
  expect((await read(twice)).lines.at(-1)).toBe(40_002);
  expect((await failure(file("a,b\n1,2\n", "csv.zst"))).message).toBe(
    "the zstd file is damaged: it is not zstd at all",
  );
});

describe("JSON", () => {
  test("NDJSON: numbers exact, nested values as JSON, bad lines set aside", async () => {
    const text = [
      '{"id": 9007199254740993, "name": "a\\u00e9", "big": 123456789012345678901234567890}',
      "",
      '{"id": 1.5, "tags": ["x", {"y": 1}], "ok": true, "name": null}',
      '{"id": 2',
      "[1]",
      '{"name": "", "a/b~c": 1}',
    ].join("\r\n");
    const got = await read(file(text, "ndjson"));
    expect(got.names).toEqual(["id", "name", "big", "tags", "ok", "a/b~c"]);
    expect(got.rows).toEqual([
      ["9007199254740993", "aé", "123456789012345678901234567890", null, null, null],
      ["1.5", null, null, '["x",{"y":1}]', "true", null],
      [null, "", null, null, null, "1"],
    ]);
    expect(got.lines).toEqual([1, 3, 6]);
    expect(got.refused).toEqual([
      [4, "not valid JSON", '{"id": 2'],
      [5, "not a JSON object", "[1]"],
    ]);
  });

  test("JSON: an array in any layout, and objects one after the other", async () => {
    const array = '\n[ {"a": "]}\\"", "b": [1,\n 2]},\n3,\n {"a": null}\n]\n';
    const got = await read(file(array, "json"));
    expect(got.rows).toEqual([
      [']}"', "[1,2]"],
      [null, null],
    ]);
    expect(got.lines).toEqual([2, 5]);
    expect(got.refused).toEqual([[4, "not a JSON object", "3"]]);
    const sequence = '{"a": 1}\n{\n "a": 2\n} {"a":3}';
    expect((await read(file(sequence, "json"))).rows).toEqual([["1"], ["2"], ["3"]]);
    const cut = await failure(file('[{"a": 1}, {"a"', "json"));
    expect(cut.message).toBe("the JSON cannot be read: the JSON ends before its brackets close");
  });
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { afterEach, expect, test, vi } from "vitest";
import { provenanceOf } from "../../src/table/provenance.js";
import { relationOf } from "../../src/table/relation.js";
import { writeTable } from "../../src/table/write.js";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";

const run = testRun();
const folder = temporaryFolder();
const provenance = provenanceOf("test", {}, 42, []);

afterEach(() => void vi.restoreAllMocks());

const sql = `SELECT range AS id, CASE range % 6 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'a,b;c' WHEN 3 THEN 'say "hi"' || chr(13) || chr(10) WHEN 4 THEN 'tab' || chr(9) || '茶' ELSE ' plain ' END AS "na,""me", range / 7 AS d, [range, NULL] AS l, CASE WHEN range % 5 = 0 THEN 'nan'::DOUBLE ELSE 0.1 END AS f, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t, range % 2 = 0 AS b FROM range(5000)`;

test.each([
  ["csv", "csv"],
  ["tsv", "tsv"],
  ["ndjson", "ndjson"],
  ["json", "json"],
  ["parquet", "parquet"],
  ["arrow", "arrows"],
])("stdout as %s gets the bytes that a .%s file gets", async (format, ending) => {
  const table = await relationOf(await run.engine(), sql, { key: ["id"] });
  const path = join(folder, `same.${ending}`);
  await writeTable(table, path, provenance);
  const parts: Buffer[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    parts.push(Buffer.from(chunk));
    return true;
  });
  const written = await writeTable(table, "-", provenance, { format });
  write.mockRestore();
  expect(written).toEqual({ rows: 5000 });
  expect(Buffer.concat(parts).equals(readFileSync(path))).toBe(true);
});

test("parquet-wasm reads our Parquet as we wrote it", async () => {
  const { readParquet } = await import("parquet-wasm");
  const path = join(folder, "wasm.parquet");
  const table = await relationOf(
    await run.engine(),
    "SELECT 1 AS id, 9007199254740993 AS big, 'é🛒' AS t, [1, NULL] AS l, 1.10::DECIMAL(10,2) AS d UNION ALL SELECT 2, NULL, '', NULL, NULL",
    { key: ["id"] },
  );
  await writeTable(table, path, provenance);
  const arrow = tableFromIPC(readParquet(readFileSync(path)).intoIPCStream());
  expect(arrow.numRows).toBe(2);
  expect(arrow.getChild("big")!.toJSON()).toEqual([9007199254740993n, null]);
  expect(arrow.getChild("t")!.toJSON()).toEqual(["é🛒", ""]);
  expect(String(arrow.schema.fields[4].type)).toContain("Decimal");
});

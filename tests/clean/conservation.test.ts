import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { testRun } from "../support/test-run.js";
import { planCleaning } from "../../src/clean/clean.js";
import { parseContract } from "../../src/clean/contract.js";
import { openDuckDb } from "../../src/engine/duckdb.js";
import { openText } from "../../src/table/open-text.js";
import { provenanceOf } from "../../src/table/provenance.js";
import { writeTable } from "../../src/table/write.js";
import { cleanCsv, rowsOf } from "./cleaning.js";

const run = testRun();
const folder = temporaryFolder();

const field = fc.oneof(
  fc.integer({ min: -5, max: 30 }).map(String),
  fc.constantFrom(
    "",
    " ",
    "x",
    "n/a",
    '"',
    '"a',
    '"q""q"',
    '"two\nlines"',
    "a,b",
    "é",
    "\u0000",
    "2024-01-01",
    "1e400",
    "nan",
  ),
);
const record = fc.oneof(
  { weight: 5, arbitrary: fc.array(field, { minLength: 3, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(field, { maxLength: 5 }) },
);
const contract = fc.record({
  type: fc.constantFrom("integer", "decimal(6,2)", "number", "text", "date"),
  on: fc.constantFrom("reject", "null", "flag", "fix"),
  required: fc.boolean(),
  exact: fc.boolean(),
  keys: fc.boolean(),
  keyed: fc.boolean(),
  impute: fc.boolean(),
});

test("rows in = rows out + rejected + duplicates, whatever the file and the contract; rejects hold every refused row", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 25 }), contract, async (records, about) => {
      const csv = `a,b,c\n${records.map((fields) => fields.join(",")).join("\n")}\n`;
      const yaml = JSON.stringify({
        columns: {
          a: {
            type: about.type,
            required: about.required,
            on: about.on,
            ...(about.type === "integer" && { min: 0, max: 20 }),
          },
          c: {},
          b: { type: "integer", on: "null", ...(about.impute && { impute: { method: "median" } }) },
        },
        ...(about.keys && { keys: ["c"] }),
        ...((about.exact || about.keyed) && {
          duplicates: { exact: about.exact, ...(about.keyed && { by: ["a", "b"], keep: "last" }) },
        }),
      });
      const { table, rejects, counts } = await cleanCsv(run, folder, csv, yaml);
      expect(counts.rows_out).toBe((await rowsOf(table)).length);
      const refused = await rowsOf(rejects);
      expect(counts.rejected).toBe(refused.length);
      expect(counts.rows_in).toBe(counts.rows_out + counts.rejected + counts.duplicates);
      for (const row of refused) {
        expect(row._reason).toBeTruthy();
        expect(row._line).toBeGreaterThan(1n);
      }
    }),
    { numRuns: 40 },
  );
});

test("refused rows are kept byte for byte", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { minLength: 1, maxLength: 8 }),
      async (texts) => {
        const quoted = texts.map((text) => text.replaceAll("\0", "0").replaceAll("\r", "\n"));
        const csv = `t,n\n${quoted.map((text) => `"${text.replaceAll('"', '""')}",x`).join("\n")}\n`;
        const { rejects } = await cleanCsv(run, folder, csv, "columns: { n: { type: integer } }");
        expect((await rowsOf(rejects)).map((row) => row.t)).toEqual(quoted);
      },
    ),
    { numRuns: 25 },
  );
});

test("equal bytes for any number of threads, with every step at work", async () => {
  const rows = Array.from({ length: 30_000 }, (_, i) => {
    const price = i % 97 === 0 ? "free" : ((i * 31) % 1000) / 100;
    return `${Math.floor(i / 1.001)},${i % 13 === 0 ? "" : (i * 7919) % 100},${price},${i % 5}`;
  });
  const input = join(folder, "threads.csv");
  writeFileSync(input, `id,n,price,shop\n${rows.join("\n")}\n`);
  const yaml = `columns:
  id: { type: integer }
  shop: {}
  n: { type: number, outliers: { method: zscore, k: 1.7, action: flag }, impute: { method: mean, by: [shop] } }
  price: { type: "decimal(9,2)" }
  value: { derive: "price * n" }
duplicates: { by: [id], keep: last }`;
  const digests = new Set<string>();
  for (const threads of [1, 2, 4]) {
    const engine = await openDuckDb({ threads, memory: 1e9 });
    const { relation, refused, records } = await openText(engine, [input]);
    const plan = await planCleaning(
      engine,
      { rows: relation, refused, records },
      parseContract(yaml, "t.yaml"),
    );
    const [out, bad] = [join(folder, `t${threads}.parquet`), join(folder, `r${threads}.csv`)];
    const about = provenanceOf("clean", {}, 42, plan.table.inputs);
    const { rows: written } = await writeTable(plan.table, out, about);
    const { rejects, counts } = await plan.outcome(written);
    await writeTable(rejects, bad, about);
    digests.add(
      [out, bad].map((path) => createHash("sha256").update(readFileSync(path)).digest("hex")).join() +
        JSON.stringify(counts),
    );
    await engine.close();
  }
  expect(digests.size).toBe(1);
});

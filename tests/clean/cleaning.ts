import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanRows, type Outcome } from "../../src/clean/clean.js";
import { parseContract } from "../../src/clean/contract.js";
import { openText } from "../../src/table/open-text.js";
import { selectOrdered, visible, type Relation } from "../../src/table/relation.js";
import type { TestRun } from "../support/test-run.js";

let files = 0;

/** Cleans the text of a CSV file by the text of a contract, in the test's own engine. */
export async function cleanCsv(
  run: TestRun,
  folder: string,
  csv: string | Uint8Array,
  yaml: string,
): Promise<Outcome & { table: Relation; path: string }> {
  const path = join(folder, `in-${files++}.csv`);
  writeFileSync(path, csv);
  const engine = await run.engine();
  const { relation, refused, records } = await openText(engine, [path]);
  const contract = parseContract(yaml, join(folder, "contract.yaml"));
  return { ...(await cleanRows(engine, { rows: relation, refused, records }, contract)), path };
}

/** The rows of a relation in order, times and decimals as texts. */
export function rowsOf(relation: Relation): Promise<Record<string, unknown>[]> {
  return relation.engine.rows(selectOrdered(relation, visible(relation)));
}

/** One column of a relation, in order. */
export async function columnOf(relation: Relation, name: string): Promise<unknown[]> {
  return (await rowsOf(relation)).map((row) => row[name]);
}

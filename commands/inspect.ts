import { writeFile } from "node:fs/promises";
import { inferredContract } from "../src/clean/infer.js";
import { profileOf } from "../src/clean/profile.js";
import { cardBlocks } from "../src/cli/card-blocks.js";
import { headBlocks, profileBlocks } from "../src/cli/profile-blocks.js";
import { ShopaiError } from "../src/core/errors.js";
import { isModelFolder, readModelFolder } from "../src/learners/model-folder.js";
import { defineCommand, option, readingOptions, type Result } from "../src/pipeline/command.js";
import type { Engine } from "../src/engine/engine.js";
import type { Run } from "../src/engine/run.js";
import { ident } from "../src/engine/sql.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { isText, openText } from "../src/table/open-text.js";
import type { Provenance } from "../src/table/provenance.js";
import { selectOrdered, where, type Relation } from "../src/table/relation.js";
import { sourceFiles } from "../src/table/source.js";
import { typed } from "../src/table/typed-text.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "inspect",
  summary: summaries.inspect,
  inputs: {
    usage: "<file...>",
    min: 1,
    max: Infinity,
    help: "tables (files, folders, globs, or - for stdin), or a model folder",
  },
  examples: [
    "shopai inspect orders.csv",
    "shopai inspect orders.parquet --head 5 --where \"country = 'NO'\"",
    "shopai inspect orders.csv --contract orders.yaml",
    "shopai inspect model/",
    "shopai inspect orders.parquet --json | jq '.columns[] | {name, nulls}'",
  ],
  options: {
    ...readingOptions,
    head: option.integer("also show the first n rows", { min: 0, max: 1000 }).optional(),
    contract: option.path("write an inferred data contract to this file", { arg: "<yaml>" }).optional(),
  },
  reads: (o) => o.in,
  writes: (o) => (o.contract ? [o.contract] : []),
  async run(o, run) {
    const engine = await run.engine();
    const [first] = o.in;
    if (o.in.length === 1 && isModelFolder(first)) return inspectModel(first, o);
    const { relation, raw } = await opened(engine, o, run.signal);
    const profile = await profileOf(relation, run.progress);
    const provenance = await provenancesOf(engine, relation);
    const names = relation.schema.map((field) => field.name);
    const head = o.head ? await firstRows(relation, o.head) : undefined;
    if (o.contract) await writeContract(raw, o.contract, run);
    return {
      json: {
        name: relation.name,
        ...profile,
        files: relation.inputs,
        provenance,
        head,
        contract: o.contract,
      },
      blocks: [
        ...profileBlocks(relation.name, profile),
        ...provenance.map((made) => ({ kind: "line" as const, text: madeText(made) })),
        ...(head ? headBlocks(names, head) : []),
        ...(o.contract ? [{ kind: "line" as const, text: `\ncontract → ${o.contract}` }] : []),
      ],
    };
  },
});

/** What the files tell of their making: those that shopai wrote as Parquet or Arrow. */
async function provenancesOf(
  engine: Engine,
  { inputs }: Relation,
): Promise<(Provenance & { path: string })[]> {
  const { readProvenance } = await import("../src/table/read-provenance.js");
  const found = await Promise.all(
    inputs.map(async ({ path }) => ({ path, made: await readProvenance(engine, path) })),
  );
  return found.flatMap(({ path, made }) => (made ? [{ path, ...made }] : []));
}

function madeText({ path, command, created_by, inputs }: Provenance & { path: string }): string {
  const from = inputs.map((input) => `${input.path} (sha256 ${input.sha256.slice(0, 12)}…)`).join(", ");
  return `  ${path}: made by ${created_by}, ${command}${from ? ` from ${from}` : ""}`;
}

function inspectModel(path: string, o: { contract?: string; head?: number }): Result {
  const asked = o.contract ? "--contract" : o.head ? "--head" : undefined;
  if (asked)
    throw new ShopaiError("usage", `${asked} is for tables, and this is a model`, {
      where: path,
      try: `shopai inspect ${path}`,
    });
  const { card } = readModelFolder(path);
  return { json: { name: path, model: card }, blocks: cardBlocks(path, card) };
}

/** The table with its types, and the same rows as `clean` reads them: text untyped. */
async function opened(
  engine: Engine,
  o: { in: string[]; where?: string; format?: string; contract?: string },
  signal: AbortSignal,
): Promise<{ relation: Relation; raw: Relation }> {
  const options = { ...o, signal };
  if (!o.contract || !isText(sourceFiles(o.in, o.format)[0])) {
    const relation = await openTable(engine, o.in, options);
    return { relation, raw: relation };
  }
  const text = await openText(engine, o.in, options);
  const relation = await where(await typed(text), o.where);
  if (o.where === undefined) return { relation, raw: text.relation };
  const key = relation.key.map(ident).join(", ");
  const sql = `SELECT * FROM (${text.relation.sql}) SEMI JOIN (SELECT ${key} FROM (${relation.sql})) USING (${key})`;
  return { relation, raw: { ...text.relation, sql } };
}

async function writeContract(rows: Relation, path: string, run: Run): Promise<void> {
  run.progress.stage(`inferring ${path}`);
  const text = await inferredContract(rows);
  await writeAtomically(path, (temporary) => writeFile(temporary, text));
  run.progress.done();
}

function firstRows(relation: Relation, most: number): Promise<Record<string, unknown>[]> {
  return relation.engine.rows(`${selectOrdered(relation)} LIMIT ${most}`);
}

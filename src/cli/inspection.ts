import { writeFile } from "node:fs/promises";
import { inferredContract } from "../clean/infer.js";
import { profileOf } from "../clean/profile.js";
import { cardBlocks } from "./card-blocks.js";
import { headBlocks, profileBlocks } from "./profile-blocks.js";
import { listed, ShopaiError } from "../core/errors.js";
import { treeImportance } from "../learners/gbdt/explain/importance.js";
import { hasTrees, loadTrees } from "../learners/gbdt/trees.js";
import { isModelFolder, readModelFolder } from "../learners/model-folder.js";
import type { Result } from "../pipeline/command.js";
import type { Engine } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { writeAtomically } from "../table/atomic.js";
import { openTable, type OpenOptions } from "../table/open.js";
import { isText, openText } from "../table/open-text.js";
import type { Provenance } from "../table/provenance.js";
import { selectOrdered, where, type Relation } from "../table/relation.js";
import { sourceFiles } from "../table/source.js";
import { typed } from "../table/typed-text.js";

interface Asked extends OpenOptions {
  in: string[];
  head?: number;
  contract?: string;
}

/** What `inspect` answers: the profile of a table, or the card of a model. */
export async function inspection(o: Asked, run: Run): Promise<Result> {
  const engine = await run.engine();
  const [first] = o.in;
  if (o.in.length === 1 && isModelFolder(first)) return inspectModel(first, o);
  const { relation, raw } = await opened(engine, o, run.signal);
  const names = relation.schema.map((field) => field.name);
  const doubt = o.header || !isTextFile(o) ? undefined : headerDoubt(names);
  if (doubt) run.warn(doubt);
  const profile = await profileOf(relation, run.progress);
  const provenance = await provenancesOf(engine, relation);
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
}

const isTextFile = (o: Asked): boolean => isText(sourceFiles(o.in, o.format)[0]);

/** In words, that a first line looks like values rather than names; the first row would be lost without a word. */
function headerDoubt(names: readonly string[]): string | undefined {
  const numbers = names.filter((name) => /^[-+]?\d+(\.\d+)?$/.test(name));
  if (numbers.length === 0 || numbers.length * 4 < names.length) return undefined;
  return `the first line names ${listed(numbers)}: if it is no header, --header none or --header a,b,…`;
}

/** What the files tell of their making: those that shopai wrote as Parquet or Arrow. */
async function provenancesOf(
  engine: Engine,
  { inputs }: Relation,
): Promise<(Provenance & { path: string })[]> {
  const { readProvenance } = await import("../table/read-provenance.js");
  const found = await Promise.all(
    inputs.map(async ({ path }) => ({ path, made: await readProvenance(engine, path) })),
  );
  return found.flatMap(({ path, made }) => (made ? [{ path, ...made }] : []));
}

function madeText({ path, command, created_by, inputs }: Provenance & { path: string }): string {
  const from = inputs.map((input) => `${input.path} (sha256 ${input.sha256.slice(0, 12)}…)`).join(", ");
  return `  ${path}: made by ${created_by}, ${command}${from ? ` from ${from}` : ""}`;
}

function inspectModel(path: string, o: Asked): Result {
  const asked = o.contract ? "--contract" : o.head ? "--head" : undefined;
  if (asked)
    throw new ShopaiError("usage", `${asked} is for tables, and this is a model`, {
      where: path,
      try: `shopai inspect ${path}`,
    });
  const folder = readModelFolder(path);
  const { card } = folder;
  const importance = hasTrees(card) ? treeImportance(loadTrees(folder)) : undefined;
  return { json: { name: path, model: card, importance }, blocks: cardBlocks(path, card, importance) };
}

/** The table with its types, and the same rows as `clean` reads them: text untyped. */
async function opened(
  engine: Engine,
  o: Asked,
  signal: AbortSignal,
): Promise<{ relation: Relation; raw: Relation }> {
  const options = { ...o, signal };
  if (!o.contract || !isTextFile(o)) {
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

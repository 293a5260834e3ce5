import { writeFile } from "node:fs/promises";
import { inferredContract } from "../src/clean/infer.js";
import { profileOf, type ColumnProfile, type TableProfile } from "../src/clean/profile.js";
import { sparkline } from "../src/cli/sparkline.js";
import { defineCommand, option, readingOptions, type Block, type Cell } from "../src/pipeline/command.js";
import { grouped } from "../src/core/quantity.js";
import type { Engine } from "../src/engine/engine.js";
import type { Run } from "../src/engine/run.js";
import { ident } from "../src/engine/sql.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { isText, openText } from "../src/table/open-text.js";
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
    help: "tables: files, folders, globs, or - for stdin",
  },
  examples: [
    "shopai inspect orders.csv",
    "shopai inspect orders.parquet --head 5 --where \"country = 'NO'\"",
    "shopai inspect orders.csv --contract orders.yaml",
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
    const { relation, raw } = await opened(engine, o, run.signal);
    const profile = await profileOf(relation, run.progress);
    const head = o.head ? await firstRows(relation, o.head) : undefined;
    if (o.contract) await writeContract(raw, o.contract, run);
    return {
      json: { name: relation.name, ...profile, files: relation.inputs, head, contract: o.contract },
      blocks: [
        ...blocksOf(relation, profile),
        ...(head ? headBlocks(relation, head) : []),
        ...(o.contract ? [{ kind: "line" as const, text: `\ncontract → ${o.contract}` }] : []),
      ],
    };
  },
});

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

function blocksOf(relation: Relation, profile: TableProfile): Block[] {
  const { rows, columns, sampled } = profile;
  const blocks: Block[] = [
    { kind: "title", text: `${relation.name}: ${grouped(rows)} rows, ${columns.length} columns` },
    {
      kind: "table",
      head: ["column", "type", "nulls", "distinct", "min", "median", "max", "mean", "shape", "values"],
      rows: columns.map((column) => rowOf(column, rows)),
    },
  ];
  const notes = columns.flatMap((column) => notesOf(column, rows).map((note) => `${column.name}: ${note}`));
  if (sampled)
    notes.push(
      `quantiles come from a fixed sample of ${grouped(sampled.rows)} of ${grouped(sampled.of)} rows`,
    );
  if (notes.length > 0)
    blocks.push(
      { kind: "line", text: "" },
      ...notes.map((text) => ({ kind: "line" as const, text: `  ${text}` })),
    );
  return blocks;
}

function rowOf(column: ColumnProfile, rows: number): Cell[] {
  const isText = column.kind === "text";
  return [
    column.name,
    column.type,
    column.nulls === 0 ? 0 : percent(column.nulls, rows),
    column.distinct_exact ? column.distinct : `~${grouped(column.distinct)}`,
    isText ? "" : (column.min ?? ""),
    column.quantiles?.p50 ?? "",
    isText ? "" : (column.max ?? ""),
    column.mean ?? "",
    shapeOf(column),
    valuesText(column, rows),
  ];
}

function shapeOf(column: ColumnProfile): string {
  const { histogram, top } = column;
  if (histogram && histogram.counts.length > 1) {
    const counts = histogram.counts.slice();
    counts[0] += histogram.below;
    counts[counts.length - 1] += histogram.above;
    return sparkline(counts);
  }
  return top && top.length > 1 && top[0].count > 1 ? sparkline(top.map(({ count }) => count)) : "";
}

function valuesText(column: ColumnProfile, rows: number): string {
  const present = rows - column.nulls;
  if (column.distinct_exact && column.distinct === present && present > 1) return "all different";
  const isCategory = column.kind === "text" || column.kind === "boolean";
  if (!isCategory || !column.top || column.top.length === 0 || column.top[0].count <= 1) return "";
  return column.top
    .slice(0, 3)
    .map(({ value, count }) => `${String(value)} ${percent(count, rows)}`)
    .join(", ");
}

function percent(part: number, whole: number): string {
  const share = (100 * part) / whole;
  return share < 0.1 ? "<0.1%" : `${share < 10 ? share.toFixed(1) : share.toFixed(0)}%`;
}

/** What in a column deserves a second look. */
function notesOf(column: ColumnProfile, rows: number): string[] {
  const present = rows - column.nulls;
  const notes: string[] = [];
  const add = (count: number | undefined, what: string): void => {
    if (count) notes.push(`${grouped(count)} ${what}`);
  };
  if (rows > 0 && column.nulls === rows) notes.push("no value at all");
  else if (column.distinct_exact && column.distinct === 1 && rows > 1) notes.push("one value only");
  add(column.nan, "NaN");
  add(column.infinite, "infinite");
  add(column.empty, "empty texts");
  add(column.padded, "texts begin or end with a space");
  if (column.numeric && column.numeric >= 0.9 * present && column.numeric < present)
    notes.push(`${grouped(present - column.numeric)} of ${grouped(present)} texts are no number`);
  return notes;
}

function headBlocks(relation: Relation, head: Record<string, unknown>[]): Block[] {
  return [
    { kind: "line", text: "" },
    { kind: "title", text: `first ${head.length} rows` },
    {
      kind: "table",
      head: relation.schema.map((field) => field.name),
      rows: head.map((row) => relation.schema.map((field) => cellOf(row[field.name]))),
    },
  ];
}

function cellOf(value: unknown): Cell {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : (value as Cell);
}

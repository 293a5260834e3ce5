import type { ColumnProfile, TableProfile } from "../clean/profile.js";
import { counted, grouped } from "../core/quantity.js";
import type { Block, Cell } from "../pipeline/command.js";
import { sparkline } from "./sparkline.js";

/** A profile as people read it: a line for each column, then what deserves a second look. */
export function profileBlocks(name: string, profile: TableProfile): Block[] {
  const { rows, columns, sampled } = profile;
  const blocks: Block[] = [
    { kind: "title", text: `${name}: ${counted(rows, "row")}, ${counted(columns.length, "column")}` },
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

/** The first rows as they are in the table. */
export function headBlocks(names: readonly string[], head: readonly Record<string, unknown>[]): Block[] {
  return [
    { kind: "line", text: "" },
    { kind: "title", text: `first ${counted(head.length, "row")}` },
    {
      kind: "table",
      head: [...names],
      rows: head.map((row) => names.map((name) => cellOf(row[name]))),
    },
  ];
}

function cellOf(value: unknown): Cell {
  return value !== null && typeof value === "object" ? JSON.stringify(value) : (value as Cell);
}

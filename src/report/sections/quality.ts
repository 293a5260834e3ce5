import type { ColumnProfile, TableProfile } from "../../clean/profile.js";
import { cellText, numberText, shareText } from "../numbers.js";
import type { Cell, Part } from "../page.js";

/** Most columns of a table that are profiled and shown; the rest is counted. */
export const mostColumns = 100;
const mostWarnings = 12;
/** Longest value shown from a table. */
const longestValue = 40;

/**
 * How good the data of a table is: every column with its gaps, its values and its shape.
 *
 * @param total columns of the table, when not all of them were profiled
 */
export function qualityParts(profile: TableProfile, total = profile.columns.length): Part[] {
  const { rows, columns, sampled } = profile;
  const shown = columns.slice(0, mostColumns);
  const gaps = columns.filter((column) => column.nulls > 0).length;
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        ["rows", rows],
        ["columns", total],
        ["columns with gaps", gaps],
        [
          "cells missing",
          rows * columns.length === 0
            ? "–"
            : shareText(columns.reduce((sum, { nulls }) => sum + nulls, 0) / (rows * columns.length)),
        ],
      ],
    },
  ];
  if (rows === 0) parts.push({ kind: "note", text: "The table holds no rows.", tone: "warning" });
  const warnings = shown.flatMap((column) => warningsOf(column, rows));
  for (const text of warnings.slice(0, mostWarnings)) parts.push({ kind: "note", text, tone: "warning" });
  if (warnings.length > mostWarnings)
    parts.push({ kind: "note", text: `${warnings.length - mostWarnings} more warnings.`, tone: "warning" });
  parts.push({
    kind: "table",
    caption: "Columns",
    head: ["column", "type", "missing", "distinct", "shape", "min", "median", "max", "mean", "most frequent"],
    rows: shown.map((column) => columnRow(column, rows)),
  });
  if (total > shown.length)
    parts.push({ kind: "note", text: `${total - shown.length} more columns are not shown.` });
  if (sampled)
    parts.push({
      kind: "note",
      text: `Quantiles and shapes come from a fixed sample of ${numberText(sampled.rows)} of ${numberText(sampled.of)} rows.`,
    });
  return parts;
}

function columnRow(column: ColumnProfile, rows: number): Cell[] {
  const text = column.kind === "text";
  const top = column.top?.[0];
  const frequent =
    top && top.count > 1 && rows > 0 ? `${short(top.value)} (${shareText(top.count / rows)})` : "";
  return [
    column.name,
    column.type.toLowerCase(),
    { share: rows === 0 ? 0 : column.nulls / rows },
    column.distinct_exact ? column.distinct : `about ${numberText(column.distinct)}`,
    column.histogram && rows > 0
      ? { bars: column.histogram.counts }
      : column.top && column.top.length > 1
        ? { bars: column.top.map(({ count }) => count) }
        : "",
    text ? "" : short(column.min),
    short(column.quantiles?.p50),
    text ? "" : short(column.max),
    column.mean ?? "",
    frequent,
  ];
}

function warningsOf(column: ColumnProfile, rows: number): string[] {
  const found: string[] = [];
  if (rows === 0) return found;
  if (column.nulls === rows) found.push(`${column.name} is empty in every row.`);
  else if (column.distinct_exact && column.distinct === 1 && column.nulls === 0 && rows > 1)
    found.push(`${column.name} has one value in every row: ${short(column.top?.[0]?.value)}.`);
  if (column.padded)
    found.push(`${column.name} begins or ends with a space in ${numberText(column.padded)} rows.`);
  if (column.nan || column.infinite)
    found.push(
      `${column.name} holds ${numberText((column.nan ?? 0) + (column.infinite ?? 0))} values that are no finite numbers.`,
    );
  return found;
}

function short(value: unknown): string {
  if (value === null || value === undefined) return "";
  // Years and codes are no counts: four digits stand as they are.
  const text =
    Number.isInteger(value) && Math.abs(value as number) < 10_000 ? String(value) : cellText(value as Cell);
  const letters = [...text];
  return letters.length <= longestValue ? text : `${letters.slice(0, longestValue - 1).join("")}…`;
}

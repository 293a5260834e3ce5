import { ident } from "../../engine/sql.js";
import { fileColumn, rowColumn, selectOrdered, type Relation } from "../../table/relation.js";
import type { CleaningResult } from "../inputs.js";
import { shareText } from "../numbers.js";
import type { Cell, Part } from "../page.js";

const mostRules = 30;
const sampleRows = 10;
const sampleColumns = 12;

/** What cleaning did to the rows, and which rules did it. */
export function cleaningParts(result: CleaningResult): Part[] {
  const { rows_in, rows_out, rejected, duplicates, repaired } = result;
  const share = (n: number): string => (rows_in === 0 ? "–" : shareText(n / rows_in));
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        ["rows read", rows_in],
        ["rows kept", rows_out],
        ["refused", rejected],
        ["duplicates", duplicates],
        ["repaired", repaired],
        ["share kept", share(rows_out)],
      ],
    },
  ];
  if (rows_in !== rows_out + rejected + duplicates)
    parts.push({
      kind: "note",
      tone: "warning",
      text: "The counts do not add up: rows read are not rows kept, refused and duplicates together.",
    });
  parts.push(...countFigure("Rows by rule", "rule", result.by_rule));
  return parts;
}

/** The refused rows: how many for which reason, and the first of them as they were read. */
export async function rejectParts(relation: Relation): Promise<Part[]> {
  const { engine } = relation;
  const reasons = await engine.rows<{ reason: string | null; n: bigint }>(
    `SELECT _reason::VARCHAR AS reason, count(*) AS n FROM (${relation.sql}) GROUP BY ALL ORDER BY n DESC, reason`,
  );
  const columns = relation.schema
    .map((field) => field.name)
    .filter((name) => name !== fileColumn && name !== rowColumn);
  const own = ["_reason", "_source", "_line"];
  const shown = [...own, ...columns.filter((name) => !own.includes(name))].slice(0, sampleColumns);
  const rows = await engine.rows<Record<string, Cell>>(
    `${selectOrdered(
      relation,
      shown.map((name) => `left(${ident(name)}::VARCHAR, 60) AS ${ident(name)}`),
    )} LIMIT ${sampleRows}`,
  );
  const total = reasons.reduce((sum, { n }) => sum + Number(n), 0);
  return [
    {
      kind: "pairs",
      rows: [
        ["rows refused", total],
        ["reasons", reasons.length],
      ],
    },
    ...countFigure(
      "Rows by reason",
      "reason",
      Object.fromEntries(reasons.map(({ reason, n }) => [reason ?? "no reason", Number(n)])),
    ),
    {
      kind: "table",
      caption: `The first ${rows.length} of them, as they were read`,
      head: shown,
      rows: rows.map((row) => shown.map((name) => row[name])),
    },
  ];
}

/** Counts by name as bars, largest first. */
export function countFigure(caption: string, what: string, counts: Record<string, number>): Part[] {
  const sorted = Object.entries(summedUp(counts))
    .filter(([, n]) => n > 0)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (sorted.length === 0) return [];
  const shown = sorted.slice(0, mostRules);
  const parts: Part[] = [
    {
      kind: "figure",
      caption,
      alt: `${caption}: ${shown
        .slice(0, 5)
        .map(([name, n]) => `${name} ${n}`)
        .join(", ")}`,
      chart: { kind: "bars", labels: shown.map(([name]) => name), values: shown.map(([, n]) => n) },
      data: { head: [what, "rows"], rows: shown },
    },
  ];
  if (sorted.length > shown.length)
    parts.push({ kind: "note", text: `${sorted.length - shown.length} more are not shown.` });
  return parts;
}

/** Faults of structure name their line: here only what they are counts. */
function summedUp(counts: Record<string, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, n] of Object.entries(counts)) {
    const kind = name.replace(/ (of field \d+ )?on line \d+$/, "");
    sums[kind] = (sums[kind] ?? 0) + n;
  }
  return sums;
}

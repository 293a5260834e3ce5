import { ident } from "../../engine/sql.js";
import { fileColumn, rowColumn, type Relation } from "../../table/relation.js";
import type { Cell } from "../page.js";
import { countParts, summedByKind } from "./counts.js";
import { defineSection } from "./section.js";

const mostReasons = 20;
const examplesEach = 2;
const longestExample = 160;
const own = ["_reason", "_source", "_line"];
/** One reason however many lines it names. */
const kindOfReason = String.raw`regexp_replace(_reason::VARCHAR, ' (of field \d+ )?on line \d+$', '')`;

/** The refused rows: how many for which reason, and examples of each as they were read. */
export const rejects = defineSection<Relation>({
  name: "rejects",
  table(relation) {
    const names = relation.schema.map((field) => field.name);
    return own.every((name) => names.includes(name)) ? relation : undefined;
  },
  async parts({ content: relation }, making) {
    const { say } = making;
    const { engine } = relation;
    const reasons = await engine.rows<{ reason: string | null; n: bigint }>(
      `SELECT ${kindOfReason} AS reason, count(*) AS n FROM (${relation.sql}) GROUP BY ALL ORDER BY n DESC, reason`,
    );
    const total = reasons.reduce((sum, { n }) => sum + Number(n), 0);
    const counts = Object.fromEntries(
      reasons.map(({ reason, n }) => [reason ?? say.rejects.noReason, Number(n)]),
    );
    return [
      {
        kind: "pairs",
        rows: [
          [say.rejects.rows, total],
          [say.rejects.reasons, reasons.length],
        ],
      },
      ...countParts(say.rejects.byReason, say.rejects.reason, summedByKind(counts), making, total),
      {
        kind: "table",
        caption: say.rejects.examples,
        head: say.rejects.examplesHead,
        rows: await examplesOf(relation, counts, say.rejects.noReason),
      },
    ];
  },
});

/** The first rows of the most frequent reasons: values as `column=value`, what could not be read as it stood. */
async function examplesOf(
  relation: Relation,
  counts: Record<string, number>,
  noReason: string,
): Promise<Cell[][]> {
  const { engine, schema, key } = relation;
  const columns = schema
    .map((field) => field.name)
    .filter((name) => ![fileColumn, rowColumn, ...own].includes(name));
  const values = columns.map((name) =>
    name === "_raw"
      ? `left(${ident(name)}::VARCHAR, ${longestExample})`
      : `'${name.replaceAll("'", "''")}=' || left(${ident(name)}::VARCHAR, 40)`,
  );
  const content =
    values.length > 0 ? `left(concat_ws('  ', ${values.join(", ")}), ${longestExample + 1})` : "''";
  const order = (key.length > 0 ? key : own).map(ident).join(", ");
  const rows = await engine.rows<{ reason: string | null; source: string; line: bigint; content: string }>(
    `SELECT reason, _source::VARCHAR AS source, _line::BIGINT AS line, content FROM (
       SELECT *, ${kindOfReason} AS reason, ${content} AS content, row_number() OVER (PARTITION BY ${kindOfReason} ORDER BY ${order}) AS place
       FROM (${relation.sql})) WHERE place <= ${examplesEach} ORDER BY reason, place`,
  );
  const frequent = Object.entries(counts)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, mostReasons)
    .map(([reason]) => reason);
  return frequent.flatMap((reason) =>
    rows
      .filter((row) => (row.reason ?? noReason) === reason)
      .map((row, i): Cell[] => [
        i === 0 ? reason : "",
        i === 0 ? counts[reason] : "",
        row.source,
        row.line,
        row.content.length > longestExample ? `${row.content.slice(0, longestExample)}…` : row.content,
      ]),
  );
}

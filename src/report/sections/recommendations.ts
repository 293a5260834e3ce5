import { ident } from "../../engine/sql.js";
import type { Relation } from "../../table/relation.js";
import type { Part } from "../page.js";

const mostItems = 15;
const sampleUsers = 5;

/** Whom recommendations reach, which items they favour, and a few of them. */
export async function recommendationParts(relation: Relation): Promise<Part[]> {
  const { engine, sql } = relation;
  const [user, item] = relation.schema.map((field) => field.name);
  const [counts] = await engine.rows<{ rows: bigint; users: bigint; items: bigint; depth: bigint | null }>(
    `SELECT count(*) AS rows, count(DISTINCT ${ident(user)}) AS users, count(DISTINCT ${ident(item)}) AS items, max(rank)::BIGINT AS depth FROM (${sql})`,
  );
  const parts: Part[] = [
    {
      kind: "pairs",
      rows: [
        ["users", counts.users],
        ["items recommended", counts.items],
        ["longest list", counts.depth],
        ["rows", counts.rows],
      ],
    },
  ];
  if (counts.rows === 0n)
    return [...parts, { kind: "note", text: "The table holds no recommendations.", tone: "warning" }];
  const top = await engine.rows<{ item: string; n: bigint }>(
    `SELECT ${ident(item)}::VARCHAR AS item, count(*) AS n FROM (${sql}) GROUP BY ALL ORDER BY n DESC, item LIMIT ${mostItems}`,
  );
  const rows = top.map(({ item: name, n }): [string, number] => [name ?? "", Number(n)]);
  parts.push({
    kind: "figure",
    caption: "Items recommended to most users",
    alt: `Most recommended: ${rows
      .slice(0, 5)
      .map(([name, n]) => `${name} ${n}`)
      .join(", ")}`,
    chart: { kind: "bars", labels: rows.map(([name]) => name), values: rows.map(([, n]) => n) },
    data: { head: [item, "users"], rows },
  });
  const sample = await engine.rows<{ user: string; items: string }>(
    `SELECT ${ident(user)}::VARCHAR AS user, string_agg(${ident(item)}::VARCHAR, ', ' ORDER BY rank, ${ident(item)}) AS items
     FROM (${sql}) WHERE rank <= 10 GROUP BY ALL ORDER BY user LIMIT ${sampleUsers}`,
  );
  parts.push({
    kind: "table",
    caption: "The first users",
    head: [user, "items, best first"],
    rows: sample.map((row) => [row.user, row.items]),
  });
  return parts;
}

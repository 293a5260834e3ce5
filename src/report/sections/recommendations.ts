import { ident, literal } from "../../engine/sql.js";
import { findColumn, kindOf, type Relation } from "../../table/relation.js";
import { numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { model } from "./model.js";
import { table } from "./quality.js";
import { defineSection, weights, type Found, type Making } from "./section.js";

const mostItems = 15;
const sampleUsers = 5;
const exampleRows = 12;

interface Counts {
  rows: bigint;
  users: bigint;
  items: bigint;
  depth: bigint | null;
}

/** Whom recommendations reach, which items they favour, and a few of them with their reasons. */
export const recommendations = defineSection<Relation>({
  name: "recommendations",
  table(relation) {
    const names = relation.schema.map((field) => field.name);
    return names.length >= 4 && names[2] === "score" && names[3] === "rank" ? relation : undefined;
  },
  async parts(found, making) {
    const { say } = making;
    const words = say.recommendations;
    const { content: relation } = found;
    const { engine, sql } = relation;
    const [user, item] = relation.schema.map((field) => field.name);
    const counts = await counted(relation);
    const catalogue = catalogueSize(found, making);
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.users, counts.users],
          [words.items, counts.items],
          ...(catalogue
            ? [[words.coverage, shareText(Number(counts.items) / catalogue)] as [string, Cell]]
            : []),
          [words.longest, counts.depth],
          [words.rows, counts.rows],
        ],
      },
    ];
    if (counts.rows === 0n) return [...parts, { kind: "note", text: words.none, tone: "warning" }];
    const names = await titled(relation, item, making);
    const top = await engine.rows<{ item: string; n: bigint }>(
      `SELECT ${names.value} AS item, count(*) AS n FROM ${names.from} GROUP BY ALL ORDER BY n DESC, item LIMIT ${mostItems}`,
    );
    const rows = top.map(({ item: name, n }): [string, number] => [name ?? "", Number(n)]);
    const list = rows.slice(0, 5).map(([name, n]) => `${name} ${numberText(n)}`);
    parts.push(
      figure({
        caption: words.top,
        alt: words.topAlt(list.join(say.page.comma)),
        chart: {
          kind: "bars",
          axis: words.usersAxis,
          labels: rows.map(([name]) => name),
          values: rows.map(([, n]) => n),
          tips: rows.map(([name, n]) => words.tip(name, numberText(n), shareText(n / Number(counts.users)))),
        },
        data: { head: [item, words.users], rows },
      }),
    );
    if (findColumn(relation.schema, "reason"))
      parts.push(...(await reasonParts(relation, names, user, item, making)));
    else {
      const sample = await engine.rows<{ user: string; items: string }>(
        `SELECT ${ident(user)}::VARCHAR AS user, string_agg(${names.value}, ', ' ORDER BY rank, ${ident(item)}) AS items
         FROM ${names.from} WHERE rank <= 10 GROUP BY ALL ORDER BY user LIMIT ${sampleUsers}`,
      );
      parts.push({
        kind: "table",
        caption: words.first,
        head: [user, words.best],
        rows: sample.map((row) => [row.user, row.items]),
      });
    }
    if (findColumn(relation.schema, "source")) {
      const sources = await engine.rows<{ source: string | null; n: bigint }>(
        `SELECT source::VARCHAR AS source, count(*) AS n FROM (${sql}) GROUP BY ALL ORDER BY n DESC, source`,
      );
      parts.push({
        kind: "table",
        caption: words.sources,
        head: [words.source, words.rows],
        rows: sources.map(({ source, n }) => [source ?? "", Number(n)]),
      });
    }
    return parts;
  },
  async facts(found, making) {
    const { say } = making;
    const { content: relation } = found;
    const counts = await counted(relation);
    if (counts.rows === 0n) return [];
    const item = ident(relation.schema[1].name);
    const [{ share }] = await relation.engine.rows<{ share: number | null }>(
      `SELECT (sum(n) FILTER (place <= greatest(1, ceil(items / 10)))) / sum(n)::DOUBLE AS share FROM (
         SELECT count(*)::BIGINT AS n, row_number() OVER (ORDER BY count(*) DESC) AS place, count(*) OVER () AS items FROM (${relation.sql}) GROUP BY ${item})`,
    );
    const catalogue = catalogueSize(found, making);
    const covered = catalogue ? shareText(Number(counts.items) / catalogue) : "";
    const words = say.recommendations;
    return [
      {
        weight: weights.reach,
        figure: numberText(Number(counts.users)),
        label: words.label,
        text:
          words.text(numberText(Number(counts.users)), numberText(Number(counts.items)), covered) +
          (share === null ? "" : words.spread(shareText(share))),
      },
    ];
  },
});

async function counted({ engine, sql, schema }: Relation): Promise<Counts> {
  const [user, item] = schema.map((field) => ident(field.name));
  const [counts] = await engine.rows<Counts>(
    `SELECT count(*) AS rows, count(DISTINCT ${user}) AS users, count(DISTINCT ${item}) AS items, max(rank)::BIGINT AS depth FROM (${sql})`,
  );
  return counts;
}

/** Items that the recommender of the report knows, where there is one of the same item column. */
function catalogueSize({ content }: Found<Relation>, making: Making): number | undefined {
  const item = content.schema[1].name;
  for (const { content: own } of making.of(model))
    if (own.card.roles?.item === item && own.items !== undefined) return own.items;
  return undefined;
}

/** Columns that say in words what an item is. */
const titles = ["title", "name", "product_name", "item_name", "description"];

/** The items by their titles, where another table of the report has them. */
async function titled(
  relation: Relation,
  item: string,
  making: Making,
): Promise<{ from: string; value: string }> {
  for (const { content } of making.of(table)) {
    const key = findColumn(content.relation.schema, item);
    const title = titles
      .map((name) => findColumn(content.relation.schema, name))
      .find((field) => field && kindOf(field.type) === "text");
    if (!key || !title) continue;
    const named = `SELECT ${ident(key.name)}::VARCHAR AS _item, min(${ident(title.name)}) AS _title FROM (${content.relation.sql}) GROUP BY 1`;
    return {
      from: `(SELECT r.*, n._title FROM (${relation.sql}) r LEFT JOIN (${named}) n ON n._item = r.${ident(item)}::VARCHAR)`,
      value: `coalesce(_title, ${ident(item)}::VARCHAR)`,
    };
  }
  return { from: `(${relation.sql})`, value: `${ident(item)}::VARCHAR` };
}

/** Lists of the first users, each line with what speaks for it. */
async function reasonParts(
  { engine }: Relation,
  names: { from: string; value: string },
  user: string,
  item: string,
  { say }: Making,
): Promise<Part[]> {
  const words = say.recommendations;
  const rows = await engine.rows<{
    user: string;
    item: string;
    score: number;
    rank: bigint;
    reason: string | null;
  }>(
    `SELECT ${ident(user)}::VARCHAR AS user, ${names.value} AS item, score::DOUBLE AS score, rank::BIGINT AS rank, reason::VARCHAR AS reason
     FROM ${names.from} WHERE rank <= 3 AND coalesce(reason::VARCHAR, ${literal("")}) <> '' ORDER BY ${ident(user)}, rank, item LIMIT ${exampleRows}`,
  );
  if (rows.length === 0) return [];
  return [
    {
      kind: "table",
      caption: words.reasons,
      head: [user, words.rank, item, words.score, words.reason],
      rows: rows.map((row): Cell[] => [row.user, row.rank, row.item, row.score, row.reason]),
    },
  ];
}

import { listed, ShopaiError } from "../../core/errors.js";
import { floats, type Frame } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import {
  columnNamed,
  findColumn,
  isNumeric,
  kindOf,
  rowColumn,
  type Relation,
} from "../../table/relation.js";
import { chosenFeatures } from "../chosen-features.js";

/** How a column of the items says what an item is like. */
export type ItemColumn =
  /** Words: titles, descriptions. */
  | { kind: "text"; name: string }
  /** Names of groups, one or several (`a|b`, `a;b`, lists), or a path (`a > b`). */
  | { kind: "category"; name: string }
  /** A yes or no. */
  | { kind: "flag"; name: string }
  /** A number, by bands with equal numbers of items; `edges` lie between them. */
  | { kind: "number"; name: string; edges: number[] };

/** The table of items, checked: one row per item. */
export interface ItemsTable {
  /** A table of `_shopai_row` (from 0) and `item` (text), then the columns. */
  table: string;
  rows: number;
  columns: ItemColumn[];
}

/** Bands of a number: tenths of the items. */
const bands = 10;

/**
 * Checks a table of items and finds out what its columns are.
 *
 * @param item     the item column of the interactions, under whose name the table must have its items
 * @param patterns names and globs of columns to use; all that can be used by default
 * @throws ShopaiError "data" when the item column is missing, an item stands there twice with different values, or
 *   no column can be used
 */
export async function readItemsTable(
  items: Relation,
  item: string,
  patterns: readonly string[] | undefined,
  run: Run,
): Promise<ItemsTable> {
  const { engine } = items;
  const column = columnNamed(items, item, "--item").name;
  const fields = usable(items, column, patterns, run);
  const list = fields.map(({ name, type }) => (kindOf(type) === "nested" ? joined(name, type) : ident(name)));
  const table = engine.fresh("items");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY item) - 1)::INTEGER AS ${rowColumn}, * FROM (
       SELECT DISTINCT ${ident(column)}::VARCHAR AS item, ${list.join(", ")} FROM (${items.sql}) WHERE ${ident(column)} IS NOT NULL)`,
  );
  const twice = await engine.rows<{ item: string }>(
    `SELECT item FROM ${ident(table)} GROUP BY item HAVING count(*) > 1 ORDER BY item LIMIT 6`,
  );
  if (twice.length > 0)
    throw new ShopaiError(
      "data",
      `an item must stand once in the table of items, and these stand there with different values: ${listed(
        twice.map((row) => row.item),
        5,
      )}`,
      { where: items.name, try: "clean with a unique key, or --features without the column that differs" },
    );
  const [{ rows }] = await engine.rows<{ rows: bigint }>(`SELECT count(*) AS rows FROM ${ident(table)}`);
  if (rows === 0n) throw new ShopaiError("data", "the table of items holds none", { where: items.name });
  const columns: ItemColumn[] = [];
  for (const { name, type } of fields) columns.push(await columnOf(items, table, name, type));
  return { table, rows: Number(rows), columns };
}

function usable(items: Relation, item: string, patterns: readonly string[] | undefined, run: Run) {
  const isUsable = (type: string): boolean =>
    isNumeric(type) || ["boolean", "text"].includes(kindOf(type)) || /^(VARCHAR|ENUM.*)\[\d*\]$/.test(type);
  const wanted = patterns?.some((pattern) => !pattern.startsWith("-"))
    ? chosenFeatures(items, { item }, patterns)
    : items.schema.filter(
        ({ name }) =>
          name !== item &&
          !(patterns ?? []).some((pattern) => findColumn(items.schema, pattern.slice(1))?.name === name),
      );
  const left = wanted.filter(({ type }) => !isUsable(type));
  if (left.length > 0)
    run.warn(
      `columns of the items that say nothing by their type are left out: ${listed(left.map((f) => f.name))}`,
    );
  const fields = wanted.filter(({ type }) => isUsable(type));
  if (fields.length === 0)
    throw new ShopaiError("data", "the table of items has no column that says what an item is like", {
      where: items.name,
      try: "titles, descriptions, categories or prices",
    });
  return fields;
}

const joined = (name: string, type: string): string =>
  `array_to_string(${ident(name)}${type.startsWith("VARCHAR") ? "" : "::VARCHAR[]"}, '|') AS ${ident(name)}`;

async function columnOf(items: Relation, table: string, name: string, type: string): Promise<ItemColumn> {
  const { engine } = items;
  const column = ident(name);
  if (kindOf(type) === "boolean") return { kind: "flag", name };
  if (kindOf(type) === "nested") return { kind: "category", name };
  if (isNumeric(type)) {
    const [{ values, others }] = await engine.rows<{ values: bigint; others: bigint }>(
      `SELECT count(DISTINCT ${column}) AS "values", count(*) FILTER (${column} NOT IN (0, 1)) AS others FROM ${ident(table)}`,
    );
    if (values <= 2n && others === 0n) return { kind: "flag", name };
    const cuts = Array.from({ length: bands - 1 }, (_, i) => (i + 1) / bands);
    const frame: Frame = await engine.frame(
      `SELECT DISTINCT unnest(quantile_disc(${column}::DOUBLE, [${cuts.join(", ")}])) AS edge FROM ${ident(table)} WHERE isfinite(${column}::DOUBLE) ORDER BY 1`,
      [{ name: "edge", as: "f64" }],
    );
    return { kind: "number", name, edges: [...floats(frame, "edge")] };
  }
  // A text has several words as a rule; the name of a group has one or two, and comes again.
  const [{ words, share }] = await engine.rows<{ words: number | null; share: number | null }>(
    `SELECT avg(len(regexp_extract_all(${column}, '[\\p{L}\\p{N}]+')) + len(regexp_extract_all(${column}, '\\p{Han}')) / 2) AS words,
            count(DISTINCT ${column}) / count(${column})::DOUBLE AS share FROM ${ident(table)}`,
  );
  return { kind: (words ?? 0) >= 2.5 && (share ?? 0) > 0.2 ? "text" : "category", name };
}

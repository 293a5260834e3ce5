import { ShopaiError } from "../core/errors.js";
import type { Engine, Field } from "../engine/engine.js";
import { integers } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { columnNamed, type Relation } from "../table/relation.js";

/** A table of `number` (from 0) and `level`, in the type that users or items had in training. */
export async function levelTable(
  engine: Engine,
  prefix: string,
  levels: readonly string[],
  type: string,
): Promise<string> {
  const texts = engine.fresh(`${prefix}_texts`);
  await engine.load(texts, {
    rows: levels.length,
    columns: new Map([
      ["number", { kind: "i32", values: Int32Array.from(levels, (_, i) => i) }],
      ["level", { kind: "text", values: levels as string[] }],
    ]),
  });
  const table = engine.fresh(prefix);
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT number, level::${type} AS level FROM ${ident(texts)} ORDER BY number`,
  );
  await engine.run(`DROP TABLE ${ident(texts)}`);
  return table;
}

export interface AskedLevels {
  /** A table of `number` (from 0, in the order of the values) and `level` (in the type of training). */
  table: string;
  /** Code in training of every value by number; -1 for those that it did not see. */
  codes: Int32Array;
}

/**
 * The distinct users or items of some rows, matched with those of training.
 *
 * @param known a table of `levelTable`
 * @throws ShopaiError "data" naming a value that is not of the type it had in training
 */
export async function askedLevels(
  rows: Relation,
  { name, type }: Field,
  what: "user" | "item",
  known: string,
): Promise<AskedLevels> {
  const { engine } = rows;
  const column = ident(columnNamed(rows, name).name);
  const [odd] = await engine.rows<{ value: string }>(
    `SELECT ${column}::VARCHAR AS value FROM (${rows.sql}) WHERE ${column} IS NOT NULL AND TRY_CAST(${column} AS ${type}) IS NULL ORDER BY 1 LIMIT 1`,
  );
  if (odd)
    throw new ShopaiError(
      "data",
      `the ${what} ${JSON.stringify(odd.value)} is no ${type}, as ${what}s were in training`,
      {
        where: `${rows.name}, column ${name}`,
        try: "the same types as in training",
      },
    );
  const table = engine.fresh("asked");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY a.level) - 1)::INTEGER AS number, a.level, coalesce(k.number, -1)::INTEGER AS code
       FROM (SELECT DISTINCT TRY_CAST(${column} AS ${type}) AS level FROM (${rows.sql})) a LEFT JOIN ${ident(known)} k ON a.level = k.level
      WHERE a.level IS NOT NULL`,
  );
  const frame = await engine.frame(`SELECT code FROM ${ident(table)} ORDER BY number`, [
    { name: "code", as: "i32" },
  ]);
  return { table, codes: integers(frame, "code") };
}

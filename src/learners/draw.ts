import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import {
  countRows,
  materialised,
  orderSql,
  type Relation,
  relationOf,
  rowColumn,
  source,
} from "../table/relation.js";

/**
 * Some rows of a relation, drawn by the seed, in their order; all where there are no more.
 *
 * @returns the same columns, with the number of the row in the relation, from 0, as the hidden key
 */
export async function drawn(rows: Relation, most: number, run: Run): Promise<Relation> {
  const { engine } = rows;
  const number = ident(rowColumn);
  const count = await countRows(rows);
  const picked = run
    .rng("draw")
    .shuffle(Int32Array.from({ length: count }, (_, row) => row))
    .subarray(0, most)
    .sort();
  const table = engine.fresh("drawn");
  await engine.load(table, {
    rows: picked.length,
    columns: new Map([[rowColumn, { kind: "i32", values: picked }]]),
  });
  const order = orderSql(rows);
  const names = rows.schema.map(({ name }) => ident(name)).join(", ");
  return relationOf(
    engine,
    `SELECT r.* FROM (SELECT (row_number() OVER (${order}) - 1)::INTEGER AS ${number}, ${names} FROM (${rows.sql})) r JOIN ${ident(table)} USING (${number})`,
    { key: [rowColumn], inputs: rows.inputs, name: rows.name },
  );
}

/**
 * At most about so many rows, chosen by a hash of their key: the same rows for any number of threads. What is drawn
 * of a larger draw, of the same total, is what would be drawn of all rows.
 *
 * @param total rows that there are, of which `rows` may be drawn
 */
export function spread(rows: Relation, total: number, most: number): Relation {
  if (total <= most || rows.key.length === 0) return rows;
  const share = Math.floor((most / total) * 2 ** 32);
  const key = rows.key.map(ident).join(", ");
  return { ...rows, sql: `SELECT * FROM ${source(rows)} WHERE hash(${key}) % 4294967296 < ${share}` };
}

/** Rows that tell what a column holds, fewer of wide tables. */
export const tellingRows = (columns: number): number =>
  Math.max(1 << 13, Math.min(1 << 16, Math.floor((1 << 23) / columns)));

/** Some columns of `tellingRows`, drawn once and laid down in the engine, for all that takes a look at a table before or after training. */
export async function laidDown(rows: Relation, names: readonly string[]): Promise<Relation> {
  const columns = [...names, ...rows.key.filter((name) => !names.includes(name))].map(ident).join(", ");
  const drawn = spread(rows, await countRows(rows), tellingRows(names.length));
  return materialised(
    {
      ...rows,
      // Held first: a table takes long to be written by the few rows that are left of every 2,048 where columns are thousands.
      sql: `WITH drawn AS MATERIALIZED (SELECT ${columns} FROM (${drawn.sql})) SELECT * FROM drawn`,
      schema: rows.schema.filter(({ name }) => names.includes(name)),
    },
    "sample",
  );
}

import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { countRows, orderSql, type Relation, relationOf, rowColumn } from "../table/relation.js";

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

/** At most about so many rows, chosen by a hash of their key: the same rows for any number of threads. */
export async function spread(rows: Relation, total: number, most: number): Promise<Relation> {
  if (total <= most || rows.key.length === 0) return rows;
  const share = Math.floor((most / total) * 2 ** 32);
  const key = rows.key.map((name) => `${ident(name)}::VARCHAR`).join(", ");
  return {
    ...rows,
    sql: `SELECT * FROM (${rows.sql}) WHERE hash(concat_ws(chr(31), ${key})) % 4294967296 < ${share}`,
  };
}

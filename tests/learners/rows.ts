import type { Engine } from "../../src/engine/engine.js";
import type { Column } from "../../src/engine/frame.js";
import { ident } from "../../src/engine/sql.js";
import { relationOf, rowColumn, type Relation } from "../../src/table/relation.js";

export type Values = readonly (string | number | boolean | null)[];

/** A relation of given columns, with the hidden row number that rows of files have. */
export async function relationFrom(
  engine: Engine,
  columns: Readonly<Record<string, Values>>,
  types: Readonly<Record<string, string>> = {},
): Promise<Relation> {
  const table = engine.fresh("given");
  const rows = Object.values(columns)[0].length;
  const loaded = new Map<string, Column>([
    [rowColumn, { kind: "i32", values: Int32Array.from({ length: rows }, (_, i) => i) }],
  ]);
  for (const [name, values] of Object.entries(columns))
    loaded.set(
      name,
      values.every((value) => value === null || typeof value === "number")
        ? {
            kind: "f64",
            values: Float64Array.from(values, (value) => (value === null ? NaN : (value as number))),
          }
        : { kind: "text", values: values.map((value) => (value === null ? null : String(value))) },
    );
  await engine.load(table, { rows, columns: loaded });
  const list = Object.keys(columns).map((name) =>
    types[name] ? `${ident(name)}::${types[name]} AS ${ident(name)}` : ident(name),
  );
  return relationOf(engine, `SELECT ${[rowColumn, ...list].join(", ")} FROM ${ident(table)}`, {
    key: [rowColumn],
    name: "given.parquet",
  });
}

/** Rows of a relation as objects, in the order of its key. */
export async function rowsOf<T = Record<string, string | number | boolean | null>>(
  relation: Relation,
): Promise<T[]> {
  const list = relation.schema.map((field) => ident(field.name)).join(", ");
  return relation.engine.rows<T>(
    `SELECT ${list} FROM (${relation.sql}) ORDER BY ${relation.key.map(ident).join(", ")}`,
  );
}

import { grouped } from "../../core/quantity.js";
import type { Field } from "../../engine/engine.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { columnNamed, findColumn, frameOf, relationOf, type Relation } from "../../table/relation.js";
import { featureAsks } from "../design-matrix.js";
import type { TrainingData } from "../learner.js";
import { encodeColumns, fitColumns, type ColumnsEncoding } from "./columns-encoding.js";
import type { EncodedRows } from "./encoded-rows.js";

/** What is known of every user, or of every item, beside its interactions: a row by code. */
export interface SideFeatures {
  names: string[];
  encoding: ColumnsEncoding;
  rows: EncodedRows;
}

/**
 * Deals the feature columns of interactions to users and items: a column belongs to the side within
 * whose rows it changes less. Where it does change, its most frequent value counts.
 */
export async function sideFeatures(
  data: TrainingData,
  users: readonly string[],
  items: readonly string[],
  levels: number,
  run: Run,
): Promise<{ user?: SideFeatures; item?: SideFeatures }> {
  const { relation, features, roles } = data;
  const sides: Record<"user" | "item", Field[]> = { user: [], item: [] };
  for (const field of features) {
    const [byUser, byItem] = await Promise.all(
      [roles.user!, roles.item!].map((key) => changes(relation, key, field.name)),
    );
    const side = byUser <= byItem ? "user" : "item";
    sides[side].push(field);
    const odd = Math.min(byUser, byItem);
    if (odd > 0)
      run.warn(
        `${field.name} changes within ${grouped(odd)} ${side}s: its most frequent value counts for each`,
      );
  }
  return {
    user: await sideOf(relation, roles.user!, users, sides.user, levels, run),
    item: await sideOf(relation, roles.item!, items, sides.item, levels, run),
  };
}

/** Groups in which a column has more than one value. */
async function changes(relation: Relation, key: string, column: string): Promise<number> {
  const [{ odd }] = await relation.engine.rows<{ odd: bigint }>(
    `SELECT count(*) AS odd FROM (SELECT count(DISTINCT ${ident(column)}) AS n FROM (${relation.sql}) WHERE ${ident(key)} IS NOT NULL GROUP BY ${ident(key)}) WHERE n > 1`,
  );
  return Number(odd);
}

async function sideOf(
  relation: Relation,
  key: string,
  names: readonly string[],
  fields: readonly Field[],
  levels: number,
  run: Run,
): Promise<SideFeatures | undefined> {
  if (fields.length === 0) return undefined;
  const side = await sideRelation(relation, ident(key), names, fields);
  const encoding = await fitColumns(side, fields, levels, run);
  return {
    names: fields.map(({ name }) => name),
    encoding,
    rows: encodeColumns(await frameOf(side, featureAsks(fields)), encoding),
  };
}

/**
 * The features of users or items that training did not see, by the encoding of training; undefined where the rows lack
 * a column.
 *
 * @param key   the user or item column of the rows, as it was called in training, and its type there
 * @param names which of them
 */
export async function encodedSide(
  rows: Relation,
  { name, type }: Field,
  names: readonly string[],
  columns: readonly string[],
  encoding: ColumnsEncoding,
): Promise<EncodedRows | undefined> {
  const fields = columns.flatMap((column) => findColumn(rows.schema, column) ?? []);
  if (fields.length < columns.length) return undefined;
  const key = `TRY_CAST(${ident(columnNamed(rows, name).name)} AS ${type})`;
  const side = await sideRelation(rows, key, names, fields);
  return encodeColumns(await frameOf(side, featureAsks(fields)), encoding);
}

/** A row per user or item by number, with the most frequent value of each column; `key` is SQL. */
async function sideRelation(
  relation: Relation,
  key: string,
  names: readonly string[],
  fields: readonly Field[],
): Promise<Relation> {
  const { engine } = relation;
  const codesTable = engine.fresh("side_codes");
  await engine.load(codesTable, {
    rows: names.length,
    columns: new Map([
      ["number", { kind: "i32", values: Int32Array.from(names, (_, i) => i) }],
      ["level", { kind: "text", values: [...names] }],
    ]),
  });
  const columns = fields.map(({ name }, i) => {
    const column = ident(name);
    return `LEFT JOIN (SELECT key, value FROM (
        SELECT key, value, row_number() OVER (PARTITION BY key ORDER BY rows DESC, value) AS place FROM (
          SELECT (${key})::VARCHAR AS key, ${column} AS value, count(*) AS rows FROM (${relation.sql}) WHERE ${column} IS NOT NULL AND ${key} IS NOT NULL GROUP BY 1, 2))
      WHERE place = 1) f${i} ON f${i}.key = c.level`;
  });
  const list = fields.map(({ name }, i) => `f${i}.value AS ${ident(name)}`).join(", ");
  return relationOf(
    engine,
    `SELECT c.number AS _shopai_row, ${list} FROM ${ident(codesTable)} c ${columns.join(" ")}`,
    { key: ["_shopai_row"], name: relation.name },
  );
}

import { ShopaiError } from "../core/errors.js";
import { floats, integers } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { exactSum, ident, numeric } from "../engine/sql.js";
import { rowStarts, type Csr } from "../kernels/csr.js";
import { columnNamed, isNumeric, typedInstead, type Relation } from "../table/relation.js";
import type { TrainingData } from "./learner.js";
import { readSegments, type Segments } from "./segments.js";

/** Who had what to do with which item, as codes: number of a user or item in the sorted order of its column. */
export interface Interactions {
  /** Users and items as texts, by code. */
  users: string[];
  items: string[];
  /** Users x items; values are summed ratings, absent when no rating column was named. */
  matrix: Csr;
  /** Groups of users, when a column of them was named. */
  segments?: Segments;
}

/**
 * Reads the interactions of training rows: SQL gives users and items their codes, adds up the ratings
 * of equal pairs exactly and sorts; only typed arrays reach this side. Rows without user or item are
 * left out, with a warning.
 */
export async function readInteractions(data: TrainingData, run: Run): Promise<Interactions> {
  const { relation } = data;
  const { engine } = relation;
  const user = ident(data.roles.user!);
  const item = ident(data.roles.item!);
  for (const name of ["score", "rank"])
    if (data.roles.user === name || data.roles.item === name)
      throw new ShopaiError(
        "data",
        `a column of users or items cannot be called ${name}: recommendations have one`,
        {
          where: relation.name,
          try: `renaming ${name}`,
        },
      );
  const rows = await pairedRows(relation, user, item, run);
  const { rating } = data.roles;
  const value =
    rating &&
    exactSum(`${ident(rating)}::DOUBLE`, numeric(await ratingScale({ ...relation, sql: rows }, rating)));
  const users = engine.fresh("users");
  const items = engine.fresh("items");
  for (const [table, levels] of [
    [users, `SELECT DISTINCT ${user} AS level FROM (${rows})`],
    [items, `SELECT DISTINCT ${item} AS level FROM (${rows})${await alsoItems(data)}`],
  ])
    await engine.run(
      `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY level) - 1)::INTEGER AS code, level FROM (${levels})`,
    );
  const pairs = await engine.frame(
    `SELECT u.code AS row, i.code AS col${value ? `, ${value} AS value` : ""}
       FROM (${rows}) r JOIN ${ident(users)} u ON r.${user} = u.level JOIN ${ident(items)} i ON r.${item} = i.level
      GROUP BY u.code, i.code ORDER BY u.code, i.code`,
    [
      { name: "row", as: "i32" },
      { name: "col", as: "i32" },
      ...(value ? [{ name: "value", as: "f32" } as const] : []),
    ],
  );
  const levels = async (table: string): Promise<string[]> => {
    const frame = await engine.frame(`SELECT level FROM ${ident(table)} ORDER BY code`, [
      { name: "level", as: "text" },
    ]);
    await engine.run(`DROP TABLE ${ident(table)}`);
    return (frame.columns.get("level") as { values: string[] }).values;
  };
  const result = { users: await levels(users), items: await levels(items) };
  const values = pairs.columns.get("value");
  const { segment } = data.roles;
  return {
    ...result,
    segments:
      segment === undefined
        ? undefined
        : await readSegments(
            relation,
            segment,
            data.roles.user!,
            `SELECT ${ident(segment)}::VARCHAR AS segment, ${item}::VARCHAR AS item, ${value ?? `count(DISTINCT ${user})`} AS value FROM (${rows}) WHERE ${ident(segment)} IS NOT NULL GROUP BY 1, 2`,
            result.users,
            result.items,
          ),
    matrix: {
      rows: result.users.length,
      cols: result.items.length,
      starts: rowStarts(integers(pairs, "row"), result.users.length),
      columns: integers(pairs, "col"),
      values: values?.kind === "f32" ? values.values : undefined,
    },
  };
}

/** The items of the table of items beside those of the rows: some of them nobody had yet. */
async function alsoItems({ items, relation, roles }: TrainingData): Promise<string> {
  if (!items) return "";
  const { name, type } = columnNamed(items, roles.item!, "--item");
  const wanted = columnNamed(relation, roles.item!).type;
  const [odd] = await items.engine.rows<{ value: string }>(
    `SELECT ${ident(name)}::VARCHAR AS value FROM (${items.sql}) WHERE ${ident(name)} IS NOT NULL AND TRY_CAST(${ident(name)} AS ${wanted}) IS NULL ORDER BY 1 LIMIT 1`,
  );
  if (odd)
    throw new ShopaiError(
      "data",
      `the item ${JSON.stringify(odd.value)} of the table of items (${type}) is no ${wanted}, as in the interactions`,
      { where: `${items.name}, column ${name}`, try: "ids of one type" },
    );
  return ` UNION SELECT TRY_CAST(${ident(name)} AS ${wanted}) FROM (${items.sql}) WHERE ${ident(name)} IS NOT NULL`;
}

async function pairedRows(relation: Relation, user: string, item: string, run: Run): Promise<string> {
  const sql = `SELECT * FROM (${relation.sql}) WHERE ${user} IS NOT NULL AND ${item} IS NOT NULL`;
  const [{ all, paired }] = await relation.engine.rows<{ all: bigint; paired: bigint }>(
    `SELECT count(*) AS "all", count(*) FILTER (${user} IS NOT NULL AND ${item} IS NOT NULL) AS paired FROM (${relation.sql})`,
  );
  if (paired === 0n)
    throw new ShopaiError("data", "no row has both a user and an item", { where: relation.name });
  if (paired < all) run.warn(`${all - paired} rows lack a user or an item and are left out of training`);
  return sql;
}

/**
 * Binary digits after the point to keep when ratings are added up exactly (`exactSum`).
 *
 * @throws ShopaiError "data" when ratings are no numbers, missing, negative or not finite
 */
export async function ratingScale(relation: Relation, name: string): Promise<number> {
  const field = columnNamed(relation, name, "--rating");
  if (!isNumeric(field.type))
    throw new ShopaiError("data", `the ratings in ${name} are ${field.type}, not numbers`, {
      where: relation.name,
      try: typedInstead(field, relation.name, "a column of numbers"),
    });
  const rating = `${ident(name)}::DOUBLE`;
  const [{ bad, largest }] = await relation.engine.rows<{ bad: bigint; largest: number | null }>(
    `SELECT count(*) FILTER (${rating} IS NULL OR NOT isfinite(${rating}) OR ${rating} < 0) AS bad, max(${rating}) FILTER (isfinite(${rating})) AS largest FROM (${relation.sql})`,
  );
  if (bad > 0n)
    throw new ShopaiError("data", `${bad} ratings in ${name} are missing, negative or not finite`, {
      where: relation.name,
      try: `--where '${ident(name)} >= 0', or leaving --rating out`,
    });
  return 61 - Math.ceil(Math.log2(Math.max(largest ?? 1, 1e-200)));
}

/** Weight of every item: interactions counted, or ratings added up in the order of users. */
export function itemTotals(matrix: Csr): Float64Array {
  const totals = new Float64Array(matrix.cols);
  const { columns, values } = matrix;
  for (let p = 0; p < columns.length; p++) totals[columns[p]] += values ? values[p] : 1;
  return totals;
}

/** A result of one number per item of `items`, from a SELECT of `item` and `value`. */
export async function perItem(
  relation: Relation,
  items: readonly string[],
  sql: string,
): Promise<Float64Array> {
  const frame = await relation.engine.frame(sql, [
    { name: "item", as: "text" },
    { name: "value", as: "f64" },
  ]);
  const codeOf = new Map(items.map((item, code) => [item, code]));
  const result = new Float64Array(items.length);
  const names = (frame.columns.get("item") as { values: string[] }).values;
  const values = floats(frame, "value");
  names.forEach((name, i) => {
    const code = codeOf.get(name);
    if (code !== undefined) result[code] = values[i];
  });
  return result;
}

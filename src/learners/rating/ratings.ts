import { ShopaiError } from "../../core/errors.js";
import { floats, integers } from "../../engine/frame.js";
import { ident } from "../../engine/sql.js";
import { rowStarts, type Csr } from "../../kernels/csr.js";
import { levelTable } from "../levels.js";
import type { TrainingData } from "../learner.js";

/** Explicit ratings, one entry per row of the table: user by user, in the order of the table. */
export interface Ratings {
  /** Users and items as texts, by code. */
  users: string[];
  items: string[];
  user: Int32Array;
  item: Int32Array;
  value: Float64Array;
  /** First entry of every user, and the end. */
  starts: Int32Array;
  mean: number;
  /** The least and the greatest rating: predictions stay between them. */
  range: readonly [least: number, greatest: number];
}

/**
 * Reads the ratings of training rows. A pair that occurs twice is two ratings. Rows without user, item or
 * rating have been left out or are refused by the caller.
 *
 * @throws ShopaiError "data" when no row has user, item and a finite rating
 */
export async function readRatings(data: TrainingData): Promise<Ratings> {
  const { relation, roles } = data;
  const { engine } = relation;
  const user = ident(roles.user!);
  const item = ident(roles.item!);
  const rows = `SELECT * FROM (${relation.sql}) WHERE ${user} IS NOT NULL AND ${item} IS NOT NULL`;
  const levels = async (column: string): Promise<string[]> => {
    const frame = await engine.frame(
      `SELECT level::VARCHAR AS level FROM (SELECT DISTINCT ${column} AS level FROM (${rows})) ORDER BY (level)`,
      [{ name: "level", as: "text" }],
    );
    return (frame.columns.get("level") as { values: string[] }).values;
  };
  const users = await levels(user);
  const items = await levels(item);
  if (users.length === 0)
    throw new ShopaiError("data", "no row has both a user and an item", { where: relation.name });
  const type = (name: string): string => relation.schema.find((field) => field.name === name)!.type;
  const userTable = await levelTable(engine, "rating_users", users, type(roles.user!));
  const itemTable = await levelTable(engine, "rating_items", items, type(roles.item!));
  const order = relation.key.map((column) => `, r.${ident(column)}`).join("");
  const frame = await engine.frame(
    `SELECT u.number AS u, i.number AS i, r.${ident(roles.rating!)}::DOUBLE AS value FROM (${rows}) r
       JOIN ${ident(userTable)} u ON r.${user} = u.level JOIN ${ident(itemTable)} i ON r.${item} = i.level ORDER BY u.number${order}`,
    [
      { name: "u", as: "i32" },
      { name: "i", as: "i32" },
      { name: "value", as: "f64" },
    ],
  );
  for (const table of [userTable, itemTable]) await engine.run(`DROP TABLE ${ident(table)}`);
  const value = floats(frame, "value");
  let sum = 0;
  let least = Infinity;
  let greatest = -Infinity;
  for (const rating of value) {
    sum += rating;
    least = Math.min(least, rating);
    greatest = Math.max(greatest, rating);
  }
  return {
    users,
    items,
    user: integers(frame, "u"),
    item: integers(frame, "i"),
    value,
    starts: rowStarts(integers(frame, "u"), users.length),
    mean: sum / value.length,
    range: [least, greatest],
  };
}

/** The ratings by user (or by item), columns in the order of the entries. */
export function ratingsBy(side: "user" | "item", ratings: Ratings): Csr & { values: Float32Array } {
  const [rowOf, columnOf] = side === "user" ? [ratings.user, ratings.item] : [ratings.item, ratings.user];
  const rows = (side === "user" ? ratings.users : ratings.items).length;
  const cols = (side === "user" ? ratings.items : ratings.users).length;
  const starts = rowStarts(rowOf, rows);
  const next = starts.slice();
  const columns = new Int32Array(rowOf.length);
  const values = new Float32Array(rowOf.length);
  for (let p = 0; p < rowOf.length; p++) {
    const to = next[rowOf[p]]++;
    columns[to] = columnOf[p];
    values[to] = ratings.value[p];
  }
  return { rows, cols, starts, columns, values };
}

import { ShopaiError } from "../core/errors.js";
import { ident } from "../engine/sql.js";
import { columnNamed, kindOf, type Relation } from "../table/relation.js";

/**
 * How old the newest row of a table is.
 *
 * @param column a date (its day's end counts) or a time; times without a zone are UTC
 * @returns seconds before `now`, negative for the future; null when the column holds nothing
 * @throws ShopaiError "data" when the column is not there or holds no times
 */
export async function ageOf(
  rows: Relation,
  column: string,
  now: Date,
): Promise<{ seconds: number | null; newest: string | null }> {
  const field = columnNamed(rows, column, "--time");
  const kind = kindOf(field.type);
  if (kind !== "date" && kind !== "timestamp")
    throw new ShopaiError("data", `${field.name} is ${field.type}, not a date or a time`, {
      where: rows.name,
      try: "a column of dates or times, or clean with a contract that makes one",
    });
  const time = kind === "date" ? `${ident(field.name)} + INTERVAL 1 DAY` : ident(field.name);
  const [{ newest, epoch }] = await rows.engine.rows<{ newest: string | null; epoch: number | null }>(
    `SELECT max(${ident(field.name)})::VARCHAR AS newest, epoch(max(${time}))::DOUBLE AS epoch FROM (${rows.sql}) WHERE isfinite(${ident(field.name)})`,
  );
  return { seconds: epoch === null ? null : now.getTime() / 1000 - epoch, newest };
}

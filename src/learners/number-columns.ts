import type { NumberAsk } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { countRows, source, type Relation } from "../table/relation.js";

/** Values in memory. */
const valuesAtOnce = 1 << 22;

/**
 * Columns of numbers, each whole, NaN for missing, in the order of the engine's rows, which is that of a table that lies in it.
 * Some are read at a time, so that memory is bounded for wide tables, and later ones are written over earlier ones.
 */
export async function* numberColumns<T extends { name: string }>(
  rows: Relation,
  columns: readonly T[],
): AsyncGenerator<[T, Float64Array]> {
  const count = Math.max(1, await countRows(rows));
  const atOnce = Math.max(1, Math.floor(valuesAtOnce / count));
  const room = columns.slice(0, atOnce).map(() => new Float64Array(count));
  for (let at = 0; at < columns.length; at += atOnce) {
    const part = columns.slice(at, at + atOnce);
    const list = part.map(({ name }, i) => `${ident(name)} AS f${i}`).join(", ");
    const asks = part.map((_, i): NumberAsk => ({ name: `f${i}`, as: "f64", into: () => room[i] }));
    let read = 0;
    for await (const frame of rows.engine.frames(`SELECT ${list} FROM ${source(rows)}`, asks, count))
      read = frame.rows;
    for (const [i, column] of part.entries()) yield [column, room[i].subarray(0, read)];
  }
}

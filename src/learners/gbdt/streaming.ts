import type { NumberAsk } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { isNumeric, orderSql, source, type Relation } from "../../table/relation.js";
import { breathe } from "../breathe.js";

/** Values of a piece, about. */
const pieceValues = 1 << 21;

/** Rows of a piece of so many columns: as many as one chunk of the engine or more. */
export const pieceRows = (columns: number, values = pieceValues): number =>
  Math.max(1 << 11, Math.min(1 << 15, Math.floor(values / Math.max(1, columns))));

export type Numbers = Float32Array | Float64Array;

/** What is to be read of every row. */
export interface Expression {
  sql: string;
  /** Texts, of which the hashes are wanted. */
  hashed?: boolean;
  /** Float32 holds its values exactly. */
  narrow?: boolean;
}

/** Takes a piece: a column per expression, NaN for missing, overwritten by the next piece; its first row, its rows. */
export type Taker = (columns: Map<string, Numbers>, from: number, count: number) => void;

/** How pieces are read. */
export interface Pieces {
  /** Most rows of one; `pieceRows` by default. */
  rows?: number;
  /** Where an expression's values are to lie, of a piece from that row on; undefined: anywhere. */
  room?(name: string): ((from: number) => Numbers) | undefined;
  /** Few values in all: the engine may hold them. */
  held?: boolean;
}

/**
 * Streams expressions over a relation in the order of its key. Tables that come from files are in that order
 * already, so the engine is not asked to sort; the keys are watched, and should they be out of order after
 * all, everything is read anew, sorted.
 */
export async function inOrder(
  relation: Relation,
  expressions: ReadonlyMap<string, Expression>,
  run: Run,
  take: Taker,
  pieces: Pieces = {},
): Promise<void> {
  const numeric = await keyIsNumeric(relation);
  if (numeric && (await streamed(relation, expressions, run, take, pieces, false))) return;
  await streamed(relation, expressions, run, take, pieces, true);
}

async function keyIsNumeric({ engine, sql, key }: Relation): Promise<boolean> {
  if (key.length === 0) return false;
  const fields = await engine.describe(`SELECT ${key.map(ident).join(", ")} FROM (${sql})`);
  return fields.every((field) => isNumeric(field.type));
}

async function streamed(
  relation: Relation,
  expressions: ReadonlyMap<string, Expression>,
  run: Run,
  take: Taker,
  { rows = pieceRows(expressions.size), room, held }: Pieces,
  sorted: boolean,
): Promise<boolean> {
  const keys = sorted ? [] : relation.key;
  const names = [...expressions.keys()];
  const list = [
    ...names.map((name, i) => `${expressions.get(name)!.sql} AS c${i}`),
    ...keys.map((name, i) => `${ident(name)} AS k${i}`),
  ];
  const order = sorted ? ` ${orderSql(relation)}` : "";
  const asks: NumberAsk[] = [
    ...names.map((name, i): NumberAsk => {
      const { narrow, hashed } = expressions.get(name)!;
      return { name: `c${i}`, as: hashed ? "hash" : narrow ? "f32" : "f64", into: room?.(name) };
    }),
    ...keys.map((_, i): NumberAsk => ({ name: `k${i}`, as: "f64" })),
  ];
  const last = new Float64Array(keys.length).fill(-Infinity);
  let from = 0;
  for await (const frame of relation.engine.frames(
    `SELECT ${list.join(", ")} FROM ${source(relation)}${order}`,
    asks,
    rows,
    held,
  )) {
    const values = (name: string): Numbers => frame.columns.get(name)!.values as Numbers;
    if (
      keys.length > 0 &&
      !ascending(
        keys.map((_, i) => values(`k${i}`) as Float64Array),
        last,
      )
    )
      return false;
    take(new Map(names.map((name, i) => [name, values(`c${i}`)])), from, frame.rows);
    from += frame.rows;
    run.progress.update(from, undefined, "rows");
    await breathe(run);
  }
  return true;
}

/** Whether key after key is above the last; leaves the last one of the piece in `last`. */
function ascending(keys: readonly Float64Array[], last: Float64Array): boolean {
  const rows = keys[0].length;
  for (let r = 0; r < rows; r++) {
    let k = 0;
    while (k < keys.length && keys[k][r] === last[k]) k++;
    if (k === keys.length || !(keys[k][r] > last[k])) return false;
    for (; k < keys.length; k++) last[k] = keys[k][r];
  }
  return true;
}

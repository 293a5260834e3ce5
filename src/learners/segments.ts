import { codes as codesOf, floats, integers } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import type { Relation } from "../table/relation.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";

/** Groups of customers and what each of them buys most. */
export interface Segments {
  /** Name of the column, and its values as texts, in order. */
  name: string;
  levels: string[];
  /** Segment of every user of training, -1 where unknown. */
  ofUser: Int32Array;
  /** levels x items: weight of every item in every segment. */
  popularity: Float64Array;
}

/** A SELECT of `user` and `segment` (as text): the one most frequent in the user's rows, the later of equals. */
export function segmentOfUsers(rows: string, user: string, segment: string): string {
  return `SELECT _user AS user, arg_max(_segment, {'rows': _rows, 'segment': _segment}) AS segment FROM (
    SELECT ${user} AS _user, ${segment}::VARCHAR AS _segment, count(*) AS _rows FROM (${rows}) WHERE ${segment} IS NOT NULL AND ${user} IS NOT NULL GROUP BY 1, 2) GROUP BY 1`;
}

/**
 * Reads the segments of training rows.
 *
 * @param column the segment column, as it is called in the table
 * @param weights a SELECT of `segment` (text), `item` (text) and `value`
 * @param users, items levels by code
 */
export async function readSegments(
  relation: Relation,
  column: string,
  user: string,
  weights: string,
  users: readonly string[],
  items: readonly string[],
): Promise<Segments> {
  const { engine } = relation;
  const of = segmentOfUsers(relation.sql, ident(user), ident(column));
  const frame = await engine.frame(`SELECT user::VARCHAR AS user, segment FROM (${of}) ORDER BY user`, [
    { name: "user", as: "code" },
    { name: "segment", as: "code" },
  ]);
  const own = codesOf(frame, "segment");
  const named = codesOf(frame, "user");
  const codeOfUser = new Map(users.map((level, code) => [level, code]));
  const ofUser = new Int32Array(users.length).fill(-1);
  for (let row = 0; row < frame.rows; row++) {
    const code = codeOfUser.get(named.levels[named.values[row]]);
    if (code !== undefined) ofUser[code] = own.values[row];
  }
  const { levels } = own;
  const segmentCode = new Map(levels.map((level, code) => [level, code]));
  const itemCode = new Map(items.map((level, code) => [level, code]));
  const popularity = new Float64Array(levels.length * items.length);
  const counted = await engine.frame(`SELECT * FROM (${weights}) ORDER BY segment, item`, [
    { name: "segment", as: "code" },
    { name: "item", as: "code" },
    { name: "value", as: "f64" },
  ]);
  const [segment, item] = [codesOf(counted, "segment"), codesOf(counted, "item")];
  const values = floats(counted, "value");
  for (let row = 0; row < counted.rows; row++) {
    const s = segmentCode.get(segment.levels[segment.values[row]]);
    const i = itemCode.get(item.levels[item.values[row]]);
    if (s !== undefined && i !== undefined) popularity[s * items.length + i] = values[row];
  }
  return { name: column, levels, ofUser, popularity };
}

/** The weights of items in a segment; those of everybody for -1. */
export function popularityIn(
  { popularity, segments }: { popularity: Float64Array; segments?: Segments },
  segment: number,
): Float64Array {
  if (!segments || segment < 0) return popularity;
  return segments.popularity.subarray(segment * popularity.length, (segment + 1) * popularity.length);
}

export function saveSegments(folder: FolderWriter, { levels, ofUser, popularity }: Segments): void {
  folder.texts("segments", levels);
  folder.array("segment-of-user", ofUser);
  folder.array("segment-popularity", popularity, [
    levels.length,
    popularity.length / Math.max(1, levels.length),
  ]);
}

export function loadSegments(folder: FolderReader, users: number, items: number): Segments | undefined {
  const name = folder.card.roles.segment;
  if (name === undefined) return undefined;
  const levels = folder.texts("segments");
  return {
    name,
    levels,
    ofUser: folder.array("segment-of-user", "i32", [users]),
    popularity: folder.array("segment-popularity", "f64", [levels.length, items]),
  };
}

/** Segment codes of asked users by number, from a column of their rows; -1 where it says nothing known. */
export async function segmentsOfAsked(
  rows: Relation,
  column: string,
  user: string,
  asked: string,
  count: number,
  segments: Segments,
): Promise<Int32Array> {
  const of = segmentOfUsers(rows.sql, user, ident(column));
  const frame = await rows.engine.frame(
    `SELECT a.number, s.segment FROM (${of}) s JOIN ${ident(asked)} a ON s.user = a.level ORDER BY a.number`,
    [
      { name: "number", as: "i32" },
      { name: "segment", as: "code" },
    ],
  );
  const { values, levels } = codesOf(frame, "segment");
  const numbers = integers(frame, "number");
  const result = new Int32Array(count).fill(-1);
  for (let row = 0; row < frame.rows; row++)
    result[numbers[row]] = segments.levels.indexOf(levels[values[row]]);
  return result;
}

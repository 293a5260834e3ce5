import { grouped } from "../../core/quantity.js";
import type { Field } from "../../engine/engine.js";
import { floats, type Frame } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident } from "../../engine/sql.js";
import { columnNamed, isNumeric, type Relation } from "../../table/relation.js";
import { askedLevels, levelTable } from "../levels.js";
import type { Ask, Fitted, TrainingData } from "../learner.js";
import type { FolderReader, FolderWriter } from "../model-folder.js";
import { predictRows } from "../row-predictions.js";
import type { Ratings } from "./ratings.js";

/** What every model of ratings knows of its training rows. */
export interface Raters {
  user: Field;
  item: Field;
  users: string[];
  items: string[];
  mean: number;
  range: readonly [least: number, greatest: number];
}

/**
 * The rating of one pair, before it is clipped; -1 stands for a user or item that training did not see.
 *
 * @param row place of the pair in the frame that `features` are read from
 */
export type Rate = (user: number, item: number, row: number) => number;

export function ratersOf(data: TrainingData, { users, items, mean, range }: Ratings): Raters {
  const field = (name: string): Field => {
    const { type } = columnNamed(data.relation, name);
    return { name, type };
  };
  return { user: field(data.roles.user!), item: field(data.roles.item!), users, items, mean, range };
}

export function loadRaters(folder: FolderReader): Raters {
  const { roles, role_types } = folder.card;
  const [mean, least, greatest] = folder.array("scale", "f64", [3]);
  return {
    user: { name: roles.user!, type: role_types.user! },
    item: { name: roles.item!, type: role_types.item! },
    users: folder.texts("users"),
    items: folder.texts("items"),
    mean,
    range: [least, greatest],
  };
}

/**
 * A fitted model of ratings: one prediction per row, clipped to the range of the training ratings.
 *
 * @param rater gives the function that rates the rows of a frame; the frame holds `features`
 */
export function ratingModel(
  raters: Raters,
  rater: (frame: Frame) => Rate,
  saveOwn: (folder: FolderWriter) => void,
  about: Record<string, unknown> = {},
  features: readonly Field[] = [],
): Fitted {
  const { users, items, mean, range } = raters;
  return {
    about: { users: users.length, items: items.length, mean, least: range[0], greatest: range[1], ...about },
    predict: (rows, ask, run) => predictRatings(raters, rater, features, rows!, ask, run),
    save(folder) {
      folder.texts("users", users);
      folder.texts("items", items);
      folder.array("scale", Float64Array.of(mean, ...range));
      saveOwn(folder);
    },
  };
}

const userCode = "_shopai_user";
const itemCode = "_shopai_item";

async function predictRatings(
  raters: Raters,
  rater: (frame: Frame) => Rate,
  features: readonly Field[],
  rows: Relation,
  ask: Ask,
  run: Run,
): Promise<Relation> {
  const [least, greatest] = raters.range;
  const coded = rows.memory ? withCodesInMemory(rows, rows.memory, raters) : await withCodes(rows, raters);
  let strangers = 0;
  const predictions = await predictRows(coded, [...codeFields, ...features], ask, run, (frame) => {
    const user = floats(frame, userCode);
    const item = floats(frame, itemCode);
    const rate = rater(frame);
    const values = new Float64Array(frame.rows);
    for (let row = 0; row < frame.rows; row++) {
      if (user[row] < 0 || item[row] < 0) strangers++;
      values[row] = Math.min(greatest, Math.max(least, rate(user[row], item[row], row)));
    }
    return new Map([["prediction", { kind: "f64", values }]]);
  });
  if (strangers > 0)
    run.warn(
      `${grouped(strangers)} rows have a user or an item that training did not see: they are rated by what is known of the other`,
    );
  return predictions;
}

const codeFields = [userCode, itemCode].map((name) => ({ name, type: "INTEGER" }));

/** The same for rows that are in memory already. */
function withCodesInMemory(rows: Relation, memory: Frame, { user, item, users, items }: Raters): Relation {
  const columns = new Map(memory.columns);
  for (const [code, field, levels] of [
    [userCode, user, users],
    [itemCode, item, items],
  ] as const) {
    const keyOf = (level: string): string | number => (isNumeric(field.type) ? Number(level) : level);
    const known = new Map(levels.map((level, at) => [keyOf(level), at]));
    const column = memory.columns.get(columnNamed(rows, field.name).name)!;
    const at = (row: number): string | number | null =>
      column.kind === "code" ? (column.levels[column.values[row]] ?? null) : Number(column.values[row]);
    const values = Float64Array.from({ length: memory.rows }, (_, row) => known.get(at(row) ?? "") ?? -1);
    columns.set(code, { kind: "f64", values });
  }
  return { ...rows, memory: { rows: memory.rows, columns }, schema: [...rows.schema, ...codeFields] };
}

/** The rows with the codes of users and items, -1 for those that are not known. */
async function withCodes(rows: Relation, { user, item, users, items }: Raters): Promise<Relation> {
  const { engine } = rows;
  const tables: string[] = [];
  for (const [field, levels, what] of [
    [user, users, "user"],
    [item, items, "item"],
  ] as const) {
    const known = await levelTable(engine, `${what}_levels`, levels, field.type);
    // Says it when a value is of another type than in training.
    await askedLevels(rows, field, what, known);
    tables.push(known);
  }
  const column = ({ name, type }: Field): string =>
    `TRY_CAST(r.${ident(columnNamed(rows, name).name)} AS ${type})`;
  const sql = `SELECT r.*, coalesce(u.number, -1)::INTEGER AS ${userCode}, coalesce(i.number, -1)::INTEGER AS ${itemCode}
    FROM (${rows.sql}) r LEFT JOIN ${ident(tables[0])} u ON ${column(user)} = u.level LEFT JOIN ${ident(tables[1])} i ON ${column(item)} = i.level`;
  return { ...rows, sql, schema: [...rows.schema, ...codeFields] };
}

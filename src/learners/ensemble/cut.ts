import { ShopaiError } from "../../core/errors.js";
import { integers } from "../../engine/frame.js";
import type { Run } from "../../engine/run.js";
import { ident, literal, numeric } from "../../engine/sql.js";
import { rowStarts } from "../../kernels/csr.js";
import { orderSql, type Relation, rowColumn, visible } from "../../table/relation.js";
import type { TrainingData } from "../learner.js";
import { levelTable } from "../levels.js";
import type { Catalogue } from "../recommendations.js";
import { trainingProfile, type Profile } from "../scorer.js";

/** How rows are set aside to learn from what the parts have not seen. */
export interface CutAsk {
  /** random: a share of all pairs; time: the last share of every user's. */
  cut: "random" | "time";
  share: number;
  /** Number of the cut: by chance, each is another one. */
  number: number;
}

/** Training rows without some pairs of user and item, and those pairs. */
export interface Cut {
  /** What the parts are fitted on. */
  rows: Relation;
  /** Users that have held-out items and others beside them, by code, in a seeded order. */
  users: Int32Array;
  /** The held-out items of one of them, by code, ascending. */
  held(user: number): Int32Array;
  /** What one of them has left. */
  profile(user: number): Profile;
  drop(): Promise<void>;
}

/**
 * Sets aside a share of the pairs of user and item of the training rows; all rows of a pair go to the
 * same side. By chance it is md5 of seed, number, user and item that decides, so the cut does not depend on the
 * order of rows.
 *
 * @throws ShopaiError "usage" for a cut by time without a column of times
 */
export async function validationCut(
  data: TrainingData,
  catalogue: Catalogue,
  { cut, share, number }: CutAsk,
  run: Run,
): Promise<Cut> {
  const { relation, roles } = data;
  const { engine } = relation;
  if (cut === "time" && roles.time === undefined)
    throw new ShopaiError("usage", "a cut by time needs a column of times, and none is named", {
      where: "--param cut=time",
      try: "--time <column>",
    });
  const user = ident(roles.user!);
  const item = ident(roles.item!);
  const pairs = `SELECT ${user} AS _user, ${item} AS _item${cut === "time" ? `, max(${ident(roles.time!)}) AS _time` : ""} FROM (${relation.sql}) WHERE ${user} IS NOT NULL AND ${item} IS NOT NULL GROUP BY 1, 2`;
  const held = engine.fresh("held");
  const which =
    cut === "random"
      ? `md5_number_lower(${literal(`${run.seed}:${number}:`)} || _user::VARCHAR || chr(31) || _item::VARCHAR)::DOUBLE / 18446744073709551616.0 < ${numeric(share)}`
      : `row_number() OVER (PARTITION BY _user ORDER BY _time DESC, _item) <= ceil(count(*) OVER (PARTITION BY _user) * ${numeric(share)}) AND count(*) OVER (PARTITION BY _user) > 1`;
  await engine.run(
    `CREATE TABLE ${ident(held)} AS SELECT _user, _item FROM (SELECT *, ${which} AS _held FROM (${pairs})) WHERE _held`,
  );
  const order = orderSql(relation);
  const kept = engine.fresh("kept");
  await engine.run(
    `CREATE TABLE ${ident(kept)} AS SELECT ${visible(relation).join(", ")}, row_number() OVER (${order}) - 1 AS ${rowColumn} FROM (${relation.sql}) r
      WHERE NOT EXISTS (SELECT 1 FROM ${ident(held)} h WHERE h._user = r.${user} AND h._item = r.${item})`,
  );
  const rows: Relation = {
    ...relation,
    sql: `SELECT * FROM ${ident(kept)}`,
    key: [rowColumn],
  };
  const users = await levelTable(engine, "users", catalogue.users, catalogue.user.type);
  const items = await levelTable(engine, "items", catalogue.items, catalogue.item.type);
  const frame = await engine.frame(
    `SELECT u.number AS user, i.number AS item FROM ${ident(held)} h JOIN ${ident(users)} u ON h._user = u.level JOIN ${ident(items)} i ON h._item = i.level ORDER BY 1, 2`,
    [
      { name: "user", as: "i32" },
      { name: "item", as: "i32" },
    ],
  );
  for (const table of [users, items, held]) await engine.run(`DROP TABLE ${ident(table)}`);
  const starts = rowStarts(integers(frame, "user"), catalogue.users.length);
  const heldItems = integers(frame, "item");
  const heldOf = (code: number): Int32Array => heldItems.subarray(starts[code], starts[code + 1]);
  const { seen } = catalogue;
  const usable = Int32Array.from(catalogue.users, (_, code) => code).filter(
    (code) =>
      starts[code + 1] > starts[code] &&
      seen.starts[code + 1] - seen.starts[code] > starts[code + 1] - starts[code],
  );
  return {
    rows,
    users: run.rng(`validation users ${number}`).shuffle(usable),
    held: heldOf,
    profile: (code) => without(trainingProfile(catalogue, code), heldOf(code)),
    drop: () => engine.run(`DROP TABLE ${ident(kept)}`),
  };
}

function without({ user, items, values }: Profile, left: Int32Array): Profile {
  const out = new Set(left);
  const places = [...items.keys()].filter((p) => !out.has(items[p]));
  return {
    user,
    items: Int32Array.from(places, (p) => items[p]),
    values: values && Float32Array.from(places, (p) => values[p]),
    fresh: places.length,
  };
}

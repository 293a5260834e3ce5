import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { codes, integers, type ColumnAsk } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { rowStarts } from "../kernels/csr.js";
import { measureRanking, rankingSubset, type RankingRows } from "../metrics/ranking.js";
import type { Subject } from "../metrics/scorecard.js";
import { columnNamed, relationOf, type Relation } from "../table/relation.js";
import type { Model } from "./learner.js";
import { aucAmongAll, rankedAmongSome } from "./measured-candidates.js";
import type { MeasureAsk, Measured, RankedAmong } from "./measured.js";
import type { Catalogue } from "./recommendations.js";

/**
 * Recommends to every user of the rows and joins with the items that they hold: those are the relevant ones.
 * Joins and codes are the engine's; lists come over as typed arrays.
 */
export async function measuredRanking(
  model: Model,
  rows: Relation,
  ask: MeasureAsk,
  run: Run,
): Promise<Measured> {
  const { catalogue } = model;
  if (!catalogue)
    throw new ShopaiError("model", `${model.card.learner} does not say which items it knows`, {
      try: "training it again",
    });
  const truth = await relevantItems(rows, catalogue, ask, run);
  const { engine } = rows;
  const users = await engine.frame(
    `SELECT relevant${truth.slices.map((column) => `, ${column}`).join("")} FROM ${ident(truth.users)} ORDER BY number`,
    [
      { name: "relevant", as: "i32" },
      ...ask.by.map((_, i): ColumnAsk => ({ name: `_slice_${i}`, as: "code" })),
    ],
  );
  const items = engine.fresh("known_items");
  await engine.load(items, {
    rows: catalogue.items.length,
    columns: new Map([
      ["number", { kind: "i32", values: Int32Array.from(catalogue.items, (_, i) => i) }],
      ["item", { kind: "text", values: catalogue.items }],
    ]),
  });
  const count = users.rows;
  const { lists, auc, ranked } =
    ask.negatives === undefined
      ? await rankedAmongAll(model, truth, items, count, ask, run)
      : await rankedAmongSome(
          model,
          truth,
          items,
          ask.negatives,
          ask.cuts[ask.cuts.length - 1],
          ask.history,
          run,
        );
  const data: RankingRows = {
    users: count,
    relevant: integers(users, "relevant"),
    listStarts: lists.starts,
    listItem: lists.item,
    listHit: lists.hit,
    items: catalogue.items.length,
    popularity: { holders: holdersOf(catalogue), users: catalogue.users.length },
    auc,
  };
  const subjectOf = (part: RankingRows): Subject => ({
    measure: measureRanking(part, ask.cuts),
    subset: (units) => subjectOf(rankingSubset(part, units)),
  });
  return {
    subject: subjectOf(data),
    rows: truth.rows,
    users: count,
    ranked,
    units: truth.digest,
    slicings: ask.by.map((name, i) => {
      const { values, levels } = codes(users, `_slice_${i}`);
      return { column: columnNamed(rows, name, "--by").name, code: values, levels };
    }),
  };
}

export interface Ranked {
  /** The best of every user, at least as many as the largest cut-off where there are. */
  lists: Lists;
  /** AUC of every user over its candidates, NaN where undefined or not worked out. */
  auc: Float64Array;
  ranked: RankedAmong;
}

/** Ranks the relevant items among all that are new to the user. */
async function rankedAmongAll(
  model: Model,
  truth: Truth,
  items: string,
  users: number,
  { cuts, history }: MeasureAsk,
  run: Run,
): Promise<Ranked> {
  const lists = await recommended(model, truth, cuts[cuts.length - 1], items, users, history, run);
  return {
    lists,
    auc: await aucAmongAll(model, truth, items, history, run),
    ranked: { candidates: "all items" },
  };
}

export interface Truth {
  /** A relation of the users alone, under the user column's name. */
  relation: Relation;
  /** A table of `number`, `level` (the user, in the model's type), `relevant` and the slices. */
  users: string;
  /** A table of `number` (user) and `item` (as text), no pair twice. */
  pairs: string;
  slices: string[];
  rows: number;
  digest: string;
}

/** Codes the users of the rows and counts their relevant items. */
async function relevantItems(
  rows: Relation,
  catalogue: Catalogue,
  ask: MeasureAsk,
  run: Run,
): Promise<Truth> {
  const { engine } = rows;
  const user = ident(columnNamed(rows, catalogue.user.name).name);
  const item = ident(columnNamed(rows, catalogue.item.name).name);
  const typed = `TRY_CAST(${user} AS ${catalogue.user.type})`;
  const usable = `SELECT *, ${typed} AS _user, TRY_CAST(${item} AS ${catalogue.item.type})::VARCHAR AS _item FROM (${rows.sql}) WHERE ${typed} IS NOT NULL AND TRY_CAST(${item} AS ${catalogue.item.type}) IS NOT NULL`;
  // A user whose rows disagree belongs to no slice.
  const slices = ask.by.map((name, i) => {
    const column = ident(columnNamed(rows, name, "--by").name);
    return `CASE WHEN count(DISTINCT ${column}) = 1 THEN min(${column}::VARCHAR) END AS _slice_${i}`;
  });
  const users = engine.fresh("measured_users");
  await engine.run(
    `CREATE TABLE ${ident(users)} AS SELECT (row_number() OVER (ORDER BY _user) - 1)::INTEGER AS number, * FROM (
       SELECT _user, count(DISTINCT _item)::INTEGER AS relevant, count(*) AS rows${slices.map((slice) => `, ${slice}`).join("")} FROM (${usable}) GROUP BY _user)`,
  );
  const pairs = engine.fresh("relevant_items");
  await engine.run(
    `CREATE TABLE ${ident(pairs)} AS SELECT DISTINCT u.number, r._item AS item FROM (${usable}) r JOIN ${ident(users)} u ON r._user = u._user`,
  );
  const [{ all, measuredRows, digest }] = await engine.rows<{
    all: bigint;
    measuredRows: bigint | null;
    digest: string | null;
  }>(
    `SELECT (SELECT count(*) FROM (${rows.sql})) AS "all", (SELECT sum(rows) FROM ${ident(users)})::BIGINT AS "measuredRows",
            (SELECT bit_xor(md5_number(u._user::VARCHAR || chr(31) || p.item))::VARCHAR FROM ${ident(pairs)} p JOIN ${ident(users)} u ON p.number = u.number) AS digest`,
  );
  if (measuredRows === null)
    throw new ShopaiError(
      "data",
      all === 0n ? "there are no rows to measure" : "no row has both a user and an item",
      {
        where: rows.name,
        try: "a table with rows, or another --where",
      },
    );
  if (measuredRows < all)
    run.warn(
      `${grouped(all - measuredRows)} rows without a user or an item of the model's types are not measured`,
    );
  return {
    relation: await relationOf(
      engine,
      `SELECT number, _user AS ${ident(catalogue.user.name)} FROM ${ident(users)}`,
      { key: ["number"], name: rows.name },
    ),
    users,
    pairs,
    slices: ask.by.map((_, i) => `_slice_${i}`),
    rows: Number(measuredRows),
    digest: `${measuredRows}:${digest}`,
  };
}

export interface Lists {
  /** Places of user u: starts[u]..starts[u+1], best first. */
  starts: Int32Array;
  item: Int32Array;
  hit: Uint8Array;
}

/** The k best items of every user, with their hits. */
async function recommended(
  model: Model,
  truth: Truth,
  k: number,
  items: string,
  users: number,
  history: Relation | undefined,
  run: Run,
): Promise<Lists> {
  const { engine } = truth.relation;
  const { user, item } = model.catalogue!;
  const lists = await model.predict(truth.relation, { k, history }, run);
  const frame = await engine.frame(
    `SELECT u.number AS user, i.number AS item, (p.item IS NOT NULL)::INTEGER AS hit
       FROM (${lists.sql}) r JOIN ${ident(truth.users)} u ON r.${ident(user.name)} = u._user
       JOIN ${ident(items)} i ON r.${ident(item.name)}::VARCHAR = i.item
       LEFT JOIN ${ident(truth.pairs)} p ON p.number = u.number AND p.item = i.item
      ORDER BY u.number, r.rank`,
    [
      { name: "user", as: "i32" },
      { name: "item", as: "i32" },
      { name: "hit", as: "i32" },
    ],
  );
  return {
    starts: rowStarts(integers(frame, "user"), users),
    item: integers(frame, "item"),
    hit: Uint8Array.from(integers(frame, "hit")),
  };
}

/** Training users of every item. */
function holdersOf({ seen }: Catalogue): Float64Array {
  const holders = new Float64Array(seen.cols);
  for (const item of seen.columns) holders[item]++;
  return holders;
}

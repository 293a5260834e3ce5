import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import { codes, integers, type ColumnAsk } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident, literal } from "../engine/sql.js";
import { rowStarts } from "../kernels/csr.js";
import {
  addMix,
  listDiversity,
  longTail,
  miscalibration,
  type Categories,
} from "../metrics/beyond-accuracy.js";
import { measureRanking, rankingSubset, userAuc, type RankingRows } from "../metrics/ranking.js";
import type { Slicing, Subject } from "../metrics/scorecard.js";
import { columnNamed, findColumn, kindOf, relationOf, rowColumn, type Relation } from "../table/relation.js";
import type { Model } from "./learner.js";
import { listsOf } from "./list-batches.js";
import type { List, Source } from "./lists.js";
import { rankedAmongSome } from "./measured-candidates.js";
import type { MeasureAsk, Measured, RankedAmong } from "./measured.js";
import type { Catalogue } from "./recommendations.js";
import { popularityRanks, type Scorer } from "./scorer.js";
import { peopleOf, saySources, type People } from "./serving.js";

/** Most pairs of user and item that are scored for `auc_per_user`; beyond, a sample of users by the seed. */
const mostScored = 50_000_000;
/** Users whose relevant items are held in memory at once. */
export const batch = 65_536;
/** The slice by how much each user had in training; no column of the table. */
export const historySlice = "training_items";

/**
 * Makes the lists of every user of the rows, as `predict` does, and compares them with the items that the
 * users hold: those are the relevant ones. Memory: a code per place of every list, 8 bytes per user and
 * metric, and the relevant items of `batch` users.
 */
export async function measuredRanking(
  model: Model,
  rows: Relation,
  ask: MeasureAsk,
  run: Run,
): Promise<Measured> {
  const { catalogue, scorer } = model;
  if (!catalogue || !scorer)
    throw new ShopaiError("model", `${model.card.learner} does not say which items it knows`, {
      try: "training it again",
    });
  const columns = ask.by.filter((name) => name !== historySlice || findColumn(rows.schema, name));
  await model.prepare?.(run);
  const truth = await relevantItems(rows, catalogue, columns, run);
  const { engine } = rows;
  const people = await peopleOf(catalogue, scorer, truth.relation, ask.history, run, rows);
  const users = await engine.frame(
    `SELECT relevant${columns.map((_, i) => `, _slice_${i}`).join("")} FROM ${ident(truth.users)} ORDER BY number`,
    [
      { name: "relevant", as: "i32" },
      ...columns.map((_, i): ColumnAsk => ({ name: `_slice_${i}`, as: "code" })),
    ],
  );
  const categories = ask.categories && (await categoriesOf(ask.categories, catalogue, people.items, run));
  const judge = judgeOf(catalogue, people.count, ask.cuts, categories);
  const { auc, ranked, negatives } =
    ask.negatives === undefined
      ? await rankedAmongAll(catalogue, scorer, people, truth, ask.cuts, judge, run)
      : await rankedAmongSome(
          model,
          truth,
          people,
          { ...ask, negatives: ask.negatives },
          ask.cuts[ask.cuts.length - 1],
          judge,
          run,
        );
  const data: RankingRows = { ...judge.done(), relevant: integers(users, "relevant"), auc };
  const subjectOf = (part: RankingRows): Subject => ({
    measure: measureRanking(part, ask.cuts),
    subset: (units) => subjectOf(rankingSubset(part, units)),
  });
  const sliced = columns.map((name, i): Slicing => {
    const { values, levels } = codes(users, `_slice_${i}`);
    return { column: columnNamed(rows, name, "--by").name, code: values, levels };
  });
  if (columns.length < ask.by.length) sliced.push(judge.byHistory());
  return {
    subject: subjectOf(data),
    rows: truth.rows,
    users: people.count,
    ranked,
    negatives,
    units: truth.digest,
    slicings: sliced,
  };
}

/** What came of ranking everybody's relevant items; the lists went to the judge. */
export interface Ranked {
  /** AUC of every user over its candidates, NaN where undefined or not worked out. */
  auc: Float64Array;
  ranked: RankedAmong;
  /** The negatives of every user, where they were to be kept. */
  negatives?: Relation;
}

/** Ranks the relevant items among all that are new to the user. */
async function rankedAmongAll(
  catalogue: Catalogue,
  scorer: Scorer,
  people: People,
  truth: Truth,
  cuts: readonly number[],
  judge: Judge,
  run: Run,
): Promise<Ranked> {
  const drawn = await drawnForAuc(truth, catalogue, people.count, run);
  const lists = listsOf(
    catalogue,
    scorer,
    people,
    { k: cuts[cuts.length - 1], whole: (user) => drawn[user] === 1 },
    run,
  );
  const counts: Record<Source, number> = { model: 0, history: 0, features: 0, popularity: 0 };
  const auc = new Float64Array(people.count).fill(NaN);
  run.progress.stage("recommending");
  for (let from = 0; from < people.count; from += batch) {
    const to = Math.min(people.count, from + batch);
    const relevant = await relevantOf(truth, people.items, from, to);
    for (let user = from; user < to; user++) {
      const found = (await lists.next()).value as List;
      counts[found.source]++;
      const own = relevant(user);
      judge.add(user, found, own);
      if (drawn[user]) auc[user] = userAuc(found.all!, own);
    }
  }
  run.progress.done(`${grouped(people.count)} users`);
  saySources(counts, people.count, run);
  return { auc, ranked: { candidates: "all items" } };
}

/** Takes lists one by one and keeps what the metrics need of them. */
export type Judge = ReturnType<typeof judgeOf>;

function judgeOf(
  catalogue: Catalogue,
  users: number,
  cuts: readonly number[],
  categories: Categories | undefined,
) {
  const size = catalogue.items.length;
  const most = Math.min(cuts[cuts.length - 1], size);
  const holders = holdersOf(catalogue);
  const tail = longTail(holders);
  const ranks = popularityRanks({ popularity: holders });
  const listStarts = new Int32Array(users + 1);
  const listItem = new Int32Array(users * most);
  const listHit = new Uint8Array(users * most);
  const profilePopularity = new Float64Array(users).fill(NaN);
  const had = new Int32Array(users);
  const perCut = (name: string) =>
    cuts.map((k) => ({ name: `${name}@${k}`, values: new Float64Array(users).fill(NaN) }));
  const tailRecall = perCut("tail_recall");
  const serendipity = perCut("serendipity");
  const calibration = categories ? perCut("calibration") : [];
  const diversity = categories ? perCut("list_diversity") : [];
  const wanted = new Float64Array(categories?.count ?? 0);
  const listed = new Float64Array(categories?.count ?? 0);
  const isRelevant = new Uint8Array(size);
  return {
    add(
      user: number,
      { items, profile, source }: Pick<List, "items" | "profile" | "source">,
      relevant: Int32Array,
    ): void {
      const start = listStarts[user];
      listStarts[user + 1] = start + items.length;
      listItem.set(items, start);
      for (const item of relevant) isRelevant[item] = 1;
      const own = source === "popularity" ? new Int32Array() : profile!.items;
      const ownRanks = Int32Array.from(own, (item) => ranks[item]).sort();
      had[user] = own.length;
      if (own.length > 0)
        profilePopularity[user] =
          own.reduce((sum, item) => sum + holders[item], 0) / own.length / catalogue.users.length;
      const tails = relevant.reduce((sum, item) => sum + tail[item], 0);
      wanted.fill(0);
      const known = categories ? addMix(categories, own, wanted) : 0;
      let [tailHits, place] = [0, 0];
      cuts.forEach((k, c) => {
        const end = Math.min(k, items.length);
        for (; place < end; place++) {
          const item = items[place];
          if (!isRelevant[item]) continue;
          listHit[start + place] = 1;
          if (tail[item]) tailHits++;
        }
        serendipity[c].values[user] = unexpected(items.subarray(0, end), isRelevant, ranks, ownRanks, k) / k;
        if (tails > 0) tailRecall[c].values[user] = tailHits / tails;
        if (!categories) return;
        const shown = items.subarray(0, end);
        diversity[c].values[user] = listDiversity(categories, shown);
        if (known === 0) return;
        listed.fill(0);
        addMix(categories, shown, listed);
        calibration[c].values[user] = miscalibration(wanted, listed);
      });
      for (const item of relevant) isRelevant[item] = 0;
    },
    done: (): Omit<RankingRows, "relevant"> => ({
      users,
      listStarts,
      listItem: listItem.subarray(0, listStarts[users]),
      listHit: listHit.subarray(0, listStarts[users]),
      items: size,
      popularity: { holders, users: catalogue.users.length },
      tail,
      profilePopularity,
      perUser: [...tailRecall, ...serendipity, ...calibration, ...diversity],
    }),
    /** Users by how many items they had. */
    byHistory(): Slicing {
      const edges = [0, 9, 99];
      const levels = ["0", "1 to 9", "10 to 99", "100 and more"];
      return {
        column: historySlice,
        code: had.map((count) => edges.filter((edge) => count > edge).length),
        levels,
      };
    },
  };
}

/** Hits that are not among the k most popular items new to the user. */
function unexpected(
  items: Int32Array,
  isRelevant: Uint8Array,
  ranks: Int32Array,
  ownRanks: Int32Array,
  k: number,
): number {
  let count = 0;
  for (const item of items) {
    if (!isRelevant[item]) continue;
    // Place of the item among those that are new: what the user had is taken out of the order.
    let before = 0;
    while (before < ownRanks.length && ownRanks[before] < ranks[item]) before++;
    if (ranks[item] - before >= k) count++;
  }
  return count;
}

/** Users whose AUC is measured: all, or a sample by the seed. */
async function drawnForAuc(truth: Truth, catalogue: Catalogue, users: number, run: Run): Promise<Uint8Array> {
  const sampled = Math.max(1, Math.floor(mostScored / Math.max(1, catalogue.items.length)));
  if (sampled >= users) return new Uint8Array(users).fill(1);
  run.warn(
    `auc_per_user is that of ${grouped(sampled)} of ${grouped(users)} users, drawn by the seed: it takes the score of every item`,
  );
  const frame = await truth.relation.engine.frame(
    `SELECT number FROM ${ident(truth.users)} ORDER BY md5(number::VARCHAR || ${literal(`auc ${run.seed}`)}), number LIMIT ${sampled}`,
    [{ name: "number", as: "i32" }],
  );
  const drawn = new Uint8Array(users);
  for (const user of integers(frame, "number")) drawn[user] = 1;
  return drawn;
}

/** Relevant items, by code, of the users of a batch; those that the model does not know are not among them. */
export async function relevantOf(
  truth: Truth,
  items: string,
  from: number,
  to: number,
): Promise<(user: number) => Int32Array> {
  const frame = await truth.relation.engine.frame(
    `SELECT p.number - ${from} AS user, i.number AS item FROM ${ident(truth.pairs)} p JOIN ${ident(items)} i ON p.item = i.level::VARCHAR
      WHERE p.number >= ${from} AND p.number < ${to} ORDER BY 1, 2`,
    [
      { name: "user", as: "i32" },
      { name: "item", as: "i32" },
    ],
  );
  const starts = rowStarts(integers(frame, "user"), to - from);
  const item = integers(frame, "item");
  return (user) => item.subarray(starts[user - from], starts[user - from + 1]);
}

/** Categories of the items of the catalogue: `a|b`, `a;b` and lists are several. */
async function categoriesOf(
  { items, column }: { items: Relation; column: string },
  catalogue: Catalogue,
  known: string,
  run: Run,
): Promise<Categories> {
  const { engine } = items;
  const item = ident(columnNamed(items, catalogue.item.name, "--items").name);
  const { name, type } = columnNamed(items, column, "--category");
  const several =
    kindOf(type) === "nested"
      ? `${ident(name)}::VARCHAR[]`
      : `string_split_regex(${ident(name)}::VARCHAR, '[|;]')`;
  const frame = await engine.frame(
    `SELECT DISTINCT k.number AS item, trim(g.category) AS category
       FROM (SELECT TRY_CAST(${item} AS ${catalogue.item.type}) AS item, unnest(${several}) AS category FROM (${items.sql})) g
       JOIN ${ident(known)} k ON g.item = k.level WHERE trim(g.category) <> '' ORDER BY 1, 2`,
    [
      { name: "item", as: "i32" },
      { name: "category", as: "code" },
    ],
  );
  if (frame.rows === 0)
    run.warn(`no item of the model has a ${name} in the table of items: nothing is measured by it`);
  const { values, levels } = codes(frame, "category");
  return {
    starts: rowStarts(integers(frame, "item"), catalogue.items.length),
    columns: values,
    count: levels.length,
  };
}

export interface Truth {
  /** A relation of the users alone, under the user column's name. */
  relation: Relation;
  /** A table of `number`, `level` (the user, in the model's type), `relevant` and the slices. */
  users: string;
  /** A table of `number` (user) and `item` (as text), no pair twice. */
  pairs: string;
  rows: number;
  digest: string;
}

/** Codes the users of the rows and counts their relevant items. */
async function relevantItems(
  rows: Relation,
  catalogue: Catalogue,
  by: readonly string[],
  run: Run,
): Promise<Truth> {
  const { engine } = rows;
  const user = ident(columnNamed(rows, catalogue.user.name).name);
  const item = ident(columnNamed(rows, catalogue.item.name).name);
  const typed = `TRY_CAST(${user} AS ${catalogue.user.type})`;
  const usable = `SELECT *, ${typed} AS _user, TRY_CAST(${item} AS ${catalogue.item.type})::VARCHAR AS _item FROM (${rows.sql}) WHERE ${typed} IS NOT NULL AND TRY_CAST(${item} AS ${catalogue.item.type}) IS NOT NULL`;
  // A user whose rows disagree belongs to no slice.
  const slices = by.map((name, i) => {
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
      `SELECT number AS ${rowColumn}, _user AS ${ident(catalogue.user.name)} FROM ${ident(users)}`,
      { key: [rowColumn], name: rows.name },
    ),
    users,
    pairs,
    rows: Number(measuredRows),
    digest: `${measuredRows}:${digest}`,
  };
}

/** Training users of every item. */
function holdersOf({ seen }: Catalogue): Float64Array {
  const holders = new Float64Array(seen.cols);
  for (const item of seen.columns) holders[item]++;
  return holders;
}

import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Engine } from "../engine/engine.js";
import { integers, texts, type Column } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { exactSum, ident, numeric } from "../engine/sql.js";
import { rowStarts } from "../kernels/csr.js";
import { columnNamed, findColumn, relationOf, type Relation } from "../table/relation.js";
import { ratingScale } from "./interactions.js";
import type { Ask } from "./learner.js";
import { askedLevels, levelTable, type AskedLevels } from "./levels.js";
import { listsOf } from "./list-batches.js";
import { reasonGiver, type List, type Person, type Source } from "./lists.js";
import type { Catalogue } from "./recommendations.js";
import { rerankerOf } from "./rerank.js";
import type { Scorer } from "./scorer.js";
import { segmentsOfAsked } from "./segments.js";

/** Users whose lists are held in memory at once. */
const batch = 8192;

/**
 * The k best items of every user asked for, with `source` and `reason` when they are to be explained.
 *
 * A user of training is answered from its training rows and `ask.history`. One that training did not see
 * is answered from its items in `rows` and `ask.history`, if the learner can, else with the most popular
 * items; both are said.
 */
export async function recommend(
  catalogue: Catalogue,
  scorer: Scorer,
  rows: Relation | undefined,
  ask: Ask,
  run: Run,
): Promise<Relation> {
  if (ask.keep && ask.keep.length > 0)
    throw new ShopaiError("usage", "recommendations carry no other columns over", {
      try: "leaving --keep out",
    });
  const { user, item } = catalogue;
  const taken = ["source", "reason"].find((name) => name === user.name || name === item.name);
  if (ask.explain && taken)
    throw new ShopaiError("usage", `--explain would add a second column ${taken}`, {
      try: `training with another name for ${taken}, or leaving --explain out`,
    });
  const people = await peopleOf(catalogue, scorer, rows, ask.history, run);
  const table = await writtenLists(catalogue, scorer, people, ask, run);
  const told = ask.explain ? ", r.source, r.reason" : "";
  return relationOf(
    people.engine,
    `SELECT u.level AS ${ident(user.name)}, i.level AS ${ident(item.name)}, r.score, r.rank${told} FROM ${ident(table)} r JOIN ${ident(people.users)} u ON r.number = u.number JOIN ${ident(people.items)} i ON r.item = i.number`,
    { key: [user.name, "rank"], inputs: rows?.inputs, name: rows?.name ?? "recommendations" },
  );
}

/** Everybody that lists are made for. */
export interface People {
  engine: Engine;
  /** A table of `number` and `level`: the users. */
  users: string;
  /** A table of `number` (code in training) and `level`: the items. */
  items: string;
  /** How many they are. */
  count: number;
  /** What is known of one, by number. */
  person(number: number): Person;
}

/**
 * The users of `rows` (all of training and of `history` when undefined), with their items since training.
 *
 * @param described rows that say more of newcomers, where they are not `rows`
 */
export async function peopleOf(
  catalogue: Catalogue,
  scorer: Scorer,
  rows: Relation | undefined,
  history: Relation | undefined,
  run: Run,
  described = rows,
): Promise<People> {
  const engine = rows?.engine ?? (await run.engine());
  const known = await levelTable(engine, "users", catalogue.users, catalogue.user.type);
  const items = await levelTable(engine, "items", catalogue.items, catalogue.item.type);
  const { table, codes } = await askedUsers(catalogue, known, rows, history);
  const newer = await newerItems(catalogue, { table, codes }, items, rows, history, run);
  const segments = await askedSegments(catalogue, { table, codes }, rows);
  const features = await newcomersOf(scorer, { table, codes }, described);
  if (table !== known) await engine.run(`DROP TABLE ${ident(known)}`);
  return {
    engine,
    users: table,
    items,
    count: codes.length,
    person: (number) => ({
      user: codes[number],
      newer: newer(number),
      segment: segments[number],
      features: features(number),
    }),
  };
}

/** What the learner makes of the columns of those that training did not see, by number of the asked user. */
async function newcomersOf(
  scorer: Scorer,
  { table, codes }: AskedLevels,
  rows: Relation | undefined,
): Promise<(number: number) => Float32Array | undefined> {
  if (!scorer.describe || !rows || !codes.includes(-1)) return () => undefined;
  const frame = await rows.engine.frame(
    `SELECT number, level::VARCHAR AS level FROM ${ident(table)} WHERE code < 0 ORDER BY number`,
    [
      { name: "number", as: "i32" },
      { name: "level", as: "text" },
    ],
  );
  const of = await scorer.describe(rows, texts(frame, "level") as string[]);
  if (!of) return () => undefined;
  const placeOf = new Map(Array.from(integers(frame, "number"), (number, place) => [number, place]));
  return (number) => {
    const place = placeOf.get(number);
    return place === undefined ? undefined : of(place);
  };
}

async function askedUsers(
  catalogue: Catalogue,
  known: string,
  rows: Relation | undefined,
  history: Relation | undefined,
): Promise<AskedLevels> {
  const { user } = catalogue;
  if (rows) return askedLevels(rows, user, "user", known);
  if (!history) return { table: known, codes: Int32Array.from(catalogue.users, (_, code) => code) };
  const column = ident(columnNamed(history, user.name, "--history").name);
  const all = `SELECT level AS ${ident(user.name)} FROM ${ident(known)} UNION ALL SELECT TRY_CAST(${column} AS ${user.type}) FROM (${history.sql})`;
  return askedLevels(
    { ...history, sql: all, schema: [{ name: user.name, type: user.type }], key: [] },
    user,
    "user",
    known,
  );
}

/** Segments by number of the asked user: as the rows say, else as in training. */
async function askedSegments(
  { segments, user }: Catalogue,
  { table, codes }: AskedLevels,
  rows: Relation | undefined,
): Promise<Int32Array> {
  if (!segments) return new Int32Array(codes.length).fill(-1);
  const before = codes.map((code) => (code < 0 ? -1 : segments.ofUser[code]));
  const column = rows && findColumn(rows.schema, segments.name);
  if (!column) return before;
  const typed = `TRY_CAST(${ident(columnNamed(rows, user.name).name)} AS ${user.type})`;
  const said = await segmentsOfAsked(rows, column.name, typed, table, codes.length, segments);
  return said.map((code, number) => (code < 0 ? before[number] : code));
}

/** Items since training by number of the asked user, oldest first. */
type Newer = (number: number) => Person["newer"];

/**
 * What `history` holds of all users and `rows` of those that training did not see. Items that the model
 * does not know are left out.
 */
async function newerItems(
  catalogue: Catalogue,
  asked: AskedLevels,
  items: string,
  rows: Relation | undefined,
  history: Relation | undefined,
  run: Run,
): Promise<Newer> {
  const { engine } = rows ?? history ?? { engine: undefined };
  const sources = [
    ...(rows && asked.codes.includes(-1) && hasInteractions(rows, catalogue)
      ? [await interactionsSql(rows, catalogue, asked, items, "u.code < 0")]
      : []),
    ...(history ? [await interactionsSql(history, catalogue, asked, items, "true")] : []),
  ];
  if (!engine || sources.length === 0) return () => undefined;
  const { rating } = catalogue;
  const frame = await engine.frame(
    `SELECT number, item, sum(value) AS value FROM (${sources.join(" UNION ALL ")}) GROUP BY number, item ORDER BY number, max(place), item`,
    [
      { name: "number", as: "i32" },
      { name: "item", as: "i32" },
      ...(rating ? [{ name: "value", as: "f32" } as const] : []),
    ],
  );
  if (frame.rows === 0 && history)
    run.warn("the history holds no item that the model knows: it changes nothing");
  const starts = rowStarts(integers(frame, "number"), asked.codes.length);
  const codes = integers(frame, "item");
  const values = frame.columns.get("value");
  return (number) =>
    starts[number] === starts[number + 1]
      ? undefined
      : {
          items: codes.subarray(starts[number], starts[number + 1]),
          values:
            values?.kind === "f32" ? values.values.subarray(starts[number], starts[number + 1]) : undefined,
        };
}

/** Whether a table of users also says what they had. */
function hasInteractions(rows: Relation, { item, rating }: Catalogue): boolean {
  return (
    findColumn(rows.schema, item.name) !== undefined &&
    (!rating || findColumn(rows.schema, rating.name) !== undefined)
  );
}

/** A SELECT of `number` (asked user), `item` (code), `value` and `place` in the order of time. */
async function interactionsSql(
  rows: Relation,
  catalogue: Catalogue,
  asked: AskedLevels,
  items: string,
  which: string,
): Promise<string> {
  const { user, item, rating, time } = catalogue;
  const column = (name: string): string => `r.${ident(columnNamed(rows, name).name)}`;
  const value = rating
    ? exactSum(`${column(rating.name)}::DOUBLE`, numeric(await ratingScale(rows, rating.name)))
    : "1.0";
  const timed = time && findColumn(rows.schema, time.name);
  const order = [...(timed ? [`max(r.${ident(timed.name)})`] : []), "i.number"];
  return `SELECT u.number, i.number AS item, ${value} AS value, row_number() OVER (ORDER BY ${order.join(", ")}) AS place
    FROM (${rows.sql}) r JOIN ${ident(asked.table)} u ON TRY_CAST(${column(user.name)} AS ${user.type}) = u.level
    JOIN ${ident(items)} i ON TRY_CAST(${column(item.name)} AS ${item.type}) = i.level
    WHERE ${which} GROUP BY u.number, i.number`;
}

/** Makes the lists and gives a table of `number`, `item`, `score`, `rank` and, explained, `source` and `reason`. */
async function writtenLists(
  catalogue: Catalogue,
  scorer: Scorer,
  people: People,
  ask: Ask,
  run: Run,
): Promise<string> {
  const { engine, items, count } = people;
  const reranker = ask.rules && (await rerankerOf(catalogue, ask.rules, items));
  const lists = listsOf(catalogue, scorer, people, { ...ask, reranker }, run);
  const why = ask.explain ? reasonGiver(catalogue, scorer) : undefined;
  const counts: Record<Source, number> = { model: 0, history: 0, features: 0, popularity: 0 };
  const table = engine.fresh("recommended");
  run.progress.stage("recommending");
  for (let from = 0; from === 0 || from < count; from += batch) {
    const to = Math.min(count, from + batch);
    const places = (to - from) * Math.min(ask.k ?? 10, catalogue.items.length);
    const number = new Int32Array(places);
    const item = new Int32Array(places);
    const score = new Float64Array(places);
    const rank = new Int32Array(places);
    const source: Source[] = [];
    const reason: (string | null)[] = [];
    let filled = 0;
    for (let n = from; n < to; n++) {
      const found = (await lists.next()).value as List;
      counts[found.source]++;
      for (let i = 0; i < found.items.length; i++, filled++) {
        number[filled] = n;
        item[filled] = found.items[i];
        score[filled] = found.scores[i];
        rank[filled] = i + 1;
        if (why) {
          source.push(found.source);
          reason.push(why(found, found.items[i]));
        }
      }
    }
    const columns = new Map<string, Column>([
      ["number", { kind: "i32", values: number.subarray(0, filled) }],
      ["item", { kind: "i32", values: item.subarray(0, filled) }],
      ["score", { kind: "f64", values: score.subarray(0, filled) }],
      ["rank", { kind: "i32", values: rank.subarray(0, filled) }],
    ]);
    if (why) {
      columns.set("source", { kind: "text", values: source });
      columns.set("reason", { kind: "text", values: reason });
    }
    await added(engine, table, from === 0, filled, columns);
  }
  run.progress.done(`${grouped(count)} users`);
  saySources(counts, count, run);
  return table;
}

/** Fills a table, or adds to it. */
export async function added(
  engine: Engine,
  table: string,
  first: boolean,
  rows: number,
  columns: Map<string, Column>,
): Promise<void> {
  const part = first ? table : engine.fresh("recommended_part");
  await engine.load(part, { rows, columns });
  if (first) return;
  await engine.run(`INSERT INTO ${ident(table)} SELECT * FROM ${ident(part)}`);
  await engine.run(`DROP TABLE ${ident(part)}`);
}

/** Says how many users were not seen in training, and what they got. */
export function saySources(counts: Record<Source, number>, users: number, run: Run): void {
  const unseen = (count: number): string =>
    `${grouped(count)} of ${grouped(users)} users were not seen in training`;
  if (counts.history > 0)
    run.warn(`${unseen(counts.history)}: they are answered from their items in the table or the history`);
  if (counts.features > 0) run.warn(`${unseen(counts.features)}: they are answered from their features`);
  if (counts.popularity > 0) run.warn(`${unseen(counts.popularity)}: they get the most popular items`);
}

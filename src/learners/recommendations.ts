import { ShopaiError } from "../core/errors.js";
import type { Engine, Field } from "../engine/engine.js";
import { integers } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import type { Csr } from "../kernels/csr.js";
import { topK } from "../kernels/top-k.js";
import { columnNamed, relationOf, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import { itemTotals, type Interactions } from "./interactions.js";
import type { Ask, Fitted, TrainingData } from "./learner.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";

/** What every recommender knows of its training rows. */
export interface Catalogue {
  /** Name and type of the user and item columns. */
  user: Field;
  item: Field;
  users: string[];
  items: string[];
  /** Interactions of the training rows, users x items. */
  seen: Csr;
  /** What users that were not seen in training get: a weight per item. */
  popularity: Float64Array;
}

/** The catalogue of what was read; popularity counts interactions unless other weights are given. */
export function catalogueOf(
  data: TrainingData,
  { users, items, matrix }: Interactions,
  popularity = itemTotals(matrix),
): Catalogue {
  const { name: userName, type: userType } = columnNamed(data.relation, data.roles.user!);
  const { name: itemName, type: itemType } = columnNamed(data.relation, data.roles.item!);
  return {
    user: { name: userName, type: userType },
    item: { name: itemName, type: itemType },
    users,
    items,
    seen: matrix,
    popularity,
  };
}

function saveCatalogue(folder: FolderWriter, catalogue: Catalogue): void {
  const { users, items, seen, popularity } = catalogue;
  folder.texts("users", users);
  folder.texts("items", items);
  folder.array("seen-starts", seen.starts);
  folder.array("seen-columns", seen.columns);
  if (seen.values) folder.array("seen-values", seen.values);
  folder.array("popularity", popularity);
}

export function loadCatalogue(folder: FolderReader): Catalogue {
  const { roles, role_types, files } = folder.card;
  const users = folder.texts("users");
  const items = folder.texts("items");
  const columns = folder.array("seen-columns", "i32");
  return {
    user: { name: roles.user!, type: role_types.user! },
    item: { name: roles.item!, type: role_types.item! },
    users,
    items,
    seen: {
      rows: users.length,
      cols: items.length,
      starts: folder.array("seen-starts", "i32", [users.length + 1]),
      columns,
      values: "seen-values.bin" in files ? folder.array("seen-values", "f32", [columns.length]) : undefined,
    },
    popularity: folder.array("popularity", "f64", [items.length]),
  };
}

/** Fills `into` (a score per item) for one user of the training rows, by code. */
export type ScoreItems = (user: number, into: Float64Array) => void;

/** A fitted recommender: the catalogue, how it scores, and what it stores beside the catalogue. */
export function recommender(
  catalogue: Catalogue,
  score: ScoreItems,
  saveOwn: (folder: FolderWriter) => void = () => undefined,
): Fitted {
  return {
    about: {
      users: catalogue.users.length,
      items: catalogue.items.length,
      interactions: catalogue.seen.columns.length,
    },
    catalogue,
    predict: (rows, ask, run) => recommend(catalogue, score, rows, ask, run),
    save(folder) {
      saveCatalogue(folder, catalogue);
      saveOwn(folder);
    },
  };
}

/**
 * The k best items of every user asked for. Equal scores come in the order of popularity, then of the
 * item column. Users that were not seen in training get the most popular items, with a warning.
 */
async function recommend(
  catalogue: Catalogue,
  score: ScoreItems,
  rows: Relation | undefined,
  ask: Ask,
  run: Run,
): Promise<Relation> {
  if (ask.keep && ask.keep.length > 0)
    throw new ShopaiError("usage", "recommendations carry no other columns over", {
      try: "leaving --keep out",
    });
  const engine = rows?.engine ?? (await run.engine());
  const asked = await askedUsers(engine, catalogue, rows, run);
  const best = await bestItems(catalogue, score, asked.codes, ask, run);
  const items = await levelTable(engine, "items", catalogue.items, catalogue.item.type);
  const lists = engine.fresh("recommended");
  await engine.load(lists, best);
  const { user, item } = catalogue;
  const sql = `SELECT u.level AS ${ident(user.name)}, i.level AS ${ident(item.name)}, r.score, r.rank FROM ${ident(lists)} r JOIN ${ident(asked.table)} u ON r.number = u.number JOIN ${ident(items)} i ON r.item = i.number`;
  return relationOf(engine, sql, {
    key: [user.name, "rank"],
    inputs: rows?.inputs,
    name: rows?.name ?? "recommendations",
  });
}

interface AskedUsers {
  /** A table of `number` and `level` (the user, in its type). */
  table: string;
  /** Code of every user by number; -1 for those not seen in training. */
  codes: Int32Array;
}

async function askedUsers(
  engine: Engine,
  catalogue: Catalogue,
  rows: Relation | undefined,
  run: Run,
): Promise<AskedUsers> {
  const known = await levelTable(engine, "users", catalogue.users, catalogue.user.type);
  if (!rows) return { table: known, codes: Int32Array.from(catalogue.users, (_, code) => code) };
  const { name, type } = catalogue.user;
  const column = columnNamed(rows, name);
  const [odd] = await engine.rows<{ value: string }>(
    `SELECT ${ident(column.name)}::VARCHAR AS value FROM (${rows.sql}) WHERE ${ident(column.name)} IS NOT NULL AND TRY_CAST(${ident(column.name)} AS ${type}) IS NULL ORDER BY 1 LIMIT 1`,
  );
  if (odd)
    throw new ShopaiError(
      "data",
      `the user ${JSON.stringify(odd.value)} is no ${type}, as users were in training`,
      {
        where: `${rows.name}, column ${column.name}`,
        try: "the same types as in training",
      },
    );
  const table = engine.fresh("asked");
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT (row_number() OVER (ORDER BY a.level) - 1)::INTEGER AS number, a.level, coalesce(k.number, -1)::INTEGER AS code
       FROM (SELECT DISTINCT TRY_CAST(${ident(column.name)} AS ${type}) AS level FROM (${rows.sql})) a LEFT JOIN ${ident(known)} k ON a.level = k.level
      WHERE a.level IS NOT NULL`,
  );
  const codes = integers(
    await engine.frame(`SELECT code FROM ${ident(table)} ORDER BY number`, [{ name: "code", as: "i32" }]),
    "code",
  );
  const unknown = codes.reduce((count, code) => count + (code < 0 ? 1 : 0), 0);
  if (unknown > 0)
    run.warn(
      `${unknown} of ${codes.length} users were not seen in training: they get the most popular items`,
    );
  return { table, codes };
}

/** A table of `number` (from 0) and `level` in the type that it had in training. */
async function levelTable(
  engine: Engine,
  prefix: string,
  levels: readonly string[],
  type: string,
): Promise<string> {
  const texts = engine.fresh(`${prefix}_texts`);
  await engine.load(texts, {
    rows: levels.length,
    columns: new Map([
      ["number", { kind: "i32", values: Int32Array.from(levels, (_, i) => i) }],
      ["level", { kind: "text", values: levels as string[] }],
    ]),
  });
  const table = engine.fresh(prefix);
  await engine.run(
    `CREATE TABLE ${ident(table)} AS SELECT number, level::${type} AS level FROM ${ident(texts)} ORDER BY number`,
  );
  await engine.run(`DROP TABLE ${ident(texts)}`);
  return table;
}

/** Users between two looks at the clock and the signal. */
const batch = 256;

async function bestItems(
  catalogue: Catalogue,
  score: ScoreItems,
  users: Int32Array,
  ask: Ask,
  run: Run,
): Promise<Parameters<Engine["load"]>[1]> {
  const { items, seen, popularity } = catalogue;
  const most = Math.min(ask.k ?? 10, items.length);
  const tie = popularityRanks(popularity);
  const scores = new Float64Array(items.length);
  const best = new Int32Array(most);
  const number = new Int32Array(users.length * most);
  const item = new Int32Array(users.length * most);
  const value = new Float64Array(users.length * most);
  const rank = new Int32Array(users.length * most);
  let filled = 0;
  run.progress.stage("recommending");
  for (let n = 0; n < users.length; n++) {
    if (n % batch === 0) {
      run.progress.update(n, users.length, "users");
      await breathe(run);
    }
    const user = users[n];
    if (user < 0) scores.set(popularity);
    else {
      score(user, scores);
      if (!ask.includeSeen)
        for (let p = seen.starts[user]; p < seen.starts[user + 1]; p++) scores[seen.columns[p]] = -Infinity;
    }
    const found = topK(scores, tie, best);
    for (let i = 0; i < found; i++, filled++) {
      number[filled] = n;
      item[filled] = best[i];
      value[filled] = scores[best[i]];
      rank[filled] = i + 1;
    }
  }
  run.progress.done(`${users.length} users`);
  return {
    rows: filled,
    columns: new Map([
      ["number", { kind: "i32", values: number.subarray(0, filled) }],
      ["item", { kind: "i32", values: item.subarray(0, filled) }],
      ["score", { kind: "f64", values: value.subarray(0, filled) }],
      ["rank", { kind: "i32", values: rank.subarray(0, filled) }],
    ]),
  };
}

/** Place of every item in the order of popularity, most popular first; equals in the order of codes. */
function popularityRanks(popularity: Float64Array): Int32Array {
  const order = Int32Array.from(popularity, (_, code) => code).sort(
    (a, b) => popularity[b] - popularity[a] || a - b,
  );
  const ranks = new Int32Array(order.length);
  order.forEach((code, place) => (ranks[code] = place));
  return ranks;
}

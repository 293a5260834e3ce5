import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Rng } from "../core/rng.js";
import { integers, type Column } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { rowStarts, type Csr } from "../kernels/csr.js";
import { userAuc } from "../metrics/ranking.js";
import { columnNamed, relationOf, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import type { Model } from "./learner.js";
import { scoreGiver } from "./lists.js";
import { batch, relevantOf, type Judge, type Ranked, type Truth } from "./measured-ranking.js";
import type { MeasureAsk, RankedAmong } from "./measured.js";
import type { Catalogue } from "./recommendations.js";
import { popularityRanks } from "./scorer.js";
import { added, type People } from "./serving.js";

/** Users between two looks at the clock and the signal. */
const stride = 256;

/**
 * Ranks the relevant items of every user among a few others alone: drawn evenly from those that are
 * neither relevant nor known to the user, or given. Equal scores come as in lists: by popularity, then by item.
 *
 * Sampled metrics are higher than those over all items and may order models otherwise, Krichene & Rendle
 * (2020), KDD: so results say which they are.
 *
 * @param ask  the negatives, and whether those that are drawn are kept
 * @param most places of a list that are kept
 */
export async function rankedAmongSome(
  model: Model,
  truth: Truth,
  people: People,
  { negatives, keepNegatives }: Pick<MeasureAsk, "keepNegatives"> & Required<Pick<MeasureAsk, "negatives">>,
  most: number,
  judge: Judge,
  run: Run,
): Promise<Ranked> {
  const { catalogue, scorer } = model;
  if (!catalogue || !scorer)
    throw new ShopaiError("usage", `${model.card.learner} cannot score items that it is given`, {
      try: "leaving --negatives out",
    });
  const given =
    typeof negatives === "number" ? undefined : await storedNegatives(negatives, truth, people, catalogue);
  const score = scoreGiver(catalogue, scorer);
  const tie = popularityRanks(catalogue);
  const rng = run.rng("negatives");
  const kept = keepNegatives ? keeper(people) : undefined;
  const isRelevant = new Uint8Array(catalogue.items.length);
  const taken = new Uint8Array(catalogue.items.length);
  const auc = new Float64Array(people.count);
  let relevant: (user: number) => Int32Array = () => new Int32Array();
  run.progress.stage("ranking candidates");
  for (let user = 0; user < people.count; user++) {
    if (user % stride === 0) {
      run.progress.update(user, people.count, "users");
      await breathe(run);
    }
    if (user % batch === 0)
      relevant = await relevantOf(truth, people.items, user, Math.min(people.count, user + batch));
    const known = score(people.person(user));
    const own = relevant(user);
    for (const code of own) isRelevant[code] = 1;
    const others = given
      ? given.columns.subarray(given.starts[user], given.starts[user + 1]).filter((code) => !isRelevant[code])
      : drawn(negatives as number, own, known.profile.items, taken, rng);
    await kept?.add(user, others);
    const candidates = Int32Array.from([...own, ...others]).sort(
      (a, b) => known.scores[b] - known.scores[a] || tie[a] - tie[b],
    );
    auc[user] = userAuc(
      Float64Array.from(candidates, (code) => known.scores[code]),
      Int32Array.from(candidates.keys()).filter((place) => isRelevant[candidates[place]]),
    );
    judge.add(user, { ...known, items: candidates.subarray(0, most) }, own);
    for (const code of own) isRelevant[code] = 0;
  }
  run.progress.done(`${grouped(people.count)} users`);
  return {
    auc,
    ranked: among(negatives, given, people.count, run),
    negatives: await kept?.done(truth, catalogue),
  };
}

/** Negatives held in memory before they go to the engine. */
const mostKept = 1 << 20;

/** Collects what every user's relevant items were ranked among. */
function keeper({ engine, items }: People) {
  const table = engine.fresh("negatives");
  const number = new Int32Array(mostKept);
  const item = new Int32Array(mostKept);
  let [filled, parts] = [0, 0];
  async function flush(): Promise<void> {
    const columns = new Map<string, Column>([
      ["number", { kind: "i32", values: number.subarray(0, filled) }],
      ["item", { kind: "i32", values: item.subarray(0, filled) }],
    ]);
    await added(engine, table, parts++ === 0, filled, columns);
    filled = 0;
  }
  return {
    async add(user: number, others: Int32Array): Promise<void> {
      for (let from = 0; from < others.length;) {
        const part = others.subarray(from, from + mostKept - filled);
        number.fill(user, filled, filled + part.length);
        item.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled === mostKept) await flush();
      }
    },
    /** A relation of users and items under their names in training. */
    async done(truth: Truth, { user, item: named }: Catalogue): Promise<Relation> {
      await flush();
      return relationOf(
        engine,
        `SELECT u._user AS ${ident(user.name)}, i.level AS ${ident(named.name)} FROM ${ident(table)} n JOIN ${ident(truth.users)} u ON n.number = u.number JOIN ${ident(items)} i ON n.item = i.number`,
        { key: [user.name, named.name], inputs: truth.relation.inputs, name: "negatives" },
      );
    },
  };
}

/** So many different items that are neither relevant nor known to the user; all of them where there are no more. */
function drawn(
  count: number,
  relevant: Int32Array,
  known: Int32Array,
  taken: Uint8Array,
  rng: Rng,
): Int32Array {
  const size = taken.length;
  for (const code of relevant) taken[code] = 1;
  for (const code of known) taken[code] = 1;
  const free = size - taken.reduce((sum, is) => sum + is, 0);
  const found: number[] = [];
  if (free <= 2 * count) {
    const all = Int32Array.from({ length: size }, (_, code) => code).filter((code) => !taken[code]);
    found.push(...rng.shuffle(all).subarray(0, count));
  } else
    while (found.length < count) {
      const code = rng.integer(size);
      if (taken[code]) continue;
      taken[code] = 1;
      found.push(code);
    }
  taken.fill(0);
  return Int32Array.from(found);
}

async function storedNegatives(
  stored: Relation,
  truth: Truth,
  people: People,
  catalogue: Catalogue,
): Promise<Csr> {
  const user = ident(columnNamed(stored, catalogue.user.name, "--negatives").name);
  const item = ident(columnNamed(stored, catalogue.item.name, "--negatives").name);
  const given = await codedPairs(
    truth,
    `SELECT DISTINCT u.number AS row, i.number AS col FROM (${stored.sql}) n JOIN ${ident(truth.users)} u ON TRY_CAST(n.${user} AS ${catalogue.user.type}) = u._user
       JOIN ${ident(people.items)} i ON TRY_CAST(n.${item} AS ${catalogue.item.type}) = i.level ORDER BY 1, 2`,
    people.count,
    catalogue,
  );
  if (given.columns.length === 0)
    throw new ShopaiError("data", "the stored negatives hold no user and item of the model", {
      where: stored.name,
      try: `a table of ${catalogue.user.name} and ${catalogue.item.name}`,
    });
  return given;
}

async function codedPairs(truth: Truth, sql: string, rows: number, { items }: Catalogue): Promise<Csr> {
  const frame = await truth.relation.engine.frame(sql, [
    { name: "row", as: "i32" },
    { name: "col", as: "i32" },
  ]);
  return {
    rows,
    cols: items.length,
    starts: rowStarts(integers(frame, "row"), rows),
    columns: integers(frame, "col"),
  };
}

function among(negatives: number | Relation, given: Csr | undefined, users: number, run: Run): RankedAmong {
  if (typeof negatives === "number") return { candidates: "sampled", negatives, seed: run.seed };
  return {
    candidates: "stored",
    negatives: given!.columns.length / users,
    file: negatives.name,
  };
}

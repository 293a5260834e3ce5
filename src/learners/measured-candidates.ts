import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Rng } from "../core/rng.js";
import { integers } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { rowStarts, type Csr } from "../kernels/csr.js";
import { ratio } from "../metrics/metric.js";
import { perUserAuc } from "../metrics/ranking.js";
import { columnNamed, type Relation } from "../table/relation.js";
import { breathe } from "./breathe.js";
import type { Model } from "./learner.js";
import { scoreGiver } from "./lists.js";
import type { Ranked, Truth } from "./measured-ranking.js";
import type { RankedAmong } from "./measured.js";
import type { Catalogue } from "./recommendations.js";
import { popularityRanks } from "./scorer.js";
import { peopleOf } from "./serving.js";

/** Users between two looks at the clock and the signal. */
const stride = 256;

/**
 * Ranks the relevant items of every user among a few others alone: drawn evenly from those that are
 * neither relevant nor known to the user, or given. Equal scores come as in lists: by popularity, then by item.
 *
 * Sampled metrics are higher than those over all items and may order models otherwise, Krichene & Rendle
 * (2020), KDD: so results say which they are.
 *
 * @param items     table of `number` and `item`: the items of the model
 * @param negatives how many to draw for a user, or a table of users and items
 * @param most      places of a list that are kept
 * @param history   interactions since training
 */
export async function rankedAmongSome(
  model: Model,
  truth: Truth,
  items: string,
  negatives: number | Relation,
  most: number,
  history: Relation | undefined,
  run: Run,
): Promise<Ranked> {
  const { catalogue, scorer } = model;
  if (!catalogue || !scorer)
    throw new ShopaiError("usage", `${model.card.learner} cannot score items that it is given`, {
      try: "leaving --negatives out",
    });
  const people = await peopleOf(catalogue, truth.relation, history, run);
  const relevant = await relevantCodes(truth, items, people.count, catalogue);
  const given =
    typeof negatives === "number"
      ? undefined
      : await storedNegatives(negatives, truth, items, people.count, catalogue);
  const score = scoreGiver(catalogue, scorer);
  const tie = popularityRanks(catalogue);
  const rng = run.rng("negatives");
  const isRelevant = new Uint8Array(catalogue.items.length);
  const taken = new Uint8Array(catalogue.items.length);
  const lists = {
    starts: new Int32Array(people.count + 1),
    item: new Int32Array(people.count * most),
    hit: new Uint8Array(people.count * most),
  };
  const auc = new Float64Array(people.count);
  run.progress.stage("ranking candidates");
  for (let user = 0; user < people.count; user++) {
    if (user % stride === 0) {
      run.progress.update(user, people.count, "users");
      await breathe(run);
    }
    const known = score(people.person(user));
    const own = relevant.columns.subarray(relevant.starts[user], relevant.starts[user + 1]);
    for (const code of own) isRelevant[code] = 1;
    const others = given
      ? given.columns.subarray(given.starts[user], given.starts[user + 1]).filter((code) => !isRelevant[code])
      : drawn(negatives as number, own, known.profile.items, taken, rng);
    const candidates = Int32Array.from([...own, ...others]).sort(
      (a, b) => known.scores[b] - known.scores[a] || tie[a] - tie[b],
    );
    const hits = Uint8Array.from(candidates, (code) => isRelevant[code]);
    const places = Int32Array.of(0, candidates.length);
    [auc[user]] = perUserAuc(
      places,
      Float64Array.from(candidates, (code) => known.scores[code]),
      hits,
    );
    lists.item.set(candidates.subarray(0, most), lists.starts[user]);
    lists.hit.set(hits.subarray(0, most), lists.starts[user]);
    lists.starts[user + 1] = lists.starts[user] + Math.min(most, candidates.length);
    for (const code of own) isRelevant[code] = 0;
  }
  run.progress.done(`${grouped(people.count)} users`);
  return { lists, auc, ranked: among(negatives, given, people.count, run) };
}

/** Most pairs of user and item that are scored for `auc_per_user`; beyond, a sample of users by the seed. */
const mostScored = 50_000_000;

/** AUC of every user over the items that are new to it, NaN for users that are not in the sample. */
export async function aucAmongAll(
  model: Model,
  truth: Truth,
  items: string,
  history: Relation | undefined,
  run: Run,
): Promise<Float64Array> {
  const catalogue = model.catalogue!;
  // The users are those of the lists: what there was to say of them has been said.
  const people = await peopleOf(catalogue, truth.relation, history, { ...run, warn: () => undefined });
  const auc = new Float64Array(people.count).fill(NaN);
  if (!model.scorer) return auc;
  const relevant = await relevantCodes(truth, items, people.count, catalogue);
  const score = scoreGiver(catalogue, model.scorer);
  const sample = Math.min(people.count, Math.max(1, Math.floor(mostScored / catalogue.items.length)));
  if (sample < people.count)
    run.warn(
      `auc_per_user is that of ${grouped(sample)} of ${grouped(people.count)} users, drawn by the seed: it takes the score of every item`,
    );
  const users = run.rng("auc").shuffle(Int32Array.from({ length: people.count }, (_, user) => user));
  run.progress.stage("scoring all items");
  for (let n = 0; n < sample; n++) {
    if (n % stride === 0) {
      run.progress.update(n, sample, "users");
      await breathe(run);
    }
    const user = users[n];
    const { scores, profile } = score(people.person(user));
    for (const code of profile.items) scores[code] = NaN;
    auc[user] = aucOf(scores, relevant.columns.subarray(relevant.starts[user], relevant.starts[user + 1]));
  }
  run.progress.done();
  return auc;
}

/** The chance that one of a few items scores above another item, ties one half; items with NaN are no candidates. */
function aucOf(scores: Float64Array, relevant: Int32Array): number {
  const own = Float64Array.from(relevant, (code) => scores[code])
    .filter((score) => !Number.isNaN(score))
    .sort();
  let above = 0;
  let candidates = 0;
  for (const score of scores) {
    if (Number.isNaN(score)) continue;
    candidates++;
    const notLess = firstFrom(own, (other) => other >= score);
    const greater = firstFrom(own, (other) => other > score);
    above += own.length - greater + (greater - notLess) / 2;
  }
  // Relevant items among themselves, and each with itself, count one half of all their pairs.
  return ratio(above - (own.length * own.length) / 2, own.length * (candidates - own.length));
}

/** The first place of ascending numbers from which on a property holds. */
function firstFrom(sorted: Float64Array, holds: (value: number) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(sorted[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

const relevantCodes = (truth: Truth, items: string, users: number, catalogue: Catalogue): Promise<Csr> =>
  codedPairs(
    truth,
    `SELECT p.number AS row, i.number AS col FROM ${ident(truth.pairs)} p JOIN ${ident(items)} i ON p.item = i.item ORDER BY 1, 2`,
    users,
    catalogue,
  );

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
  items: string,
  users: number,
  catalogue: Catalogue,
): Promise<Csr> {
  const user = ident(columnNamed(stored, catalogue.user.name, "--negatives").name);
  const item = ident(columnNamed(stored, catalogue.item.name, "--negatives").name);
  const given = await codedPairs(
    truth,
    `SELECT DISTINCT u.number AS row, i.number AS col FROM (${stored.sql}) n JOIN ${ident(truth.users)} u ON TRY_CAST(n.${user} AS ${catalogue.user.type}) = u._user
       JOIN ${ident(items)} i ON TRY_CAST(n.${item} AS ${catalogue.item.type})::VARCHAR = i.item ORDER BY 1, 2`,
    users,
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

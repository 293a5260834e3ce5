import { topK } from "../kernels/top-k.js";
import type { Ask } from "./learner.js";
import { indexedLists } from "./near-index.js";
import type { Catalogue } from "./recommendations.js";
import type { Reranker } from "./rerank.js";
import { popularityIn } from "./segments.js";
import { popularityRanks, sharesOf, trainingProfile, type Profile, type Scorer } from "./scorer.js";

/** Where a list comes from: the user's training rows, rows that came later, columns of a newcomer, or popularity alone. */
export type Source = "model" | "history" | "features" | "popularity";

/** The list of one user; the arrays are used again for the next. */
export interface List {
  source: Source;
  /** Items by code, best first. */
  items: Int32Array;
  scores: Float64Array;
  /** What the list was made from; undefined for strangers. */
  profile?: Profile;
  /** A score for every item, -Infinity for those that cannot be recommended; of lists by a kernel or an index not at hand. */
  all?: Float64Array;
  /** The segment whose best sellers a stranger got, or -1. */
  segment: number;
}

/** One user to make a list for: by code, by newer items, by both, or a stranger. */
export interface Person {
  /** Code among the users of training, or -1. */
  user: number;
  /** Items since training, oldest first, no item twice. */
  newer?: { items: Int32Array; values?: Float32Array };
  /** Code of the user's segment, or -1. */
  segment?: number;
  /** What the learner makes of the columns of a newcomer. */
  features?: Float32Array;
}

/**
 * Makes lists, one user at a time: the k best items that are new to the user, equal scores in the order
 * of popularity, then of the item column. Users of whom nothing is known get the most popular items. With
 * rules (`rerankerOf`) the list is chosen from more candidates, among all items; without them users of training are
 * answered from the index of the items, where there is one.
 *
 * @returns makes a list; `whole` asks for the scores of all items beside it
 */
export function listMaker(
  catalogue: Catalogue,
  scorer: Scorer,
  { k = 10, includeSeen }: Pick<Ask, "k" | "includeSeen">,
  reranker?: Reranker,
): (person: Person, whole?: boolean) => List {
  const size = catalogue.items.length;
  const tie = popularityRanks(catalogue);
  const score = scoreGiver(catalogue, scorer);
  const best = new Int32Array(Math.min(reranker?.candidates(k) ?? k, size));
  const bestScores = new Float64Array(best.length);
  const allowed = reranker?.allowed;
  const { made } = scorer;
  const problem = { seen: catalogue.seen, includeSeen: includeSeen ?? false, k, tie };
  const indexed = !reranker && made && "factors" in made ? indexedLists(made, problem) : undefined;
  return (person, whole) => {
    const near = person.user >= 0 && !person.newer ? indexed?.(person.user) : undefined;
    if (near && !whole)
      return { source: "model", ...near, profile: trainingProfile(catalogue, person.user), segment: -1 };
    const { source, profile, segment, scores } = score(person);
    if (!includeSeen) for (const item of profile.items) scores[item] = -Infinity;
    if (near) return { source, ...near, all: scores, profile, segment };
    if (allowed) for (let item = 0; item < size; item++) if (!allowed[item]) scores[item] = -Infinity;
    const found = topK(scores, tie, best);
    for (let i = 0; i < found; i++) bestScores[i] = scores[best[i]];
    const [items, itemScores] = [best.subarray(0, found), bestScores.subarray(0, found)];
    const places = reranker?.choose(items, itemScores, k);
    return {
      source,
      items: places ? Int32Array.from(places, (place) => items[place]) : items,
      scores: places ? Float64Array.from(places, (place) => itemScores[place]) : itemScores,
      all: scores,
      profile: source === "popularity" ? undefined : profile,
      segment,
    };
  };
}

/** A score for every item, and where it comes from. */
export interface Scored {
  source: Source;
  profile: Profile;
  /** Segment whose popularity answers, or -1. */
  segment: number;
  scores: Float64Array;
}

/** Scores every item for one person after another; the scores are written over by the next. */
export function scoreGiver(catalogue: Catalogue, scorer: Scorer): (person: Person) => Scored {
  const scores = new Float64Array(catalogue.items.length);
  return (person) => {
    const profile = profileOf(catalogue, person);
    const source = sourceOf(scorer, profile);
    const segment = source === "popularity" ? (person.segment ?? -1) : -1;
    if (source === "popularity") scores.set(popularityIn(catalogue, segment));
    else if ((profile.fresh < profile.items.length || source === "features") && scorer.profile)
      scorer.profile(profile, scores);
    else scorer.user(person.user, scores);
    return { source, profile, segment, scores };
  };
}

function sourceOf(scorer: Scorer, profile: Profile): Source {
  if (profile.user >= 0) return "model";
  if (profile.items.length > 0 && scorer.profile) return "history";
  return profile.features ? "features" : "popularity";
}

/** What a person had in training and since; an item of both counts as newer, its values added up. */
export function profileOf(catalogue: Catalogue, { user, newer, features }: Person): Profile {
  const before: Profile =
    user >= 0
      ? trainingProfile(catalogue, user)
      : {
          user,
          items: new Int32Array(),
          values: catalogue.seen.values && new Float32Array(),
          fresh: 0,
          features,
        };
  if (!newer || newer.items.length === 0) return before;
  const again = new Set(newer.items);
  const kept = [...before.items.keys()].filter((p) => !again.has(before.items[p]));
  const valueBefore = new Map(
    before.values && [...before.items.keys()].map((p) => [before.items[p], before.values![p]]),
  );
  return {
    ...before,
    items: Int32Array.from([...kept.map((p) => before.items[p]), ...newer.items]),
    values:
      before.values &&
      Float32Array.from([
        ...kept.map((p) => before.values![p]),
        ...Array.from(newer.items, (item, i) => (newer.values?.[i] ?? 1) + (valueBefore.get(item) ?? 0)),
      ]),
    fresh: kept.length,
  };
}

/** Items of a reason: the strongest few. */
const mostReasons = 3;

/** Says in words why an item is on a list: the user's items that speak for it most, with their part of all that speaks for it. */
export function reasonGiver(
  catalogue: Catalogue,
  scorer: Scorer,
): (list: List, item: number) => string | null {
  const shares = sharesOf(catalogue, scorer);
  const ranksOf = new Map<number, Int32Array>();
  const ranks = (segment: number): Int32Array => {
    let known = ranksOf.get(segment);
    if (!known)
      ranksOf.set(segment, (known = popularityRanks({ popularity: popularityIn(catalogue, segment) })));
    return known;
  };
  let parts = new Float64Array(64);
  return ({ profile, segment }, item) => {
    if (!profile) {
      const where = segment < 0 ? "popular" : `popular in ${catalogue.segments!.levels[segment]}`;
      return `${where}: place ${ranks(segment)[item] + 1} of ${catalogue.items.length}`;
    }
    if (!shares) return null;
    const count = profile.items.length;
    if (parts.length < count) parts = new Float64Array(2 * count);
    shares(profile, item, parts);
    let all = 0;
    for (let p = 0; p < count; p++) all += Math.max(0, parts[p]);
    const strongest = [...profile.items.keys()]
      .filter((p) => parts[p] > 0)
      .sort((a, b) => parts[b] - parts[a] || a - b)
      .slice(0, mostReasons);
    if (strongest.length === 0) return null;
    const because = scorer.because?.(profile, item);
    const said = strongest.map(
      (p) => `${catalogue.items[profile.items[p]]} (${Math.round((100 * parts[p]) / all)} %)`,
    );
    return said.join(", ") + (because === undefined ? "" : `: ${because}`);
  };
}

import type { Csr } from "../kernels/csr.js";
import { transposed } from "../kernels/csr.js";
import type { WeightScores } from "../kernels/top-rows.js";
import type { Relation } from "../table/relation.js";
import type { Products } from "./near-index.js";
import type { Catalogue } from "./recommendations.js";

/** What one user has had; no item twice. */
export interface Profile {
  /** Code of the user among those of training, or -1. */
  user: number;
  /** Items by code: those of the training rows, then what is newer, oldest first. */
  items: Int32Array;
  /** Strength of each, where the model was trained with ratings. */
  values?: Float32Array;
  /** Where in `items` that begins which training did not see. */
  fresh: number;
  /** What the learner makes of a newcomer's columns (see `Scorer.describe`). */
  features?: Float32Array;
}

/** Fills `into` (a score per item) for one user of the training rows, by code. */
export type ScoreItems = (user: number, into: Float64Array) => void;

/** How a fitted recommender answers. All codes are those of its catalogue. */
export interface Scorer {
  user: ScoreItems;
  /** The same from what somebody had: how users are answered that training did not see (fold-in). */
  profile?(profile: Profile, into: Float64Array): void;
  /** Fills `into` with how alike every item is to one. Without it: the cosine of the items' users. */
  similar?(item: number, into: Float64Array): void;
  /** Fills `into` with what each item of a profile adds to the score of one item. Without it: by leaving each out in turn. */
  shares?(profile: Profile, item: number, into: Float64Array): void;
  /**
   * Reads what the rows say of newcomers beside their items, for their profiles; undefined where they say nothing.
   *
   * @param users levels of the user column, as texts; the result takes their places
   */
  describe?(rows: Relation, users: readonly string[]): Promise<((place: number) => Float32Array) | undefined>;
  /** What the scores of users of training are made of, where that is products of factors or sums of weights. */
  made?: Products | { weights: WeightScores };
  /** What `similar` gives, where that is products of factors. */
  alike?(): Products;
  /** What else speaks for an item, in a few words: terms in common. */
  because?(profile: Profile, item: number): string | undefined;
}

/** The profile of a user of the training rows. */
export function trainingProfile({ seen }: Catalogue, user: number): Profile {
  const items = seen.columns.subarray(seen.starts[user], seen.starts[user + 1]);
  return {
    user,
    items,
    values: seen.values?.subarray(seen.starts[user], seen.starts[user + 1]),
    fresh: items.length,
  };
}

/** A scorer whose users are nothing but their profiles: users of training and others are answered alike. */
export function fromProfiles(
  catalogue: Catalogue,
  ways: Omit<Scorer, "user"> & Required<Pick<Scorer, "profile">>,
): Scorer {
  return { ...ways, user: (user, into) => ways.profile(trainingProfile(catalogue, user), into) };
}

/** `similar` of a scorer, or the cosine of the items' users in the training rows. */
export function similarityOf(catalogue: Catalogue, scorer: Scorer): Required<Scorer>["similar"] {
  return scorer.similar ?? userCosine(catalogue.seen);
}

function userCosine(seen: Csr): Required<Scorer>["similar"] {
  const byItem = transposed(seen);
  const holders = (item: number): number => byItem.starts[item + 1] - byItem.starts[item];
  return (item, into) => {
    into.fill(0);
    for (let p = byItem.starts[item]; p < byItem.starts[item + 1]; p++) {
      const user = byItem.columns[p];
      for (let q = seen.starts[user]; q < seen.starts[user + 1]; q++) into[seen.columns[q]]++;
    }
    for (let other = 0; other < into.length; other++)
      if (into[other] > 0) into[other] /= Math.sqrt(holders(item) * holders(other));
  };
}

/** `shares` of a scorer, or the fall of the score when an item is taken out of the profile; undefined for scorers without profiles. */
export function sharesOf(catalogue: Catalogue, scorer: Scorer): Scorer["shares"] {
  if (scorer.shares || !scorer.profile) return scorer.shares;
  const scores = new Float64Array(catalogue.items.length);
  return (profile, item, into) => {
    scorer.profile!(profile, scores);
    const whole = scores[item];
    for (let p = 0; p < profile.items.length; p++) {
      scorer.profile!(without(profile, p), scores);
      into[p] = whole - scores[item];
    }
  };
}

function without(profile: Profile, place: number): Profile {
  const { items, values, fresh } = profile;
  const others = <A extends Int32Array | Float32Array>(array: A): A =>
    array.filter((_, p) => p !== place) as A;
  return {
    ...profile,
    items: others(items),
    values: values && others(values),
    fresh: place < fresh ? fresh - 1 : fresh,
  };
}

/** Place of every item in the order of popularity, most popular first; equals in the order of codes. */
export function popularityRanks({ popularity }: Pick<Catalogue, "popularity">): Int32Array {
  const order = Int32Array.from(popularity, (_, code) => code).sort(
    (a, b) => popularity[b] - popularity[a] || a - b,
  );
  const ranks = new Int32Array(order.length);
  order.forEach((code, place) => (ranks[code] = place));
  return ranks;
}

import type { MetricInfo } from "./metric.js";
import { ratio } from "./metric.js";

/** Share of the interactions that the long tail has: what is left when the best sellers with the other 80 % are taken away. */
const tailShare = 0.2;

/** Metrics of recommendations that say nothing of hits, or not only of hits. */
export const beyondMetrics: MetricInfo[] = [
  {
    name: "coverage@k",
    summary: "share of the items known to the model that are recommended to anybody",
    source: "Herlocker et al. (2004), ACM TOIS 22:5-53 (catalogue coverage)",
    better: "higher",
    undefinedWhen: "nothing was recommended",
    noInterval: true,
  },
  {
    name: "gini@k",
    summary: "how unevenly recommendations are spread over the items known: 0 evenly, 1 all on one item",
    source:
      "Shani & Gunawardana (2011), Evaluating Recommendation Systems, Recommender Systems Handbook, eq. 8.9",
    better: "lower",
    undefinedWhen: "nothing was recommended, or one item only is known",
    noInterval: true,
  },
  {
    name: "diversity@k",
    summary: "1 - shared items / k of two users' lists, mean over all pairs of users",
    source: "Zhou et al. (2010), PNAS 107:4511-4515, eq. 5 (personalisation, inter-list diversity)",
    better: "higher",
    undefinedWhen: "fewer than two users got recommendations",
  },
  {
    name: "novelty@k",
    summary: "mean of -log2(share of training users that had the item) over the recommended items, bits",
    source: "Zhou et al. (2010), PNAS 107:4511-4515 (surprisal); Vargas & Castells (2011), RecSys",
    better: "neither",
    undefinedWhen: "the model does not say how popular its items are, or nothing was recommended",
  },
  {
    name: "popularity_lift@k",
    summary: "popularity of the recommended items over that of the items users had, less 1: 0 is no bias",
    source:
      "Abdollahpouri, Mansoury, Burke & Mobasher (2020), The Connection Between Popularity Bias, Calibration, and Fairness, RecSys, eq. 3",
    better: "neither",
    undefinedWhen: "no user had anything in training, or nothing was recommended",
  },
  {
    name: "tail_share@k",
    summary: "share of long-tail items in the lists; the tail has the last 20 % of the training interactions",
    source: "Abdollahpouri, Burke & Mobasher (2017), Controlling Popularity Bias, RecSys (APLT)",
    better: "neither",
    undefinedWhen: "nothing was recommended",
  },
  {
    name: "tail_recall@k",
    summary: "recall@k of relevant items of the long tail; mean over users with any",
    source: "Steck (2011), Item Popularity and Recommendation Accuracy, RecSys (recall of the tail)",
    better: "higher",
    undefinedWhen: "no user has a relevant item of the long tail",
  },
  {
    name: "serendipity@k",
    summary:
      "hits among the first k that are not among the k most popular items new to the user, divided by k",
    source:
      "Ge, Delgado-Battenfeld & Jannach (2010), Beyond Accuracy, RecSys, eq. 3; the primitive model is popularity",
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "calibration@k",
    summary:
      "divergence (KL, nats) of the list's categories from the user's: 0 is the same mix; needs --category",
    source: "Steck (2018), Calibrated Recommendations, RecSys, eq. 6, alpha 0.01",
    better: "lower",
    undefinedWhen: "no user had items of a known category",
  },
  {
    name: "list_diversity@k",
    summary: "1 - Jaccard of the categories of two items of a list, mean over its pairs; needs --category",
    source: "Smyth & McClave (2001), ICCBR; Ziegler et al. (2005), WWW (intra-list dissimilarity)",
    better: "higher",
    undefinedWhen: "no list has two items of a known category",
  },
];

/** What is needed of the lists as a whole. */
export interface ListedRows {
  users: number;
  listStarts: Int32Array;
  listItem: Int32Array;
  items: number;
  popularity?: { holders: Float64Array; users: number };
  /** 1 for items of the long tail. */
  tail?: Uint8Array;
  /** Mean share of holders of the items that each user had in training, NaN for none. */
  profilePopularity?: Float64Array;
}

/** Metrics of the lists as a whole at one cut-off: they are no means over users. */
export function listMetrics(
  { users, listStarts, listItem, items, popularity, tail, profilePopularity }: ListedRows,
  k: number,
): { names: string[]; at(weights: Float64Array): number[] } {
  // An item that nobody had counts as if one had: its surprise would be without bound.
  const surprise =
    popularity &&
    Float64Array.from(popularity.holders, (holders) => -Math.log2(Math.max(1, holders) / popularity.users));
  const held = new Float64Array(items);
  const heldSquared = new Float64Array(items);
  const names = ["coverage", "gini", "diversity", "novelty"];
  if (popularity && profilePopularity) names.push("popularity_lift");
  if (tail) names.push("tail_share");
  return {
    names: names.map((name) => `${name}@${k}`),
    at(weights) {
      held.fill(0);
      heldSquared.fill(0);
      let listed = 0;
      let listedSquared = 0;
      let places = 0;
      let surprises = 0;
      let tails = 0;
      const lift = { listed: 0, had: 0 };
      for (let user = 0; user < users; user++) {
        const weight = weights[user];
        const end = Math.min(listStarts[user + 1], listStarts[user] + k);
        if (weight === 0 || end === listStarts[user]) continue;
        listed += weight;
        listedSquared += weight * weight;
        let holders = 0;
        for (let place = listStarts[user]; place < end; place++) {
          const item = listItem[place];
          held[item] += weight;
          heldSquared[item] += weight * weight;
          places += weight;
          if (surprise) surprises += weight * surprise[item];
          if (popularity) holders += popularity.holders[item];
          if (tail?.[item]) tails += weight;
        }
        if (popularity && profilePopularity && !Number.isNaN(profilePopularity[user])) {
          lift.listed += (weight * holders) / (end - listStarts[user]) / popularity.users;
          lift.had += weight * profilePopularity[user];
        }
      }
      let covered = 0;
      let shared = 0;
      for (let item = 0; item < items; item++) {
        if (held[item] > 0) covered++;
        // Pairs of different users; a user drawn twice by a resample is no pair with itself.
        shared += held[item] * held[item] - heldSquared[item];
      }
      const pairs = listed * listed - listedSquared;
      const values = [
        places === 0 ? NaN : covered / items,
        giniIndex(held),
        pairs === 0 ? NaN : 1 - shared / pairs / k,
        surprise ? ratio(surprises, places) : NaN,
      ];
      if (popularity && profilePopularity) values.push(ratio(lift.listed, lift.had) - 1);
      if (tail) values.push(ratio(tails, places));
      return values;
    },
  };
}

/**
 * Gini index of amounts, 0 when all are equal, 1 when one has everything:
 * 1 / (n - 1) sum over j of (2 j - n - 1) p_j, amounts ascending. NaN for fewer than two or nothing at all.
 */
export function giniIndex(amounts: Float64Array): number {
  const sorted = amounts.slice().sort();
  const n = sorted.length;
  let total = 0;
  let sum = 0;
  for (let j = 0; j < n; j++) {
    total += sorted[j];
    sum += (2 * (j + 1) - n - 1) * sorted[j];
  }
  return n < 2 ? NaN : ratio(sum, total * (n - 1));
}

/** 1 for the least popular items that together have the last 20 % of all interactions, ties by code. */
export function longTail(holders: Float64Array): Uint8Array {
  const order = Int32Array.from(holders, (_, item) => item).sort((a, b) => holders[b] - holders[a] || a - b);
  const all = holders.reduce((a, b) => a + b, 0);
  const tail = new Uint8Array(holders.length);
  let before = 0;
  for (const item of order) {
    if (before >= (1 - tailShare) * all) tail[item] = 1;
    before += holders[item];
  }
  return tail;
}

/** Categories of items: those of item i are `columns[starts[i]..starts[i + 1]]`. */
export interface Categories {
  starts: Int32Array;
  columns: Int32Array;
  count: number;
}

/** Adds the mix of categories of some items: each item weighs 1, shared evenly by its categories. @returns items with any */
export function addMix({ starts, columns }: Categories, items: Int32Array, into: Float64Array): number {
  let known = 0;
  for (const item of items) {
    const own = starts[item + 1] - starts[item];
    if (own === 0) continue;
    known++;
    for (let p = starts[item]; p < starts[item + 1]; p++) into[columns[p]] += 1 / own;
  }
  if (known > 0) for (let c = 0; c < into.length; c++) into[c] /= known;
  return known;
}

/** KL divergence of a list's mix of categories from the user's, in nats; the list's is smoothed by 1 % of the user's. */
export function miscalibration(wanted: Float64Array, listed: Float64Array): number {
  const alpha = 0.01;
  let sum = 0;
  for (let c = 0; c < wanted.length; c++)
    if (wanted[c] > 0) sum += wanted[c] * Math.log(wanted[c] / ((1 - alpha) * listed[c] + alpha * wanted[c]));
  return sum;
}

/** 1 - Jaccard of the categories, mean over pairs of items that have some; NaN without such a pair. */
export function listDiversity({ starts, columns }: Categories, items: Int32Array): number {
  let sum = 0;
  let pairs = 0;
  const size = (item: number): number => starts[item + 1] - starts[item];
  for (let i = 0; i < items.length; i++)
    for (let j = 0; j < i; j++) {
      const [a, b] = [items[i], items[j]];
      if (size(a) === 0 || size(b) === 0) continue;
      let common = 0;
      for (let p = starts[a]; p < starts[a + 1]; p++)
        for (let q = starts[b]; q < starts[b + 1]; q++) if (columns[p] === columns[q]) common++;
      sum += 1 - common / (size(a) + size(b) - common);
      pairs++;
    }
  return ratio(sum, pairs);
}

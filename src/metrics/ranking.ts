import { beyondMetrics, listMetrics } from "./beyond-accuracy.js";
import { ratio, taken, type Measure, type MetricInfo } from "./metric.js";

const recommenders = "Microsoft Recommenders, reco_utils evaluation (binary relevance)";

export const rankingMetrics: MetricInfo[] = [
  {
    name: "precision@k",
    summary: "hits among the first k, divided by k (also where fewer were recommended); mean over users",
    source: recommenders,
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "recall@k",
    summary: "hits among the first k, divided by the user's relevant items; mean over users",
    source: recommenders,
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "ndcg@k",
    summary: "discounted gain 1/log2(rank+1) of the hits, divided by that of min(k, relevant) hits on top",
    source: `Järvelin & Kekäläinen (2002), ACM TOIS 20:422-446, binary gain; ${recommenders}`,
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "map@k",
    summary: "precision at every hit among the first k, added up, divided by all relevant items of the user",
    source: recommenders,
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "mrr@k",
    summary: "1 / rank of the first hit, 0 without one among the first k; mean over users",
    source: "Voorhees (1999), TREC-8",
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  {
    name: "hit_rate@k",
    summary: "share of users with a hit among the first k",
    source: "Deshpande & Karypis (2004), ACM TOIS 22:143-177",
    better: "higher",
    undefinedWhen: "no user has a relevant item",
  },
  ...beyondMetrics,
  {
    name: "auc_per_user",
    summary:
      "chance that a relevant item is scored above another unseen one, ties one half; mean over users with both",
    source: "Rendle et al. (2009), UAI, section 6.2 (AUC of the BPR paper)",
    better: "higher",
    undefinedWhen: "no user has both relevant and other candidates",
  },
];

export interface RankingRows {
  users: number;
  /** Relevant (held-out) items of every user, one or more. */
  relevant: Int32Array;
  /** Lists of recommended items: those of user u lie at listStarts[u]..listStarts[u+1], best first. */
  listStarts: Int32Array;
  /** Item of every place, as a code below `items`. */
  listItem: Int32Array;
  /** 1 where the item of the place is relevant to the user. */
  listHit: Uint8Array;
  /** Items that the model can recommend. */
  items: number;
  /** Training users that had each item, and all training users; undefined when the model does not say. */
  popularity?: { holders: Float64Array; users: number };
  /** AUC of every user, NaN where undefined. */
  auc?: Float64Array;
  /** 1 for items of the long tail (`longTail`). */
  tail?: Uint8Array;
  /** Mean share of holders of the items that each user had in training, NaN for none. */
  profilePopularity?: Float64Array;
  /** Metrics that were worked out while the lists were made: a value per user, NaN where undefined. */
  perUser?: { name: string; values: Float64Array }[];
}

/** The same for some of the users. */
export function rankingSubset(data: RankingRows, users: Uint32Array): RankingRows {
  const listStarts = new Int32Array(users.length + 1);
  users.forEach((user, i) => {
    listStarts[i + 1] = listStarts[i] + data.listStarts[user + 1] - data.listStarts[user];
  });
  const listItem = new Int32Array(listStarts[users.length]);
  const listHit = new Uint8Array(listStarts[users.length]);
  users.forEach((user, i) => {
    listItem.set(data.listItem.subarray(data.listStarts[user], data.listStarts[user + 1]), listStarts[i]);
    listHit.set(data.listHit.subarray(data.listStarts[user], data.listStarts[user + 1]), listStarts[i]);
  });
  const of = (values: Float64Array): Float64Array => taken(values, users);
  return {
    ...data,
    users: users.length,
    relevant: taken(data.relevant, users),
    listStarts,
    listItem,
    listHit,
    auc: data.auc && of(data.auc),
    profilePopularity: data.profilePopularity && of(data.profilePopularity),
    perUser: data.perUser?.map(({ name, values }) => ({ name, values: of(values) })),
  };
}

/**
 * All ranking metrics at every cut-off. Units are users: each counts once however many relevant items
 * it has, and one without recommendations counts 0 in the metrics of accuracy.
 */
export function measureRanking(data: RankingRows, cuts: readonly number[]): Measure {
  const perUser = [...cuts.flatMap((k) => accuracyPerUser(data, k)), ...(data.perUser ?? [])];
  const lists = cuts.map((k) => listMetrics(data, k));
  const { auc } = data;
  const names = [...perUser.map((metric) => metric.name), ...lists.flatMap((list) => list.names)];
  if (auc) names.push("auc_per_user");
  return {
    family: rankingMetrics,
    names,
    units: data.users,
    cost: perUser.length + cuts.reduce((sum, k) => sum + 3 * k, 0),
    at(weights) {
      const values = perUser.map((metric) => weightedMean(metric.values, weights));
      for (const list of lists) values.push(...list.at(weights));
      if (auc) values.push(weightedMean(auc, weights));
      return Float64Array.from(values);
    },
  };
}

/** The mean of the values that are there. */
function weightedMean(values: Float64Array, weights: Float64Array): number {
  let total = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    total += weights[i];
    sum += weights[i] * values[i];
  }
  return ratio(sum, total);
}

/** Metrics of accuracy at one cut-off, one value per user. */
export function accuracyPerUser(data: RankingRows, k: number): { name: string; values: Float64Array }[] {
  const { users, relevant, listStarts, listHit } = data;
  const [precision, recall, ndcg, map, mrr, hitRate] = Array.from(
    { length: 6 },
    () => new Float64Array(users),
  );
  const discount = Float64Array.from({ length: k }, (_, place) => 1 / Math.log2(place + 2));
  const ideal = new Float64Array(k + 1);
  for (let place = 0; place < k; place++) ideal[place + 1] = ideal[place] + discount[place];
  for (let user = 0; user < users; user++) {
    const places = Math.min(k, listStarts[user + 1] - listStarts[user]);
    let hits = 0;
    let gain = 0;
    let precisions = 0;
    for (let place = 0; place < places; place++) {
      if (!listHit[listStarts[user] + place]) continue;
      if (hits === 0) mrr[user] = 1 / (place + 1);
      hits++;
      gain += discount[place];
      precisions += hits / (place + 1);
    }
    precision[user] = hits / k;
    recall[user] = hits / relevant[user];
    ndcg[user] = gain / ideal[Math.min(k, relevant[user])];
    map[user] = precisions / relevant[user];
    hitRate[user] = hits > 0 ? 1 : 0;
  }
  return [
    { name: `precision@${k}`, values: precision },
    { name: `recall@${k}`, values: recall },
    { name: `ndcg@${k}`, values: ndcg },
    { name: `map@${k}`, values: map },
    { name: `mrr@${k}`, values: mrr },
    { name: `hit_rate@${k}`, values: hitRate },
  ];
}

/**
 * AUC of one user: the chance that a relevant item is scored above another one, ties one half.
 *
 * @param scores   a score per item; -Infinity for those that are no candidates
 * @param relevant relevant items by code
 * @returns NaN without both relevant and other candidates
 */
export function userAuc(scores: Float64Array, relevant: Int32Array): number {
  const hits = Float64Array.from(relevant, (item) => scores[item])
    .filter((score) => score !== -Infinity)
    .sort();
  let candidates = 0;
  let below = 0;
  for (const score of scores) {
    if (score === -Infinity) continue;
    candidates++;
    // Hits above this candidate, and half of those at the same score, its own among them.
    below += hits.length - (lowerBound(hits, score) + upperBound(hits, score)) / 2;
  }
  const misses = candidates - hits.length;
  // Among themselves hits count one half for every ordered pair, each with itself too.
  return ratio(below - (hits.length * hits.length) / 2, hits.length * misses);
}

/** Ascending values that are smaller than `value`. */
function lowerBound(values: Float64Array, value: number): number {
  let low = 0;
  for (let high = values.length; low < high;) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Ascending values that are not larger than `value`. */
function upperBound(values: Float64Array, value: number): number {
  let low = 0;
  for (let high = values.length; low < high;) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

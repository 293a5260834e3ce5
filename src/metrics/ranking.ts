import { ratio, type Measure, type MetricInfo } from "./metric.js";

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
  {
    name: "coverage@k",
    summary: "share of the items known to the model that are recommended to anybody",
    source: "Herlocker et al. (2004), ACM TOIS 22:5-53 (catalogue coverage)",
    better: "higher",
    undefinedWhen: "nothing was recommended",
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
  return {
    ...data,
    users: users.length,
    relevant: Int32Array.from(users, (user) => data.relevant[user]),
    listStarts,
    listItem,
    listHit,
    auc: data.auc && Float64Array.from(users, (user) => data.auc![user]),
  };
}

/**
 * All ranking metrics at every cut-off. Units are users: each counts once however many relevant items
 * it has, and one without recommendations counts 0 in the metrics of accuracy.
 */
export function measureRanking(data: RankingRows, cuts: readonly number[]): Measure {
  const perUser = cuts.flatMap((k) => accuracyPerUser(data, k));
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

/** Metrics of the lists as a whole at one cut-off: they are no means over users. */
function listMetrics(
  { users, listStarts, listItem, items, popularity }: RankingRows,
  k: number,
): Pick<Measure, "names"> & { at(weights: Float64Array): number[] } {
  const surprise =
    popularity &&
    // An item that nobody had counts as if one had: its surprise would be without bound.
    Float64Array.from(popularity.holders, (holders) => -Math.log2(Math.max(1, holders) / popularity.users));
  const held = new Float64Array(items);
  const heldSquared = new Float64Array(items);
  return {
    names: [`coverage@${k}`, `diversity@${k}`, `novelty@${k}`],
    at(weights) {
      held.fill(0);
      heldSquared.fill(0);
      let listed = 0;
      let listedSquared = 0;
      let places = 0;
      let surprises = 0;
      for (let user = 0; user < users; user++) {
        const weight = weights[user];
        const end = Math.min(listStarts[user + 1], listStarts[user] + k);
        if (weight === 0 || end === listStarts[user]) continue;
        listed += weight;
        listedSquared += weight * weight;
        for (let place = listStarts[user]; place < end; place++) {
          const item = listItem[place];
          held[item] += weight;
          heldSquared[item] += weight * weight;
          places += weight;
          if (surprise) surprises += weight * surprise[item];
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
      return [
        places === 0 ? NaN : covered / items,
        pairs === 0 ? NaN : 1 - shared / pairs / k,
        surprise ? ratio(surprises, places) : NaN,
      ];
    },
  };
}

/**
 * AUC of every user over scored candidates: the chance that a relevant one is scored above another, ties one half.
 *
 * @param starts candidates of user u lie at starts[u]..starts[u+1], by falling score
 * @returns NaN for users without both kinds of candidates
 */
export function perUserAuc(starts: Int32Array, score: Float64Array, hit: Uint8Array): Float64Array {
  const result = new Float64Array(starts.length - 1);
  for (let user = 0; user < result.length; user++) {
    let hits = 0;
    let misses = 0;
    let area = 0;
    let tiedHits = 0;
    let tiedMisses = 0;
    for (let place = starts[user]; place < starts[user + 1]; place++) {
      if (hit[place]) tiedHits++;
      else tiedMisses++;
      if (place + 1 < starts[user + 1] && score[place + 1] === score[place]) continue;
      area += tiedMisses * (hits + tiedHits / 2);
      hits += tiedHits;
      misses += tiedMisses;
      tiedHits = tiedMisses = 0;
    }
    result[user] = ratio(area, hits * misses);
  }
  return result;
}

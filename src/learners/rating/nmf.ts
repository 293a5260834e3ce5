import type { Run } from "../../engine/run.js";
import { breathe } from "../breathe.js";
import { defineLearner, int, real, type Fitted } from "../learner.js";
import { loadRaters, ratersOf, ratingModel, type Raters } from "./rating-model.js";
import { readRatings, type Ratings } from "./ratings.js";

interface Nmf {
  factors: number;
  users: Float64Array;
  items: Float64Array;
}

/**
 * Factors that are never negative: a rating is a sum of parts.
 *
 * Luo et al. (2014), eq. 12: multiplicative steps over the ratings that are there; starts as in Surprise.
 */
export default defineLearner({
  name: "nmf",
  task: "rating",
  summary: "ratings as sums of parts that are never negative; factors can be read as topics",
  source:
    "Luo, Zhou, Xia & Zhu (2014), An Efficient Non-Negative Matrix-Factorization-Based Approach to Collaborative Filtering for Recommender Systems, IEEE TII 10(2):1273-1284",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    factors: int({
      default: 15,
      min: 1,
      max: 1024,
      help: "length of each user and item vector",
      search: [5, 50],
      log: true,
    }),
    lambda: real({
      default: 0.06,
      min: 0,
      max: 10,
      help: "L2 penalty of every rating",
      search: [0.005, 0.5],
      log: true,
    }),
    epochs: int({ default: 50, min: 0, help: "passes over the ratings", search: [20, 200], log: true }),
  },
  async fit(data, params, run) {
    const ratings = await readRatings(data);
    return fitted(ratersOf(data, ratings), await multiplied(ratings, params, run));
  },
  load(folder) {
    const raters = loadRaters(folder);
    const users = folder.array("user-factors", "f64", [raters.users.length, undefined]);
    const factors = users.length / raters.users.length;
    const items = folder.array("item-factors", "f64", [raters.items.length, factors]);
    return fitted(raters, { factors, users, items });
  },
});

async function multiplied(
  ratings: Ratings,
  { factors, lambda, epochs }: { factors: number; lambda: number; epochs: number },
  run: Run,
): Promise<Nmf> {
  const { user, item, value } = ratings;
  const rng = run.rng("nmf");
  const draw = (count: number): Float64Array =>
    Float64Array.from({ length: count * factors }, () => rng.uniform());
  const users = draw(ratings.users.length);
  const items = draw(ratings.items.length);
  const counts = { user: countsOf(user, ratings.users.length), item: countsOf(item, ratings.items.length) };
  const above = { user: new Float64Array(users.length), item: new Float64Array(items.length) };
  const below = { user: new Float64Array(users.length), item: new Float64Array(items.length) };
  run.progress.stage(`nmf: ${factors} factors`);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const sums of [above.user, above.item, below.user, below.item]) sums.fill(0);
    for (let p = 0; p < value.length; p++) {
      const u = user[p] * factors;
      const i = item[p] * factors;
      let estimate = 0;
      for (let f = 0; f < factors; f++) estimate += users[u + f] * items[i + f];
      for (let f = 0; f < factors; f++) {
        above.user[u + f] += items[i + f] * value[p];
        below.user[u + f] += items[i + f] * estimate;
        above.item[i + f] += users[u + f] * value[p];
        below.item[i + f] += users[u + f] * estimate;
      }
    }
    multiply(users, above.user, below.user, counts.user, factors, lambda);
    multiply(items, above.item, below.item, counts.item, factors, lambda);
    run.progress.update(epoch + 1, epochs, "epochs");
    await breathe(run);
  }
  run.progress.done();
  return { factors, users, items };
}

function countsOf(codes: Int32Array, size: number): Float64Array {
  const counts = new Float64Array(size);
  for (const code of codes) counts[code]++;
  return counts;
}

function multiply(
  of: Float64Array,
  above: Float64Array,
  below: Float64Array,
  counts: Float64Array,
  factors: number,
  lambda: number,
): void {
  for (let at = 0; at < of.length; at++) {
    const share = below[at] + counts[Math.floor(at / factors)] * lambda * of[at];
    of[at] = share > 0 ? (of[at] * Math.max(0, above[at])) / share : 0;
  }
}

function fitted(raters: Raters, { factors, users, items }: Nmf): Fitted {
  return ratingModel(
    raters,
    () => (user, item) => {
      if (user < 0 || item < 0) return raters.mean;
      let estimate = 0;
      for (let f = 0; f < factors; f++) estimate += users[user * factors + f] * items[item * factors + f];
      return estimate;
    },
    (folder) => {
      folder.array("user-factors", users, [raters.users.length, factors]);
      folder.array("item-factors", items, [raters.items.length, factors]);
    },
  );
}

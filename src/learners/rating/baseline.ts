import { defineLearner, int, real } from "../learner.js";
import { loadRaters, ratersOf, ratingModel, type Raters } from "./rating-model.js";
import { readRatings, type Ratings } from "./ratings.js";

/** What users and items add to the mean rating. */
export interface Biases {
  user: Float64Array;
  item: Float64Array;
}

export const baselineParams = {
  "user-lambda": real({
    default: 15,
    min: 0,
    help: "L2 penalty of users, in ratings: larger trusts users with few ratings less",
    search: [1, 50],
    log: true,
  }),
  "item-lambda": real({ default: 10, min: 0, help: "the same of items", search: [1, 50], log: true }),
  epochs: int({ default: 10, min: 1, max: 1000, help: "passes over items, then users" }),
} as const;

/**
 * The mean rating, plus what the user and the item add to it.
 *
 * Koren (2010), section 2.1: b_ui = mean + b_u + b_i, the penalised least squares by alternation.
 */
export default defineLearner({
  name: "baseline",
  task: "rating",
  summary: "the mean rating, with what a user and an item usually add to it",
  source:
    "Koren (2010), Factor in the Neighbors: Scalable and Accurate Collaborative Filtering, ACM TKDD 4(1), section 2.1",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: baselineParams,
  async fit(data, params) {
    const ratings = await readRatings(data);
    return fitted(ratersOf(data, ratings), baselineOf(ratings, params));
  },
  load(folder) {
    const raters = loadRaters(folder);
    return fitted(raters, {
      user: folder.array("user-biases", "f64", [raters.users.length]),
      item: folder.array("item-biases", "f64", [raters.items.length]),
    });
  },
});

function fitted(raters: Raters, biases: Biases) {
  return ratingModel(
    raters,
    () => (user, item) => baselineAt(raters.mean, biases, user, item),
    (folder) => {
      folder.array("user-biases", biases.user);
      folder.array("item-biases", biases.item);
    },
  );
}

/** mean + b_u + b_i; nothing for those that are not known (-1). */
export function baselineAt(mean: number, { user, item }: Biases, u: number, i: number): number {
  return mean + (u < 0 ? 0 : user[u]) + (i < 0 ? 0 : item[i]);
}

/** The biases by alternating least squares, items first. */
export function baselineOf(
  { users, items, user, item, value, mean }: Ratings,
  {
    "user-lambda": userLambda,
    "item-lambda": itemLambda,
    epochs,
  }: { "user-lambda": number; "item-lambda": number; epochs: number },
): Biases {
  const biases = { user: new Float64Array(users.length), item: new Float64Array(items.length) };
  const solve = (
    into: Float64Array,
    of: Int32Array,
    other: Float64Array,
    otherOf: Int32Array,
    lambda: number,
  ): void => {
    const counts = new Float64Array(into.length);
    into.fill(0);
    for (let p = 0; p < value.length; p++) {
      counts[of[p]]++;
      into[of[p]] += value[p] - mean - other[otherOf[p]];
    }
    for (let at = 0; at < into.length; at++) into[at] /= counts[at] + lambda;
  };
  for (let epoch = 0; epoch < epochs; epoch++) {
    solve(biases.item, item, biases.user, user, itemLambda);
    solve(biases.user, user, biases.item, item, userLambda);
  }
  return biases;
}

import type { Run } from "../../engine/run.js";
import { breathe } from "../breathe.js";
import { defineLearner, int, real } from "../learner.js";
import { biasedFactorModel, loadBiasedFactors, type BiasedFactors } from "./biased-factors.js";
import { ratersOf } from "./rating-model.js";
import { readRatings, type Ratings } from "./ratings.js";

export const sgdParams = {
  eta: real({
    default: 0.005,
    min: 1e-6,
    max: 1,
    help: "length of a step",
    search: [0.001, 0.02],
    log: true,
  }),
  lambda: real({
    default: 0.02,
    min: 0,
    max: 10,
    help: "L2 penalty of every step",
    search: [0.005, 0.2],
    log: true,
  }),
  epochs: int({ default: 20, min: 0, help: "passes over the ratings", search: [10, 100], log: true }),
  start: real({
    default: 0.05,
    min: 0,
    max: 1,
    help: "standard deviation of the factors at the start; Surprise has 0.1",
    search: [0.01, 0.2],
    log: true,
  }),
} as const;

/**
 * Factors of users and items beside their biases, by stochastic gradient descent: "SVD" of the Netflix prize.
 *
 * Koren, Bell & Volinsky (2009), eq. 4 and 5: mean + b_u + b_i + q_i·p_u. Steps and order as in Surprise: user by user,
 * in the order of the table; factors start smaller than there.
 */
export default defineLearner({
  name: "svd",
  task: "rating",
  summary: "ratings from factors of users and items; the standard for explicit feedback",
  source:
    "Koren, Bell & Volinsky (2009), Matrix Factorization Techniques for Recommender Systems, IEEE Computer 42(8):30-37; Funk (2006)",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    factors: int({
      default: 100,
      min: 1,
      max: 1024,
      help: "length of each user and item vector",
      search: [10, 200],
      log: true,
    }),
    ...sgdParams,
  },
  async fit(data, params, run) {
    const ratings = await readRatings(data);
    const { model, rmse } = await descended(ratings, params, run);
    return biasedFactorModel(ratersOf(data, ratings), model, epochsAbout(rmse));
  },
  load: loadBiasedFactors,
});

/** What a descent goes by. */
export interface Descent {
  factors: number;
  eta: number;
  lambda: number;
  epochs: number;
  start: number;
}

async function descended(
  ratings: Ratings,
  { factors, eta, lambda, epochs, start }: Descent,
  run: Run,
): Promise<{ model: BiasedFactors; rmse: number }> {
  const rng = run.rng("svd");
  const draw = (count: number): Float64Array =>
    Float64Array.from({ length: count * factors }, () => start * rng.normal());
  const model: BiasedFactors = {
    factors,
    userBias: new Float64Array(ratings.users.length),
    itemBias: new Float64Array(ratings.items.length),
    users: draw(ratings.users.length),
    items: draw(ratings.items.length),
  };
  run.progress.stage(`svd: ${factors} factors`);
  let squares = NaN;
  for (let epoch = 0; epoch < epochs; epoch++) {
    squares = pass(ratings, model, eta, lambda);
    run.progress.update(epoch + 1, epochs, "epochs");
    await breathe(run);
  }
  run.progress.done();
  return { model, rmse: Math.sqrt(squares / ratings.value.length) };
}

/** One pass over the ratings; gives the sum of the squared errors on the way. */
function pass(ratings: Ratings, model: BiasedFactors, eta: number, lambda: number): number {
  const { user, item, value, mean } = ratings;
  const { factors, userBias, itemBias, users, items } = model;
  let squares = 0;
  for (let p = 0; p < value.length; p++) {
    const u = user[p] * factors;
    const i = item[p] * factors;
    let estimate = mean + userBias[user[p]] + itemBias[item[p]];
    for (let f = 0; f < factors; f++) estimate += users[u + f] * items[i + f];
    const error = value[p] - estimate;
    squares += error * error;
    userBias[user[p]] += eta * (error - lambda * userBias[user[p]]);
    itemBias[item[p]] += eta * (error - lambda * itemBias[item[p]]);
    for (let f = 0; f < factors; f++) {
      const x = users[u + f];
      const y = items[i + f];
      users[u + f] = x + eta * (error * y - lambda * x);
      items[i + f] = y + eta * (error * x - lambda * y);
    }
  }
  return squares;
}

/** The error on the training rows while the last pass went over them. */
const epochsAbout = (rmse: number): Record<string, unknown> =>
  Number.isNaN(rmse) ? {} : { train_rmse: rmse };

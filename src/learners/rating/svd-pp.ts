import type { Run } from "../../engine/run.js";
import type { Csr } from "../../kernels/csr.js";
import { breathe } from "../breathe.js";
import { defineLearner, int } from "../learner.js";
import { biasedFactorModel, loadBiasedFactors, type BiasedFactors } from "./biased-factors.js";
import { ratersOf } from "./rating-model.js";
import { readRatings, type Ratings } from "./ratings.js";
import { sgdParams, type Descent } from "./svd.js";

/**
 * SVD in which the items that a user rated, whatever the rating, say something of the user as well.
 *
 * Koren (2008), eq. 15: mean + b_u + b_i + q_i·(p_u + |N(u)|^-1/2 Σ_{j in N(u)} y_j). Steps and order as in
 * Surprise.
 */
export default defineLearner({
  name: "svd-pp",
  task: "rating",
  summary: "svd that also learns from what was rated at all; more exact",
  source:
    "Koren (2008), Factorization Meets the Neighborhood: a Multifaceted Collaborative Filtering Model, KDD",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    factors: int({
      default: 20,
      min: 1,
      max: 1024,
      help: "length of each user and item vector",
      search: [10, 100],
      log: true,
    }),
    ...sgdParams,
    eta: { ...sgdParams.eta, default: 0.007 },
  },
  async fit(data, params, run) {
    const ratings = await readRatings(data);
    return biasedFactorModel(ratersOf(data, ratings), await descended(ratings, params, run));
  },
  load: loadBiasedFactors,
});

async function descended(
  ratings: Ratings,
  { factors, eta, lambda, epochs, start }: Descent,
  run: Run,
): Promise<BiasedFactors> {
  const { users, items, item, value, starts, mean } = ratings;
  const rng = run.rng("svd-pp");
  const draw = (count: number): Float64Array =>
    Float64Array.from({ length: count * factors }, () => start * rng.normal());
  const p = draw(users.length);
  const q = draw(items.length);
  const y = draw(items.length);
  const userBias = new Float64Array(users.length);
  const itemBias = new Float64Array(items.length);
  const rated = ratedItems(ratings);
  const implicit = new Float64Array(factors);
  const shift = new Float64Array(factors);

  /** Fills `implicit` with |N(u)|^-1/2 Σ y_j. */
  function gather(user: number): void {
    implicit.fill(0);
    for (let at = rated.starts[user]; at < rated.starts[user + 1]; at++)
      for (let f = 0, j = rated.columns[at] * factors; f < factors; f++) implicit[f] += y[j + f];
    const scale = 1 / Math.sqrt(Math.max(1, rated.starts[user + 1] - rated.starts[user]));
    for (let f = 0; f < factors; f++) implicit[f] *= scale;
  }

  /**
   * The steps of one user. Every step moves all y_j of the user alike, y_j ← keep y_j + share q_i: they are moved once, by
   * what the steps come to, and their sum goes along.
   */
  function pass(user: number): void {
    gather(user);
    shift.fill(0);
    let kept = 1;
    const u = user * factors;
    const keep = 1 - eta * lambda;
    const root = Math.sqrt(rated.starts[user + 1] - rated.starts[user]);
    for (let at = starts[user]; at < starts[user + 1]; at++) {
      const i = item[at] * factors;
      let estimate = mean + userBias[user] + itemBias[item[at]];
      for (let f = 0; f < factors; f++) estimate += q[i + f] * (p[u + f] + implicit[f]);
      const error = value[at] - estimate;
      userBias[user] += eta * (error - lambda * userBias[user]);
      itemBias[item[at]] += eta * (error - lambda * itemBias[item[at]]);
      const share = (eta * error) / root;
      kept *= keep;
      for (let f = 0; f < factors; f++) {
        const pu = p[u + f];
        const qi = q[i + f];
        p[u + f] = pu + eta * (error * qi - lambda * pu);
        q[i + f] = qi + eta * (error * (pu + implicit[f]) - lambda * qi);
        implicit[f] = keep * implicit[f] + root * share * qi;
        shift[f] = keep * shift[f] + share * qi;
      }
    }
    for (let at = rated.starts[user]; at < rated.starts[user + 1]; at++)
      for (let f = 0, j = rated.columns[at] * factors; f < factors; f++)
        y[j + f] = kept * y[j + f] + shift[f];
  }

  run.progress.stage(`svd-pp: ${factors} factors`);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let user = 0; user < users.length; user++) {
      pass(user);
      if (user % 64 === 0) await breathe(run);
    }
    run.progress.update(epoch + 1, epochs, "epochs");
  }
  run.progress.done();
  for (let user = 0; user < users.length; user++) {
    gather(user);
    for (let f = 0; f < factors; f++) p[user * factors + f] += implicit[f];
  }
  // Users are kept ready made, p_u + |N(u)|^-1/2 Σ y_j.
  return { factors, userBias, itemBias, users: p, items: q };
}

/** N(u): the items that every user rated, no item twice. */
function ratedItems({ users, items, item, starts }: Ratings): Csr {
  const lists = users.map((_, user) =>
    Int32Array.from(new Set(item.subarray(starts[user], starts[user + 1]))),
  );
  const columns = new Int32Array(lists.reduce((sum, list) => sum + list.length, 0));
  const own = new Int32Array(users.length + 1);
  lists.forEach((list, user) => {
    columns.set(list, own[user]);
    own[user + 1] = own[user] + list.length;
  });
  return { rows: users.length, cols: items.length, starts: own, columns };
}

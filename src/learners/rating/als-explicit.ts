import type { Run } from "../../engine/run.js";
import { solvePositive } from "../../kernels/als.js";
import type { Csr } from "../../kernels/csr.js";
import { breathe } from "../breathe.js";
import { defineLearner, int, real } from "../learner.js";
import { baselineAt, baselineOf, baselineParams } from "./baseline.js";
import { biasedFactorModel, loadBiasedFactors, type BiasedFactors } from "./biased-factors.js";
import { ratersOf } from "./rating-model.js";
import { ratingsBy, readRatings, type Ratings } from "./ratings.js";

/**
 * Factors of what goes beyond the baseline, by alternating least squares with penalties that grow with the
 * number of ratings (ALS-WR).
 *
 * Zhou et al. (2008), section 3.1: x_u = (Σ y_i y_iᵀ + lambda n_u I)⁻¹ Σ r_ui y_i, here of r_ui - b_ui.
 */
export default defineLearner({
  name: "als-explicit",
  task: "rating",
  summary: "ratings from factors by least squares: few passes, no length of a step to choose",
  source:
    "Zhou, Wilkinson, Schreiber & Pan (2008), Large-Scale Parallel Collaborative Filtering for the Netflix Prize, AAIM",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    factors: int({
      default: 10,
      min: 1,
      max: 256,
      help: "length of each user and item vector",
      search: [5, 50],
      log: true,
    }),
    lambda: real({
      default: 0.1,
      min: 1e-6,
      max: 100,
      help: "L2 penalty, times the ratings of a user or item",
      search: [0.01, 1],
      log: true,
    }),
    ...baselineParams,
    epochs: int({ default: 15, min: 1, max: 1000, help: "passes over items, then users", search: [5, 50] }),
  },
  async fit(data, params, run) {
    const ratings = await readRatings(data);
    return biasedFactorModel(ratersOf(data, ratings), await alternated(ratings, params, run));
  },
  load: loadBiasedFactors,
});

async function alternated(
  ratings: Ratings,
  params: Parameters<typeof baselineOf>[1] & { factors: number; lambda: number },
  run: Run,
): Promise<BiasedFactors> {
  const { factors, lambda, epochs } = params;
  const biases = baselineOf(ratings, params);
  const value = ratings.value.map(
    (rating, p) => rating - baselineAt(ratings.mean, biases, ratings.user[p], ratings.item[p]),
  );
  const [byUser, byItem] = (["user", "item"] as const).map((side) => ratingsBy(side, { ...ratings, value }));
  const rng = run.rng("als-explicit");
  const draw = (count: number): Float64Array =>
    Float64Array.from({ length: count * factors }, () => 0.1 * rng.normal());
  const users = draw(ratings.users.length);
  const items = draw(ratings.items.length);
  run.progress.stage(`als-explicit: ${factors} factors`);
  for (let epoch = 0; epoch < epochs; epoch++) {
    solveRows(byItem, users, items, factors, lambda);
    await breathe(run);
    solveRows(byUser, items, users, factors, lambda);
    run.progress.update(epoch + 1, epochs, "epochs");
    await breathe(run);
  }
  run.progress.done();
  return { factors, userBias: biases.user, itemBias: biases.item, users, items };
}

/** New factors `x` of the rows, given `y` of the columns. */
function solveRows(
  { rows, starts, columns, values }: Csr,
  y: Float64Array,
  x: Float64Array,
  factors: number,
  lambda: number,
): void {
  const a = new Float64Array(factors * factors);
  const b = new Float64Array(factors);
  for (let row = 0; row < rows; row++) {
    a.fill(0);
    b.fill(0);
    for (let i = 0; i < factors; i++) a[i * factors + i] = lambda * (starts[row + 1] - starts[row]);
    for (let p = starts[row]; p < starts[row + 1]; p++) {
      const at = columns[p] * factors;
      for (let i = 0; i < factors; i++) {
        b[i] += values![p] * y[at + i];
        for (let j = 0; j <= i; j++) a[i * factors + j] += y[at + i] * y[at + j];
      }
    }
    solvePositive(a, b);
    x.set(b, row * factors);
  }
}

import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { choleskyFactor, choleskyInverse } from "../kernels/cholesky.js";
import type { Csr } from "../kernels/csr.js";
import { addGram } from "../kernels/gram.js";
import { breathe } from "./breathe.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, real, type Fitted } from "./learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import { fromProfiles } from "./scorer.js";

/**
 * Embarrassingly shallow autoencoder: item weights B, zero on the diagonal, that rebuild every user's
 * row from its other items, in closed form.
 *
 * Steck (2019): with G = XᵀX + lambda I and P = G⁻¹, B_ij = -P_ij / P_jj (eq. 8); scores are X B.
 */
export default defineLearner({
  name: "ease",
  task: "recommendation",
  summary: "item-to-item weights in closed form; strong and free of tuning up to some 10,000 items",
  source:
    "Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, WWW, https://arxiv.org/abs/1905.03375",
  roles: { user: "required", item: "required", rating: "optional", segment: "optional" },
  features: false,
  params: {
    lambda: real({
      default: 300,
      min: 1e-6,
      help: "L2 penalty; larger trusts rare items less",
      search: [10, 5000],
      log: true,
    }),
  },
  async fit(data, { lambda }, run) {
    const interactions = await readInteractions(data, run);
    const weights = await itemWeights(interactions.matrix, lambda, run);
    return fitted(catalogueOf(data, interactions), weights);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const items = catalogue.items.length;
    return fitted(catalogue, folder.array("weights", "f32", [items, items]));
  },
});

/** @param weights B, items x items, row-major */
function fitted(catalogue: Catalogue, weights: Float32Array): Fitted {
  const items = catalogue.items.length;
  const scorer = fromProfiles(catalogue, {
    profile(profile, into) {
      into.fill(0);
      for (let p = 0; p < profile.items.length; p++) {
        const row = profile.items[p] * items;
        const value = profile.values ? profile.values[p] : 1;
        for (let i = 0; i < items; i++) into[i] += value * weights[row + i];
      }
    },
    similar(item, into) {
      for (let other = 0; other < items; other++) into[other] = weights[item * items + other];
    },
    shares(profile, item, into) {
      for (let p = 0; p < profile.items.length; p++)
        into[p] = (profile.values ? profile.values[p] : 1) * weights[profile.items[p] * items + item];
    },
  });
  return recommender(catalogue, scorer, (folder) => folder.array("weights", weights, [items, items]));
}

async function itemWeights(matrix: Csr, lambda: number, run: Run): Promise<Float32Array> {
  const items = matrix.cols;
  const inverse = roomFor(items);
  run.progress.stage(`ease: ${grouped(items)} x ${grouped(items)} item products`);
  const stride = 1024;
  for (let user = 0; user < matrix.rows; user += stride) {
    addGram(matrix, user, Math.min(matrix.rows, user + stride), inverse);
    run.progress.update(user, matrix.rows, "users");
    await breathe(run);
  }
  for (let i = 0; i < items; i++) inverse[i * items + i] += lambda;
  run.progress.stage("ease: inverse");
  const tick = (from: number, to: number) => async (done: number) => {
    run.progress.update(Math.round(100 * (from + (to - from) * done)), 100, "%");
    await breathe(run);
  };
  // A third of the work of an inverse is its factor.
  const bad = await choleskyFactor(inverse, items, tick(0, 1 / 3));
  if (bad >= 0)
    throw new ShopaiError(
      "data",
      "the item products cannot be inverted: the ratings span too many magnitudes",
      {
        try: "a larger --param lambda, or leaving --rating out",
      },
    );
  await choleskyInverse(inverse, items, tick(1 / 3, 1));
  run.progress.done();
  const weights = new Float32Array(items * items);
  for (let i = 0; i < items; i++)
    for (let j = 0; j < items; j++)
      if (i !== j) weights[i * items + j] = -inverse[i * items + j] / inverse[j * items + j];
  return weights;
}

/** @throws ShopaiError "engine" when the matrix is more than the machine can hold */
function roomFor(items: number): Float64Array {
  try {
    return new Float64Array(items * items);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ShopaiError(
      "engine",
      `ease needs two matrices of ${grouped(items)} x ${grouped(items)} (${Math.ceil((2 * 8 * items * items) / 1e9)} GB), and there is no room`,
      { try: "item-knn, or fewer items by --where", cause },
    );
  }
}

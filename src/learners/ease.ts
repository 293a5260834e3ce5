import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import {
  choleskyFactor,
  choleskyInverse,
  inverseError,
  sharedInverse,
  sharedInverseBytes,
} from "../kernels/cholesky.js";
import { transposed, type Csr } from "../kernels/csr.js";
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
    made: { weights },
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
  run.progress.stage(`ease: ${grouped(matrix.cols)} x ${grouped(matrix.cols)} weights`);
  const weights = (await shortWeights(matrix, lambda, run)) ?? (await longWeights(matrix, lambda, run));
  run.progress.done();
  return weights;
}

/** Below so many items the inverse takes a moment in 64 bits. */
const fewItems = 512;
/** Above so many the inverse in 64 bits takes hours, and memory ends. */
const manyItems = 20_000;
/** Error of P, by its diagonal, up to which 32 bits do; a list changes by less than by a user more or less. */
const tolerated = 1e-3;

/**
 * By the kernel, in 32 bits: half the memory and a tenth of the time of 64. Undefined where there is no kernel, where
 * items are few, and where the matrix spans so many magnitudes that 32 bits are too few.
 */
async function shortWeights(matrix: Csr, lambda: number, run: Run): Promise<Float32Array | undefined> {
  const items = matrix.cols;
  const bytes = sharedInverseBytes(items, matrix.columns.length, matrix.rows, run.pool.threads);
  if (items < fewItems || bytes > 2 ** 32) return undefined;
  const kernel = await run.pool.kernel("cholesky", bytes);
  if (!kernel) return undefined;
  const byUser = { ...matrix, values: matrix.values ?? new Float32Array(matrix.columns.length).fill(1) };
  const found = await sharedInverse(kernel, byUser, transposed(byUser), lambda, ticker(run, 0, 1));
  if (!found) return undefined;
  try {
    if (inverseError(matrix, lambda, found) > tolerated) return undefined;
    const { negated, stride } = found;
    const weights = squareOf(items);
    eachTile(items, (i, j) => {
      const value = -negated[i * stride + j];
      weights[i * items + j] = value / negated[j * stride + j];
      weights[j * items + i] = value / negated[i * stride + i];
    });
    return weights;
  } finally {
    found.close();
  }
}

/** Calls back for every pair i < j, tile by tile: rows and columns of both triangles stay near. */
function eachTile(items: number, pair: (i: number, j: number) => void): void {
  const side = 64;
  for (let top = 0; top < items; top += side)
    for (let left = top; left < items; left += side)
      for (let i = top; i < Math.min(items, top + side); i++)
        for (let j = Math.max(left, i + 1); j < Math.min(items, left + side); j++) pair(i, j);
}

/** The same in 64 bits on one thread. */
async function longWeights(matrix: Csr, lambda: number, run: Run): Promise<Float32Array> {
  const items = matrix.cols;
  if (items > manyItems)
    run.warn(
      `ease inverts ${grouped(items)} x ${grouped(items)} numbers on one thread here, which takes hours: item-knn or slim would not`,
    );
  const inverse = roomFor(items, 20, () => new Float64Array(items * items));
  const stride = 1024;
  for (let user = 0; user < matrix.rows; user += stride) {
    addGram(matrix, user, Math.min(matrix.rows, user + stride), inverse);
    await breathe(run);
  }
  for (let i = 0; i < items; i++) inverse[i * items + i] += lambda;
  // A third of the work of an inverse is its factor.
  const bad = await choleskyFactor(inverse, items, ticker(run, 0, 1 / 3));
  if (bad >= 0)
    throw new ShopaiError(
      "data",
      "the item products cannot be inverted: the ratings span too many magnitudes",
      {
        try: "a larger --param lambda, or leaving --rating out",
      },
    );
  await choleskyInverse(inverse, items, ticker(run, 1 / 3, 1));
  const weights = squareOf(items);
  for (let i = 0; i < items; i++)
    for (let j = 0; j < items; j++)
      if (i !== j) weights[i * items + j] = -inverse[i * items + j] / inverse[j * items + j];
  return weights;
}

function ticker(run: Run, from: number, to: number): (done: number) => Promise<void> {
  return async (done) => {
    run.progress.update(Math.round(100 * (from + (to - from) * done)), 100, "%");
    await breathe(run);
  };
}

const squareOf = (items: number): Float32Array => roomFor(items, 8, () => new Float32Array(items * items));

/** @throws ShopaiError "engine" when the matrix is more than the machine can hold */
function roomFor<A>(items: number, bytes: number, array: () => A): A {
  try {
    return array();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ShopaiError(
      "engine",
      `ease needs ${Math.ceil((bytes * items * items) / 1e9)} GB for ${grouped(items)} x ${grouped(items)} weights, and there is no room`,
      { try: "item-knn, or fewer items by --where", cause },
    );
  }
}

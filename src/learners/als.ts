import { power } from "../core/power.js";
import type { Rng } from "../core/rng.js";
import type { Run } from "../engine/run.js";
import {
  exactFactors,
  gramOf,
  plainAls,
  sharedAls,
  type AlsProblem,
  type AlsSolver,
} from "../kernels/als.js";
import { someRows, transposed, withoutZeros, type Csr } from "../kernels/csr.js";
import { breathe } from "./breathe.js";
import { judgeOf } from "./held-out-items.js";
import { patienceParam, stoppedEarly, type Look } from "./early-stopping.js";
import { factorModel, loadFactors, withIndexes, type Factors } from "./factor-model.js";
import { readInteractions } from "./interactions.js";
import { choice, defineLearner, int, real, type Fitted } from "./learner.js";
import { indexParam } from "./near-index.js";
import type { ParamsOf } from "./params.js";
import { catalogueOf, type Catalogue } from "./recommendations.js";

const alsParams = {
  factors: int({
    default: 64,
    min: 1,
    max: 1024,
    help: "length of each user and item vector",
    search: [16, 256],
    log: true,
  }),
  lambda: real({
    default: 0,
    min: 0,
    help: "L2 penalty; larger smooths those with few interactions; 0: what is best for held-out items, of four",
    search: [1e-3, 1000],
    log: true,
  }),
  alpha: real({
    default: 10,
    min: 0,
    help: "confidence of an interaction of strength r is 1 + alpha r, that of no interaction 1",
    search: [0.5, 100],
    log: true,
  }),
  scaling: real({
    default: 0,
    min: 0,
    max: 1,
    help: "the penalty grows with this power of the confidence that a user or item has in all",
    search: [0, 1],
  }),
  epochs: int({ default: 15, min: 0, help: "passes over items, then users", search: [5, 50] }),
  solver: choice({
    default: "cg",
    choices: ["cg", "cholesky"],
    help: "a few steps of conjugate gradient, or the exact solution",
  }),
  steps: int({ default: 3, min: 1, max: 100, help: "steps of conjugate gradient" }),
  patience: patienceParam,
  index: indexParam,
} as const;

/**
 * Matrix factorisation of implicit feedback by alternating least squares.
 *
 * Hu, Koren & Volinsky (2008): the loss is eq. 3, the half-steps eq. 4 and 5; by conjugate gradient,
 * Takács, Pilászy & Tikk (2011), algorithm 1. Penalties that grow with the confidence of a row: Rendle et
 * al. (2021), eq. 7. The last half-step is that of users, so that newcomers are answered as users are.
 */
export default defineLearner({
  name: "als",
  task: "recommendation",
  summary:
    "factors of users and items from views, carts and orders; millions of interactions, newcomers by fold-in",
  source:
    "Hu, Koren & Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets, ICDM; Takács, Pilászy & Tikk (2011), Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering, RecSys; scaled penalties: Rendle et al. (2021), https://arxiv.org/abs/2110.14037",
  roles: { user: "required", item: "required", rating: "optional" },
  features: false,
  params: alsParams,
  async fit(data, asked, run) {
    const interactions = await readInteractions(data, run);
    const catalogue = catalogueOf(data, interactions);
    // A strength of 0 is no preference: eq. 2.
    const matrix = withoutZeros(interactions.matrix);
    const penalty = asked.lambda > 0 ? undefined : await foundPenalty(catalogue, matrix, asked, run);
    const params = { ...asked, ...(penalty && { lambda: penalty.lambda }) };
    const stopped = await stoppedEarly(
      catalogue,
      matrix,
      params,
      (rest, look) => factorised(rest, params, run, look),
      run,
    );
    const factors = await factorised(matrix, { ...params, epochs: stopped?.epochs ?? params.epochs }, run);
    const found = await withIndexes(catalogue, factors, params.index, run);
    const about = { ...penalty?.about, ...stopped?.about, ...found.about };
    return fitted(catalogue, found.factors, params, about);
  },
  load(folder) {
    const { catalogue, factors } = loadFactors(folder);
    const { params, about } = folder.card;
    const { alpha, scaling, lambda } = params as unknown as Weighing;
    return fitted(catalogue, factors, { alpha, scaling, lambda: lambda || (about.lambda as number) });
  },
});

async function factorised(
  matrix: Csr,
  { factors, lambda, alpha, scaling, epochs, solver, steps }: ParamsOf<typeof alsParams>,
  run: Run,
  look?: Look,
): Promise<Factors> {
  const byUser = confident(matrix, alpha);
  const byItem = transposed(byUser);
  const als = await openedSolver(
    {
      byUser,
      byItem,
      userPenalties: penaltiesOf(byUser, lambda, scaling),
      itemPenalties: penaltiesOf(byItem, lambda, scaling),
      factors,
      steps: solver === "cg" ? steps : 0,
    },
    run,
  );
  const rng = run.rng("als");
  startingFactors(als.users, factors, als.width, rng);
  startingFactors(als.items, factors, als.width, rng);
  run.progress.stage(`als: ${factors} factors`);
  const found = (): Factors => ({ width: als.width, users: als.users.slice(), items: als.items.slice() });
  for (let epoch = 1; epoch <= epochs; epoch++) {
    als.solveItems();
    als.solveUsers();
    run.progress.update(epoch, epochs, "epochs");
    await breathe(run);
    if (look && !(await look(epoch, found))) break;
  }
  run.progress.done();
  const last = found();
  als.close();
  return last;
}

interface Weighing {
  lambda: number;
  alpha: number;
  scaling: number;
}

/** Multiples of the usual penalty that are tried, and how long; on more users than these, on so many drawn by the seed. */
const tries = [0.5, 1, 2, 4];
const epochsOfTries = 8;
const usersOfTries = 20_000;
/** With fewer users chance would choose. */
const fewestJudges = 50;

/**
 * The penalty where none is given: the multiple of the usual one with the best nDCG@10 on held-out items.
 *
 * What is best differs by ten times between data sets: by how much is known of a user and an item, which the usual
 * penalty goes by, and by how few tastes there are.
 */
async function foundPenalty(
  catalogue: Catalogue,
  matrix: Csr,
  params: ParamsOf<typeof alsParams>,
  run: Run,
): Promise<{ lambda: number; about: Record<string, unknown> }> {
  const some = someUsers(matrix, catalogue, run.rng("als users"));
  const { rest, users, ndcg } = judgeOf(some.catalogue, some.matrix, run);
  const best = { multiple: 1, ndcg: -1 };
  const epochs = Math.min(params.epochs, epochsOfTries);
  if (users.length >= fewestJudges && epochs > 0)
    for (const multiple of tries) {
      const lambda = multiple * usualPenalty(rest, params);
      const found = await ndcg(await factorised(rest, { ...params, lambda, epochs }, run));
      if (found > best.ndcg) Object.assign(best, { multiple, ndcg: found });
    }
  const lambda = best.multiple * usualPenalty(matrix, params);
  return { lambda, about: { lambda } };
}

/**
 * 0.45 sqrt(1 + alpha) times the geometric mean of the strength that a user and an item have in all, over what `scaling`
 * multiplies it by: near the best on cuts of the training rows of MovieLens-100k, LastFM and Amazon Beauty.
 */
function usualPenalty(
  { values, rows, cols, columns }: Csr,
  { alpha, scaling }: { alpha: number; scaling: number },
): number {
  const strength = values ? values.reduce((sum, value) => sum + value, 0) : columns.length;
  const usual = 0.45 * Math.sqrt((1 + alpha) * (strength / rows) * (strength / cols));
  return (usual || 1) / power(cols + (alpha * strength) / rows, scaling);
}

/** The matrix and catalogue of some of the users, in their order. */
function someUsers(matrix: Csr, catalogue: Catalogue, rng: Rng): { matrix: Csr; catalogue: Catalogue } {
  if (matrix.rows <= usersOfTries) return { matrix, catalogue };
  const drawn = rng.shuffle(Int32Array.from({ length: matrix.rows }, (_, user) => user));
  const users = drawn.slice(0, usersOfTries).sort();
  return {
    matrix: someRows(matrix, users),
    catalogue: { ...catalogue, users: Array.from(users, (user) => catalogue.users[user]) },
  };
}

async function openedSolver(problem: AlsProblem, run: Run): Promise<AlsSolver> {
  const { byUser, byItem, factors } = problem;
  const kernel = await run.pool.kernel(
    "als",
    16 * byUser.columns.length + 4 * (factors + 4) * (byUser.rows + byItem.rows),
  );
  return kernel ? sharedAls(kernel, problem) : plainAls(problem);
}

/** Entries of strength r as alpha r: what their confidence is above that of no entry. */
function confident(matrix: Csr, alpha: number): Csr {
  const values = new Float32Array(matrix.columns.length);
  for (let p = 0; p < values.length; p++) values[p] = alpha * (matrix.values ? matrix.values[p] : 1);
  return { ...matrix, values };
}

function penaltiesOf(matrix: Csr, lambda: number, scaling: number): Float32Array {
  const { rows, starts, values } = matrix;
  return Float32Array.from({ length: rows }, (_, row) =>
    penaltyOf(values!.subarray(starts[row], starts[row + 1]), matrix.cols, lambda, scaling),
  );
}

/** lambda times the confidence of a row in all, per entry, to the power of `scaling`. */
function penaltyOf(weights: Float32Array, cols: number, lambda: number, scaling: number): number {
  if (scaling === 0) return lambda;
  let confidence = cols;
  for (const weight of weights) confidence += weight;
  return lambda * power(confidence, scaling);
}

function startingFactors(into: Float32Array, factors: number, width: number, rng: Rng): void {
  into.fill(0);
  const deviation = 0.1 / Math.sqrt(factors);
  for (let at = 0; at < into.length; at += width)
    for (let f = 0; f < factors; f++) into[at + f] = deviation * rng.normal();
}

function fitted(
  catalogue: Catalogue,
  factors: Factors,
  { lambda, alpha, scaling }: Weighing,
  about?: Record<string, unknown>,
): Fitted {
  let gram: Float64Array | undefined;
  return factorModel(catalogue, factors, {
    about,
    foldIn({ items: all, values }) {
      gram ??= gramOf(factors.items, factors.width);
      const items = values ? all.filter((_, p) => values[p] > 0) : all;
      const weights = Float32Array.from(
        values?.filter((value) => value > 0) ?? items,
        (value) => alpha * (values ? value : 1),
      );
      const penalty = penaltyOf(weights, catalogue.items.length, lambda, scaling);
      return exactFactors(gram, penalty, factors.items, items, weights);
    },
  });
}

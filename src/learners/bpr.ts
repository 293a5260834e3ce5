import type { Run } from "../engine/run.js";
import { foldInPairs, plainBpr, sharedBpr } from "../kernels/bpr.js";
import { withoutZeros, type Csr } from "../kernels/csr.js";
import { breathe } from "./breathe.js";
import { patienceParam, stoppedEarly, type Look } from "./early-stopping.js";
import { factorModel, loadFactors, withIndexes, type Factors } from "./factor-model.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, int, real, type Fitted } from "./learner.js";
import { indexParam } from "./near-index.js";
import type { ParamsOf } from "./params.js";
import { catalogueOf, type Catalogue } from "./recommendations.js";

const params = {
  factors: int({
    default: 64,
    min: 1,
    max: 1024,
    help: "length of each user and item vector",
    search: [16, 256],
    log: true,
  }),
  eta: real({
    default: 0.05,
    min: 1e-6,
    max: 10,
    help: "length of a step",
    search: [0.005, 0.2],
    log: true,
  }),
  lambda: real({
    default: 0.01,
    min: 0,
    max: 10,
    help: "L2 penalty of every step",
    search: [1e-4, 0.1],
    log: true,
  }),
  epochs: int({
    default: 100,
    min: 0,
    help: "times as many steps as there are interactions",
    search: [20, 500],
    log: true,
  }),
  patience: patienceParam,
  index: indexParam,
} as const;

/**
 * Matrix factorisation that puts what a user had above what they had not.
 *
 * Rendle et al. (2009): the criterion is BPR-Opt (section 4.1), learned by stochastic gradient steps over
 * drawn triples (figure 4). A strength above 0 counts as an interaction; how large it is does not matter.
 */
export default defineLearner({
  name: "bpr",
  task: "recommendation",
  summary:
    "factors of users and items, learned from pairs: what a user had ranks above what not; newcomers by fold-in",
  source:
    "Rendle, Freudenthaler, Gantner & Schmidt-Thieme (2009), BPR: Bayesian Personalized Ranking from Implicit Feedback, UAI; the same for any number of threads: Gemulla et al. (2011), Large-Scale Matrix Factorization with Distributed Stochastic Gradient Descent, KDD",
  roles: { user: "required", item: "required", rating: "optional" },
  features: false,
  params,
  async fit(data, params, run) {
    const interactions = await readInteractions(data, run);
    const catalogue = catalogueOf(data, interactions);
    const matrix = withoutZeros(interactions.matrix);
    const stopped = await stoppedEarly(
      catalogue,
      matrix,
      params,
      (rest, look) => stepped(rest, params, run, look),
      run,
    );
    const epochs = stopped?.epochs ?? params.epochs;
    const { factors, right } = await stepped(matrix, { ...params, epochs }, run);
    // The share of drawn pairs that were in the right order in the last epoch.
    const found = await withIndexes(catalogue, factors, params.index, run);
    const about = {
      ...stopped?.about,
      ...(Number.isNaN(right) ? {} : { pairs_right: right }),
      ...found.about,
    };
    return fitted(catalogue, found.factors, params, about);
  },
  load(folder) {
    const { catalogue, factors } = loadFactors(folder);
    return fitted(catalogue, factors, folder.card.params as unknown as Steps);
  },
});

async function stepped(
  matrix: Csr,
  { factors, eta, lambda, epochs }: ParamsOf<typeof params>,
  run: Run,
  look?: Look,
): Promise<{ factors: Factors; right: number }> {
  const problem = { matrix, factors, rate: eta, penalty: lambda, rng: run.rng("bpr") };
  const kernel = await run.pool.kernel(
    "bpr",
    16 * matrix.columns.length + 4 * (factors + 5) * (matrix.rows + matrix.cols),
  );
  const trainer = kernel ? sharedBpr(kernel, problem) : plainBpr(problem);
  run.progress.stage(`bpr: ${factors} factors`);
  const found = (): Factors => ({
    width: trainer.width,
    users: trainer.users.slice(),
    items: trainer.items.slice(),
    biases: trainer.biases.slice(),
  });
  let right = NaN;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    right = trainer.epoch();
    run.progress.update(epoch, epochs, "epochs");
    await breathe(run);
    if (look && !(await look(epoch, found))) break;
  }
  run.progress.done();
  const last = found();
  trainer.close();
  return { factors: last, right };
}

interface Steps {
  eta: number;
  lambda: number;
}

function fitted(
  catalogue: Catalogue,
  factors: Factors,
  { eta, lambda }: Steps,
  about?: Record<string, unknown>,
): Fitted {
  return factorModel(catalogue, factors, {
    about,
    foldIn: ({ items }) => foldInPairs(factors, items, { rate: eta, penalty: lambda }),
  });
}

import { transposed, withoutZeros } from "../kernels/csr.js";
import { plainSlim, sharedSlim, sharedSlimBytes } from "../kernels/slim.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, int, real } from "./learner.js";
import { loadNeighbourModel, neighbourModel } from "./neighbour-model.js";
import { catalogueOf } from "./recommendations.js";

/** Share of an item's squared length below which a step does not matter. */
const tolerance = 1e-5;

/**
 * Sparse item weights W, nowhere below 0 and zero on the diagonal, that rebuild every user's row from its other items;
 * scores are X W. An elastic net for every item, over the `k` items most like it.
 *
 * Ning & Karypis (2011), eq. 3 (l1 is their lambda, lambda their beta), with the choice of items of section 4.4.
 */
export default defineLearner({
  name: "slim",
  task: "recommendation",
  summary: "a few learned weights for every item: near ease in strength, small to store, easy to explain",
  source: "Ning & Karypis (2011), SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM",
  roles: { user: "required", item: "required", rating: "optional", segment: "optional" },
  features: false,
  params: {
    lambda: real({
      default: 200,
      min: 0,
      help: "L2 penalty; larger spreads the weights and trusts rare items less",
      search: [1, 1000],
      log: true,
    }),
    l1: real({
      default: 1,
      min: 0,
      help: "L1 penalty; larger leaves fewer weights",
      search: [0.1, 50],
      log: true,
    }),
    k: int({
      default: 500,
      min: 1,
      max: 2000,
      help: "items most like an item that can have a weight for it",
      search: [50, 2000],
      log: true,
    }),
    epochs: int({ default: 100, min: 1, help: "most passes over the weights of an item" }),
  },
  async fit(data, { lambda, l1, k, epochs }, run) {
    const interactions = await readInteractions(data, run);
    const matrix = withoutZeros(interactions.matrix);
    const problem = { matrix, l2: lambda, l1, k, tolerance, epochs };
    run.progress.stage("slim: weights");
    const kernel = await run.pool.kernel("slim", sharedSlimBytes(problem, run.pool.threads));
    const weights = kernel ? sharedSlim(kernel, problem) : plainSlim(problem);
    run.progress.done();
    // By the item that speaks, as scoring reads them.
    return neighbourModel(catalogueOf(data, interactions), transposed(weights));
  },
  load: loadNeighbourModel,
});

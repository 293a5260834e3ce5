import { power } from "../core/power.js";
import { transposed, withoutZeros, type Csr } from "../kernels/csr.js";
import { plainNearest, sharedNearest } from "../kernels/similarity.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, int, real } from "./learner.js";
import { loadNeighbourModel, neighbourModel } from "./neighbour-model.js";
import { catalogueOf } from "./recommendations.js";

/**
 * Random walks of three steps from the user over items and users to items, with popular items held down.
 *
 * Paudel et al. (2017), eq. 4: the probabilities of the walk, each step raised to `alpha`, divided by the
 * number of users of the item at its end to the power of `beta`.
 */
export default defineLearner({
  name: "rp3beta",
  task: "recommendation",
  summary: "random walks from a user's items to others, popular ones held down; strong on sparse data",
  source:
    "Paudel, Christoffel, Newell & Bernstein (2017), Updatable, Accurate, Diverse, and Scalable Recommendations, ACM TiiS 7(1); steps to the power of alpha: Cooper et al. (2014), WWW",
  roles: { user: "required", item: "required", rating: "optional" },
  features: false,
  params: {
    k: int({ default: 200, min: 1, help: "items kept for every item", search: [5, 1000], log: true }),
    alpha: real({
      default: 0.8,
      min: 0,
      max: 4,
      help: "exponent of the probability of every step",
      search: [0, 2],
    }),
    beta: real({
      default: 0.4,
      min: 0,
      max: 4,
      help: "exponent of the popularity that scores are divided by",
      search: [0, 1],
    }),
  },
  async fit(data, { k, alpha, beta }, run) {
    const interactions = await readInteractions(data, run);
    run.progress.stage("rp3beta: walks");
    const byUser = withoutZeros(interactions.matrix);
    const byItem = transposed(byUser);
    const problem = {
      a: steps(byItem, alpha),
      b: steps(byUser, alpha),
      k,
      likeness: {
        form: "ratio" as const,
        left: new Float32Array(byItem.rows).fill(1),
        right: Float32Array.from({ length: byItem.rows }, (_, item) =>
          power(Math.max(1, byItem.starts[item + 1] - byItem.starts[item]), beta),
        ),
        shared: 0,
        shrink: 0,
      },
    };
    const kernel = await run.pool.kernel("similarity", 24 * byUser.columns.length + 8 * k * byItem.rows);
    const weights = kernel ? sharedNearest(kernel, problem) : plainNearest(problem);
    run.progress.done();
    return neighbourModel(catalogueOf(data, interactions), weights);
  },
  load: loadNeighbourModel,
});

/** Every row divided by its sum, to the power of alpha. */
function steps(matrix: Csr, alpha: number): Csr {
  const { rows, starts, columns } = matrix;
  const values = new Float32Array(columns.length);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let p = starts[r]; p < starts[r + 1]; p++) sum += matrix.values ? matrix.values[p] : 1;
    for (let p = starts[r]; p < starts[r + 1]; p++)
      values[p] = power((matrix.values ? matrix.values[p] : 1) / sum, alpha);
  }
  return { ...matrix, values };
}

import { transposed } from "../kernels/csr.js";
import { readInteractions } from "./interactions.js";
import { defineLearner } from "./learner.js";
import { nearestRows, nearnessParams } from "./nearness.js";
import { loadNeighbourModel, neighbourModel } from "./neighbour-model.js";
import { catalogueOf } from "./recommendations.js";

/**
 * Items like those that the user had: a score is the sum of the similarities between an item and the
 * user's items, over the item's `k` nearest.
 *
 * Deshpande & Karypis (2004), section 4; similarities, weightings and shrinkage as in Dacrema et al. (2021).
 */
export default defineLearner({
  name: "item-knn",
  task: "recommendation",
  summary: "items like those a user had, by who had both; any number of items, easy to explain",
  source:
    "Deshpande & Karypis (2004), Item-Based Top-N Recommendation Algorithms, ACM TOIS 22(1):143-177; shrinkage: Dacrema et al. (2021), ACM TOIS 39(2)",
  roles: { user: "required", item: "required", rating: "optional", segment: "optional" },
  features: false,
  params: nearnessParams,
  async fit(data, params, run) {
    const interactions = await readInteractions(data, run);
    run.progress.stage("item-knn: similarities");
    const nearest = await nearestRows(transposed(interactions.matrix), params, run);
    run.progress.done();
    // By the item they are near to, as scoring reads them.
    return neighbourModel(catalogueOf(data, interactions), transposed(nearest));
  },
  load: loadNeighbourModel,
});

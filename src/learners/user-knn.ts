import type { Csr } from "../kernels/csr.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, type Fitted } from "./learner.js";
import { nearestRows, nearnessParams } from "./nearness.js";
import { loadNeighbours } from "./neighbour-model.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";

/**
 * What users like this one had: a score is the sum of the similarities of the `k` nearest users that had
 * the item, each times the strength of it.
 *
 * Sarwar et al. (2000), section 3.2; similarities, weightings and shrinkage as in Dacrema et al. (2021).
 */
export default defineLearner({
  name: "user-knn",
  task: "recommendation",
  summary: "what the users like this one had; for many items and users with a history",
  source:
    "Sarwar, Karypis, Konstan & Riedl (2000), Analysis of Recommendation Algorithms for E-Commerce, ACM EC, section 3.2; shrinkage: Dacrema et al. (2021), ACM TOIS 39(2)",
  roles: { user: "required", item: "required", rating: "optional" },
  features: false,
  params: nearnessParams,
  async fit(data, params, run) {
    const interactions = await readInteractions(data, run);
    run.progress.stage("user-knn: similarities");
    const nearest = await nearestRows(interactions.matrix, params, run);
    run.progress.done();
    return fitted(catalogueOf(data, interactions), nearest);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    return fitted(catalogue, loadNeighbours(folder, catalogue.users.length));
  },
});

/** @param nearest row u holds the users nearest to u, with their similarity */
function fitted(catalogue: Catalogue, nearest: Csr): Fitted {
  const { seen } = catalogue;
  return recommender(
    catalogue,
    (user, into) => {
      into.fill(0);
      for (let q = nearest.starts[user]; q < nearest.starts[user + 1]; q++) {
        const other = nearest.columns[q];
        const similarity = nearest.values![q];
        for (let p = seen.starts[other]; p < seen.starts[other + 1]; p++)
          into[seen.columns[p]] += similarity * (seen.values ? seen.values[p] : 1);
      }
    },
    (folder) => {
      folder.array("neighbour-starts", nearest.starts);
      folder.array("neighbour-columns", nearest.columns);
      folder.array("neighbour-values", nearest.values!);
    },
  );
}

import type { Csr } from "../kernels/csr.js";
import { readInteractions } from "./interactions.js";
import { defineLearner, type Fitted } from "./learner.js";
import { nearestOfOthers, nearestRows, nearnessParams } from "./nearness.js";
import { loadNeighbours } from "./neighbour-model.js";
import type { ParamsOf } from "./params.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import type { Scorer } from "./scorer.js";

/**
 * What users like this one had: a score is the sum of the similarities of the `k` nearest users that had
 * the item, each times the strength of it.
 *
 * Sarwar et al. (2000), section 3.2; similarities, weightings and shrinkage as in Dacrema et al. (2021).
 */
export default defineLearner({
  name: "user-knn",
  task: "recommendation",
  summary: "what the users like this one had; newcomers by the users like them",
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
    return fitted(catalogueOf(data, interactions), nearest, params);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    const nearness = folder.card.params as unknown as ParamsOf<typeof nearnessParams>;
    return fitted(catalogue, loadNeighbours(folder, catalogue.users.length), nearness);
  },
});

/** @param nearest row u holds the users nearest to u, with their similarity */
function fitted(catalogue: Catalogue, nearest: Csr, nearness: ParamsOf<typeof nearnessParams>): Fitted {
  const { seen } = catalogue;
  const add = (other: number, similarity: number, into: Float64Array): void => {
    for (let p = seen.starts[other]; p < seen.starts[other + 1]; p++)
      into[seen.columns[p]] += similarity * (seen.values ? seen.values[p] : 1);
  };
  let others: ReturnType<typeof nearestOfOthers> | undefined;
  const scorer: Scorer = {
    user(user, into) {
      into.fill(0);
      for (let q = nearest.starts[user]; q < nearest.starts[user + 1]; q++)
        add(nearest.columns[q], nearest.values![q], into);
    },
    profile({ user, items, values }, into) {
      others ??= nearestOfOthers(seen, nearness);
      into.fill(0);
      // Somebody who came back is no neighbour of their own.
      for (const { row, similarity } of others(items, values)) if (row !== user) add(row, similarity, into);
    },
  };
  return recommender(catalogue, scorer, (folder) => {
    folder.array("neighbour-starts", nearest.starts);
    folder.array("neighbour-columns", nearest.columns);
    folder.array("neighbour-values", nearest.values!);
  });
}

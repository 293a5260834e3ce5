import { defineLearner } from "../learner.js";
import type { VectorParams } from "./tabular-network.js";
import {
  balancedParam,
  deepParams,
  levelsParam,
  tabularLearner,
  trainingParams,
  type TabularParams,
} from "./tabular.js";

export default defineLearner({
  name: "deepfm",
  task: "classification",
  summary: "clicks and conversions from many categories: pairs of them by factorisation, the rest by layers",
  source: "Guo et al. (2017), DeepFM: A Factorization-Machine based Neural Network for CTR Prediction, IJCAI",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: { ...deepParams, levels: levelsParam, ...trainingParams, balanced: balancedParam },
  ...tabularLearner<VectorParams & TabularParams & { levels: number }>(
    "deepfm",
    async () => (await import("./deepfm-net.js")).deepfm,
  ),
});

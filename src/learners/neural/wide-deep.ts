import { defineLearner, int } from "../learner.js";
import type { CrossParams } from "./tabular-network.js";
import {
  balancedParam,
  deepParams,
  levelsParam,
  tabularLearner,
  trainingParams,
  type TabularParams,
} from "./tabular.js";

export default defineLearner({
  name: "wide-deep",
  task: "classification",
  summary: "clicks and conversions: remembers pairs of categories, generalises over the rest",
  source: "Cheng et al. (2016), Wide & Deep Learning for Recommender Systems, DLRS",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    crosses: int({
      default: 10_000,
      min: 0,
      max: 10_000_000,
      help: "buckets that pairs of levels are hashed to; 0 for no pairs",
    }),
    ...deepParams,
    levels: levelsParam,
    ...trainingParams,
    balanced: balancedParam,
  },
  ...tabularLearner<CrossParams & TabularParams & { levels: number }>(
    "wide-deep",
    async () => (await import("./wide-deep-net.js")).wideDeep,
  ),
});

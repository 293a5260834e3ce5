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
  name: "dcn",
  task: "classification",
  summary: "clicks and conversions: products of columns up to a bounded degree beside layers of units",
  source: "Wang et al. (2021), DCN V2: Improved Deep & Cross Network, WWW",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    crosses: int({
      default: 2,
      min: 1,
      max: 10,
      help: "cross layers: columns are multiplied up to crosses + 1 times",
    }),
    ...deepParams,
    levels: levelsParam,
    ...trainingParams,
    balanced: balancedParam,
  },
  ...tabularLearner<CrossParams & TabularParams & { levels: number }>(
    "dcn",
    async () => (await import("./dcn-net.js")).dcn,
  ),
});

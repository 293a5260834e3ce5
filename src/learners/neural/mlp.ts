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
  name: "mlp",
  task: "classification",
  tasks: ["classification", "regression"],
  summary: "classes or numbers from columns of any kind, by layers of units; runs on a GPU",
  source:
    "Rumelhart, Hinton & Williams (1986), Nature 323; vectors of levels: Guo & Berkhahn (2016), arXiv:1604.06737",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: { ...deepParams, levels: levelsParam, ...trainingParams, balanced: balancedParam },
  ...tabularLearner<VectorParams & TabularParams & { levels: number }>(
    "mlp",
    async () => (await import("./mlp-net.js")).mlp,
  ),
});

import { contamination } from "../anomaly.js";
import { defineLearner, int } from "../learner.js";
import type { AutoencoderParams } from "./autoencoder-net.js";
import { deepParams, levelsParam, tabularLearner, trainingParams, type TabularParams } from "./tabular.js";

export default defineLearner({
  name: "autoencoder",
  task: "anomaly",
  summary: "rows that a network cannot rebuild from what is common to the others: odd combinations, too",
  source:
    "Hawkins, He, Williams & Baxter (2002), Outlier Detection Using Replicator Neural Networks, DaWaK; Aggarwal (2017), Outlier Analysis, 2nd ed., section 3.6",
  roles: { target: "optional" },
  features: true,
  params: {
    contamination,
    code: int({ default: 8, min: 1, max: 1024, help: "numbers that a row is squeezed to" }),
    ...deepParams,
    layers: int({ ...deepParams.layers, default: 1, help: "hidden layers before and after the code" }),
    levels: int({ ...levelsParam, default: 50, max: 100_000 }),
    ...trainingParams,
  },
  ...tabularLearner<AutoencoderParams & TabularParams>(
    "autoencoder",
    async () => (await import("./autoencoder-net.js")).autoencoder,
  ),
});

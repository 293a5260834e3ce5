import { defineLearner } from "../learner.js";
import { sequentialLearner, sequentialParams } from "./sequential.js";

export default defineLearner({
  name: "gru4rec",
  task: "recommendation",
  summary: "what comes next in a session or a life of purchases, by a recurrent network",
  source:
    "Hidasi, Karatzoglou, Baltrunas & Tikk (2016), Session-based Recommendations with Recurrent Neural Networks, ICLR",
  roles: { user: "required", item: "required", time: "required" },
  features: false,
  params: sequentialParams,
  ...sequentialLearner("gru4rec", async () => (await import("./gru4rec-net.js")).gru4recEncoder),
});

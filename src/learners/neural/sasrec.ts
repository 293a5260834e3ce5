import { defineLearner, int } from "../learner.js";
import type { SasrecParams } from "./sasrec-net.js";
import { sequentialLearner, sequentialParams } from "./sequential.js";

export default defineLearner({
  name: "sasrec",
  task: "recommendation",
  summary: "what comes next after what a user had lately, by self-attention",
  source:
    "Kang & McAuley (2018), Self-Attentive Sequential Recommendation, ICDM; Klenitskiy & Vasilev (2023), RecSys, for its loss",
  roles: { user: "required", item: "required", time: "required" },
  features: false,
  params: {
    blocks: int({ default: 2, min: 1, max: 12, help: "layers of self-attention" }),
    heads: int({ default: 1, min: 1, max: 16, help: "heads of a layer; factors must be a multiple" }),
    ...sequentialParams,
  },
  ...sequentialLearner<SasrecParams>("sasrec", async () => (await import("./sasrec-net.js")).sasrecEncoder),
});

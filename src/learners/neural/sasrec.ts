import { defineLearner, int, real } from "../learner.js";
import type { SasrecParams } from "./sasrec-net.js";
import { sequentialLearner } from "./sequential.js";

export default defineLearner({
  name: "sasrec",
  task: "recommendation",
  summary: "what comes next after what a user had lately, by self-attention",
  source:
    "Kang & McAuley (2018), Self-Attentive Sequential Recommendation, ICDM; Klenitskiy & Vasilev (2023), RecSys, for its loss",
  roles: { user: "required", item: "required", time: "required" },
  features: false,
  params: {
    factors: int({ default: 64, min: 4, max: 1024, help: "length of the vector of every item" }),
    blocks: int({ default: 2, min: 1, max: 12, help: "layers of self-attention" }),
    heads: int({ default: 1, min: 1, max: 16, help: "heads of a layer; factors must be a multiple" }),
    length: int({ default: 50, min: 2, max: 1000, help: "latest items of a user that are looked at" }),
    dropout: real({ default: 0.5, min: 0, max: 0.95, help: "share of values dropped while training" }),
    negatives: int({
      default: 1024,
      min: 1,
      help: "items drawn per step to tell the right one from, beside those of the batch",
    }),
    batch: int({ default: 512, min: 1, max: 1_000_000, help: "steps of sequences per step of training" }),
    rate: real({ default: 1e-3, min: 0, max: 1, help: "learning rate of Adam" }),
    epochs: int({ default: 60, min: 1, help: "most passes over the sequences" }),
    patience: int({
      default: 4,
      min: 0,
      help: "stop after so many epochs without a better NDCG@10 of every user's last item; 0 to hold none out",
    }),
  },
  ...sequentialLearner<SasrecParams>("sasrec", async () => (await import("./sasrec-net.js")).sasrecEncoder),
});

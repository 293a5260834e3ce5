import { defineLearner, int, real } from "../learner.js";
import { balancedParam, tabularLearner, trainingParams, type TabularParams } from "./tabular.js";
import type { TextCnnParams } from "./text-cnn-net.js";

export default defineLearner({
  name: "text-cnn",
  task: "classification",
  summary: "classes of reviews and requests, from the words of text columns, Chinese signs included",
  source: "Kim (2014), Convolutional Neural Networks for Sentence Classification, EMNLP",
  roles: { target: "required", weight: "optional" },
  features: true,
  readsWords: true,
  params: {
    factors: int({ default: 64, min: 1, max: 1024, help: "length of the vector of every token" }),
    filters: int({ default: 64, min: 1, max: 4096, help: "filters of each of the widths 2, 3 and 4" }),
    length: int({ default: 64, min: 1, max: 4096, help: "first tokens of a row that are looked at" }),
    levels: int({ default: 20_000, min: 1, max: 10_000_000, help: "most tokens kept, the most frequent" }),
    dropout: real({ default: 0.5, min: 0, max: 0.95, help: "share of values dropped while training" }),
    ...trainingParams,
    batch: int({ ...trainingParams.batch, default: 64 }),
    balanced: balancedParam,
  },
  ...tabularLearner<TextCnnParams & TabularParams>(
    "text-cnn",
    async () => (await import("./text-cnn-net.js")).textCnn,
  ),
});

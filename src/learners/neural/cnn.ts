import { defineLearner, int, real } from "../learner.js";
import type { CnnParams } from "./cnn-net.js";
import { balancedParam, tabularLearner, trainingParams, type TabularParams } from "./tabular.js";

export default defineLearner({
  name: "cnn",
  task: "classification",
  summary: "classes of product images, from files (PNG, JPEG, WebP) or a table of pixels",
  source:
    "LeCun, Bottou, Bengio & Haffner (1998), Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11)",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    side: int({
      default: 48,
      min: 8,
      max: 512,
      help: "image files are scaled to so many pixels a side; a table of pixels has its own",
    }),
    filters: int({
      default: 16,
      min: 1,
      max: 512,
      help: "filters of the first stage; every stage has twice as many",
    }),
    stages: int({
      default: 2,
      min: 0,
      max: 8,
      help: "convolutions by 3 x 3, each with a pooling by 2 behind it",
    }),
    width: int({ default: 128, min: 1, max: 8192, help: "units of the layer before the last" }),
    dropout: real({ default: 0.3, min: 0, max: 0.95, help: "share of values dropped while training" }),
    ...trainingParams,
    batch: int({ ...trainingParams.batch, default: 64 }),
    balanced: balancedParam,
  },
  ...tabularLearner<CnnParams & TabularParams>("cnn", async () => (await import("./cnn-net.js")).cnn),
});

import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "featurize",
  summary: summaries.featurize,
  inputs: { usage: "<file...>", min: 0, max: Infinity, help: "file..." },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "featurize is being built");
  },
});

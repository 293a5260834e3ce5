import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "train",
  summary: summaries.train,
  inputs: { usage: "<learner> <table...>", min: 0, max: Infinity, help: "learner table..." },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "train is being built");
  },
});

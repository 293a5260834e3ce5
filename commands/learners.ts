import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "learners",
  summary: summaries.learners,
  inputs: { usage: "[learner]", min: 0, max: Infinity, help: "[learner]" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "learners is being built");
  },
});

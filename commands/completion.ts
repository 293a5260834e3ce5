import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "completion",
  summary: summaries.completion,
  inputs: { usage: "<shell>", min: 0, max: Infinity, help: "shell" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "completion is being built");
  },
});

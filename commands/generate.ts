import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "generate",
  summary: summaries.generate,
  inputs: { usage: "<kind>", min: 0, max: Infinity, help: "kind" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "generate is being built");
  },
});

import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "schema",
  summary: summaries.schema,
  inputs: { usage: "<what>", min: 0, max: Infinity, help: "what" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "schema is being built");
  },
});

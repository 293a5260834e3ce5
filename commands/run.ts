import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "run",
  summary: summaries.run,
  inputs: { usage: "<pipeline.yaml> [stage...]", min: 0, max: Infinity, help: "pipeline.yaml [stage...]" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "run is being built");
  },
});

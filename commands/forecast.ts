import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "forecast",
  summary: summaries.forecast,
  inputs: { usage: "<table...>", min: 0, max: Infinity, help: "table..." },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "forecast is being built");
  },
});

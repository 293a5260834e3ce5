import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "report",
  summary: summaries.report,
  inputs: { usage: "<run or files...>", min: 0, max: Infinity, help: "run or files..." },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "report is being built");
  },
});

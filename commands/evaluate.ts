import { ShopaiError } from "../src/core/errors.js";
import { defineCommand } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "evaluate",
  summary: summaries.evaluate,
  inputs: { usage: "<model> <table>", min: 0, max: Infinity, help: "model table" },
  examples: [],
  options: {},
  reads: () => [],
  writes: () => [],
  run: () => {
    throw new ShopaiError("usage", "evaluate is being built");
  },
});

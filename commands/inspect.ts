import { defineCommand, option, readingOptions } from "../src/pipeline/command.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "inspect",
  summary: summaries.inspect,
  inputs: {
    usage: "<file...>",
    min: 1,
    max: Infinity,
    help: "tables (files, folders, globs, or - for stdin), or a model folder",
  },
  examples: [
    "shopai inspect orders.csv",
    "shopai inspect orders.parquet --head 5 --where \"country = 'NO'\"",
    "shopai inspect orders.csv --contract orders.yaml",
    "shopai inspect model/",
    "shopai inspect orders.parquet --json | jq '.columns[] | {name, nulls}'",
  ],
  options: {
    ...readingOptions,
    head: option.integer("also show the first n rows", { min: 0, max: 1000 }).optional(),
    contract: option.path("write an inferred data contract to this file", { arg: "<yaml>" }).optional(),
  },
  reads: (o) => o.in,
  writes: (o) => (o.contract ? [o.contract] : []),
  // Profiles, contracts and model cards are loaded for a call that is right, not to parse it.
  run: async (o, run) => (await import("../src/cli/inspection.js")).inspection(o, run),
});

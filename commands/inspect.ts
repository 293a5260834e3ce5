import { defineCommand, option, readingOptions } from "../src/pipeline/command.js";
import { countRows } from "../src/table/relation.js";
import { openTable } from "../src/table/open.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "inspect",
  summary: summaries.inspect,
  inputs: { usage: "<file...>", min: 1, max: Infinity, help: "tables or a model folder" },
  examples: ["shopai inspect orders.csv", "shopai inspect orders.csv --contract orders.yaml"],
  options: {
    ...readingOptions,
    head: option.integer("also show the first n rows", { min: 0, max: 1000 }).optional(),
    contract: option.path("write an inferred data contract to this file", { arg: "<yaml>" }).optional(),
  },
  reads: (o) => o.in,
  writes: (o) => (o.contract ? [o.contract] : []),
  async run(o, run) {
    const engine = await run.engine();
    const relation = await openTable(engine, o.in, { ...o, signal: run.signal });
    const rows = await countRows(relation);
    return {
      json: { rows, columns: relation.schema },
      blocks: [
        { kind: "title", text: `${relation.name}: ${rows} rows` },
        {
          kind: "table",
          head: ["column", "type"],
          rows: relation.schema.map((field) => [field.name, field.type]),
        },
      ],
    };
  },
});

import { join } from "node:path";
import { ShopaiError } from "../src/core/errors.js";
import { sha256OfFile } from "../src/core/hash.js";
import { grouped } from "../src/core/quantity.js";
import { loadModel } from "../src/learners/model.js";
import { defineCommand, option, readingOptions, telling, type Cell } from "../src/pipeline/command.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { materialised, selectOrdered } from "../src/table/relation.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const predict = defineCommand({
  name: "predict",
  summary: summaries.predict,
  inputs: {
    usage: "<model> [table...]",
    min: 1,
    max: Infinity,
    help: "the model folder, then the tables to score; a recommender without a table answers for every user it knows",
  },
  examples: [
    "shopai predict model/ sessions.parquet -o scores.parquet --keep session_id",
    "shopai predict model/ -o recommendations.csv --k 10",
  ],
  options: {
    out: option.path("table to write", { short: "o", table: true }),
    k: option.integer("recommendations per user (default: 10)", { min: 1, max: 1_000_000 }).optional(),
    includeSeen: option.flag("recommend items that the user has already").default(false),
    keep: option.names("columns to carry over").optional(),
    ...readingOptions,
  },
  reads: (o) => o.in,
  writes: (o) => [o.out],
  async run(o, run) {
    const [path, ...tables] = o.in;
    const model = await loadModel(path);
    const { learner, task } = model.card;
    if (task !== "recommendation" && (o.k !== undefined || o.includeSeen))
      throw new ShopaiError(
        "usage",
        `${o.k !== undefined ? "--k" : "--include-seen"} is for recommendations, and ${path} is a model for ${task}`,
        { where: path, try: "leaving it out" },
      );
    if (tables.length === 0 && task !== "recommendation")
      throw new ShopaiError("usage", `a model for ${task} needs a table to score`, {
        where: path,
        try: `shopai predict ${path} table.parquet -o ${o.out}`,
      });
    if (tables.length === 0 && o.where !== undefined)
      throw new ShopaiError("usage", "--where filters a table, and none is named", {
        try: `shopai predict ${path} table.parquet --where …`,
      });
    const engine = await run.engine();
    const rows =
      tables.length > 0 ? await openTable(engine, tables, { ...o, signal: run.signal }) : undefined;
    const predictions = await materialised(await model.predict(rows, o, run), "predictions");
    const card = { path: join(path, "model.json"), sha256: await sha256OfFile(join(path, "model.json")) };
    const provenance = provenanceOf("predict", telling(predict, o), o.seed, [card, ...(rows?.inputs ?? [])]);
    const written = await writeTable(predictions, o.out, provenance, o);
    const head = await engine.rows<Record<string, Cell>>(`${selectOrdered(predictions)} LIMIT 5`);
    return {
      json: {
        out: o.out,
        rows: written.rows,
        learner,
        task,
        columns: predictions.schema,
      },
      blocks: [
        { kind: "title", text: `${learner}: ${grouped(written.rows)} predictions → ${o.out}` },
        {
          kind: "table",
          head: predictions.schema.map((field) => field.name),
          rows: head.map((row) => predictions.schema.map((field) => row[field.name])),
        },
      ],
      wroteStdout: o.out === "-",
    };
  },
});
export default predict;

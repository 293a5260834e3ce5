import { join } from "node:path";
import { ShopaiError } from "../src/core/errors.js";
import { sha256OfFile } from "../src/core/hash.js";
import { grouped } from "../src/core/quantity.js";
import type { Ask, Task } from "../src/learners/learner.js";
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
    "shopai predict model/ new-visitors.ndjson -o recommendations.csv --explain",
    "shopai predict model/ -o similar.csv --similar --k 5",
  ],
  options: {
    out: option.path("table to write", { short: "o", table: true }),
    k: option.integer("recommendations per user (default: 10)", { min: 1, max: 1_000_000 }).optional(),
    includeSeen: option.flag("recommend items that the user has already").default(false),
    explain: option.flag("also say why: source and reason of every recommendation").default(false),
    similar: option.flag("the items most alike to each item of the table, or to every item").default(false),
    history: option
      .path("interactions since training, in its columns: users are answered from these too", {
        arg: "<table>",
      })
      .optional(),
    keep: option.names("columns to carry over").optional(),
    ...readingOptions,
  },
  reads: (o) => [...o.in, ...(o.history === undefined ? [] : [o.history])],
  writes: (o) => [o.out],
  async run(o, run) {
    const [path, ...tables] = o.in;
    const model = await loadModel(path);
    const { learner, task } = model.card;
    refuseForeign(o, task, path);
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
    const history =
      o.history === undefined
        ? undefined
        : await openTable(engine, [o.history], { ...o, where: undefined, signal: run.signal });
    const answers = o.similar
      ? await model.similar!(rows, o, run)
      : await model.predict(rows, { ...o, history }, run);
    const predictions = await materialised(answers, "predictions");
    const card = { path: join(path, "model.json"), sha256: await sha256OfFile(join(path, "model.json")) };
    const provenance = provenanceOf("predict", telling(predict, o), o.seed, [
      card,
      ...(rows?.inputs ?? []),
      ...(history?.inputs ?? []),
    ]);
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

/** Refuses what goes with recommendations on other models, and what does not go together. */
function refuseForeign(
  o: Pick<Ask, "k" | "includeSeen" | "explain" | "keep"> & { similar: boolean; history?: string },
  task: Task,
  path: string,
): void {
  const given = [
    ...(o.k !== undefined ? ["--k"] : []),
    ...(o.includeSeen ? ["--include-seen"] : []),
    ...(o.explain ? ["--explain"] : []),
    ...(o.similar ? ["--similar"] : []),
    ...(o.history !== undefined ? ["--history"] : []),
  ];
  if (task !== "recommendation" && given.length > 0)
    throw new ShopaiError("usage", `${given[0]} is for recommendations, and ${path} is a model for ${task}`, {
      where: path,
      try: "leaving it out",
    });
  const beside = [...given, ...(o.keep ? ["--keep"] : [])].find(
    (name) => name !== "--similar" && name !== "--k",
  );
  if (o.similar && beside !== undefined)
    throw new ShopaiError("usage", `${beside} is about users, and --similar about items`, {
      try: "one of the two",
    });
}

import { join } from "node:path";
import { streamLines } from "../src/cli/stream-lines.js";
import { ShopaiError } from "../src/core/errors.js";
import { sha256OfFile } from "../src/core/hash.js";
import { grouped } from "../src/core/quantity.js";
import type { Run } from "../src/engine/run.js";
import type { Ask, Model, Task } from "../src/learners/learner.js";
import { loadModel } from "../src/learners/model.js";
import type { Rules } from "../src/learners/rerank.js";
import { answererOf } from "../src/learners/stream.js";
import {
  defineCommand,
  option,
  outNeeded,
  readingOptions,
  telling,
  type Cell,
  type Result,
} from "../src/pipeline/command.js";
import { openTable, type OpenOptions } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { materialised, selectOrdered, type Relation } from "../src/table/relation.js";
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
    "shopai predict model/ sessions.parquet -o scores.parquet --explain --reasons 5",
    "shopai predict model/ -o similar.csv --similar --k 5",
    "shopai predict model/ -o recommendations.csv --items products.csv --require 'stock > 0' --cap category=2 --diversity 0.2",
    "shopai predict model/ --stream < requests.ndjson > answers.ndjson",
  ],
  options: {
    out: option.path("table to write (needed but with --stream)", { short: "o", table: true }).optional(),
    k: option.integer("recommendations per user (default: 10)", { min: 1, max: 1_000_000 }).optional(),
    includeSeen: option.flag("recommend items that the user has already").default(false),
    explain: option
      .flag("also say why: reasons of every score in words; source and reason of every recommendation")
      .default(false),
    reasons: option
      .integer("reasons per row of --explain, the strongest (default: 3)", { min: 1, max: 1000 })
      .optional(),
    contributions: option
      .flag("with --explain: every feature's part of the score as a number")
      .default(false),
    background: option
      .path(
        "with --explain: rows that scores are compared with (default: the training rows on average); with --counterfactual: rows that values are taken from",
        {
          arg: "<table>",
        },
      )
      .optional(),
    counterfactual: option
      .flag("the smallest change found that would turn each decision (classifiers, up to 1000 rows)")
      .default(false),
    freeze: option.names("with --counterfactual: features that may not change").optional(),
    similar: option.flag("the items most alike to each item of the table, or to every item").default(false),
    history: option
      .path("interactions since training, in its columns: users are answered from these too", {
        arg: "<table>",
      })
      .optional(),
    items: option
      .path("table with a row per item, for --require, --cap and --boost", { arg: "<table>" })
      .optional(),
    require: option
      .text("recommend only items for which this SQL predicate over --items holds: stock > 0", {
        arg: "<sql>",
      })
      .optional(),
    cap: option
      .pairs("at most n items of a list with the same value of a column of --items: category=2")
      .default({}),
    boost: option
      .pairs("lift items by a column of --items: margin=0.2 adds up to 20 % relevance")
      .default({}),
    diversity: option
      .real("from 0 (relevance alone) to 1: how much a list avoids items with the same users", {
        min: 0,
        max: 1,
      })
      .optional(),
    candidates: option
      .integer("best items that --cap, --boost and --diversity choose from (default: 10 k, at least 100)", {
        min: 1,
        max: 1_000_000,
      })
      .optional(),
    keep: option.names("columns to carry over").optional(),
    stream: option
      .flag("answer requests: JSON objects, one a line, on stdin; answers in their order on stdout")
      .default(false),
    ...readingOptions,
  },
  reads: (o) => [...o.in, ...[o.history, o.items, o.background].filter((path) => path !== undefined)],
  writes: (o) => (o.stream ? [] : [outOf(o)]),
  async run(o, run) {
    const [path, ...tables] = o.in;
    const model = await loadModel(path);
    const { learner, task } = model.card;
    refuseForeign(o, task, path);
    const rules = await rulesOf(o, run);
    if (o.stream) return streamed(model, { ...o, rules }, run);
    const out = outOf(o);
    if (tables.length === 0 && task !== "recommendation")
      throw new ShopaiError("usage", `a model for ${task} needs a table to score`, {
        where: path,
        try: `shopai predict ${path} table.parquet -o ${out}`,
      });
    if (tables.length === 0 && o.where !== undefined)
      throw new ShopaiError("usage", "--where filters a table, and none is named", {
        try: `shopai predict ${path} table.parquet --where …`,
      });
    const engine = await run.engine();
    const rows =
      tables.length > 0 ? await openTable(engine, tables, { ...o, signal: run.signal }) : undefined;
    const opened = async (path: string | undefined): Promise<Relation | undefined> =>
      path === undefined
        ? undefined
        : openTable(engine, [path], { ...o, where: undefined, signal: run.signal });
    const history = await opened(o.history);
    const background = await opened(o.background);
    const answers = o.similar
      ? await model.similar!(rows, o, run)
      : await model.predict(rows, { ...o, history, background, rules }, run);
    const changed =
      o.counterfactual && rows
        ? await (
            await import("../src/learners/counterfactual.js")
          ).withCounterfactuals(model, rows, answers, { freeze: o.freeze, background }, run)
        : answers;
    const predictions = await materialised(changed, "predictions");
    const card = { path: join(path, "model.json"), sha256: await sha256OfFile(join(path, "model.json")) };
    const provenance = provenanceOf("predict", telling(predict, o), o.seed, [
      card,
      ...(rows?.inputs ?? []),
      ...(history?.inputs ?? []),
      ...(background?.inputs ?? []),
    ]);
    const written = await writeTable(predictions, out, provenance, o);
    const head = await engine.rows<Record<string, Cell>>(`${selectOrdered(predictions)} LIMIT 5`);
    return {
      json: {
        out,
        rows: written.rows,
        learner,
        task,
        columns: predictions.schema,
      },
      blocks: [
        { kind: "title", text: `${learner}: ${grouped(written.rows)} predictions → ${out}` },
        {
          kind: "table",
          head: predictions.schema.map((field) => field.name),
          rows: head.map((row) => predictions.schema.map((field) => row[field.name])),
        },
      ],
      wroteStdout: out === "-",
    };
  },
});
export default predict;

const outOf = ({ out }: { out?: string }): string => outNeeded(out, "predict", predict.examples[0]);

type RuleOptions = {
  items?: string;
  require?: string;
  cap: Record<string, string | number | boolean>;
  boost: Record<string, string | number | boolean>;
  diversity?: number;
  candidates?: number;
};

/** The rules of a call, or undefined when it names none. @throws ShopaiError "usage" for numbers out of range */
async function rulesOf(o: RuleOptions & OpenOptions, run: Run): Promise<Rules | undefined> {
  const names = ruleNames(o);
  if (names.length === 0) return undefined;
  for (const [column, most] of Object.entries(o.cap))
    if (typeof most !== "number" || !Number.isInteger(most) || most < 1)
      throw new ShopaiError("usage", `--cap ${column} must be an integer >= 1, got ${most}`, {
        try: `--cap ${column}=2`,
      });
  for (const [column, weight] of Object.entries(o.boost))
    if (typeof weight !== "number" || weight < -1)
      throw new ShopaiError("usage", `--boost ${column} must be a number >= -1, got ${weight}`, {
        try: `--boost ${column}=0.2`,
      });
  const items =
    o.items === undefined
      ? undefined
      : await openTable(await run.engine(), [o.items], { ...o, where: undefined, signal: run.signal });
  return {
    items,
    require: o.require,
    caps: o.cap as Record<string, number>,
    boosts: o.boost as Record<string, number>,
    diversity: o.diversity,
    candidates: o.candidates,
  };
}

function ruleNames(o: RuleOptions): string[] {
  return [
    ...(o.require === undefined ? [] : ["--require"]),
    ...(Object.keys(o.cap).length === 0 ? [] : ["--cap"]),
    ...(Object.keys(o.boost).length === 0 ? [] : ["--boost"]),
    ...(o.diversity === undefined ? [] : ["--diversity"]),
    ...(o.items === undefined ? [] : ["--items"]),
    ...(o.candidates === undefined ? [] : ["--candidates"]),
  ];
}

/** Answers stdin line by line until it ends. */
async function streamed(
  model: Model,
  o: Omit<Ask, "history" | "background"> & { in: string[]; similar: boolean; out?: string; where?: string },
  run: Run,
): Promise<Result> {
  const [path, table] = o.in;
  const other = table ?? (o.out === undefined ? undefined : `-o ${o.out}`) ?? (o.where && "--where");
  if (other !== undefined)
    throw new ShopaiError(
      "usage",
      `--stream reads stdin and writes stdout, and ${other} is given beside it`,
      {
        where: path,
        try: `shopai predict ${path} --stream < requests.ndjson`,
      },
    );
  const { k, includeSeen, explain, reasons, contributions, keep, similar, rules } = o;
  const asked = { k, includeSeen, explain, reasons, contributions, keep, similar, rules };
  run.progress.stage("answering the lines of stdin");
  const { answered, refused } = await streamLines(await answererOf(model, asked, run), run.signal);
  run.progress.done(`${grouped(answered)} answers`);
  if (refused > 0)
    run.warn(`${grouped(refused)} of ${grouped(answered)} requests got an error for an answer`);
  return {
    json: { answered, refused },
    blocks: [{ kind: "title", text: `${model.card.learner}: ${grouped(answered)} answers` }],
    wroteStdout: true,
  };
}

/** Refuses what goes with recommendations on other models, and what does not go together. */
function refuseForeign(
  o: Pick<Ask, "k" | "includeSeen" | "explain" | "reasons" | "contributions" | "keep"> &
    RuleOptions & {
      similar: boolean;
      stream: boolean;
      history?: string;
      background?: string;
      counterfactual: boolean;
      freeze?: readonly string[];
    },
  task: Task,
  path: string,
): void {
  const given = [
    ...(o.k !== undefined ? ["--k"] : []),
    ...(o.includeSeen ? ["--include-seen"] : []),
    ...(o.similar ? ["--similar"] : []),
    ...(o.history !== undefined ? ["--history"] : []),
    ...ruleNames(o),
  ];
  if (task !== "recommendation" && given.length > 0)
    throw new ShopaiError("usage", `${given[0]} is for recommendations, and ${path} is a model for ${task}`, {
      where: path,
      try: "leaving it out",
    });
  const detail =
    (o.reasons !== undefined && "--reasons") ||
    (o.contributions && "--contributions") ||
    (o.background !== undefined && !o.counterfactual && "--background");
  if (detail && task === "recommendation")
    throw new ShopaiError("usage", `${detail} is about scores of rows, and ${path} is a model for ${task}`, {
      where: path,
      try: "--explain alone",
    });
  if (detail && !o.explain)
    throw new ShopaiError("usage", `${detail} goes with --explain`, { try: `--explain ${detail}` });
  const beside = [...given, ...(o.explain ? ["--explain"] : []), ...(o.keep ? ["--keep"] : [])].find(
    (name) => name !== "--similar" && name !== "--k",
  );
  if (o.freeze && !o.counterfactual)
    throw new ShopaiError("usage", "--freeze goes with --counterfactual", { try: "--counterfactual" });
  if (o.counterfactual && (task !== "classification" || o.stream))
    throw new ShopaiError(
      "usage",
      o.stream
        ? "--counterfactual looks at many rows, and --stream answers line by line"
        : `--counterfactual turns decisions, and ${path} is a model for ${task}`,
      { where: path, try: "leaving it out" },
    );
  if (o.stream && o.background !== undefined)
    throw new ShopaiError("usage", "--background is for tables, and --stream answers line by line", {
      try: "--explain without --background",
    });
  if (o.stream && o.history !== undefined)
    throw new ShopaiError("usage", "--history is a table, and with --stream the requests hold it", {
      try: `{"user": 7, "item": ["newest last"]}`,
    });
  if (o.similar && beside !== undefined)
    throw new ShopaiError("usage", `${beside} is about users, and --similar about items`, {
      try: "one of the two",
    });
}

import { ShopaiError } from "../src/core/errors.js";
import { grouped } from "../src/core/quantity.js";
import { crossValidated, type CrossValidation } from "../src/learners/cross-validation.js";
import { roleHelp, type RoleName, type Roles } from "../src/learners/learner.js";
import { parametersText } from "../src/learners/listing.js";
import { learnerNamed, learnerNames } from "../src/learners/registry.js";
import { trainModel } from "../src/learners/training.js";
import { defineCommand, option, readingOptions, type Block, type Cell } from "../src/pipeline/command.js";
import { openTable } from "../src/table/open.js";
import { summaries } from "./summaries.js";

const role = (name: RoleName) => option.text(roleHelp[name], { arg: "<column>" }).optional();
const roleOptions = {
  target: role("target"),
  user: role("user"),
  item: role("item"),
  rating: role("rating"),
  time: role("time"),
  weight: role("weight"),
};

export default defineCommand({
  name: "train",
  summary: summaries.train,
  inputs: {
    usage: "<learner> <table...>",
    min: 2,
    max: Infinity,
    help: "the learner, then the tables to learn from",
    choices: learnerNames,
  },
  examples: [
    "shopai train ease interactions.csv --where \"split = 'train'\" --user user --item item -o model/",
    "shopai train logistic sessions.parquet --target bought --features 'page_*,visitor' -o model/ --param lambda=0.1",
    "shopai train ease --help",
  ],
  options: {
    out: option.path("model folder to write", { short: "o" }),
    ...roleOptions,
    task: option
      .choice("for learners of several tasks (default: the target tells)", ["classification", "regression"])
      .optional(),
    features: option
      .names("feature columns: names and globs, -name excludes (default: all but the roles and split)")
      .optional(),
    positive: option.text("the class that score is the probability of", { arg: "<class>" }).optional(),
    cv: option
      .integer("also measure by cross-validation with so many folds; the model is trained on all rows", {
        min: 2,
        max: 100,
      })
      .optional(),
    param: option.pairs("parameter of the learner, repeatable").default({}),
    ...readingOptions,
  },
  reads: (o) => o.in.slice(1),
  writes: (o) => [o.out],
  moreHelp: async ([name]) => (name === undefined ? undefined : parametersText(await learnerNamed(name))),
  async run(o, run) {
    const [name, ...tables] = o.in;
    if (!learnerNames.includes(name) && /[./\\]/.test(name))
      throw new ShopaiError("usage", `the learner comes first, before ${name}`, { try: "shopai learners" });
    const learner = await learnerNamed(name);
    const table = await openTable(await run.engine(), tables, { ...o, signal: run.signal });
    const roles = Object.fromEntries(
      (Object.keys(roleOptions) as RoleName[]).map((known) => [known, o[known]]),
    ) as Roles;
    const ask = { ...o, roles, params: o.param };
    const cv = o.cv === undefined ? undefined : await crossValidated(learner, table, ask, o.cv, run);
    const model = await trainModel(learner, table, { ...ask, about: cv && { cv } }, run);
    await model.save(o.out);
    const { card } = model;
    return {
      json: {
        model: o.out,
        learner: card.learner,
        task: card.task,
        rows: card.rows,
        features: card.features.map((field) => field.name),
        target: card.target?.name,
        classes: card.classes,
        positive: card.positive,
        params: card.params,
        seed: card.seed,
        about: card.about,
      },
      blocks: [
        { kind: "title", text: `${card.learner}: ${grouped(card.rows)} rows → ${o.out}` },
        {
          kind: "pairs",
          rows: [
            ...(card.positive === undefined ? [] : [["positive class", card.positive] as [string, string]]),
            ...Object.entries(card.params).map(([key, value]) => [`--param ${key}`, value] as [string, Cell]),
            ...Object.entries(card.about).filter(
              (entry): entry is [string, number | string | boolean] => typeof entry[1] !== "object",
            ),
          ],
        },
        ...(cv ? foldBlocks(cv) : []),
      ],
    };
  },
});

function foldBlocks({ folds, metrics }: CrossValidation): Block[] {
  return [
    { kind: "title", text: `Cross-validation with ${folds} folds` },
    {
      kind: "table",
      head: ["metric", "mean", "deviation"],
      rows: Object.entries(metrics).map(([name, { mean, std }]) => [name, mean, std]),
    },
  ];
}

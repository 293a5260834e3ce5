import { ShopaiError, nearest } from "../src/core/errors.js";
import type { Run } from "../src/engine/run.js";
import {
  defineCommand,
  option,
  readingOptions,
  type OptionsOf,
  type Result,
} from "../src/pipeline/command.js";
import { explainModel, exportModel, importModel } from "../src/cli/model-exchange.js";
import { exportFormats } from "../src/learners/gbdt/exchange/formats.js";
import { formatNames } from "../src/table/format.js";
import { championPath, list, promote, rollBack, show } from "../src/cli/model-actions.js";
import { summaries } from "./summaries.js";

const options = {
  out: option
    .path("export, import, explain: file, model folder or table to write", { short: "o" })
    .optional(),
  registry: option.path("folder of the registry (default: .shopai/models)", { arg: "<folder>" }).optional(),
  name: option.text("promote: name of the model in the registry", { arg: "<name>" }).optional(),
  rules: option
    .path("promote: when a model may become champion (docs/registry.md)", { arg: "<yaml>" })
    .optional(),
  keepChampion: option
    .flag("promote: end with 0 when the rules say no and the champion stays")
    .default(false),
  again: option.flag("promote: also a version that was rolled back").default(false),
  to: option.integer("rollback: the version (default: the champion before)", { min: 1 }).optional(),
  now: option
    .text("promote: the time that ages are measured at (default: the clock)", { arg: "<time>" })
    .optional(),
  lockTimeout: option
    .real("seconds to wait for another change of the model (default: 0 on a terminal, 600 elsewhere)", {
      min: 0,
      arg: "<seconds>",
    })
    .optional(),
  target: option.text("import: name of the column that is predicted", { arg: "<column>" }).optional(),
  classes: option
    .names("import: names of the classes, in the order of their numbers (default: 0,1,…)")
    .optional(),
  positive: option
    .text("import: the class that score is the probability of (default: the second)", { arg: "<class>" })
    .optional(),
  features: option
    .names("import: names of the feature columns, in their order; explain: features to vary (default: all)")
    .optional(),
  grid: option.integer("explain: values of every feature (default: 20)", { min: 1, max: 1000 }).optional(),
  rows: option
    .integer("explain: rows to average over, drawn by the seed (default: 1000)", { min: 1 })
    .optional(),
  ice: option.integer("explain: rows whose own curves are given too (default: 0)", { min: 0 }).optional(),
  ...readingOptions,
  format: option
    .choice("export: format to write; else format of stdin, or of files whose ending does not tell", [
      ...exportFormats,
      ...formatNames,
    ])
    .optional(),
};
export type ModelsOptions = OptionsOf<typeof options>;

/** What `models` does, by its first word; each gets the words after it. */
interface Action {
  usage: string;
  min: number;
  max: number;
  reads?(o: ModelsOptions): string[];
  writes?(o: ModelsOptions): string[];
  run(words: string[], o: ModelsOptions, run: Run): Promise<Result>;
}

const paths = (o: ModelsOptions): string[] => o.in.slice(1);
const out = (o: ModelsOptions): string[] => (o.out === undefined ? [] : [o.out]);

const actions: Record<string, Action> = {
  list: { usage: "list", min: 0, max: 0, run: list },
  show: { usage: "show <name> [version]", min: 1, max: 2, run: show },
  promote: {
    usage: "promote <model> <table...>",
    min: 2,
    max: Infinity,
    reads: (o) => [...o.in.slice(1), ...(o.rules === undefined ? [] : [o.rules])],
    writes: (o) => (o.name === undefined ? [] : [championPath(o, o.name)]),
    run: promote,
  },
  rollback: { usage: "rollback <name>", min: 1, max: 1, run: rollBack },
  export: { usage: "export <model>", min: 1, max: 1, reads: paths, writes: out, run: exportModel },
  import: { usage: "import <file>", min: 1, max: 1, reads: paths, writes: out, run: importModel },
  explain: {
    usage: "explain <model> <table...>",
    min: 2,
    max: Infinity,
    reads: paths,
    writes: out,
    run: explainModel,
  },
};

export default defineCommand({
  name: "models",
  summary: summaries.models,
  inputs: {
    usage: `<${Object.keys(actions).join("|")}> [...]`,
    min: 1,
    max: Infinity,
    help: Object.values(actions)
      .map(({ usage }) => usage)
      .join("; "),
    choices: Object.keys(actions),
  },
  examples: [
    "shopai models promote model/ test.parquet --name conversion --rules promotion.yaml",
    "shopai models list",
    "shopai models show conversion",
    "shopai models rollback conversion",
    "shopai models export model/ --format onnx -o model.onnx",
    "shopai models import booster.json -o model/ --target bought --classes no,yes",
    "shopai models explain model/ orders.parquet --features price,country -o effects.parquet",
  ],
  options,
  reads: (o) => actions[o.in[0]]?.reads?.(o) ?? [],
  writes: (o) => actions[o.in[0]]?.writes?.(o) ?? [],
  effects: true,
  async run(o, run) {
    const [word, ...words] = o.in;
    const action = actions[word];
    if (!Object.hasOwn(actions, word))
      throw new ShopaiError("usage", `models has no action "${word}"`, {
        try: nearest(word, Object.keys(actions)) ?? `one of ${Object.keys(actions).join(", ")}`,
      });
    if (words.length < action.min || words.length > action.max)
      throw new ShopaiError(
        "usage",
        `models ${word} takes ${action.usage.slice(word.length + 1) || "no name (--registry <folder> says where to look)"}`,
        {
          try: `shopai models ${action.usage}`,
        },
      );
    return action.run(words, o, run);
  },
});

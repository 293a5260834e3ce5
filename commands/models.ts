import { ShopaiError, nearest } from "../src/core/errors.js";
import type { Run } from "../src/engine/run.js";
import {
  defineCommand,
  option,
  readingOptions,
  type OptionsOf,
  type Result,
} from "../src/pipeline/command.js";
import { list, promote, rollBack, show } from "../src/cli/model-actions.js";
import { summaries } from "./summaries.js";

const options = {
  registry: option.path("folder of the registry (default: .shopai/models)", { arg: "<folder>" }).optional(),
  name: option.text("promote: name of the model in the registry", { arg: "<name>" }).optional(),
  rules: option
    .path("promote: when a model may become champion (docs/registry.md)", { arg: "<yaml>" })
    .optional(),
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
  ...readingOptions,
};
export type ModelsOptions = OptionsOf<typeof options>;

/** What `models` does, by its first word; each gets the words after it. */
interface Action {
  usage: string;
  min: number;
  max: number;
  reads?(o: ModelsOptions): string[];
  run(words: string[], o: ModelsOptions, run: Run): Promise<Result>;
}

const actions: Record<string, Action> = {
  list: { usage: "list", min: 0, max: 0, run: list },
  show: { usage: "show <name> [version]", min: 1, max: 2, run: show },
  promote: {
    usage: "promote <model> <table...>",
    min: 2,
    max: Infinity,
    reads: (o) => [...o.in.slice(1), ...(o.rules === undefined ? [] : [o.rules])],
    run: promote,
  },
  rollback: { usage: "rollback <name>", min: 1, max: 1, run: rollBack },
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
  ],
  options,
  reads: (o) => actions[o.in[0]]?.reads?.(o) ?? [],
  writes: () => [],
  async run(o, run) {
    const [word, ...words] = o.in;
    const action = actions[word];
    if (!Object.hasOwn(actions, word))
      throw new ShopaiError("usage", `models has no action "${word}"`, {
        try: nearest(word, Object.keys(actions)) ?? `one of ${Object.keys(actions).join(", ")}`,
      });
    if (words.length < action.min || words.length > action.max)
      throw new ShopaiError("usage", `models ${word} takes ${action.usage.replace(`${word} `, "")}`, {
        try: `shopai models ${action.usage}`,
      });
    return action.run(words, o, run);
  },
});

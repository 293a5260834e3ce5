import { readFileSync, writeFileSync } from "node:fs";
import { nearest, ShopaiError } from "../src/core/errors.js";
import { grouped } from "../src/core/quantity.js";
import { exported, exportFormats, imported } from "../src/learners/gbdt/exchange/exchange.js";
import { loadModel } from "../src/learners/model.js";
import { writeModelFolder } from "../src/learners/model-folder.js";
import { defineCommand, option, OptionError, type Result } from "../src/pipeline/command.js";
import { writeAtomically } from "../src/table/atomic.js";
import { summaries } from "./summaries.js";

const models = defineCommand({
  name: "models",
  summary: summaries.models,
  inputs: {
    usage: "export|import <path>",
    min: 2,
    max: 2,
    help: "export and a model folder, or import and a file that XGBoost or LightGBM saved",
    choices: ["export", "import"],
  },
  examples: [
    "shopai models export model/ --format xgboost -o model.json",
    "shopai models export model/ --format onnx -o model.onnx",
    "shopai models import booster.json -o model/ --target bought --classes no,yes",
  ],
  options: {
    out: option.path("file, or model folder, to write", { short: "o" }),
    format: option.choice("export: format to write", exportFormats).optional(),
    target: option.text("import: name of the column that is predicted", { arg: "<column>" }).optional(),
    classes: option
      .names("import: names of the classes, in the order of their numbers (default: 0,1,…)")
      .optional(),
    positive: option
      .text("import: the class that score is the probability of (default: the second)", { arg: "<class>" })
      .optional(),
    features: option.names("import: names of the feature columns, in their order").optional(),
  },
  reads: (o) => o.in.slice(1),
  writes: (o) => [o.out],
  async run(o) {
    const [action, path] = o.in;
    if (!Object.hasOwn(actions, action)) throw unknownAction(action);
    return actions[action](path, o);
  },
});
export default models;

interface Asked {
  out: string;
  seed: number;
  format?: (typeof exportFormats)[number];
  target?: string;
  classes?: string[];
  positive?: string;
  features?: string[];
}

const actions: Record<string, (path: string, o: Asked) => Promise<Result>> = {
  async export(path, o) {
    const { format, out } = o;
    if (format === undefined)
      throw new OptionError("format", "missing", "models export needs --format <xgboost|lightgbm|onnx>", {
        try: models.examples[0],
      });
    refuse(o, ["target", "classes", "positive", "features"], "import");
    const model = await loadModel(path);
    const content = exported(model, format, path);
    await writeAtomically(out, async (temporary) => writeFileSync(temporary, content));
    const bytes = Buffer.byteLength(content);
    return {
      json: { out, format, bytes, learner: model.card.learner },
      blocks: [{ kind: "title", text: `${path} → ${out} (${format}, ${grouped(bytes)} bytes)` }],
    };
  },
  async import(path, o) {
    refuse(o, ["format"], "export");
    const { card, tool, save } = imported(readModelFile(path), path, o);
    await writeModelFolder(o.out, card, save);
    return {
      json: { model: o.out, from: tool, task: card.task, features: card.features, classes: card.classes },
      blocks: [
        { kind: "title", text: `${path} (${tool}) → ${o.out}` },
        {
          kind: "pairs",
          rows: [
            ["task", card.task],
            ["features", card.features.length],
            ["trees", card.about.trees as number],
            ...(card.classes ? ([["classes", card.classes.join(", ")]] as [string, string][]) : []),
          ],
        },
      ],
    };
  },
};

function readModelFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new ShopaiError("model", "there is no file to import", {
      where: path,
      try: "a file that XGBoost or LightGBM saved",
      cause,
    });
  }
}

function refuse(o: Asked, names: readonly (keyof Asked)[], action: string): void {
  const given = names.find((name) => o[name] !== undefined);
  if (given) throw new ShopaiError("usage", `--${given} is for models ${action}`, { try: "leaving it out" });
}

function unknownAction(action: string): ShopaiError {
  const known = Object.keys(actions);
  return new ShopaiError("usage", `models has no action "${action}" (it has ${known.join(", ")})`, {
    try: `shopai models ${nearest(action, known) ?? known[0]}`,
  });
}

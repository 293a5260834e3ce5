import { readFileSync, writeFileSync } from "node:fs";
import { nearest, ShopaiError } from "../src/core/errors.js";
import { grouped } from "../src/core/quantity.js";
import type { Run } from "../src/engine/run.js";
import { effects } from "../src/learners/effects.js";
import { exported, exportFormats, imported } from "../src/learners/gbdt/exchange/exchange.js";
import { loadModel } from "../src/learners/model.js";
import { writeModelFolder } from "../src/learners/model-folder.js";
import {
  defineCommand,
  option,
  OptionError,
  readingOptions,
  telling,
  type Cell,
  type Result,
} from "../src/pipeline/command.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { selectOrdered } from "../src/table/relation.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const models = defineCommand({
  name: "models",
  summary: summaries.models,
  inputs: {
    usage: "export|import|explain <path> [table...]",
    min: 2,
    max: Infinity,
    help: "export and a model folder; import and a file that XGBoost or LightGBM saved; explain, a model folder and tables",
    choices: ["export", "import", "explain"],
  },
  examples: [
    "shopai models export model/ --format xgboost -o model.json",
    "shopai models export model/ --format onnx -o model.onnx",
    "shopai models import booster.json -o model/ --target bought --classes no,yes",
    "shopai models explain model/ orders.parquet --features price,country -o effects.parquet",
  ],
  options: {
    out: option.path("file, table or model folder to write", { short: "o" }),
    format: option.choice("export: format to write", exportFormats).optional(),
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
    where: readingOptions.where,
  },
  reads: (o) => o.in.slice(1),
  writes: (o) => [o.out],
  async run(o, run) {
    const [action, path, ...tables] = o.in;
    if (!Object.hasOwn(actions, action)) throw unknownAction(action);
    if (action !== "explain" && tables.length > 0)
      throw new ShopaiError("usage", `models ${action} takes one path, got ${tables.length + 1}`, {
        try: models.examples[0],
      });
    return actions[action]([path, ...tables], o, run);
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
  grid?: number;
  rows?: number;
  ice?: number;
  where?: string;
}

const ofExport = ["format"] as const;
const ofImport = ["target", "classes", "positive"] as const;
const ofExplain = ["grid", "rows", "ice", "where"] as const;

const actions: Record<string, (paths: string[], o: Asked, run: Run) => Promise<Result>> = {
  async export([path], o) {
    const { format, out } = o;
    if (format === undefined)
      throw new OptionError("format", "missing", "models export needs --format <xgboost|lightgbm|onnx>", {
        try: models.examples[0],
      });
    refuse(o, [...ofImport, ...ofExplain, "features"], "export");
    const model = await loadModel(path);
    const content = exported(model, format, path);
    await writeAtomically(out, async (temporary) => writeFileSync(temporary, content));
    const bytes = Buffer.byteLength(content);
    return {
      json: { out, format, bytes, learner: model.card.learner },
      blocks: [{ kind: "title", text: `${path} → ${out} (${format}, ${grouped(bytes)} bytes)` }],
    };
  },
  async import([path], o) {
    refuse(o, [...ofExport, ...ofExplain], "import");
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
  async explain([path, ...tables], o, run) {
    refuse(o, [...ofExport, ...ofImport], "explain");
    if (tables.length === 0)
      throw new ShopaiError("usage", "models explain needs a table to average over", {
        where: path,
        try: `shopai models explain ${path} table.parquet -o ${o.out}`,
      });
    const model = await loadModel(path);
    const rows = await openTable(await run.engine(), tables, { where: o.where, signal: run.signal });
    const ask = { features: o.features, grid: o.grid ?? 20, rows: o.rows ?? 1000, ice: o.ice ?? 0 };
    const found = await effects(model, rows, ask, run);
    const provenance = provenanceOf("models", telling(models, { ...o }), o.seed, rows.inputs);
    const written = await writeTable(found, o.out, provenance, {});
    const head = await found.engine.rows<Record<string, Cell>>(`${selectOrdered(found)} LIMIT 10`);
    return {
      json: { out: o.out, rows: written.rows, columns: found.schema },
      blocks: [
        { kind: "title", text: `${path}: effects of its features → ${o.out}` },
        {
          kind: "table",
          head: found.schema.map(({ name }) => name),
          rows: head.map((row) => found.schema.map(({ name }) => row[name])),
        },
      ],
      wroteStdout: o.out === "-",
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

/** Refuses what goes with the other actions. */
function refuse(o: Asked, names: readonly (keyof Asked)[], action: string): void {
  const given = names.find((name) => o[name] !== undefined);
  if (given)
    throw new ShopaiError("usage", `models ${action} has no option --${given}`, { try: "leaving it out" });
}

function unknownAction(action: string): ShopaiError {
  const known = Object.keys(actions);
  return new ShopaiError("usage", `models has no action "${action}" (it has ${known.join(", ")})`, {
    try: `shopai models ${nearest(action, known) ?? known[0]}`,
  });
}

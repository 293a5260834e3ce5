import { readFileSync, writeFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { effects } from "../learners/effects.js";
import { exported, exportFormats, imported } from "../learners/gbdt/exchange/exchange.js";
import { loadModel } from "../learners/model.js";
import { writeModelFolder } from "../learners/model-folder.js";
import { OptionError, type Cell, type Result } from "../pipeline/command.js";
import { writeAtomically } from "../table/atomic.js";
import { openTable } from "../table/open.js";
import { provenanceOf } from "../table/provenance.js";
import { selectOrdered } from "../table/relation.js";
import { writeTable } from "../table/write.js";

interface Asked {
  out?: string;
  seed: number;
  format?: string;
  target?: string;
  classes?: string[];
  positive?: string;
  features?: string[];
  grid?: number;
  rows?: number;
  ice?: number;
  where?: string;
}

const ofImport = ["target", "classes", "positive"] as const;
const ofExplain = ["grid", "rows", "ice", "where"] as const;

/** Where the action writes. @throws ShopaiError "usage" when that was not said */
function outOf(o: Asked, action: string): string {
  if (o.out !== undefined) return o.out;
  throw new OptionError("out", "missing", `models ${action} needs -o, --out <path>`, {
    try: `shopai models ${action} … -o <path>`,
  });
}

/** `models export`: a model of trees as a file of another tool. */
export async function exportModel([path]: string[], o: Asked): Promise<Result> {
  const out = outOf(o, "export");
  const format = exportFormats.find((name) => name === o.format);
  if (format === undefined)
    throw new OptionError("format", "missing", "models export needs --format <xgboost|lightgbm|onnx>", {
      try: "shopai models export model/ --format xgboost -o model.json",
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
}

/** `models import`: a file of XGBoost or LightGBM as a model folder. */
export async function importModel([path]: string[], o: Asked): Promise<Result> {
  const out = outOf(o, "import");
  refuse(o, ["format", ...ofExplain], "import");
  const { card, tool, save } = imported(readModelFile(path), path, o);
  await writeModelFolder(out, card, save);
  return {
    json: { model: out, from: tool, task: card.task, features: card.features, classes: card.classes },
    blocks: [
      { kind: "title", text: `${path} (${tool}) → ${out}` },
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
}

/** `models explain`: what a model answers as one feature after the other varies. */
export async function explainModel(
  [path, ...tables]: string[],
  o: Asked,
  run: Run,
  told: Record<string, unknown>,
): Promise<Result> {
  const out = outOf(o, "explain");
  refuse(o, ["format", ...ofImport], "explain");
  const model = await loadModel(path);
  const rows = await openTable(await run.engine(), tables, { where: o.where, signal: run.signal });
  const ask = { features: o.features, grid: o.grid ?? 20, rows: o.rows ?? 1000, ice: o.ice ?? 0 };
  const found = await effects(model, rows, ask, run);
  const provenance = provenanceOf("models", told, o.seed, rows.inputs);
  const written = await writeTable(found, out, provenance, {});
  const head = await found.engine.rows<Record<string, Cell>>(`${selectOrdered(found)} LIMIT 10`);
  return {
    json: { out: out, rows: written.rows, columns: found.schema },
    blocks: [
      { kind: "title", text: `${path}: effects of its features → ${out}` },
      {
        kind: "table",
        head: found.schema.map(({ name }) => name),
        rows: head.map((row) => found.schema.map(({ name }) => row[name])),
      },
    ],
    wroteStdout: out === "-",
  };
}

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

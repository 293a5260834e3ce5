import { readFileSync, writeFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { effects } from "../learners/effects.js";
import { exported, imported } from "../learners/gbdt/exchange/exchange.js";
import { exportFormats, type ExportFormat } from "../learners/gbdt/exchange/formats.js";
import { loadModel } from "../learners/model.js";
import { writeModelFolder } from "../learners/model-folder.js";
import { OptionError, outNeeded, type Cell, type Result } from "../pipeline/command.js";
import { writeAtomically } from "../table/atomic.js";
import { openTable } from "../table/open.js";
import { provenanceOf } from "../table/provenance.js";
import { selectOrdered } from "../table/relation.js";
import { writeTable } from "../table/write.js";

interface Options {
  out?: string;
  seed: number;
  format?: string;
  encoding?: string;
  delimiter?: string;
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

/** `models export <model>`: trees in the format of another tool. */
export async function exportModel([path]: string[], o: Options): Promise<Result> {
  const out = outOf(o, "export", `--format xgboost -o model.json`);
  const format = exportFormats.find((name) => name === o.format);
  if (format === undefined)
    throw new OptionError(
      "format",
      o.format === undefined ? "missing" : "value",
      `models export needs --format ${exportFormats.join("|")}`,
      { try: `shopai models export ${path} --format xgboost -o ${out}` },
    );
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

/** `models import <file>`: a model of XGBoost or LightGBM as a model folder. */
export async function importModel([path]: string[], o: Options): Promise<Result> {
  const out = outOf(o, "import", "-o model/");
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

/** `models explain <model> <table...>`: what each feature does to the predictions. */
export async function explainModel([path, ...tables]: string[], o: Options, run: Run): Promise<Result> {
  const out = outOf(o, "explain", "table.parquet -o effects.parquet");
  refuse(o, ofImport, "explain");
  if (exportFormats.includes(o.format as ExportFormat))
    throw new ShopaiError("usage", `--format ${o.format} is for models export`, { try: "leaving it out" });
  const model = await loadModel(path);
  const rows = await openTable(await run.engine(), tables, { ...o, signal: run.signal });
  const ask = { features: o.features, grid: o.grid ?? 20, rows: o.rows ?? 1000, ice: o.ice ?? 0 };
  const found = await effects(model, rows, ask, run);
  const provenance = provenanceOf("models", { explain: path, ...ask, where: o.where }, o.seed, rows.inputs);
  const written = await writeTable(found, out, provenance, {});
  const head = await found.engine.rows<Record<string, Cell>>(`${selectOrdered(found)} LIMIT 10`);
  return {
    json: { out, rows: written.rows, columns: found.schema },
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

const outOf = ({ out }: Options, action: string, example: string): string =>
  outNeeded(out, `models ${action}`, `shopai models ${action} … ${example}`);

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
function refuse(o: Options, names: readonly (keyof Options)[], action: string): void {
  const given = names.find((name) => o[name] !== undefined);
  if (given)
    throw new ShopaiError("usage", `models ${action} has no option --${given}`, { try: "leaving it out" });
}

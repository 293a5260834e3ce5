import { ShopaiError } from "../../../core/errors.js";
import { sha256 } from "../../../core/hash.js";
import { version } from "../../../core/version.js";
import type { Field } from "../../../engine/engine.js";
import type { Fitted, ModelCard } from "../../learner.js";
import { formatVersion, type FolderWriter } from "../../model-folder.js";
import { saveTrees, type TreeModel } from "../trees.js";
import type { ForeignModel, Passport } from "./foreign.js";
import type { ExportFormat } from "./formats.js";
import { readLightgbm } from "./lightgbm-in.js";
import { writeLightgbm } from "./lightgbm-out.js";
import { writeOnnx } from "./onnx-out.js";
import { readXgboost } from "./xgboost-in.js";
import { writeXgboost } from "./xgboost-out.js";

const writers: Record<ExportFormat, (model: TreeModel, passport: Passport) => string | Uint8Array> = {
  xgboost: writeXgboost,
  lightgbm: writeLightgbm,
  onnx: writeOnnx,
};

/**
 * A model of trees in the format of another tool.
 *
 * @param path the model folder, for the errors
 * @throws ShopaiError "model" for a model without trees
 */
export function exported(
  { card, trees }: { card: ModelCard } & Pick<Fitted, "trees">,
  format: ExportFormat,
  path: string,
): string | Uint8Array {
  if (!trees)
    throw new ShopaiError("model", `${card.learner} has no trees, and only trees can be exported`, {
      where: path,
      try: "a model of gbdt or forest",
    });
  const { learner, task, features, target, classes, positive } = card;
  if (task !== "classification" && task !== "regression" && task !== "ranking")
    throw new ShopaiError(
      "model",
      `scores of ${learner} are made of lengths of paths, which other tools do not know`,
      { where: path, try: "a model of gbdt or forest" },
    );
  return writers[format](trees, {
    learner,
    task,
    columns: [...trees.columns],
    objective: trees.objective,
    features: [...features],
    target,
    classes: classes && [...classes],
    positive,
  });
}

/** What a user says of a foreign model, whose file does not tell it. */
export interface ImportAsk {
  /** Name of the column that was predicted; "target" by default. */
  target?: string;
  /** Names of the classes in the order of their numbers; 0, 1, … by default. */
  classes?: readonly string[];
  positive?: string;
  /** Names of the columns, in their order; those of the file by default. */
  features?: readonly string[];
  seed: number;
}

/** A model that came from another tool: its card, and the files beside it. */
export interface Imported {
  card: ModelCard;
  tool: string;
  save(folder: FolderWriter): void;
}

/**
 * Reads a model of XGBoost (JSON, UBJSON) or LightGBM (text) as one of ours.
 *
 * @throws ShopaiError "model" when the file is damaged or cannot be run here, "usage" when names do not fit it
 */
export function imported(content: Uint8Array, path: string, ask: ImportAsk): Imported {
  const found = read(content, path);
  const { passport } = found;
  const columns = renamed(found.model.columns, ask.features, path);
  const model = { ...found.model, columns };
  const features: Field[] =
    passport && !ask.features
      ? passport.features
      : columns.map(({ name, kind }) => ({ name, type: kind === "number" ? "DOUBLE" : "VARCHAR" }));
  const { classes, positive } = classesOf(found, ask);
  const target = targetOf(found, classes, ask);
  const card: ModelCard = {
    format: "shopai-model",
    format_version: formatVersion,
    version,
    // Forests and boosted trees differ in how they score: what is not ours was boosted.
    learner: passport?.learner ?? "gbdt",
    task: found.task,
    params: {},
    roles: { target: target.name },
    role_types: { target: target.type },
    features,
    target,
    classes,
    positive,
    seed: ask.seed,
    rows: 0,
    inputs: [{ path, sha256: sha256(content) }],
    about: { imported_from: found.tool, objective: model.objective, trees: model.trees.output.length },
    files: {},
  };
  return { card, tool: found.tool, save: (folder) => saveTrees(folder, model) };
}

function read(content: Uint8Array, path: string): ForeignModel {
  const start = Buffer.from(content.subarray(0, 4)).toString("latin1");
  if (content.length === 0) throw foreign("the file is empty", path);
  if (start.startsWith("{")) return readXgboost(content, path);
  if (/^tree[\r\n]?/.test(start))
    return readLightgbm(
      Buffer.from(content.buffer, content.byteOffset, content.length).toString("utf8"),
      path,
    );
  if (start === "binf" || start === "bs64")
    throw foreign(
      "this is a model of XGBoost in its old binary format",
      path,
      'booster.save_model("model.json")',
    );
  throw foreign("this is neither a model of XGBoost (JSON, UBJSON) nor of LightGBM (text)", path);
}

function foreign(
  message: string,
  where: string,
  advice = 'booster.save_model("model.json") in XGBoost, booster.save_model("model.txt") in LightGBM',
): ShopaiError {
  return new ShopaiError("model", message, { where, try: advice });
}

function renamed(
  columns: TreeModel["columns"],
  names: readonly string[] | undefined,
  path: string,
): TreeModel["columns"] {
  if (!names) return columns;
  if (names.length !== columns.length)
    throw new ShopaiError(
      "usage",
      `--features names ${names.length} columns, and the model has ${columns.length}`,
      { where: path, try: "one name per column, in the order of training" },
    );
  return columns.map((column, c) => ({ ...column, name: names[c] }));
}

function classesOf(
  { task, classes: count, passport }: ForeignModel,
  ask: ImportAsk,
): Pick<ModelCard, "classes" | "positive"> {
  if (task !== "classification") {
    const option = ask.classes ? "--classes" : ask.positive !== undefined ? "--positive" : undefined;
    if (option)
      throw new ShopaiError("usage", `${option} is for classification, and the model is for ${task}`, {
        try: "leaving it out",
      });
    return {};
  }
  const classes = ask.classes ?? passport?.classes ?? Array.from({ length: count! }, (_, i) => String(i));
  if (classes.length !== (passport?.classes?.length ?? count))
    throw new ShopaiError("usage", `--classes names ${classes.length} classes, and the model has ${count}`, {
      try: "one name per class, in the order of their numbers",
    });
  if (classes.length > 2) return { classes };
  // Scores are probabilities of the second class, or of the one that our own file says.
  const scored = ask.classes ? classes[1] : (passport?.positive ?? classes[1]);
  if (ask.positive !== undefined && ask.positive !== scored)
    throw new ShopaiError("usage", `the model scores the class ${scored}, not ${ask.positive}`, {
      try: `--positive ${scored}, or --classes in the other order`,
    });
  return { classes, positive: scored };
}

function targetOf({ passport }: ForeignModel, classes: readonly string[] | undefined, ask: ImportAsk): Field {
  const name = ask.target ?? passport?.target?.name ?? "target";
  if (passport?.target && !ask.classes) return { name, type: passport.target.type };
  const whole = classes?.every((text) => /^-?\d{1,15}$/.test(text));
  return { name, type: classes ? (whole ? "BIGINT" : "VARCHAR") : "DOUBLE" };
}

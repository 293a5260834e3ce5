import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import { frameOf, type Relation } from "../table/relation.js";
import { decided } from "./decision.js";
import { checkFeatures, featureAsks } from "./design-matrix.js";
import { drawn } from "./draw.js";
import type { Explainer } from "./explanation.js";
import type { Ask, Fitted, Model, ModelCard } from "./learner.js";
import { readModelFolder, writeModelFolder } from "./model-folder.js";
import { keptNames, readFeatures, readRows, withOwnNames } from "./readings.js";
import { learnerNamed, registry } from "./registry.js";

/** A card and what was fitted, as one model. */
export function modelOf(card: ModelCard, fitted: Fitted): Model {
  let explainer: Promise<Explainer> | undefined;
  const withReasons = async (ask: Ask, run: Run): Promise<Ask> => {
    if (!ask.explain || card.task === "recommendation") return ask;
    const { reasonColumns } = await import("./reasons.js");
    const why = await (explainer ??= explainerOf(card, fitted, ask.background, run));
    const features = readFeatures(card.features, card.readings);
    return { ...ask, also: (frame) => reasonColumns(why, frame, features, ask) };
  };
  return {
    card,
    catalogue: fitted.catalogue,
    scorer: fitted.scorer,
    prepare: fitted.prepare,
    similar: fitted.similar,
    space: fitted.space,
    explainer: fitted.explainer,
    trees: fitted.trees,
    predict: async (given, asked, run) => {
      const { features, readings } = card;
      const rows = given && readRows(given, features, readings);
      const keep = asked.keep ?? [];
      const ask = await withReasons({ ...asked, keep: keptNames(keep, readings) }, run);
      const predictions =
        card.decision && rows
          ? await decided(card, fitted.predict.bind(fitted), rows, ask, run)
          : await fitted.predict(rows, ask, run);
      return withOwnNames(predictions, keep, readings);
    },
    store: (folder) => fitted.save(folder),
    save: (path, beside) =>
      writeModelFolder(path, card, (folder) => {
        fitted.save(folder);
        beside?.(folder);
      }),
  };
}

/** Background rows that a score is compared with at most; more say hardly anything else. */
const mostBackground = 1000;

/** @throws ShopaiError "usage" for a learner that cannot say why */
async function explainerOf(
  { learner, features, readings }: ModelCard,
  { explainer }: Fitted,
  background: Relation | undefined,
  run: Run,
): Promise<Explainer> {
  if (!explainer)
    throw new ShopaiError("usage", `${learner} cannot say what moved a score`, {
      try: "leaving --explain out, or a learner of trees, linear or logistic",
    });
  if (!background) return explainer(run);
  checkFeatures(background, features);
  const read = readRows(await drawn(background, mostBackground, run), features, readings);
  const frame = await frameOf(read, featureAsks(readFeatures(features, readings)));
  if (frame.rows === 0)
    throw new ShopaiError("data", "there are no background rows", { where: background.name });
  return explainer(run, frame);
}

/**
 * Reads a model folder.
 *
 * @throws ShopaiError "model" when it is no model, damaged, of another format version, or by a learner that is not here
 */
export async function loadModel(path: string): Promise<Model> {
  const folder = readModelFolder(path);
  const { learner: name, version } = folder.card;
  if (!Object.hasOwn(registry, name))
    throw new ShopaiError("model", `the model was fitted by the learner "${name}", which is not here`, {
      where: path,
      try: `shopai ${version}`,
    });
  const learner = await learnerNamed(name);
  const { card } = folder;
  const inner = { ...card, features: readFeatures(card.features, card.readings) };
  return modelOf(card, await learner.load({ ...folder, card: inner }));
}

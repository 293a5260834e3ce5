import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import { frameOf, type Relation } from "../table/relation.js";
import { decided } from "./decision.js";
import { checkFeatures, featureAsks } from "./design-matrix.js";
import { drawn } from "./draw.js";
import type { Explainer } from "./explanation.js";
import type { Ask, Fitted, Model, ModelCard } from "./learner.js";
import { readModelFolder, writeModelFolder } from "./model-folder.js";
import { learnerNamed, registry } from "./registry.js";

/** A card and what was fitted, as one model. */
export function modelOf(card: ModelCard, fitted: Fitted): Model {
  let explainer: Promise<Explainer> | undefined;
  const withReasons = async (ask: Ask, run: Run): Promise<Ask> => {
    if (!ask.explain || card.task === "recommendation") return ask;
    const { reasonColumns } = await import("./reasons.js");
    const why = await (explainer ??= explainerOf(card, fitted, ask.background, run));
    return { ...ask, also: (frame) => reasonColumns(why, frame, card.features, ask) };
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
    predict: async (rows, asked, run) => {
      const ask = await withReasons(asked, run);
      return card.decision && rows
        ? decided(card, fitted.predict.bind(fitted), rows, ask, run)
        : fitted.predict(rows, ask, run);
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
  { learner, features }: ModelCard,
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
  const frame = await frameOf(await drawn(background, mostBackground, run), featureAsks(features));
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
  return modelOf(folder.card, await learner.load(folder));
}

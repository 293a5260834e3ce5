import { ShopaiError } from "../core/errors.js";
import { decided } from "./decision.js";
import type { Fitted, Model, ModelCard } from "./learner.js";
import { readModelFolder, writeModelFolder } from "./model-folder.js";
import { learnerNamed, registry } from "./registry.js";

/** A card and what was fitted, as one model. */
export function modelOf(card: ModelCard, fitted: Fitted): Model {
  return {
    card,
    catalogue: fitted.catalogue,
    scorer: fitted.scorer,
    prepare: fitted.prepare,
    similar: fitted.similar,
    space: fitted.space,
    trees: fitted.trees,
    predict: (rows, ask, run) =>
      card.decision && rows
        ? decided(card, fitted.predict.bind(fitted), rows, ask, run)
        : fitted.predict(rows, ask, run),
    store: (folder) => fitted.save(folder),
    save: (path, beside) =>
      writeModelFolder(path, card, (folder) => {
        fitted.save(folder);
        beside?.(folder);
      }),
  };
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

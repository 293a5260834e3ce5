import type { Run } from "../../engine/run.js";
import { rowFloats, type Boosted, type BoostParams, type Watch } from "./boost.js";
import { dealt } from "./labels.js";
import type { Labelled, Objective } from "./objectives.js";
import type { Reading } from "./reading.js";

/** How the trees of a model are drawn and how deep they are, where that is not what all have. */
export type Style = Partial<Pick<BoostParams, "depth" | "drawn" | "treeColumns" | "nodeColumns">>;

/** Boosts a model of all rows but one part, which stops when it does best on that. */
export type Without = (part: number, style?: Style) => Promise<Boosted>;

/** Boosts models of all rows but one part, whose rows bear no weight. */
export async function withoutParts<T>(
  { kernel }: Reading,
  whole: Labelled,
  parts: number,
  boosted: (data: Labelled, watch: (of: Objective) => Watch, style?: Style) => Promise<Boosted>,
  work: (without: Without) => Promise<T>,
  run: Run,
): Promise<T> {
  const { rows } = whole;
  const partOf = dealt(whole, parts, run);
  const mark = kernel.mark();
  const weightsAt = rowFloats(kernel, rows);
  const found = await work(async (part, style) => {
    run.progress.stage(`gbdt: boosting without part ${part + 1} of ${parts}`);
    const weights = kernel.f32(weightsAt, rows);
    const held = new Float32Array(rows);
    for (let r = 0; r < rows; r++) {
      const weight = whole.weights ? whole.weights[r] : 1;
      weights[r] = partOf[r] === part ? 0 : weight;
      held[r] = partOf[r] === part ? weight : 0;
    }
    const watch = (of: Objective): Watch => ({
      loss: (scores) => of.loss(scores, { ...whole, weights: held }),
    });
    const model = await boosted({ ...whole, weights, weightsAt }, watch, style);
    run.progress.done(`${model.best} rounds`);
    return model;
  });
  kernel.release(mark);
  return found;
}

export const lossOf = ({ history, best }: Boosted): number => history[best - 1];

/** The best of models of one depth after the other, as long as the deeper one errs less on what both are judged by. */
export async function bestDepth(
  depths: readonly number[],
  boosted: (style: Style) => Promise<Boosted>,
): Promise<{ model: Boosted; depth: number }> {
  let best = { model: await boosted({ depth: depths[0] }), depth: depths[0] };
  for (const depth of depths.slice(1)) {
    const model = await boosted({ depth });
    if (lossOf(model) >= lossOf(best.model)) break;
    best = { model, depth };
  }
  return best;
}

/** A model without each part, drawn alike, as deep as the first part tells. */
export async function alikeModels(
  without: Without,
  parts: number,
  depths: readonly number[],
): Promise<{ models: Boosted[]; depth: number }> {
  const { model, depth } = await bestDepth(depths, (style) => without(0, style));
  const models = [model];
  for (let part = 1; part < parts; part++) models.push(await without(part, { depth }));
  return { models, depth };
}

/**
 * Models that are unlike each other, so that their mean is better than of alike ones: in some of the trees thresholds
 * are drawn (as in the extremely randomised trees of Geurts, Ernst & Wehenkel 2006), which makes the mean smooth, and
 * in some models columns are drawn for every node rather than for the tree. What follows rules with sharp bounds is
 * told by the first part, and gets searched thresholds.
 *
 * @param share of the columns that a node may use
 * @param held  rows of a part: the fewer, the more its losses must differ to tell something
 */
export async function unlikeModels(without: Without, share: number, held: number): Promise<Boosted[]> {
  const byTree = (drawn: number): Style => ({ drawn, treeColumns: share, nodeColumns: 1 });
  const most = Math.max(share, 0.8);
  const byNode = (drawn: number): Style => ({ drawn, treeColumns: most, nodeColumns: share / most });
  const searched = await without(0, byTree(0));
  const drawn = await without(0, byTree(0.75));
  const sharp = lossOf(drawn) - lossOf(searched) > Math.abs(lossOf(searched)) / Math.sqrt(held);
  const found = sharp ? [searched] : [searched, drawn];
  const others = [byNode(0.75), byTree(0.5), byNode(0.75), byTree(0.75)];
  for (let i = 0; i < others.length; i++) found.push(await without(i + 1, sharp ? byTree(0) : others[i]));
  return found;
}

import type { Run } from "../../engine/run.js";
import { rankingScores, rankingTrees } from "../gbdt/ranking-trees.js";
import { loadTrees, saveTrees, type TreeModel } from "../gbdt/trees.js";
import type { FolderReader, FolderWriter } from "../model-folder.js";
import type { ParamValue } from "../params.js";
import { fitRanker, rankerScore, type Query, type Ranker } from "./ranker.js";

/** How candidates are ordered: by a linear ranker, or by trees that see its score beside the features. */
export interface Ranking {
  linear: Ranker;
  trees?: TreeModel;
}

/** The column of the linear score, before those of the features. */
const linearScore = "linear score";

/**
 * @param names  of the features
 * @param lambda L2 penalty of the linear ranker
 * @param trees  parameters of `gbdt`, or undefined for the linear ranker alone
 */
export async function fitRanking(
  queries: readonly Query[],
  names: readonly string[],
  lambda: number,
  trees: Readonly<Record<string, ParamValue>> | undefined,
  run: Run,
): Promise<Ranking> {
  const linear = await fitRanker(queries, names.length, lambda, run);
  if (!trees) return { linear };
  const lists = queries.map(({ features, relevant }) => ({
    features: withScore(linear, features, relevant.length),
    relevance: relevant,
  }));
  return { linear, trees: await rankingTrees(lists, [linearScore, ...names], trees, run) };
}

/** Scores of candidates, larger is better. @param features candidates x features */
export function candidateScores({ linear, trees }: Ranking, features: Float32Array): Float64Array {
  const count = features.length / linear.weights.length;
  if (!trees) return Float64Array.from({ length: count }, (_, c) => rankerScore(linear, features, c));
  const scores = new Float64Array(count);
  rankingScores(trees, withScore(linear, features, count), scores);
  return scores;
}

/** The features of every candidate after its linear score. */
function withScore(linear: Ranker, features: Float32Array, count: number): Float32Array {
  const width = linear.weights.length;
  const wide = new Float32Array(count * (width + 1));
  for (let c = 0; c < count; c++) {
    wide[c * (width + 1)] = rankerScore(linear, features, c);
    wide.set(features.subarray(c * width, (c + 1) * width), c * (width + 1) + 1);
  }
  return wide;
}

export function saveRanking(folder: FolderWriter, { linear, trees }: Ranking): void {
  folder.array("ranker-weights", linear.weights);
  folder.array("ranker-means", linear.means);
  folder.array("ranker-scales", linear.scales);
  if (trees) saveTrees(folder, trees);
}

/** @param features how many */
export function loadRanking(folder: FolderReader, features: number): Ranking {
  return {
    linear: {
      weights: folder.array("ranker-weights", "f64", [features]),
      means: folder.array("ranker-means", "f64", [features]),
      scales: folder.array("ranker-scales", "f64", [features]),
      loss: 0,
    },
    trees: folder.card.params.ranker === "trees" ? loadTrees(folder) : undefined,
  };
}

import type { Run } from "../../engine/run.js";
import { rankingScores, rankingTrees } from "../gbdt/ranking-trees.js";
import { loadTrees, saveTrees, type TreeModel } from "../gbdt/trees.js";
import type { FolderReader, FolderWriter } from "../model-folder.js";
import type { ParamValue } from "../params.js";
import { fitRanker, rankerScore, type Query, type Ranker } from "./ranker.js";

/**
 * How candidates are ordered: by a linear ranker, or by its score and that of trees, which see the linear one beside the
 * features, each standardised within the list. Of few lists trees alone learn much that is chance; the mean of the two
 * was better than either on every cut it was tried on.
 */
export interface Ranking {
  linear: Ranker;
  trees?: TreeModel;
}

/** The column of the linear score, before those of the features. */
const linearScore = "linear score";

/**
 * @param names  of the features: those that the linear ranker sees, then those that only trees see
 * @param lambda L2 penalty of the linear ranker
 * @param trees  parameters of `gbdt`, or undefined for the linear ranker alone
 */
export async function fitRanking(
  queries: readonly Query[],
  names: Readonly<Record<"linear" | "more", string[]>>,
  lambda: number,
  trees: Readonly<Record<string, ParamValue>> | undefined,
  run: Run,
): Promise<Ranking> {
  const linear = await fitRanker(queries, names.linear.length, lambda, run);
  if (!trees) return { linear };
  const lists = queries.map(({ features, relevant }) => ({
    features: withScore(linear, features, relevant.length),
    relevance: relevant,
  }));
  const columns = [linearScore, ...names.linear, ...names.more];
  return { linear, trees: await rankingTrees(lists, columns, trees, run) };
}

/** Scores of candidates, larger is better. @param features candidates x features */
export function candidateScores(
  { linear, trees }: Ranking,
  features: Float32Array,
  candidates: number,
): Float64Array {
  const width = features.length / candidates;
  const scores = Float64Array.from({ length: candidates }, (_, c) =>
    rankerScore(linear, features, c * width),
  );
  if (!trees) return scores;
  const grown = new Float64Array(candidates);
  rankingScores(trees, withScore(linear, features, candidates), grown);
  const [a, b] = [standardised(scores), standardised(grown)];
  return a.map((score, c) => score + b[c]);
}

/** Less their mean, over their deviation; zeros where all are alike. */
function standardised(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}

/** The features of every candidate after its linear score. */
function withScore(linear: Ranker, features: Float32Array, count: number): Float32Array {
  const width = features.length / count;
  const wide = new Float32Array(count * (width + 1));
  for (let c = 0; c < count; c++) {
    wide[c * (width + 1)] = rankerScore(linear, features, c * width);
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

/** @param features how many the linear ranker sees */
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

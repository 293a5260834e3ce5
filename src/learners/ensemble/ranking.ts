import type { Run } from "../../engine/run.js";
import { rankingScores, rankingTrees, type RankedList } from "../gbdt/ranking-trees.js";
import { loadTrees, saveTrees, type TreeModel } from "../gbdt/trees.js";
import type { FolderReader, FolderWriter } from "../model-folder.js";
import type { ParamValue } from "../params.js";
import { fitRanker, rankerScore, type Query, type Ranker } from "./ranker.js";

/**
 * How candidates are ordered: by a linear ranker, or by its score and that of trees, which see the linear one beside the
 * features, each standardised within the list. Of few lists trees alone learn much that is chance;
 * on cuts of MovieLens-100k the sum was better than they were, and from level with the linear score to .005 nDCG@10 above it.
 */
export interface Ranking {
  linear: Ranker;
  trees?: TreeModel;
}

/** Candidates of a list that trees see, the best by the linear score: the others hardly come into a list. */
const mostCandidates = 100;

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
  const lists = queries.map(({ features, relevant }): RankedList => {
    const scores = candidateScores({ linear }, features, relevant.length);
    const best = bestOf(scores);
    return {
      features: withScore(scores, features, best),
      relevance: best.map((c) => relevant[c]),
    };
  });
  const able = lists.filter(({ relevance }) => Array.from(relevance).includes(1));
  const columns = [linearScore, ...names.linear, ...names.more];
  return { linear, trees: await rankingTrees(able, columns, trees, run) };
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
  if (!trees || candidates === 0) return scores;
  const best = bestOf(scores);
  const grown = new Float64Array(best.length);
  rankingScores(trees, withScore(scores, features, best), grown);
  const [plain, raised] = [standardised(best.map((c) => scores[c])), standardised([...grown])];
  const mixed = plain.map((score, i) => score + raised[i]);
  // Those that trees do not see follow in the order of the linear score.
  const least = Math.min(...mixed);
  const last = Math.min(...best.map((c) => scores[c]));
  for (let c = 0; c < candidates; c++) scores[c] += least - last;
  best.forEach((c, i) => (scores[c] = mixed[i]));
  return scores;
}

/** The candidates that trees see: the best by the linear score, in their order. */
function bestOf(scores: Float64Array): number[] {
  const order = Array.from(scores, (_, c) => c).sort((a, b) => scores[b] - scores[a] || a - b);
  return order.slice(0, mostCandidates).sort((a, b) => a - b);
}

/** Less their mean, over their deviation; zeros where all are alike. */
function standardised(scores: readonly number[]): number[] {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}

/** The features of some candidates, each after its linear score. */
function withScore(scores: Float64Array, features: Float32Array, chosen: readonly number[]): Float32Array {
  const width = features.length / scores.length;
  const wide = new Float32Array(chosen.length * (width + 1));
  chosen.forEach((c, i) => {
    wide[i * (width + 1)] = scores[c];
    wide.set(features.subarray(c * width, (c + 1) * width), i * (width + 1) + 1);
  });
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

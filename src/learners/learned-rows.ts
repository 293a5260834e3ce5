import type { Relation } from "../table/relation.js";
import type { ModelCard, Task } from "./learner.js";

/** Tasks whose metrics flatter a model on rows that it learned from. */
const flattering: readonly Task[] = ["classification", "regression", "ranking", "rating", "recommendation"];

/**
 * In words, that rows to measure on are rows that the model learned from; nothing where the files differ, or
 * both chose rows by predicates that differ.
 *
 * @param where the predicate that chose the rows to measure on
 */
export function learnedFrom(card: ModelCard, rows: Relation, where: string | undefined): string | undefined {
  if (!flattering.includes(card.task)) return undefined;
  if (card.where !== undefined && card.where !== where) return undefined;
  const learned = new Set(card.inputs.map(({ sha256 }) => sha256));
  const own = rows.inputs.find(({ sha256 }) => learned.has(sha256));
  return (
    own &&
    `the model has learned from these rows of ${own.path}, so that its metrics flatter it: rows that it has not seen tell what it is worth (featurize --split, or train --cv)`
  );
}

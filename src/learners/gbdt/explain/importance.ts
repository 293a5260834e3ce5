import type { TreeModel } from "../trees.js";

/** What a feature does in an ensemble. */
export interface TreeImportance {
  feature: string;
  /** Its share of the loss that all splits save, 0 to 1. */
  gain: number;
  /** Its share of the training rows (by cover) that splits part, 0 to 1. */
  cover: number;
  /** Splits on it. */
  splits: number;
}

/**
 * Importance of the features as the splits tell it, the largest gain first: of the training rows, so of
 * what was learned by heart too. Hastie, Tibshirani & Friedman (2009), eq. 10.42, with the gains of boosting.
 */
export function treeImportance({ columns, trees }: TreeModel): TreeImportance[] {
  const byName = new Map(columns.map(({ name }) => [name, { gain: 0, cover: 0, splits: 0 }]));
  const all = { gain: 0, cover: 0 };
  trees.feature.forEach((column, n) => {
    if (column < 0) return;
    const own = byName.get(columns[column].name)!;
    own.gain += trees.gain[n];
    own.cover += trees.cover[n];
    own.splits++;
    all.gain += trees.gain[n];
    all.cover += trees.cover[n];
  });
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  return [...byName]
    .map(([feature, { gain, cover, splits }]) => ({
      feature,
      gain: share(gain, all.gain),
      cover: share(cover, all.cover),
      splits,
    }))
    .sort((a, b) => b.gain - a.gain || b.splits - a.splits || (a.feature < b.feature ? -1 : 1));
}

import { ratio } from "./metric.js";
import type { ClassificationRows } from "./classification.js";
import type { Slicing } from "./scorecard.js";

/** Rates of one group and their distances from the reference group; null where undefined. */
export interface GroupFairness {
  rows: number;
  /** Share of rows predicted positive. */
  selection_rate: number | null;
  true_positive_rate: number | null;
  false_positive_rate: number | null;
  statistical_parity_difference: number | null;
  disparate_impact: number | null;
  equal_opportunity_difference: number | null;
  average_odds_difference: number | null;
}

/**
 * Group fairness of a binary classifier, every group against a reference group: group minus
 * reference for differences, group over reference for disparate impact.
 *
 * Bellamy et al. (2018), AI Fairness 360, arXiv:1810.01943, section 5; Feldman et al. (2015), KDD, for
 * disparate impact; Hardt, Price & Srebro (2016), NeurIPS, for equal opportunity and odds.
 *
 * @param group  code of every row, -1 for none
 * @param levels names of the codes
 * @param reference index of the group to compare with
 */
export function fairness(
  { truth, predicted }: Pick<ClassificationRows, "truth" | "predicted">,
  positive: number,
  group: Int32Array,
  levels: readonly string[],
  reference: number,
  weights?: Float64Array,
): Record<string, GroupFairness> {
  const rates = levels.map((_, level) => ratesOf(truth, predicted, positive, group, level, weights));
  const base = rates[reference];
  return Object.fromEntries(
    levels.map((name, level) => {
      const own = rates[level];
      const opportunity = own.truePositive - base.truePositive;
      return [
        name,
        {
          rows: own.rows,
          selection_rate: orNull(own.selected),
          true_positive_rate: orNull(own.truePositive),
          false_positive_rate: orNull(own.falsePositive),
          statistical_parity_difference: orNull(own.selected - base.selected),
          disparate_impact: orNull(ratio(own.selected, base.selected)),
          equal_opportunity_difference: orNull(opportunity),
          average_odds_difference: orNull((own.falsePositive - base.falsePositive + opportunity) / 2),
        },
      ];
    }),
  );
}

function ratesOf(
  truth: Int32Array,
  predicted: Int32Array,
  positive: number,
  group: Int32Array,
  level: number,
  weights: Float64Array | undefined,
) {
  let rows = 0;
  let chosen = 0;
  const actual = [0, 0];
  const selected = [0, 0];
  for (let row = 0; row < truth.length; row++) {
    if (group[row] !== level) continue;
    const weight = weights ? weights[row] : 1;
    const isPositive = truth[row] === positive ? 1 : 0;
    rows++;
    actual[isPositive] += weight;
    if (predicted[row] !== positive) continue;
    chosen += weight;
    selected[isPositive] += weight;
  }
  return {
    rows,
    selected: ratio(chosen, actual[0] + actual[1]),
    truePositive: ratio(selected[1], actual[1]),
    falsePositive: ratio(selected[0], actual[0]),
  };
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The group with most rows, the first of equals. */
export function largestGroup({ code, levels }: Slicing): number {
  const counts = new Uint32Array(levels.length);
  for (const own of code) if (own >= 0) counts[own]++;
  return counts.indexOf(Math.max(...counts));
}

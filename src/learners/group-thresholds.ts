import type { Scored } from "./threshold.js";

/** What is to be alike for the groups: the share that is selected, or the share of the positives that is. */
export const groupAims = ["parity", "opportunity"] as const;
export type GroupAim = (typeof groupAims)[number];

/**
 * A threshold for every group, so that each is selected (parity), or its positives are (opportunity), at
 * the rate that one threshold selects all rows (all positives) with.
 *
 * Hardt, Price & Srebro (2016), Equality of Opportunity in Supervised Learning, NeurIPS, section 3, without
 * the randomised thresholds: rates are equal up to one row of the group.
 *
 * @param threshold the one for all
 * @param code      group of every row, -1 for none
 */
export function groupThresholds(
  aim: GroupAim,
  { scores, hits, weights }: Scored,
  threshold: number,
  code: Int32Array,
  levels: readonly string[],
): Record<string, number> {
  const counts = (r: number): boolean => aim === "parity" || hits[r] === 1;
  const weightOf = (r: number): number => (weights ? weights[r] : 1);
  let selected = 0;
  let total = 0;
  for (let r = 0; r < scores.length; r++) {
    if (!counts(r)) continue;
    total += weightOf(r);
    if (scores[r] >= threshold) selected += weightOf(r);
  }
  const rate = total > 0 ? selected / total : 0;
  return Object.fromEntries(
    levels.map((name, level) => {
      const own = [...code.keys()]
        .filter((r) => code[r] === level && counts(r))
        .sort((a, b) => scores[b] - scores[a] || a - b);
      const mass = own.reduce((sum, r) => sum + weightOf(r), 0);
      return [name, mass > 0 ? cutAtRate(own, scores, weightOf, rate * mass) : threshold];
    }),
  );
}

/** The cut above which the weight is nearest to what is wanted. @param order rows by falling score */
function cutAtRate(
  order: readonly number[],
  scores: Float64Array,
  weightOf: (row: number) => number,
  wanted: number,
): number {
  let above = 0;
  let nearest = wanted;
  let cut = Math.min(1, scores[order[0]] + 1e-9);
  for (let place = 0; place < order.length; place++) {
    above += weightOf(order[place]);
    const score = scores[order[place]];
    const next = place + 1 < order.length ? scores[order[place + 1]] : 0;
    if (next === score) continue;
    if (Math.abs(above - wanted) < nearest) {
      nearest = Math.abs(above - wanted);
      cut = (score + next) / 2 > next ? (score + next) / 2 : score;
    }
  }
  return cut;
}

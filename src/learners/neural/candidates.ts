import { power } from "../../core/power.js";
import type { Rng } from "../../core/rng.js";

/** Items that a step tells its targets apart from. */
export interface CandidateSet {
  /** Items, each once. */
  ids: Int32Array;
  /** For every target its place among them. */
  target: Int32Array;
  /** Minus the log of each one's chance to be among them. */
  shift: Float32Array;
}

/**
 * Candidates of a sampled softmax: the targets of the batch and `negatives` items drawn evenly. Their
 * logits are corrected by how likely each was to be drawn, so that the loss estimates the full softmax
 * (Jean et al. 2015; Yi et al. 2019 for in-batch targets). All items where few more would be left out.
 *
 * @param counts how often every item is a target
 * @param total  their sum
 */
export function sampledCandidates(
  counts: Float64Array,
  total: number,
  negatives: number,
): (targets: Int32Array, rng: Rng) => CandidateSet {
  const items = counts.length;
  const all = negatives >= items / 2;
  const everything = Int32Array.from(counts, (_, item) => item);
  const none = new Float32Array(items);
  const place = new Int32Array(items).fill(-1);
  const byChance = power(1 - 1 / items, negatives);
  return (targets, rng) => {
    if (all) return { ids: everything, target: targets, shift: none };
    const ids: number[] = [];
    const take = (item: number): void => {
      if (place[item] < 0) place[item] = ids.push(item) - 1;
    };
    targets.forEach(take);
    for (let i = 0; i < negatives; i++) take(rng.integer(items));
    const target = targets.map((item) => place[item]);
    const shift = Float32Array.from(ids, (item) => {
      const absent = byChance * power(1 - counts[item] / total, targets.length);
      return -Math.log(1 - absent);
    });
    for (const item of ids) place[item] = -1;
    return { ids: Int32Array.from(ids), target, shift };
  };
}

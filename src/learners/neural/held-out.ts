import { scorerOf } from "../../tensor/scorer.js";
import { block } from "./vector-recommender.js";

/** One user of a validation: the item that was held out, and those that the user had before. */
interface HeldOut {
  held: number;
  had: Int32Array;
}

/**
 * NDCG@10 of held-out items, each among all items that its user has not had.
 *
 * @param users vectors of the users, one after the other
 * @param items vectors of all items
 * @param about what was held out, by place of the user
 */
export function heldNdcg(
  users: Float32Array,
  items: Float32Array,
  factors: number,
  about: (at: number) => HeldOut,
): number {
  const count = users.length / factors;
  const size = items.length / factors;
  const score = scorerOf(items, factors, block);
  let gain = 0;
  for (let from = 0; from < count; from += block) {
    const to = Math.min(count, from + block);
    const scores = score(users.subarray(from * factors, to * factors));
    for (let u = from; u < to; u++) {
      const own = scores.subarray((u - from) * size, (u - from + 1) * size);
      const { held, had } = about(u);
      const mark = own[held];
      for (const item of had) own[item] = -Infinity;
      let better = 0;
      for (let i = 0; i < size; i++) if (own[i] > mark) better++;
      if (better < 10) gain += 1 / Math.log2(better + 2);
    }
  }
  return gain / count;
}

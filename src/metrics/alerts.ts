/** What the first alerts of every day hold. */
export interface AlertFigures {
  per_day: number;
  days: number;
  /** Mean over the days of the share of true alerts among the first `per_day`. */
  precision: number;
  /** Share of the positives (rows, or cards of a day) that the alerts hold. */
  recall: number | null;
}

/**
 * Card precision at k: every day the cards are ranked by their highest score, cards whose fraud was found
 * on an earlier day are left out, and the share of cards with a fraud among the first k is averaged over
 * the days. Without cards every row is one of its own.
 *
 * Le Borgne, Siblini, Lebichot & Bontempi (2022), Reproducible Machine Learning for Credit Card Fraud
 * Detection, section 4.3. Days with fewer cards than k still count against k, as there.
 *
 * @param scores per row, larger is more suspicious
 * @param hits   1 where the row is positive
 * @param days   code of the day of every row; codes ascend with the days
 * @param cards  code of the card of every row, -1 for none (such rows stand alone)
 */
export function alertFigures(
  scores: Float64Array,
  hits: Uint8Array,
  days: Int32Array,
  cards: Int32Array | undefined,
  perDay: number,
): AlertFigures {
  const byDay = new Map<number, number[]>();
  days.forEach((day, row) => {
    if (day < 0) return;
    const rows = byDay.get(day);
    if (rows) rows.push(row);
    else byDay.set(day, [row]);
  });
  const found = new Set<number>();
  let precision = 0;
  let caught = 0;
  let positives = 0;
  for (const day of [...byDay.keys()].sort((a, b) => a - b)) {
    const entries = new Map<number, { score: number; hit: number; card: number }>();
    for (const row of byDay.get(day)!) {
      const card = cards ? cards[row] : -1;
      if (card >= 0 && found.has(card)) continue;
      // Rows without a card get keys below zero, one each.
      const key = card >= 0 ? card : -1 - row;
      const entry = entries.get(key);
      if (!entry) entries.set(key, { score: scores[row], hit: hits[row], card });
      else {
        entry.score = Math.max(entry.score, scores[row]);
        entry.hit = Math.max(entry.hit, hits[row]);
      }
    }
    const first = [...entries.values()].sort((a, b) => b.score - a.score).slice(0, perDay);
    for (const { hit } of entries.values()) positives += hit;
    const right = first.filter(({ hit }) => hit === 1);
    for (const { card } of right) if (card >= 0) found.add(card);
    caught += right.length;
    precision += right.length / perDay;
  }
  return {
    per_day: perDay,
    days: byDay.size,
    precision: precision / byDay.size,
    recall: positives > 0 ? caught / positives : null,
  };
}

import type { Messages } from "../messages/messages.js";
import { numberText, shareText } from "../numbers.js";
import type { Cell } from "../page.js";

export type Interval = [low: number, high: number] | null;

/** The ends as cells of a table. */
export function ends(interval: Interval | undefined): [Cell, Cell] {
  return interval ? [interval[0], interval[1]] : [null, null];
}

/** " (95 %: 0.87 to 0.92)" behind a figure; nothing where there is no interval. */
export function intervalText(interval: Interval | undefined, say: Messages, percent = false): string {
  if (!interval) return "";
  const text = percent ? shareText : numberText;
  return ` (${say.page.interval(text(interval[0]), text(interval[1]))})`;
}

import { numberText, shareText } from "../numbers.js";
import { figure, type Part } from "../page.js";
import type { Making } from "./section.js";

const mostRules = 30;

/**
 * Counts of rows by name as bars, largest first.
 *
 * @param of rows that the counts are parts of, for shares
 */
export function countParts(
  caption: string,
  what: string,
  counts: Record<string, number>,
  { say }: Pick<Making, "say">,
  of?: number,
): Part[] {
  const sorted = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (sorted.length === 0) return [];
  const shown = sorted.slice(0, mostRules);
  const list = shown.slice(0, 5).map(([name, n]) => `${name} ${numberText(n)}`);
  const parts: Part[] = [
    figure({
      caption,
      alt: say.cleaning.alt(caption, list.join(say.page.comma)),
      chart: {
        kind: "bars",
        axis: say.cleaning.rows,
        labels: shown.map(([name]) => name),
        values: shown.map(([, n]) => n),
        tips: shown.map(([name, n]) =>
          say.cleaning.tip(name, numberText(n), of ? say.cleaning.share(shareText(n / of)) : ""),
        ),
      },
      data: { head: [what, say.cleaning.rows], rows: shown },
    }),
  ];
  if (sorted.length > shown.length)
    parts.push({ kind: "note", text: say.page.more(numberText(sorted.length - shown.length)) });
  return parts;
}

/** Faults of structure name their line: here only what they are counts. */
export function summedByKind(counts: Record<string, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, n] of Object.entries(counts)) {
    const kind = name.replace(/ (of field \d+ )?on line \d+$/, "");
    sums[kind] = (sums[kind] ?? 0) + n;
  }
  return sums;
}

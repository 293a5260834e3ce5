import { numberText, shareText } from "../numbers.js";
import type { Part } from "../page.js";
import { countParts, summedByKind } from "./counts.js";
import { defineSection, has, weights } from "./section.js";

/** The result of `clean`. */
interface CleaningResult {
  rows_in: number;
  rows_out: number;
  rejected: number;
  duplicates: number;
  repaired: number;
  by_rule: Record<string, number>;
}

/** What cleaning did to the rows, and which rules did it. */
export const cleaning = defineSection<CleaningResult>({
  name: "cleaning",
  document: (document) =>
    has(document, "rows_in", "rows_out", "by_rule") ? (document as unknown as CleaningResult) : undefined,
  parts({ content }, making) {
    const { rows_in, rows_out, rejected, duplicates, repaired, by_rule } = content;
    const { say } = making;
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [say.cleaning.read, rows_in],
          [say.cleaning.kept, rows_out],
          [say.cleaning.refused, rejected],
          [say.cleaning.duplicates, duplicates],
          [say.cleaning.repaired, repaired],
          [say.cleaning.shareKept, rows_in === 0 ? "–" : shareText(rows_out / rows_in)],
        ],
      },
    ];
    if (rows_in !== rows_out + rejected + duplicates)
      parts.push({ kind: "note", tone: "warning", text: say.cleaning.wrong });
    parts.push(...countParts(say.cleaning.byRule, say.cleaning.rule, summedByKind(by_rule), making, rows_in));
    return parts;
  },
  facts({ content: { rows_in, rows_out, rejected, duplicates, repaired, by_rule } }, { say }) {
    if (rows_in === 0) return [];
    const [top] = Object.entries(summedByKind(by_rule)).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    return [
      {
        weight: weights.data,
        figure: shareText(rows_out / rows_in),
        label: say.cleaning.label,
        text: say.cleaning.text(
          numberText(rows_out),
          numberText(rows_in),
          numberText(rejected),
          numberText(duplicates),
          numberText(repaired),
          top ? say.cleaning.top(top[0], numberText(top[1])) : "",
        ),
      },
    ];
  },
});

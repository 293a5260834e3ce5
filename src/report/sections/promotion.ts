import { numberText } from "../numbers.js";
import type { Cell } from "../page.js";
import { defineSection, has, weights } from "./section.js";

/** The result of `models promote`. */
interface PromotionResult {
  name: string;
  version: number;
  champion: number | null;
  promoted: boolean;
  checks: { rule: string; passed: boolean; detail: string }[];
}

/** Whether a new model became champion, and by which rules. */
export const promotion = defineSection<PromotionResult>({
  name: "promotion",
  document: (document) =>
    has(document, "promoted", "champion", "checks", "version") && Array.isArray(document.checks)
      ? (document as unknown as PromotionResult)
      : undefined,
  parts({ content: { name, version, champion, promoted, checks } }, { say }) {
    const words = say.promotion;
    return [
      {
        kind: "pairs",
        rows: [
          [words.name, name],
          [words.version, version],
          [words.promoted, promoted],
          [words.champion, champion],
        ],
      },
      {
        kind: "table",
        caption: words.rules,
        head: words.head,
        rows: checks.map(({ rule, passed, detail }): Cell[] => [rule, passed, detail]),
      },
    ];
  },
  facts({ content: { name, version, champion, promoted, checks } }, { say }) {
    const words = say.promotion;
    const broken = checks.filter(({ passed }) => !passed).map(({ rule, detail }) => `${rule} (${detail})`);
    return [
      {
        weight: promoted ? weights.quality + 5 : weights.alarm,
        figure: words.versionOf(numberText(version)),
        label: promoted ? words.is(name) : words.isNot(name),
        text: promoted
          ? words.because(numberText(checks.length))
          : words.stays(champion === null ? "–" : numberText(champion), broken.join("; ")),
        tone: promoted ? "good" : "bad",
      },
    ];
  },
});

import type { Fairness, GroupFairness } from "../../metrics/fairness.js";
import { shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import type { Making } from "./section.js";

type Figure = Exclude<keyof GroupFairness, "intervals">;

/** How the groups of a fairness report are treated, beside the one that they are compared with. */
export function fairnessParts(
  {
    column,
    reference,
    groups,
    overall,
  }: Partial<Fairness> & {
    column: string;
    reference: string;
    groups: Record<string, Partial<GroupFairness>>;
  },
  { say }: Making,
): Part[] {
  const words = say.fairness;
  const names = Object.keys(groups);
  const figures = [...new Set(names.flatMap((name) => Object.keys(groups[name])))].filter(
    (name) => name !== "intervals",
  ) as Figure[];
  const parts: Part[] = [{ kind: "heading", text: words.title(column) }];
  const drawn = names.filter((name) => typeof groups[name].selection_rate === "number");
  const told = (name: string): string => `${name} ${shareText(groups[name].selection_rate!)}`;
  if (drawn.length > 0)
    parts.push(
      figure({
        caption: words.selected,
        alt: words.alt(drawn.map(told).join(say.page.comma)),
        chart: {
          kind: "intervals",
          axis: words.selectedAxis,
          labels: drawn,
          values: drawn.map((name) => groups[name].selection_rate!),
          intervals: drawn.map((name) => groups[name].intervals?.selection_rate ?? null),
          tips: drawn.map((name) => {
            const own = groups[name].intervals?.selection_rate;
            return own
              ? `${told(name)}\n${say.page.interval(shareText(own[0]), shareText(own[1]))}`
              : told(name);
          }),
        },
        data: {
          head: [column, words.selectedAxis, say.page.low, say.page.high],
          rows: drawn.map((name) => [
            name,
            groups[name].selection_rate,
            ...(groups[name].intervals?.selection_rate ?? [null, null]),
          ]),
        },
      }),
    );
  const low = names.filter((name) => {
    const impact = groups[name].disparate_impact;
    return name !== reference && typeof impact === "number" && impact < 0.8;
  });
  if (low.length > 0)
    parts.push({ kind: "note", tone: "warning", text: words.fourFifths(low.join(say.page.comma)) });
  parts.push({
    kind: "table",
    caption: words.caption(column, reference),
    head: [column, ...figures.map((name) => words.figures[name] ?? name)],
    rows: names.map((name): Cell[] => [name, ...figures.map((own) => groups[name][own])]),
  });
  if (overall)
    parts.push({
      kind: "table",
      caption: words.overall,
      head: [say.model.figure, say.page.value, say.page.low, say.page.high],
      rows: Object.entries(overall.intervals).map(([name, interval]): Cell[] => [
        words.figures[name] ?? name,
        overall[name as keyof typeof overall.intervals],
        ...(interval ?? [null, null]),
      ]),
    });
  return parts;
}

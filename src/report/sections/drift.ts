import { numberText, shareText } from "../numbers.js";
import { figure, type Cell, type Part } from "../page.js";
import { defineSection, has, weights } from "./section.js";

/** A column in the result of `monitor`. */
interface ColumnDrift {
  name: string;
  psi: number | null;
  ks: number | null;
  js: number | null;
  chi2: { p: number } | null;
  missing_before: number;
  missing_after: number | null;
  new_values: string[];
  absent?: true;
}

interface DriftResult {
  model: string;
  rows: number;
  reference_rows: number;
  columns: ColumnDrift[];
  answers?: ColumnDrift;
  metrics: Record<string, number | null>;
  worst: Record<string, string>;
  retrain?: { due: boolean; reasons: string[] };
}

/** From which PSI on a column is drawn as drifted: the usual bound, and `monitor`'s default. */
const drifted = 0.2;
const mostColumns = 30;

/** How far new rows are from those of training. */
export const drift = defineSection<DriftResult>({
  name: "drift",
  document: (document) =>
    has(document, "reference_rows", "columns", "metrics", "worst")
      ? (document as unknown as DriftResult)
      : undefined,
  parts({ content }, { say }) {
    const words = say.drift;
    const { model, rows, reference_rows, columns, answers, metrics, retrain } = content;
    const all = [...(answers ? [{ ...answers, name: words.answers }] : []), ...columns].sort(
      (a, b) => (b.psi ?? -1) - (a.psi ?? -1) || (a.name < b.name ? -1 : 1),
    );
    const drawn = all.filter(({ psi }) => psi !== null).slice(0, mostColumns);
    const percent = (share: number | null): string => (share === null ? "–" : shareText(share));
    const parts: Part[] = [
      {
        kind: "pairs",
        rows: [
          [words.model, model],
          [words.rows, rows],
          [words.reference, reference_rows],
          [words.drifted, metrics.drifted],
        ],
      },
    ];
    const gone = columns.filter(({ absent }) => absent).map(({ name }) => name);
    if (gone.length > 0)
      parts.push({ kind: "note", tone: "warning", text: words.absent(gone.join(say.page.comma)) });
    if (retrain?.due)
      parts.push({ kind: "note", tone: "warning", text: words.retrain(retrain.reasons.join("; ")) });
    if (drawn.length > 0)
      parts.push(
        figure({
          caption: words.psi,
          alt: words.psiAlt(
            drawn
              .slice(0, 5)
              .map(({ name, psi }) => `${name} ${numberText(psi!)}`)
              .join(say.page.comma),
          ),
          chart: {
            kind: "bars",
            axis: words.axis,
            labels: drawn.map(({ name }) => name),
            values: drawn.map(({ psi }) => psi!),
            limit: drifted,
            tips: drawn.map(({ name, psi, missing_before, missing_after }) =>
              words.tip(name, numberText(psi!), shareText(missing_before), percent(missing_after)),
            ),
          },
          data: { head: [words.head[0], "PSI"], rows: drawn.map(({ name, psi }) => [name, psi]) },
        }),
      );
    parts.push({
      kind: "table",
      caption: words.columns,
      head: words.head,
      rows: all.map((one): Cell[] => [
        one.name,
        one.psi,
        one.ks,
        one.js,
        one.chi2 ? (one.chi2.p < 1e-4 ? "< 0.0001" : one.chi2.p.toFixed(4)) : "",
        { share: one.missing_before },
        one.missing_after === null ? null : { share: one.missing_after },
        one.new_values.join(say.page.comma),
      ]),
    });
    return parts;
  },
  facts({ content: { columns, answers, metrics, worst } }, { say }) {
    const words = say.drift;
    const count = metrics.drifted;
    if (typeof count !== "number") return [];
    const tail = typeof answers?.psi === "number" ? words.answersText(numberText(answers.psi)) : "";
    const furthest =
      typeof metrics.psi === "number" ? words.none(worst.psi ?? "", numberText(metrics.psi)) : "";
    const bad = count > 0 || columns.some(({ absent }) => absent);
    return [
      {
        weight: bad ? weights.alarm : weights.data - 1,
        figure: `${count} / ${columns.length}`,
        label: words.label,
        text: (count > 0 ? words.some(worst.drifted ?? "") : furthest) + tail,
        tone: bad ? "bad" : "good",
      },
    ];
  },
});

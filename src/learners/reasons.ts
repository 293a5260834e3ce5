import type { Field } from "../engine/engine.js";
import type { Column, Frame } from "../engine/frame.js";
import { kindOf } from "../table/relation.js";
import { explained, leadingOutput, type Explainer } from "./explanation.js";

/** How rows are to be explained. */
export interface ReasonsAsk {
  /** Reasons per row, the strongest; 3 by default. */
  reasons?: number;
  /** Also every contribution as a number. */
  contributions?: boolean;
}

/**
 * Columns that say why: `reasons` in words, the features that moved the row's score most with their values
 * and by how much; with `contributions` also `contribution_base` and `contribution_<feature>` as numbers,
 * which add up to the raw score. With more than two classes both are about the class that was predicted.
 */
export function reasonColumns(
  explainer: Explainer,
  frame: Frame,
  features: readonly Field[],
  ask: ReasonsAsk,
): Map<string, Column> {
  const { names } = explainer;
  const width = names.length;
  const texts = names.map((name) =>
    valueTexts(
      frame,
      features.find((field) => field.name === name)!,
    ),
  );
  const reasons: string[] = [];
  const numbers = ask.contributions ? [undefined, ...names].map(() => new Float64Array(frame.rows)) : [];
  explained(explainer, frame, (values, from, to) => {
    for (let row = from; row < to; row++) {
      const first = (row - from) * explainer.outputs * width;
      const output = leadingOutput(explainer, values, first);
      const own = values.subarray(first + output * width, first + (output + 1) * width);
      reasons.push(inWords(own, texts, row, ask.reasons ?? 3, explainer.unit));
      numbers.forEach((column, i) => (column[row] = i === 0 ? explainer.expected[output] : own[i - 1]));
    }
  });
  const labels = ["contribution_base", ...names.map((name) => `contribution_${name}`)];
  return new Map<string, Column>([
    ["reasons", { kind: "text", values: reasons }],
    ...numbers.map((values, i): [string, Column] => [labels[i], { kind: "f64", values }]),
  ]);
}

/**
 * "page_values = 0 lowers by 1.32; month = Nov raises by 0.41"; empty where nothing moved the score. Of points,
 * which start from the best card: "age = 23 costs 31 points".
 */
function inWords(
  contributions: Float64Array,
  texts: readonly ((row: number) => string)[],
  row: number,
  count: number,
  unit: Explainer["unit"],
): string {
  return [...contributions.keys()]
    .filter((i) => Math.abs(contributions[i]) > 1e-12)
    .sort((a, b) => Math.abs(contributions[b]) - Math.abs(contributions[a]) || a - b)
    .slice(0, count)
    .map((i) => {
      if (unit === "points") return `${texts[i](row)} costs ${short(-contributions[i])} points`;
      const effect = contributions[i] > 0 ? "raises" : "lowers";
      return `${texts[i](row)} ${effect} by ${short(Math.abs(contributions[i]))}`;
    })
    .join("; ");
}

/** Three digits: what a reader can compare. */
const short = (value: number): string => String(Number(value.toPrecision(3)));

/** What a feature was in a row: "visits = 3", "country = NO", "price is missing". */
export function valueTexts(frame: Frame, { name, type }: Field): (row: number) => string {
  const value = featureValue(frame, { name, type });
  return (row) => {
    const text = value(row);
    return text === undefined ? `${name} is missing` : `${name} = ${text}`;
  };
}

/** The value of a feature in a row as people write it; undefined where it is missing. */
export function featureValue(frame: Frame, { name, type }: Field): (row: number) => string | undefined {
  const column = frame.columns.get(name)!;
  if (column.kind === "code")
    return (row) => (column.values[row] < 0 ? undefined : column.levels[column.values[row]]);
  if (column.kind === "text") return (row) => column.values[row] ?? undefined;
  const { values } = column;
  const yesNo = kindOf(type) === "boolean";
  return (row) => {
    const number = Number(values[row]);
    if (Number.isNaN(number)) return undefined;
    return yesNo ? String(number !== 0) : String(Number(number.toPrecision(6)));
  };
}

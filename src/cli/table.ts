import Table from "cli-table3";
import { displayWidth } from "./width.js";

/** Columns narrower than this are not cut further. */
const leastWidth = 12;
/** What cli-table3 puts around a cell: a space on each side and one between columns. */
const gap = 3;

/**
 * A table of texts without borders, fitted to a width: first the widest texts are cut (never numbers),
 * then columns that still do not fit go below, each part beginning with the first column.
 *
 * @param width of the terminal; Infinity for a pipe or a file
 */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  rightAligned: readonly boolean[],
  width: number,
  bold: (text: string) => string = (text) => text,
): string {
  const widths = head.map((name, i) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[i])), displayWidth(name)),
  );
  const total = (columns: readonly number[]): number =>
    columns.reduce((sum, column) => sum + widths[column] + gap, 1);
  const every = head.map((_, i) => i);
  while (total(every) > width) {
    const widest = every
      .filter((i) => !rightAligned[i] && widths[i] > leastWidth)
      .sort((a, b) => widths[b] - widths[a])[0];
    if (widest === undefined) break;
    widths[widest] = Math.max(leastWidth, widths[widest] - Math.max(1, total(every) - width));
  }
  return parts(every, (columns) => total(columns) <= width)
    .map((columns) => drawn(columns, head, rows, widths, rightAligned, bold))
    .join("\n\n");
}

/** Columns in parts that fit, each part led by the first column. */
function parts(columns: readonly number[], fits: (columns: number[]) => boolean): number[][] {
  const [first, ...rest] = columns;
  const found: number[][] = [[first]];
  for (const column of rest) {
    const current = found[found.length - 1];
    if (current.length === 1 || fits([...current, column])) current.push(column);
    else found.push([first, column]);
  }
  return found;
}

/**
 * What stands for a cell's text, cell by cell of a terminal, while cli-table3 sets it: it measures texts by
 * code points, and takes marks and joined emoji for wider than they are shown.
 */
const stand = "\u2588";
const stands = /\u2588+/g;
const none = Object.fromEntries(
  ["top", "bottom", "left", "mid", "right"].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, ""]),
  ),
);

function drawn(
  columns: readonly number[],
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
  rightAligned: readonly boolean[],
  bold: (text: string) => string,
): string {
  const shown: string[] = [];
  const cell = (text: string, column: number, paint = (kept: string): string => kept): string => {
    const kept = cut(text, widths[column]);
    if (kept !== "") shown.push(paint(kept));
    return stand.repeat(displayWidth(kept));
  };
  const table = new Table({
    head: columns.map((i) => cell(head[i], i, bold)),
    colAligns: columns.map((i) => (rightAligned[i] ? "right" : "left")),
    style: { head: [], border: [], compact: true },
    chars: { ...none, left: " ", middle: " " },
  });
  for (const row of rows) table.push(columns.map((i) => cell(row[i], i)));
  let next = 0;
  return table
    .toString()
    .split("\n")
    .map((line) => line.replaceAll(stands, () => shown[next++]).trimEnd())
    .join("\n");
}

function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (displayWidth(kept + segment) > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

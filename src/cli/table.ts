import { displayWidth } from "./width.js";

/** Columns narrower than this are not cut further. */
const leastWidth = 12;
/** Spaces between columns. */
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

function drawn(
  columns: readonly number[],
  head: readonly string[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
  rightAligned: readonly boolean[],
  bold: (text: string) => string,
): string {
  const line = (cells: readonly string[], paint = (text: string): string => text): string => {
    const set = columns.map((i) => {
      const text = cut(cells[i], widths[i]);
      const rest = " ".repeat(widths[i] - displayWidth(text));
      return rightAligned[i] ? rest + paint(text) : paint(text) + rest;
    });
    return `  ${set.join(" ".repeat(gap))}`.trimEnd();
  };
  return [line(head, bold), ...rows.map((row) => line(row))].join("\n");
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

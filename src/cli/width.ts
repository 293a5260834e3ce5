/** Cells that a text takes on a terminal: two for East Asian wide characters and emoji, none for marks. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) width += cellsOf(segment);
  return width;
}

const cellsOf = (segment: string): number =>
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u.test(
    segment,
  )
    ? 2
    : 1;

/** The same text followed by spaces up to a width in cells. */
export function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/**
 * Text whose lines are broken between words where they are wider than the terminal. What goes on stands under
 * the second column where a line has two ("  auc    area under …"), else two cells further in than the line
 * begins. Lines to be copied ("  $ shopai …") and words that are wider than a line stay whole.
 *
 * @param width in cells; Infinity leaves everything as it is
 */
export function fitted(text: string, width: number): string {
  if (!Number.isFinite(width)) return text;
  return text
    .split("\n")
    .map((line) => (displayWidth(line) <= width || /^\s*\$ /.test(line) ? line : brokenLine(line, width)))
    .join("\n");
}

function brokenLine(line: string, width: number): string {
  const columns = /^(\s*\S+(?: \S+)*\s{2,})\S/.exec(line)?.[1];
  const start = /^\s*/.exec(line)![0].length;
  const second = columns === undefined ? Infinity : displayWidth(columns);
  const margin = second <= width / 2 ? second : start + 2;
  const head = line.slice(0, second <= width / 2 ? columns!.length : start);
  const lines = [head];
  // Chinese has no spaces: such a text may break between any two of its letters.
  for (const word of line
    .slice(head.length)
    .split(/(?<= )|(?<=\p{Script=Han}[，。；：、）]?)(?=\p{Script=Han})/u)) {
    const last = lines[lines.length - 1];
    const begins = last.trim() === "" || (lines.length === 1 && last === head);
    if (!begins && displayWidth(last + word.trimEnd()) > width) lines.push(" ".repeat(margin) + word);
    else lines[lines.length - 1] = last + word;
  }
  return lines.map((one) => one.trimEnd()).join("\n");
}

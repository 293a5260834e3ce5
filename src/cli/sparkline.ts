const blocks = "▁▂▃▄▅▆▇█";
const ascii = "_.:-=+*#";

/** Counts as one line of bars of eight heights; nothing is a space, the least count is the lowest bar. */
export function sparkline(counts: readonly number[], unicode = unicodeTerminal()): string {
  const bars = unicode ? blocks : ascii;
  const most = Math.max(...counts, 0);
  if (most === 0) return "";
  return counts
    .map((count) => (count <= 0 ? " " : bars[Math.min(7, Math.floor((count / most) * 7.999))]))
    .join("");
}

const eighths = "▏▎▍▌▋▊▉█";

/**
 * A share of 0 to 1 as a bar of at most so many cells.
 * @param mark another share to compare with, drawn as a line through or behind the bar
 */
export function bar(share: number, cells: number, mark?: number, unicode = unicodeTerminal()): string {
  const filled = Math.min(1, Math.max(0, share)) * cells;
  const whole = Math.floor(filled);
  const rest = Math.floor((filled - whole) * 8);
  const text = unicode
    ? "█".repeat(whole) + (rest > 0 ? eighths[rest - 1] : "")
    : "#".repeat(Math.round(filled));
  if (mark === undefined) return text;
  const at = Math.min(cells - 1, Math.floor(Math.min(1, Math.max(0, mark)) * cells));
  const letters = [...text.padEnd(cells)];
  letters[at] = unicode ? "│" : "|";
  return letters.join("").trimEnd();
}

/** A value with its interval on a scale of 0 to 1, so many cells wide: `    ├──●─┤      `. */
export function whisker(
  value: number,
  [low, high]: readonly [number, number],
  cells: number,
  unicode = unicodeTerminal(),
): string {
  const at = (share: number): number => Math.min(cells - 1, Math.floor(share * cells));
  const letters: string[] = Array.from({ length: cells }, (_, i) =>
    i >= at(low) && i <= at(high) ? (unicode ? "─" : "-") : " ",
  );
  letters[at(low)] = unicode ? "├" : "[";
  letters[at(high)] = unicode ? "┤" : "]";
  letters[at(value)] = unicode ? "●" : "o";
  return letters.join("").trimEnd();
}

/** Whether the terminal says that it shows more than ASCII. Where nothing is said (a pipe in cron, CI), UTF-8 is taken. */
export function unicodeTerminal(env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.TERM === "linux" || env.TERM === "dumb") return false;
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale === undefined || locale === "" || /utf-?8/i.test(locale);
}

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

/** Whether the terminal says that it shows more than ASCII. Where nothing is said (a pipe in cron, CI), UTF-8 is taken. */
export function unicodeTerminal(env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.TERM === "linux" || env.TERM === "dumb") return false;
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  return locale === undefined || locale === "" || /utf-?8/i.test(locale);
}

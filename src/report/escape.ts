/** A number and its percent sign stay on one line. */
export const together = (words: string): string => words.replace(/(\d) %/g, "$1\u00a0%");

/** Text safe between tags and in quoted attributes; control characters, which no page may hold, are shown as such. */
export function text(value: string): string {
  return (
    value
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("'", "&#39;")
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd")
  );
}

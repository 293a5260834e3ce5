import { cellText } from "./numbers.js";
import { isNumericColumn, type Cell, type Page, type Part } from "./page.js";

/** A report as Markdown (GitHub's tables): the same content as the page, charts as their numbers. */
export function markdownOf(page: Page): string {
  const sections = page.sections.flatMap((section) => [
    `## ${escaped(section.title)}`,
    "",
    `_${escaped(section.about)}_`,
    "",
    ...section.parts.flatMap((part) => [...partLines(part), ""]),
  ]);
  const sources = tableLines(
    ["file", "what it is", "sha256"],
    page.sources.map(({ path, kind, sha256 }) => [path, kind, sha256.slice(0, 16)]),
  );
  return `${[`# ${escaped(page.title)}`, "", ...sections, "## Sources", "", ...sources].join("\n")}\n`;
}

function partLines(part: Part): string[] {
  switch (part.kind) {
    case "heading":
      return [`### ${escaped(part.text)}`];
    case "note":
      return [part.tone === "warning" ? `> **Note:** ${escaped(part.text)}` : escaped(part.text)];
    case "pairs":
      return part.rows.map(([name, value]) => `- ${escaped(name)}: **${escaped(cellText(value))}**`);
    case "table":
      return [`**${escaped(part.caption)}**`, "", ...tableLines(part.head, part.rows)];
    case "figure":
      return [`**${escaped(part.caption)}**`, "", ...tableLines(part.data.head, part.data.rows)];
  }
}

function tableLines(head: readonly string[], rows: readonly Cell[][]): string[] {
  if (rows.length === 0) return ["(no rows)"];
  const rule = head.map((_, i) => (isNumericColumn(rows as Cell[][], i) ? "---:" : "---"));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(head.map(escaped)),
    line(rule),
    ...rows.map((row) => line(row.map((cell) => escaped(cellText(cell))))),
  ];
}

/** Text that Markdown and the HTML inside it leave alone; one line. */
function escaped(text: string): string {
  return text
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(/[\\`*[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

import type { Messages } from "./messages/messages.js";
import { cellText } from "./numbers.js";
import { isNumericColumn, type Cell, type Page, type Part } from "./page.js";

/** A report as Markdown (GitHub's tables): the same content as the page, charts as their numbers. */
export function markdownOf(page: Page, say: Messages): string {
  const sections = page.sections.flatMap((section) => [
    `## ${escaped(section.title)}`,
    "",
    ...(section.about === "" ? [] : [`_${escaped(section.about)}_`, ""]),
    ...section.parts.flatMap((part) => [...partLines(part, say), ""]),
  ]);
  const sources = tableLines(
    [say.page.file, say.page.kind, "sha256"],
    page.sources.map(({ path, kind, sha256 }) => [path, kind, sha256.slice(0, 16)]),
    say,
  );
  const subtitle = page.subtitle ? [escaped(page.subtitle), ""] : [];
  return `${[`# ${escaped(page.title)}`, "", ...subtitle, ...sections, `## ${escaped(say.page.sources)}`, "", ...sources].join("\n")}\n`;
}

function partLines(part: Part, say: Messages): string[] {
  const table = (caption: string, head: readonly string[], rows: readonly Cell[][]): string[] => [
    `**${escaped(caption)}**`,
    "",
    ...tableLines(head, rows, say),
  ];
  switch (part.kind) {
    case "facts":
      return part.rows.map(
        ({ figure, label, text }) => `- **${escaped(figure)}** ${escaped(label)}: ${escaped(text)}`,
      );
    case "heading":
      return [`### ${escaped(part.text)}`];
    case "note":
      return [
        part.tone === "warning"
          ? `> **${escaped(say.page.note)}** ${escaped(part.text)}`
          : escaped(part.text),
      ];
    case "pairs":
      return [
        ...(part.caption === undefined ? [] : [`**${escaped(part.caption)}**`, ""]),
        ...part.rows.map(([name, value]) => `- ${escaped(name)}: **${escaped(cellText(value, say))}**`),
      ];
    case "table":
      return table(part.caption, part.head, part.rows);
    case "code": {
      const longest = Math.max(
        2,
        ...part.lines.flatMap((line) => line.match(/`+/g) ?? []).map((run) => run.length),
      );
      const fence = "`".repeat(longest + 1);
      const flat = part.lines.map((line) => line.replace(/[\r\n]+/g, " "));
      return [`**${escaped(part.caption)}**`, "", `${fence}sh`, ...flat, fence];
    }
    case "figures":
      return part.figures.flatMap(({ caption, data }, i) => [
        ...(i > 0 ? [""] : []),
        ...table(caption, data.head, data.rows),
      ]);
    case "lineage":
      return table(part.caption, part.data.head, part.data.rows);
  }
}

function tableLines(head: readonly string[], rows: readonly Cell[][], say: Messages): string[] {
  if (rows.length === 0) return [`(${say.page.empty})`];
  const rule = head.map((_, i) => (isNumericColumn(rows, i) ? "---:" : "---"));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(head.map(escaped)),
    line(rule),
    ...rows.map((row) => line(row.map((cell) => escaped(cellText(cell, say))))),
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

import type { Block } from "../pipeline/command.js";
import { cellText } from "./terminal.js";

/** Pieces of a result as Markdown with GitHub's tables, for a pull request. */
export function blocksMarkdown(blocks: readonly Block[]): string {
  return `${blocks.map(blockMarkdown).join("\n\n")}\n`;
}

function blockMarkdown(block: Block): string {
  switch (block.kind) {
    case "title":
      return `### ${plain(block.text)}`;
    case "line":
      return plain(block.text);
    case "pairs":
      return block.rows.map(([name, value]) => `- ${plain(name)}: ${plain(cellText(value))}`).join("\n");
    case "table": {
      const numbers = block.head.map((_, i) => block.rows.some((row) => typeof row[i] === "number"));
      const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
      return [
        line(block.head.map(plain)),
        line(numbers.map((number) => (number ? "---:" : "---"))),
        ...block.rows.map((row) => line(row.map((cell) => plain(cellText(cell))))),
      ].join("\n");
    }
  }
}

/** One line that Markdown and the HTML inside it leave alone, but for the code in backticks. */
const plain = (text: string): string =>
  text
    .trim()
    .replace(/[|<>*_]/g, (c) => `\\${c}`)
    .replace(/\s+/g, " ");

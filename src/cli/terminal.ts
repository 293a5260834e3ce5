import { grouped } from "../core/quantity.js";
import type { Block, Cell, Result } from "../pipeline/command.js";
import { tableText } from "./table.js";
import { displayWidth, fitted, padded } from "./width.js";

/** Colour is for people on a terminal who did not refuse it. */
export function colourful(stream: NodeJS.WriteStream, wanted: boolean): boolean {
  return (
    wanted && stream.isTTY === true && !process.env.NO_COLOR && !process.env.CI && process.env.TERM !== "dumb"
  );
}

const paint = (code: number, text: string, on: boolean): string =>
  on ? `\u001b[${code}m${text}\u001b[0m` : text;

/** Prints a command's result: JSON alone with `--json`, else blocks for people. */
export function printResult(
  result: Result,
  options: { json: boolean; color: boolean; quiet: boolean },
): void {
  if (options.json) {
    if (!result.wroteStdout) process.stdout.write(`${jsonText(result.json)}\n`);
    return;
  }
  if (result.text !== undefined) {
    process.stdout.write(result.text.endsWith("\n") ? result.text : `${result.text}\n`);
    return;
  }
  const stream = result.wroteStdout ? process.stderr : process.stdout;
  if (result.wroteStdout && options.quiet) return;
  const look = {
    colour: colourful(stream, options.color),
    width: stream.isTTY && stream.columns > 0 ? stream.columns : Infinity,
  };
  stream.write((result.blocks ?? []).map((block) => blockText(block, look)).join(""));
}

/** JSON for programs: integers beyond 2^53 as texts, NaN and infinities as null (as JSON.stringify has it). */
export function jsonText(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => (typeof inner === "bigint" ? safeInteger(inner) : inner),
    2,
  );
}

function safeInteger(value: bigint): number | string {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
}

/** One piece of a result as text, ending in a new line. */
export function blockText(block: Block, look: { colour: boolean; width: number }): string {
  switch (block.kind) {
    case "title":
      return `${paint(1, fitted(harmless(block.text, true), look.width), look.colour)}\n`;
    case "line":
      return `${fitted(harmless(block.text, true), look.width)}\n`;
    case "pairs": {
      const names = block.rows.map(([name]) => harmless(name));
      const width = Math.max(...names.map(displayWidth), 0);
      return block.rows
        .map(([, value], i) => {
          const name = `  ${padded(names[i], width)}`;
          const text = fitted(`${name}  ${cellText(value)}`, look.width);
          return `${paint(2, text.slice(0, name.length), look.colour)}${text.slice(name.length)}\n`;
        })
        .join("");
    }
    case "table": {
      const isNumber = (cell: Cell): boolean => typeof cell === "number" || typeof cell === "bigint";
      const text = tableText(
        block.head.map((name) => harmless(name)),
        block.rows.map((row) => row.map(cellText)),
        block.head.map((_, i) => block.rows.some((row) => isNumber(row[i]))),
        look.width,
        (head) => paint(1, head, look.colour),
      );
      return `${text}\n`;
    }
  }
}

/** A text of the data without what would move the cursor or colour the terminal. */
function harmless(text: string, severalLines = false): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === "\n"
      ? severalLines
        ? "\n"
        : "\\n"
      : character === "\t"
        ? "\\t"
        : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** A number as people read it: integers grouped, others to about four telling digits. */
export function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return "–";
  if (typeof cell === "bigint") return grouped(cell);
  if (typeof cell !== "number") return harmless(String(cell));
  if (Number.isInteger(cell)) return Math.abs(cell) < 1e15 ? grouped(cell) : cell.toExponential(3);
  if (!Number.isFinite(cell)) return String(cell);
  const size = Math.abs(cell);
  return size >= 1e7 || size < 1e-4
    ? cell.toExponential(3)
    : size >= 1000
      ? cell.toFixed(1)
      : size >= 10
        ? cell.toFixed(2)
        : cell.toFixed(4);
}

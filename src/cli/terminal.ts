import Table from "cli-table3";
import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Block, Cell, Result } from "../pipeline/command.js";

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
  const colour = colourful(stream, options.color);
  stream.write((result.blocks ?? []).map((block) => blockText(block, colour)).join(""));
}

/** JSON for programs: integers beyond 2^53 as texts, NaN and infinities as null. */
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

function blockText(block: Block, colour: boolean): string {
  switch (block.kind) {
    case "title":
      return `${paint(1, block.text, colour)}\n`;
    case "line":
      return `${block.text}\n`;
    case "pairs": {
      const width = Math.max(...block.rows.map(([name]) => name.length), 0);
      return block.rows
        .map(([name, value]) => `  ${paint(2, name.padEnd(width), colour)}  ${cellText(value)}\n`)
        .join("");
    }
    case "table":
      return `${tableText(block.head, block.rows, colour)}\n`;
  }
}

function tableText(head: string[], rows: Cell[][], colour: boolean): string {
  const table = new Table({
    head: head.map((name) => paint(1, name, colour)),
    colAligns: head.map((_, i) =>
      rows.some((row) => typeof row[i] === "number" || typeof row[i] === "bigint") ? "right" : "left",
    ),
    style: { head: [], border: [], compact: true },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: " ",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: " ",
    },
  });
  for (const row of rows) table.push(row.map((cell) => cellText(cell)));
  return table.toString();
}

/** A number as people read it: integers grouped, others to about four telling digits. */
export function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return "–";
  if (typeof cell === "bigint") return grouped(cell);
  if (typeof cell !== "number") return String(cell);
  if (Number.isInteger(cell)) return Math.abs(cell) < 1e15 ? grouped(cell) : cell.toExponential(3);
  const size = Math.abs(cell);
  if (!Number.isFinite(cell)) return String(cell);
  return size >= 1e7 || size < 1e-4
    ? cell.toExponential(3)
    : size >= 1000
      ? cell.toFixed(1)
      : size >= 10
        ? cell.toFixed(2)
        : cell.toFixed(4);
}

/** Says what went wrong on stderr (and as JSON on stdout for programs) and gives the exit code. */
export function printError(error: unknown, json: boolean): number {
  if (error instanceof ShopaiError) {
    const lines = [`error: ${error.message}`];
    if (error.where !== undefined) lines.push(`  in  ${error.where.replaceAll("\n", "\n      ")}`);
    if (error.try !== undefined) lines.push(`  try ${error.try}`);
    process.stderr.write(`${lines.join("\n")}\n`);
    if (json) printJsonError(error.kind, error.message, error.where, error.try);
    return error.exitCode;
  }
  const bug = error as Error;
  process.stderr.write(`error: a bug in shopai: ${bug?.message ?? String(error)}\n${bug?.stack ?? ""}\n`);
  if (json) printJsonError("bug", bug?.message ?? String(error));
  return 1;
}

function printJsonError(kind: string, message: string, where?: string, advice?: string): void {
  process.stdout.write(`${JSON.stringify({ error: { kind, message, where, try: advice } }, undefined, 2)}\n`);
}

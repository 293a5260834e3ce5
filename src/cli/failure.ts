import { ShopaiError } from "../core/errors.js";

/**
 * Says what went wrong on stderr (and as JSON on stdout for programs) and gives the exit code.
 * @param words what was typed: where an error lies that names no other place
 */
export function printError(error: unknown, words: readonly string[]): number {
  const how = { json: words.includes("--json"), verbose: words.includes("--verbose") };
  if (!(error instanceof ShopaiError)) {
    const bug = error instanceof Error ? error : new Error(String(error));
    process.stderr.write(`error: a bug in shopai: ${bug.message}\n${bug.stack ?? ""}\n`);
    if (how.json) printJsonError({ kind: "bug", message: bug.message });
    return 1;
  }
  const where = error.where ?? (error.kind === "interrupted" ? undefined : callText(words));
  const lines = [`error: ${error.message}`];
  if (where !== undefined) lines.push(`  in  ${indented(where)}`);
  if (error.try !== undefined) lines.push(`  try ${indented(error.try)}`);
  if (how.verbose && error.cause instanceof Error) lines.push(`  for ${indented(error.cause.message)}`);
  process.stderr.write(`${lines.join("\n")}\n`);
  if (how.json) printJsonError({ kind: error.kind, message: error.message, where, try: error.try });
  return error.exitCode;
}

function callText(words: readonly string[]): string {
  const quoted = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  const text = ["shopai", ...quoted].join(" ");
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}

const indented = (text: string): string => text.replaceAll("\n", "\n      ");

function printJsonError(error: { kind: string; message: string; where?: string; try?: string }): void {
  process.stdout.write(`${JSON.stringify({ error }, undefined, 2)}\n`);
}

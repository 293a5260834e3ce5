import { ShopaiError } from "../core/errors.js";

/** Says what went wrong on stderr (and as JSON on stdout for programs) and gives the exit code. */
export function printError(error: unknown, how: { json: boolean; verbose: boolean }): number {
  if (!(error instanceof ShopaiError)) {
    const bug = error instanceof Error ? error : new Error(String(error));
    process.stderr.write(`error: a bug in shopai: ${bug.message}\n${bug.stack ?? ""}\n`);
    if (how.json) printJsonError({ kind: "bug", message: bug.message });
    return 1;
  }
  const lines = [`error: ${error.message}`];
  if (error.where !== undefined) lines.push(`  in  ${indented(error.where)}`);
  if (error.try !== undefined) lines.push(`  try ${indented(error.try)}`);
  if (how.verbose && error.cause instanceof Error) lines.push(`  for ${indented(error.cause.message)}`);
  process.stderr.write(`${lines.join("\n")}\n`);
  if (how.json)
    printJsonError({ kind: error.kind, message: error.message, where: error.where, try: error.try });
  return error.exitCode;
}

const indented = (text: string): string => text.replaceAll("\n", "\n      ");

function printJsonError(error: { kind: string; message: string; where?: string; try?: string }): void {
  process.stdout.write(`${JSON.stringify({ error }, undefined, 2)}\n`);
}

import { ShopaiError } from "../core/errors.js";
import { removeLeftovers } from "../core/leftovers.js";
import { version } from "../core/version.js";
import type { Command } from "../pipeline/command.js";
import { printError } from "./failure.js";
import { overview, unknownCommand } from "./overview.js";
import { fitted } from "./width.js";

export type Listing = Record<string, { summary: string; load: () => Promise<{ default: Command }> }>;

/**
 * Runs one call of the program and gives its exit code. What parses options, draws tables or opens an
 * engine is loaded only when the call comes to it: help and a mistyped command answer at once.
 */
export async function main(words: readonly string[], listing: Listing): Promise<number> {
  forgiveClosedPipes();
  try {
    const { name, args } = callOf(words, listing);
    if (name === undefined) {
      const text = args[0] === "--version" ? `${version}\n` : overview(listing, version);
      process.stdout.write(fitted(text, process.stdout.columns ?? Infinity));
      return 0;
    }
    if (!Object.hasOwn(listing, name)) throw unknownCommand(name, Object.keys(listing));
    const [{ default: command }, { runCommand }] = await Promise.all([
      listing[name].load(),
      import("./run-command.js"),
    ]);
    return await runCommand(command, args);
  } catch (error) {
    return printError(error, words);
  } finally {
    removeLeftovers();
  }
}

/** The command that was typed and the words for it. Options before the command count as typed after it. */
export function callOf(words: readonly string[], listing: Listing): { name?: string; args: string[] } {
  const at = words.findIndex((word) => word === "help" || Object.hasOwn(listing, word));
  const [first, ...rest] = words;
  if (first === undefined) return { args: ["--help"] };
  if (first.startsWith("-")) {
    if (first === "--version" || first === "-V") return { args: ["--version"] };
    if (at > 0) return callOf([words[at], ...words.slice(0, at), ...words.slice(at + 1)], listing);
    if (words.some((word) => word === "--help" || word === "-h")) return { args: ["--help"] };
    throw new ShopaiError("usage", `no command was given, only ${first}`, { try: "shopai --help" });
  }
  if (first !== "help") return { name: first, args: rest };
  const topic = rest.find((word) => !word.startsWith("-"));
  return topic === undefined ? { args: ["--help"] } : { name: topic, args: ["--help"] };
}

/** `shopai … | head` closes our stdout: that is no error. */
function forgiveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      removeLeftovers();
      process.exit(0);
    });
}

import { ShopaiError } from "../core/errors.js";
import { removeLeftovers } from "../core/leftovers.js";
import { version } from "../core/version.js";
import type { Command, OptionsOf, OptionShape } from "../pipeline/command.js";
import { overview, parseArguments, unknownCommand } from "./arguments.js";
import { openRun } from "./open-run.js";
import { talkerFor } from "./progress.js";
import { printError, printResult } from "./terminal.js";

export type Listing = Record<string, { summary: string; load: () => Promise<{ default: Command }> }>;

/** Runs one call of the program and gives its exit code. */
export async function main(words: readonly string[], listing: Listing): Promise<number> {
  forgiveClosedPipes();
  const [name, ...rest] = words;
  const json = words.includes("--json");
  try {
    if (name === undefined || name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
      process.stdout.write(overview(listing, version));
      return 0;
    }
    if (name === "--version" || name === "-V") {
      process.stdout.write(`${version}\n`);
      return 0;
    }
    const [wanted, args] = name === "help" ? [rest[0], ["--help"]] : [name, rest];
    if (wanted.startsWith("-"))
      throw new ShopaiError("usage", `the command comes first, before ${wanted}`, { try: "shopai --help" });
    if (!Object.hasOwn(listing, wanted)) throw unknownCommand(wanted, Object.keys(listing));
    const command = (await listing[wanted].load()).default;
    const parsed = parseArguments(command, args);
    if ("help" in parsed) {
      const inputs = args.filter((word) => !word.startsWith("-"));
      process.stdout.write(parsed.help + ((await command.moreHelp?.(inputs)) ?? ""));
      return 0;
    }
    return await runCommand(command, parsed.options);
  } catch (error) {
    return printError(error, json);
  } finally {
    removeLeftovers();
  }
}

async function runCommand(command: Command, options: OptionsOf<OptionShape>): Promise<number> {
  const talker = talkerFor(options);
  const stop = new AbortController();
  const interrupt = interrupter(stop);
  const open = openRun(options, talker, stop.signal);
  try {
    const result = await command.run(options, open.run);
    stop.signal.throwIfAborted();
    talker.close();
    printResult(result, options);
    return 0;
  } catch (error) {
    if (stop.signal.aborted)
      throw new ShopaiError("interrupted", "interrupted; nothing was left half written");
    throw error;
  } finally {
    interrupt.release();
    talker.close();
    await open.close();
  }
}

/** Ctrl-C stops the work and removes what is half written; a second one, or two seconds, ends the program at once. */
function interrupter(stop: AbortController): { release(): void } {
  const onSignal = (): void => {
    const leave = (): never => {
      removeLeftovers();
      process.stderr.write("error: interrupted; nothing was left half written\n");
      process.exit(130);
    };
    if (stop.signal.aborted) leave();
    stop.abort(new ShopaiError("interrupted", "interrupted"));
    setTimeout(leave, 2000).unref();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    release() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
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

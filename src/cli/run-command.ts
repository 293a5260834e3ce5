import { ShopaiError } from "../core/errors.js";
import { removeLeftovers } from "../core/leftovers.js";
import { metaOf, optionsOf, type Command, type OptionsOf, type OptionShape } from "../pipeline/command.js";
import { parseArguments } from "./arguments.js";
import { printError } from "./failure.js";
import { helpText } from "./help.js";
import { openRun } from "./open-run.js";
import { talkerFor } from "./progress.js";
import { fitted } from "./width.js";

/** Parses the words after a command's name, runs it, prints what it gives. @returns the exit code */
export async function runCommand(command: Command, words: readonly string[]): Promise<number> {
  const parsed = parseArguments(command, words);
  if ("help" in parsed) {
    const inputs = words.filter((word) => !word.startsWith("-"));
    const more = (await command.moreHelp?.(inputs)) ?? "";
    const text = helpText(command, process.stdout.columns) + more;
    process.stdout.write(fitted(text, process.stdout.columns ?? Infinity));
    return 0;
  }
  await checkOutputs(command, parsed.options);
  return await runWith(command, parsed.options, words);
}

/** Refuses outputs that could not be written in the end, before any work is done. */
async function checkOutputs(command: Command, options: OptionsOf<OptionShape>): Promise<void> {
  const tables = Object.entries(optionsOf(command))
    .filter(([, schema]) => metaOf(schema).table)
    .map(([name]) => options[name])
    .filter((path) => typeof path === "string");
  const outputs = command.writes(options).filter((path) => path !== "-");
  if (tables.length === 0 && outputs.length === 0) return;
  const [{ outputFormat }, { checkWritable }] = await Promise.all([
    import("../table/write.js"),
    import("../table/atomic.js"),
  ]);
  for (const path of tables) outputFormat(path, options.format as string | undefined);
  for (const path of outputs) checkWritable(path);
}

async function runWith(
  command: Command,
  options: OptionsOf<OptionShape>,
  words: readonly string[],
): Promise<number> {
  const talker = talkerFor(options);
  const stop = new AbortController();
  const interrupt = interrupter(stop, () => process.exit(printError(interrupted(), words)));
  const open = openRun(options, talker, stop.signal);
  talker.log({ event: "start", command: command.name, inputs: options.in });
  try {
    const result = await command.run(options, open.run);
    stop.signal.throwIfAborted();
    talker.close();
    const { printResult } = await import("./terminal.js");
    printResult(result, options);
    talker.log({ event: "end", command: command.name, exit: 0 });
    return 0;
  } catch (cause) {
    const error = stop.signal.aborted ? interrupted() : cause;
    const exit = error instanceof ShopaiError ? error.exitCode : 1;
    talker.log({ event: "end", command: command.name, exit, error: (error as Error).message });
    throw error;
  } finally {
    talker.close();
    await open.close();
    interrupt.release();
  }
}

const interrupted = (): ShopaiError =>
  new ShopaiError("interrupted", "interrupted; nothing was left half written");

/** Ctrl-C stops the work and removes what is half written; a second one, or two seconds, ends the program at once. */
function interrupter(stop: AbortController, exit: () => never): { release(): void } {
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (): void => {
    const leave = (): never => {
      removeLeftovers();
      exit();
    };
    if (stop.signal.aborted) leave();
    stop.abort(new ShopaiError("interrupted", "interrupted"));
    timer = setTimeout(leave, 2000).unref();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return {
    release() {
      clearTimeout(timer);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
    },
  };
}

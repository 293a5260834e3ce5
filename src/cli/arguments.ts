import { Command as Commander, CommanderError, Option } from "commander";
import { nearest, ShopaiError } from "../core/errors.js";
import {
  camel,
  checkOptions,
  defaultOf,
  kebab,
  metaOf,
  optionsOf,
  unknownOption,
  unwrapped,
  commonOptions,
} from "../pipeline/command.js";
import type { Command, OptionShape, OptionsOf } from "../pipeline/command.js";

/** What was typed after the command's name: options to run it with, or help to print. */
export type Parsed = { help: string } | { options: OptionsOf<OptionShape> };

/** Parses the words after `shopai <command>`. @throws ShopaiError "usage" */
export function parseArguments(command: Command, words: readonly string[]): Parsed {
  const parser = parserFor(command);
  let help: string | undefined;
  parser.configureOutput({ writeOut: (text) => (help = (help ?? "") + text), writeErr: () => undefined });
  try {
    parser.parse(words as string[], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.code === "commander.helpDisplayed" || cause.code === "commander.help")
      return { help: help ?? "" };
    throw usageError(command, cause);
  }
  return { options: checkOptions(command, parser.opts(), parser.args) };
}

/** The commander parser of a command: for parsing, help and completion. */
export function parserFor(command: Command): Commander {
  const parser = new Commander(command.name)
    .description(command.summary)
    .usage(`${command.inputs.usage} [options]`.trim())
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError(false)
    .exitOverride()
    .allowExcessArguments(true);
  if (command.inputs.max > 0) parser.argument("[inputs...]", command.inputs.help);
  for (const [name, schema] of Object.entries(optionsOf(command))) parser.addOption(optionFor(name, schema));
  parser.addHelpText(
    "after",
    `\nExamples:\n${command.examples.map((example) => `  $ ${example}`).join("\n")}\n`,
  );
  return parser;
}

function optionFor(name: string, schema: OptionShape[string]): Option {
  const meta = metaOf(schema);
  const fallback = defaultOf(schema);
  const about = `${meta.description ?? ""}${fallback !== undefined && fallback !== false && !meta.description?.includes("default") && !(fallback === true) ? ` (default: ${Array.isArray(fallback) ? fallback.join(",") : String(fallback)})` : ""}`;
  const flag = `--${fallback === true ? "no-" : ""}${kebab(name)}`;
  const made = new Option(
    `${meta.short ? `-${meta.short}, ` : ""}${flag}${meta.arg ? ` ${meta.arg}` : ""}`,
    about,
  );
  const type = (unwrapped(schema).def as unknown as { type: string }).type;
  if (type === "array" || type === "record")
    made.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  if (name in commonOptions) made.helpGroup("Common options:");
  return made;
}

function usageError(command: Command, cause: CommanderError): ShopaiError {
  const flag = /'(-[^']*)'/.exec(cause.message)?.[1] ?? "";
  if (cause.code === "commander.unknownOption") {
    const name = flag.replace(/^-+/, "").split("=")[0];
    return unknownOption(command, name.startsWith("no-") ? name : kebab(camel(name)));
  }
  if (cause.code === "commander.optionMissingArgument")
    return new ShopaiError("usage", `${flag} needs a value`, { try: `shopai ${command.name} --help` });
  return new ShopaiError("usage", cause.message.replace(/^error: /, ""), {
    try: `shopai ${command.name} --help`,
  });
}

/** The help of the whole program, from the listing alone. */
export function overview(listing: Record<string, { summary: string }>, version: string): string {
  const width = Math.max(...Object.keys(listing).map((name) => name.length));
  const commands = Object.entries(listing).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  );
  return [
    `shopai ${version}: data science for shops, from raw files to decisions`,
    "",
    "Usage: shopai <command> [inputs...] [options]",
    "",
    "Commands:",
    ...commands,
    "",
    "Every command explains itself: shopai <command> --help",
    "",
    "Examples:",
    "  $ shopai inspect orders.csv",
    "  $ shopai clean orders.csv --contract orders.yaml -o orders.parquet",
    "  $ shopai train ease interactions.parquet --user user --item item -o model/",
    "  $ shopai run pipelines/quickstart.yaml",
    "",
  ].join("\n");
}

export function unknownCommand(name: string, known: readonly string[]): ShopaiError {
  const near = nearest(name, known);
  return new ShopaiError("usage", `"${name}" is not a command`, {
    try: near ? `shopai ${near}` : "shopai --help",
  });
}

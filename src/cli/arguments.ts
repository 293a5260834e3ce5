import { Command as Commander, CommanderError, Option } from "commander";
import { ShopaiError } from "../core/errors.js";
import {
  camel,
  checkOptions,
  defaultOf,
  kebab,
  metaOf,
  optionsOf,
  unknownOption,
  unwrapped,
} from "../pipeline/command.js";
import type { Command, OptionShape, OptionsOf } from "../pipeline/command.js";

/** What was typed after the command's name: options to run it with, or the wish for help. */
export type Parsed = { help: true } | { options: OptionsOf<OptionShape> };

/**
 * Parses the words after `shopai <command>`. A flag given twice counts the last time, as in other
 * programs; a list collects. After `--` everything is an input.
 *
 * @throws ShopaiError "usage"
 */
export function parseArguments(command: Command, words: readonly string[]): Parsed {
  const parser = parserFor(command);
  refuseTrapped(command, words);
  try {
    parser.parse(words as string[], { from: "user" });
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    if (cause.code === "commander.helpDisplayed" || cause.code === "commander.help") return { help: true };
    throw usageError(command, cause);
  }
  return { options: checkOptions(command, parser.opts(), parser.args) };
}

/** The flags of a command as they are typed, `--no-color` for a switch that is on. */
export function flagsOf(command: Command): { name: string; flag: string; schema: OptionShape[string] }[] {
  return Object.entries(optionsOf(command)).map(([name, schema]) => ({
    name,
    flag: `--${defaultOf(schema) === true ? "no-" : ""}${kebab(name)}`,
    schema,
  }));
}

function parserFor(command: Command): Commander {
  const parser = new Commander(command.name)
    .helpOption("-h, --help")
    .exitOverride()
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
    .argument("[inputs...]");
  for (const { flag, schema } of flagsOf(command)) {
    const { short, arg } = metaOf(schema);
    const made = new Option(`${short ? `-${short}, ` : ""}${flag}${arg ? ` ${arg}` : ""}`);
    const type = (unwrapped(schema).def as unknown as { type: string }).type;
    if (type === "array" || type === "record")
      made.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    parser.addOption(made);
  }
  return parser;
}

/** What a parser would take for a value and nobody means: `-o --json` and `-o=file`. */
function refuseTrapped(command: Command, words: readonly string[]): void {
  const flags = flagsOf(command);
  const known = new Set(["--help", ...flags.map(({ flag }) => flag)]);
  const valued = new Set(
    flags.flatMap(({ flag, schema }) => {
      const { arg, short } = metaOf(schema);
      return arg ? [flag, ...(short ? [`-${short}`] : [])] : [];
    }),
  );
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    const word = words[i];
    const glued = /^(-[a-zA-Z])=(.*)$/.exec(word);
    if (glued && valued.has(glued[1]))
      throw new ShopaiError("usage", `${word}: a short option takes its value without "="`, {
        try: `${glued[1]} ${glued[2]}`,
      });
    if (!valued.has(word)) continue;
    i += 1;
    if (known.has(words[i])) throw needsValue(command, word);
  }
}

function needsValue(command: Command, flag: string): ShopaiError {
  const { schema } = flagsOf(command).find(
    (option) => option.flag === flag || `-${metaOf(option.schema).short}` === flag,
  )!;
  const { arg, must } = metaOf(schema);
  return new ShopaiError("usage", `${flag} needs a value: ${must ?? "a text"}`, { try: `${flag} ${arg}` });
}

function usageError(command: Command, cause: CommanderError): ShopaiError {
  const typed = /'(-[^']*)'/.exec(cause.message)?.[1] ?? "";
  if (cause.code === "commander.optionMissingArgument") return needsValue(command, typed.split(/[ ,]/)[0]);
  if (cause.code === "commander.unknownOption") {
    const flag = typed.split("=")[0];
    const known = flagsOf(command);
    if (known.some((option) => option.flag === flag))
      return new ShopaiError("usage", `${flag} takes no value, got ${typed}`, { try: flag });
    const positive = known.find((option) => option.flag === flag.replace(/^--/, "--no-"));
    if (positive)
      return new ShopaiError("usage", `${flag} is on by itself`, {
        try: `leaving it out, or ${positive.flag}`,
      });
    if (!flag.startsWith("--"))
      return new ShopaiError("usage", `${command.name} has no option ${flag}`, {
        try: `shopai ${command.name} --help`,
      });
    return unknownOption(command, kebab(camel(flag.replace(/^-+/, ""))));
  }
  return new ShopaiError("usage", cause.message.replace(/^error: /, ""), {
    try: `shopai ${command.name} --help`,
  });
}

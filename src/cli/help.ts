import { commonOptions, defaultOf, metaOf, readingOptions } from "../pipeline/command.js";
import type { Command, OptionShape } from "../pipeline/command.js";
import { flagsOf } from "./arguments.js";

/** One line of help: the flag with its value, and what it means, default and choices included. */
export interface OptionHelp {
  flag: string;
  about: string;
}

/** The options of a command in the groups that help and docs/commands.md show. */
export function optionGroups(command: Command): { title: string; options: OptionHelp[] }[] {
  const own: OptionHelp[] = [];
  const reading: OptionHelp[] = [];
  const common: OptionHelp[] = [];
  for (const { name, flag, schema } of flagsOf(command)) {
    const group = isOneOf(commonOptions, name, schema)
      ? common
      : isOneOf(readingOptions, name, schema)
        ? reading
        : own;
    group.push(helpOf(flag, schema));
  }
  common.push({ flag: "-h, --help", about: "show this help" });
  return [
    { title: "Options", options: own },
    { title: "Reading", options: reading },
    { title: "Common options", options: common },
  ].filter(({ options }) => options.length > 0);
}

function isOneOf(group: OptionShape, name: string, schema: OptionShape[string]): boolean {
  return group[name] === schema;
}

function helpOf(flag: string, schema: OptionShape[string]): OptionHelp {
  const meta = metaOf(schema);
  const fallback = defaultOf(schema);
  const parts = [meta.description ?? ""];
  if (meta.choices && meta.choices.length > 5) parts.push(`(one of ${meta.choices.join(", ")})`);
  const shown = Array.isArray(fallback) ? fallback.join(",") : String(fallback);
  const telling = ["string", "number"].includes(typeof fallback) || (Array.isArray(fallback) && shown !== "");
  if (telling && !meta.description?.includes("default")) parts.push(`(default: ${shown})`);
  return {
    flag: `${meta.short ? `-${meta.short}, ` : ""}${flag}${meta.arg ? ` ${meta.arg}` : ""}`,
    about: parts.join(" "),
  };
}

/**
 * The help of one command: what it does, its options in groups, examples.
 * @param columns width of the terminal; 80 where there is none, and never more than 110
 */
export function helpText(command: Command, columns = 80): string {
  const width = Math.max(40, Math.min(columns, 110));
  const groups = optionGroups(command);
  const flags = groups.flatMap(({ options }) => options.map(({ flag }) => flag.length));
  const left = Math.min(Math.max(...flags), 30) + 4;
  const lines = [
    `shopai ${command.name}: ${command.summary}`,
    "",
    `Usage: shopai ${command.name} ${command.inputs.usage} [options]`.replace(/ +/g, " "),
  ];
  if (command.inputs.max > 0)
    lines.push(...hanging(`  ${command.inputs.usage}`, command.inputs.help, left, width));
  for (const { title, options } of groups) {
    lines.push("", `${title}:`);
    for (const { flag, about } of options) lines.push(...hanging(`  ${flag}`, about, left, width));
  }
  if (command.examples.length > 0)
    lines.push("", "Examples:", ...command.examples.map((example) => `  $ ${example}`));
  return `${lines.join("\n")}\n`;
}

/** A name at the left and its text wrapped at the right of column `left`; a long name gets a line of its own. */
function hanging(name: string, text: string, left: number, width: number): string[] {
  const wrapped = wrap(text, width - left);
  const margin = " ".repeat(left);
  if (name.length > left - 2) return [name, ...wrapped.map((line) => margin + line)];
  return wrapped.map((line, i) => (i === 0 ? name.padEnd(left) : margin) + line);
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== "" && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

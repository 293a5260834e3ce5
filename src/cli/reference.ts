import type { Command } from "../pipeline/command.js";
import { optionGroups, type OptionHelp } from "./help.js";

/** The command reference in Markdown, made from the same schemas as `--help`: docs/commands.md. */
export function referenceText(commands: readonly Command[]): string {
  const common = optionGroups(commands[0]).find(({ title }) => title === "Common options")!;
  return [
    "# Commands",
    "",
    "Made by `npm run docs` from the commands' own schemas; `shopai <command> --help` says the same.",
    "In a pipeline's YAML the options of a stage have the same names, and `in` holds the inputs.",
    "",
    ...commands.map(({ name, summary }) => `- [\`${name}\`](#${name}): ${escaped(summary)}`),
    "",
    "## Common options",
    "",
    "Every command has them.",
    "",
    ...optionTable(common.options),
    ...commands.flatMap(sectionOf),
  ].join("\n");
}

function sectionOf(command: Command): string[] {
  const options = optionGroups(command)
    .filter(({ title }) => title !== "Common options")
    .flatMap((group) => group.options);
  return [
    `## ${command.name}`,
    "",
    `${escaped(sentence(command.summary))}`,
    "",
    "```",
    `shopai ${command.name} ${command.inputs.usage} [options]`.replace(/ +/g, " "),
    "```",
    "",
    ...(command.inputs.max > 0 ? [`\`${command.inputs.usage}\`: ${escaped(command.inputs.help)}`, ""] : []),
    ...(options.length > 0 ? optionTable(options) : []),
    ...(command.examples.length > 0 ? ["```sh", ...command.examples, "```", ""] : []),
  ];
}

function optionTable(options: readonly OptionHelp[]): string[] {
  return [
    "| option | meaning |",
    "| --- | --- |",
    ...options.map(({ flag, about }) => `| \`${flag.replaceAll("|", "\\|")}\` | ${escaped(about)} |`),
    "",
  ];
}

const sentence = (text: string): string => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** Text that Markdown shows as it is. */
function escaped(text: string): string {
  return text.replace(/[|<>*_]/g, (character) => `\\${character}`);
}

import { metaOf } from "../pipeline/command.js";
import type { Command } from "../pipeline/command.js";
import { flagsOf } from "./arguments.js";

/** What the shells need to know of a command. */
interface Words {
  name: string;
  summary: string;
  /** Words that the first input may be. */
  inputs: readonly string[];
  flags: Flag[];
}

interface Flag {
  long: string;
  short?: string;
  about: string;
  /** What its value may be; undefined for a switch, empty for anything (a file, a number). */
  values?: readonly string[];
}

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** A completion script: commands, their flags, the choices of a flag, and the words that a first input may be. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const known = commands.map(wordsOf);
  return { bash, zsh, fish }[shell](known);
}

function wordsOf(command: Command): Words {
  const flags = flagsOf(command).map(({ flag, schema }): Flag => {
    const { arg, short, description, choices } = metaOf(schema);
    return {
      long: flag,
      short: short && `-${short}`,
      about: description ?? "",
      values: arg === undefined ? undefined : (choices ?? []),
    };
  });
  return {
    name: command.name,
    summary: command.summary,
    inputs: command.inputs.choices ?? [],
    flags: [...flags, { long: "--help", short: "-h", about: "show this help" }],
  };
}

function bash(commands: readonly Words[]): string {
  const names = (flag: Flag): string => [flag.long, flag.short].filter(Boolean).join("|");
  const cases = commands.map(({ name, inputs, flags }) => {
    const chosen = flags
      .filter(({ values }) => values && values.length > 0)
      .map((flag) => `        ${names(flag)}) words="${flag.values!.join(" ")}" ;;`);
    const free = flags.filter(({ values }) => values?.length === 0).map(names);
    return [
      `    ${name})`,
      `      case "$previous" in`,
      ...chosen,
      ...(free.length > 0 ? [`        ${free.join("|")}) return ;;`] : []),
      `        *)`,
      `          if [[ $current == -* ]]; then words="${flags.map(({ long }) => long).join(" ")}"`,
      `          elif (( inputs == 0 )); then words="${inputs.join(" ")}"; fi ;;`,
      `      esac ;;`,
    ].join("\n");
  });
  const valued = [
    ...new Set(
      commands.flatMap(({ flags }) =>
        flags.filter(({ values }) => values).flatMap((flag) => names(flag).split("|")),
      ),
    ),
  ].join(" ");
  return `# bash completion of shopai: shopai completion bash > ~/.local/share/bash-completion/completions/shopai
_shopai() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" inputs=0 i
  COMPREPLY=()
  # "--flag=value" comes as three words.
  if [[ $current == "=" ]]; then current=""
  elif [[ $previous == "=" ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for (( i = 1; i < COMP_CWORD; i++ )); do
    if [[ \${COMP_WORDS[i]} == -* || " ${valued} " == *" \${COMP_WORDS[i-1]} "* ]]; then continue
    elif [[ -z $command ]]; then command="\${COMP_WORDS[i]}"
    else (( inputs++ )); fi
  done
  case "$command" in
    ""|help) words="${[...commands.map(({ name }) => name), "help", "--help", "--version"].join(" ")}" ;;
${cases.join("\n")}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -o bashdefault -o default -F _shopai shopai
`;
}

function zsh(commands: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const plain = (text: string): string => text.replace(/[[\]\\:]/g, "\\$&");
  const specOf = (flag: Flag): string => {
    const value =
      flag.values === undefined
        ? ""
        : flag.values.length > 0
          ? `:value:(${flag.values.join(" ")})`
          : ":value:_files";
    const about = `[${plain(flag.about)}]${value}`;
    return flag.short
      ? `{${flag.short},${flag.long}}${quoted(about)}`
      : quoted(`${flag.long}${value ? "=" : ""}${about}`);
  };
  const cases = commands.map(({ name, inputs, flags }) =>
    [
      `        ${name})`,
      `          _arguments -s \\`,
      ...flags.map((flag) => `            ${specOf(flag)} \\`),
      ...(inputs.length > 0 ? [`            ${quoted(`1:input:(${inputs.join(" ")})`)} \\`] : []),
      `            '*:file:_files' ;;`,
    ].join("\n"),
  );
  return `#compdef shopai
# zsh completion of shopai: shopai completion zsh > "\${fpath[1]}/_shopai"
_shopai() {
  local context state line curcontext="$curcontext"
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=(
${commands.map(({ name, summary }) => `        ${quoted(`${name}:${plain(summary)}`)}`).join("\n")}
      )
      _describe command commands ;;
    argument)
      case $words[1] in
${cases.join("\n")}
      esac ;;
  esac
}
if [[ $funcstack[1] == _shopai ]]; then _shopai "$@"; else compdef _shopai shopai; fi
`;
}

function fish(commands: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
  const lines = commands.flatMap(({ name, summary, inputs, flags }) => {
    const here = `-n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
    return [
      `complete -c shopai -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...(inputs.length > 0 ? [`complete -c shopai ${here} -a ${quoted(inputs.join(" "))}`] : []),
      ...flags.map(({ long, short, about, values }) =>
        [
          `complete -c shopai ${here} -l ${long.slice(2)}`,
          short ? `-s ${short.slice(1)}` : "",
          values === undefined ? "" : values.length > 0 ? `-x -a ${quoted(values.join(" "))}` : "-r",
          `-d ${quoted(about)}`,
        ]
          .filter(Boolean)
          .join(" "),
      ),
    ];
  });
  return `# fish completion of shopai: shopai completion fish > ~/.config/fish/completions/shopai.fish\n${lines.join("\n")}\n`;
}

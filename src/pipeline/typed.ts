import { defaultOf, camel, kebab, metaOf, optionsOf, type Command } from "./command.js";

/** A call of a command, as its outputs or a lock record it: options by their names on the command line. */
export interface Call {
  in: readonly string[];
  options: Readonly<Record<string, unknown>>;
  seed?: number;
  out?: string;
}

/** The line that a shell would be told: options at their defaults are left out. */
export function typedLine(command: Command, call: Call): string {
  const shape = optionsOf(command);
  const words = ["shopai", command.name, ...call.in];
  if (call.out !== undefined)
    words.push("out" in shape && metaOf(shape.out).short === "o" ? "-o" : "--out", call.out);
  for (const [name, value] of Object.entries(call.options)) {
    const schema = shape[camel(name)];
    if (!schema || same(value, defaultOf(schema))) continue;
    const flag = `--${kebab(camel(name))}`;
    if (value === true) words.push(flag);
    else if (value === false) words.push(`--no-${kebab(camel(name))}`);
    else if (Array.isArray(value))
      if (metaOf(schema).commas) words.push(...joined(flag, value.join(",")));
      else for (const one of value) words.push(...joined(flag, String(one)));
    else if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value)) words.push(flag, `${key}=${String(inner)}`);
    else words.push(...joined(flag, String(value)));
  }
  if (call.seed !== undefined && call.seed !== defaultOf(shape.seed)) words.push("--seed", String(call.seed));
  return words.map(quoted).join(" ");
}

/** A value that begins with a dash would be read as a flag of its own. */
const joined = (flag: string, value: string): string[] =>
  value.startsWith("-") ? [`${flag}=${value}`] : [flag, value];

/** Equal values, whatever the order of keys; nothing given is the same as an empty list or mapping. */
function same(value: unknown, fallback: unknown): boolean {
  const empty = (one: unknown): boolean =>
    one === undefined || one === null || (typeof one === "object" && Object.keys(one).length === 0);
  if (empty(value) && empty(fallback)) return true;
  return JSON.stringify(value) === JSON.stringify(fallback);
}

/** A word for a POSIX shell. */
export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  const option = /^(--[\w-]+=)([\s\S]+)$/.exec(word);
  if (option) return option[1] + quoted(option[2]);
  // Predicates hold quotes of their own: between double ones they stay readable.
  if (word.includes("'") && !/["$`\\!]/.test(word)) return `"${word}"`;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

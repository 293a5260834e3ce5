import { z } from "zod";
import { listed, nearest, ShopaiError } from "../core/errors.js";
import { yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";

export type ParamValue = string | number | boolean | (string | number | boolean)[];

const scalar = z.union([z.string(), z.number(), z.boolean()]);

/** A parameter in its long form: `horizon: { type: integer, default: 28, min: 1 }`. */
const declared = z.strictObject({
  type: z.enum(["text", "integer", "number", "boolean", "list"]),
  default: z.union([scalar, z.array(scalar)]).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  choices: z.array(scalar).optional(),
  description: z.string().optional(),
});
type Declared = z.output<typeof declared>;

/** What may stand behind a parameter's name: a default, nothing (a value is asked for), or the long form. */
export const paramSchema = z.union([scalar, z.array(scalar), z.null(), declared]);
export type ParamText = z.output<typeof paramSchema>;

/** A parameter with where it was declared. */
export interface ParamEntry {
  text: ParamText;
  source: YamlSource;
}

/**
 * The values of all parameters: what was typed, else the default.
 *
 * @param given `--param k=v` as typed
 * @param file  the pipeline, for errors about what was typed
 * @throws ShopaiError "usage" naming the parameter, with the place of its declaration where that is at fault
 */
export function settledParams(
  entries: ReadonlyMap<string, ParamEntry>,
  given: readonly string[],
  file: string,
): Record<string, ParamValue> {
  const typed = new Map(given.map((pair) => splitPair(pair)));
  for (const name of typed.keys())
    if (!entries.has(name))
      throw new ShopaiError("usage", `the pipeline has no parameter "${name}"`, {
        where: file,
        try: nearest(name, [...entries.keys()]) ?? `one of ${listed([...entries.keys()]) || "none"}`,
      });
  return Object.fromEntries(
    [...entries].map(([name, entry]) => [name, valueOf(name, entry, typed.get(name), file)]),
  );
}

function splitPair(pair: string): [string, string] {
  const cut = pair.indexOf("=");
  if (cut < 1)
    throw new ShopaiError("usage", `--param takes k=v, got ${pair}`, { try: "--param horizon=14" });
  return [pair.slice(0, cut), pair.slice(cut + 1)];
}

function valueOf(name: string, entry: ParamEntry, typed: string | undefined, file: string): ParamValue {
  const { text } = entry;
  if (isDeclared(text)) return declaredValue(name, text, entry.source, typed, file);
  if (typed !== undefined) return asTypeOf(name, text, typed, file);
  if (text === null) throw missingValue(name, entry.source);
  return text;
}

const isDeclared = (text: ParamText): text is Declared =>
  text !== null && typeof text === "object" && !Array.isArray(text);

const missingValue = (name: string, source: YamlSource): ShopaiError =>
  yamlError(source, ["params", name], `the parameter "${name}" has no value`, {
    at: "key",
    try: `--param ${name}=…`,
  });

const quoted = (value: string): string => (value === "" ? '""' : value);

/** A text from the command line as the type that the short form's default has. */
function asTypeOf(
  name: string,
  fallback: ParamValue | null,
  value: string,
  file: string,
): string | number | boolean | (string | number | boolean)[] {
  if (Array.isArray(fallback)) {
    const element = fallback[0] ?? "";
    return value === ""
      ? []
      : value.split(",").map((part) => asTypeOf(name, element, part.trim(), file) as string);
  }
  const refuse = (must: string): never => {
    throw new ShopaiError(
      "usage",
      `the parameter "${name}" must be ${must}, as its default ${String(fallback)}; got ${quoted(value)}`,
      { where: file, try: `--param ${name}=${String(fallback)}` },
    );
  };
  if (typeof fallback === "number") {
    const number = numberIn(value);
    return Number.isFinite(number) ? number : refuse("a number");
  }
  if (typeof fallback === "boolean") return truth(value) ?? refuse("true or false");
  return value;
}

const numberIn = (value: string): number => (value.trim() === "" ? NaN : Number(value));
const truth = (value: string): boolean | undefined =>
  value === "true" ? true : value === "false" ? false : undefined;

function declaredValue(
  name: string,
  about: Declared,
  source: YamlSource,
  typed: string | undefined,
  file: string,
): ParamValue {
  const must = mustBe(about);
  if (typed === undefined) {
    if (about.default === undefined) throw missingValue(name, source);
    if (!fits(about.default, about)) {
      const at: YamlPath = ["params", name, "default"];
      throw yamlError(source, at, `the default of "${name}" must be ${must}, got ${String(about.default)}`, {
        try: `default: ${must}`,
      });
    }
    return about.default;
  }
  const value = parsedAs(about.type, typed);
  if (value !== undefined && fits(value, about)) return value;
  const near = about.choices && nearest(typed, about.choices.map(String));
  throw new ShopaiError("usage", `the parameter "${name}" must be ${must}, got ${quoted(typed)}`, {
    where: file,
    try: `--param ${name}=${near ?? (about.default === undefined ? "…" : String(about.default))}`,
  });
}

function parsedAs(type: Declared["type"], text: string): ParamValue | undefined {
  switch (type) {
    case "text":
      return text;
    case "integer":
    case "number":
      return numberIn(text);
    case "boolean":
      return truth(text);
    case "list":
      return text === "" ? [] : text.split(",").map((part) => part.trim());
  }
}

function fits(value: ParamValue, { type, min, max, choices }: Declared): boolean {
  if (type === "list")
    return (
      Array.isArray(value) && value.every((item) => !choices || choices.map(String).includes(String(item)))
    );
  if (Array.isArray(value)) return false;
  if (choices && !choices.map(String).includes(String(value))) return false;
  switch (type) {
    case "text":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    default:
      return (
        typeof value === "number" &&
        (type === "number" ? Number.isFinite(value) : Number.isInteger(value)) &&
        value >= (min ?? -Infinity) &&
        value <= (max ?? Infinity)
      );
  }
}

function mustBe({ type, min, max, choices }: Declared): string {
  if (choices) return `${type === "list" ? "a list of" : "one of"} ${listed(choices.map(String))}`;
  const what = {
    text: "a text",
    integer: "an integer",
    number: "a number",
    boolean: "true or false",
    list: "a list",
  }[type];
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}`;
  return min !== undefined ? `${what} >= ${min}` : max !== undefined ? `${what} <= ${max}` : what;
}

import { z } from "zod";
import { nearest, ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";

/**
 * A command as data. Its option schemas are the only list of its flags: the command line, pipelines,
 * `--help`, the JSON Schema and docs/commands.md are all made from them. Names are camelCase here and
 * kebab-case wherever people type them.
 */
export interface Command<S extends OptionShape = OptionShape> {
  name: string;
  /** One line, starting with a verb. */
  summary: string;
  /** Positional inputs, for the usage line: how many, and what they are. */
  inputs: {
    usage: string;
    min: number;
    max: number;
    help: string;
    /** Words that the first input may be, for completion. */
    choices?: readonly string[];
  };
  examples: string[];
  options: S;
  /** Files and folders that a call reads: what a pipeline hashes. */
  reads(options: OptionsOf<S>): string[];
  /** Files and folders that a call writes. */
  writes(options: OptionsOf<S>): string[];
  /** It changes more than its outputs (a registry): a stage of it is never restored from the cache, nor run again to compare. */
  effects?: boolean;
  /** Help beyond the options, for the inputs that stand beside `--help`: the parameters of a learner, say. */
  moreHelp?(inputs: readonly string[]): Promise<string | undefined>;
  run(options: OptionsOf<S>, run: Run): Promise<Result>;
}

export type OptionShape = Record<string, z.ZodType>;
export type OptionsOf<S extends OptionShape> = { [K in keyof S]: z.output<S[K]> } & CommonOptions & {
    in: string[];
  };

/** What a command has to say: for programs, and for people. */
export interface Result {
  /** Printed by `--json`, and kept by pipelines. */
  json: unknown;
  blocks?: Block[];
  /** Raw text for stdout instead of blocks (completion scripts, schemas, Markdown). */
  text?: string;
  /** True when the command itself wrote its data to stdout, so that words must go to stderr. */
  wroteStdout?: boolean;
}

/** Pieces of a result as people read them; only src/cli knows how they look. */
export type Block =
  | { kind: "title"; text: string }
  | { kind: "line"; text: string }
  | { kind: "pairs"; rows: [name: string, value: Cell][] }
  | { kind: "table"; head: string[]; rows: Cell[][] };
export type Cell = string | number | bigint | boolean | null | undefined;

/** How an option looks on the command line; stands in the meta of its schema. */
interface OptionMeta {
  description?: string;
  /** `<path>`, `<n>`…; absent for a switch. */
  arg?: string;
  short?: string;
  /** "an integer >= 1": what an error says that the value must be. */
  must?: string;
  /** A list may be typed as one text with commas, beside repeating the flag. */
  commas?: boolean;
  /** Only words on stderr or speed depend on it, never an output's bytes. */
  idle?: boolean;
  /** Choices, for completion. */
  choices?: readonly string[];
  /** A table is written there: its ending must name a format. */
  table?: boolean;
}

const own = (schema: z.ZodType): OptionMeta => (schema.meta() ?? {}) as OptionMeta;

/** Meta of an option, through the wrapper of `.optional()` or `.default()`. */
export function metaOf(schema: z.ZodType): OptionMeta {
  const inner = unwrapped(schema);
  return inner === schema ? own(schema) : { ...own(inner), ...own(schema) };
}

export function unwrapped(schema: z.ZodType): z.ZodType {
  const definition = schema.def as unknown as { type: string; innerType?: z.ZodType };
  return definition.type === "optional" || definition.type === "default"
    ? unwrapped(definition.innerType!)
    : schema;
}

/** The default of an option, if it has one. */
export function defaultOf(schema: z.ZodType): unknown {
  const definition = schema.def as unknown as { type: string; innerType?: z.ZodType; defaultValue?: unknown };
  if (definition.type === "default") return definition.defaultValue;
  return definition.type === "optional" ? defaultOf(definition.innerType!) : undefined;
}

interface NumberRange {
  min?: number;
  max?: number;
  arg?: string;
  short?: string;
  idle?: boolean;
}

function rangeText(what: string, { min, max }: NumberRange): string {
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}`;
  return min !== undefined ? `${what} >= ${min}` : max !== undefined ? `${what} <= ${max}` : what;
}

/** Makers of options, each a zod schema of the native type with its looks in the meta. Chain `.optional()` or `.default(v)`. */
export const option = {
  text: (description: string, about: { arg?: string; short?: string; idle?: boolean } = {}) =>
    z.string().meta({ description, arg: "<text>", must: "a text", ...about }),
  path: (
    description: string,
    about: { arg?: string; short?: string; idle?: boolean; table?: boolean } = {},
  ) =>
    z
      .string()
      .min(1)
      .meta({ description, arg: "<path>", must: "a path", ...about }),
  integer: (description: string, range: NumberRange = {}) =>
    z
      .number()
      .int()
      .min(range.min ?? Number.MIN_SAFE_INTEGER)
      .max(range.max ?? Number.MAX_SAFE_INTEGER)
      .meta({
        description,
        arg: range.arg ?? "<n>",
        must: rangeText("an integer", range),
        short: range.short,
        idle: range.idle,
      }),
  real: (description: string, range: NumberRange = {}) =>
    z
      .number()
      .min(range.min ?? -Number.MAX_VALUE)
      .max(range.max ?? Number.MAX_VALUE)
      .meta({ description, arg: range.arg ?? "<x>", must: rangeText("a number", range), short: range.short }),
  flag: (description: string, about: { idle?: boolean } = {}) =>
    z.boolean().meta({ description, must: "true or false", ...about }),
  choice: <const T extends readonly [string, ...string[]]>(description: string, choices: T) =>
    z.enum(choices).meta({
      description,
      arg: `<${choices.length <= 5 ? choices.join("|") : "name"}>`,
      must: `one of ${choices.join(", ")}`,
      choices,
    }),
  /** Names separated by commas, or the flag repeated: `--series shop,sku`. */
  names: (description: string, about: { arg?: string } = {}) =>
    z
      .array(z.string().min(1))
      .meta({ description, arg: "<a,b>", must: "names separated by commas", commas: true, ...about }),
  /** Numbers separated by commas: `--level 80,95`. */
  numbers: (description: string, range: NumberRange = {}) =>
    z
      .array(
        z
          .number()
          .min(range.min ?? -Number.MAX_VALUE)
          .max(range.max ?? Number.MAX_VALUE),
      )
      .meta({
        description,
        arg: range.arg ?? "<x,y>",
        must: rangeText("numbers separated by commas, each", range),
        commas: true,
      }),
  /** A text that may be given several times, commas kept: `--fail-if "auc < 0.9"`. */
  repeated: (description: string, about: { arg?: string } = {}) =>
    z.array(z.string().min(1)).meta({ description, arg: "<text>", must: "a text, repeatable", ...about }),
  /** `k=v`, repeatable; in YAML a mapping. Values that read as numbers or booleans become such. */
  pairs: (description: string) =>
    z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .meta({ description, arg: "<k=v>", must: "k=v" }),
};

/** Options that every command has. */
export const commonOptions = {
  json: option.flag("print the result as one JSON document on stdout", { idle: true }).default(false),
  seed: option.integer("seed of every random stream", { min: 0, max: 4294967295 }).default(42),
  threads: option
    .integer("worker threads; the result does not depend on it (default: all cores)", {
      min: 1,
      max: 1024,
      idle: true,
    })
    .optional(),
  memory: option
    .text("memory ceiling, such as 4GB; work beyond it spills to disk (default: 75 % of the machine)", {
      arg: "<size>",
      idle: true,
    })
    .optional(),
  device: option.choice("where neural learners run", ["auto", "cpu", "webgpu", "cuda"]).default("auto"),
  allowSoftwareGpu: option
    .flag("let --device webgpu take a software adapter, for tests", { idle: true })
    .default(false),
  engine: option.text("where SQL runs: duckdb, or sc://host:port", { arg: "<engine>" }).default("duckdb"),
  quiet: option.flag("say nothing but errors", { idle: true }).default(false),
  verbose: option.flag("say more", { idle: true }).default(false),
  color: option.flag("print without colours, also on a terminal", { idle: true }).default(true),
  log: option.path("append an NDJSON log to this file", { arg: "<file>", idle: true }).optional(),
} satisfies OptionShape;
export type CommonOptions = { [K in keyof typeof commonOptions]: z.output<(typeof commonOptions)[K]> };

/** Options of commands that read tables. */
export const readingOptions = {
  where: option.text("only rows that satisfy this SQL predicate", { arg: "<sql>" }).optional(),
  format: option
    .choice("format of stdin, or of files whose ending does not tell", [
      "parquet",
      "arrow",
      "csv",
      "tsv",
      "ndjson",
      "json",
    ])
    .optional(),
  encoding: option
    .text("encoding of text files: utf-8, latin-1, windows-1252, gbk, gb18030, utf-16", { arg: "<name>" })
    .optional(),
  delimiter: option.text("separator of CSV files (default: found out)", { arg: "<char>" }).optional(),
  header: option
    .names("names of the columns of CSV files that have no line of names; none: column_1, column_2…", {
      arg: "<a,b,…|none>",
    })
    .optional(),
};

/** An option that a call may not have, lacks, or gives a value that it cannot take. */
export class OptionError extends ShopaiError {
  constructor(
    /** The option's name in camelCase; `in` for the positional inputs. */
    readonly option: string,
    readonly fault: "unknown" | "missing" | "value",
    message: string,
    detail: { try?: string; must?: string; near?: string } = {},
  ) {
    super("usage", message, { try: detail.try });
    this.must = detail.must;
    this.near = detail.near;
  }
  /** "an integer >= 1": what the value must be. */
  readonly must?: string;
  /** The nearest name or choice. */
  readonly near?: string;
}

/** Declares a command; nothing but a place for the types to meet. */
export function defineCommand<S extends OptionShape>(command: Command<S>): Command {
  return command as unknown as Command;
}

/** All options of a command by name, the common ones last. */
export function optionsOf(command: Command): OptionShape {
  return { ...command.options, ...commonOptions };
}

/** A JSON Schema, for editors. */
export type JsonSchema = Record<string, unknown>;

/**
 * What `with` of a pipeline's stage may hold for a command, as JSON Schema: `in`, and every option under
 * its name in YAML. Everywhere a reference such as `${params.horizon}` may stand for the value.
 *
 * @param common the common options that may be set
 */
export function jsonSchemaOf(command: Command, common: readonly string[] = []): JsonSchema {
  const shape: OptionShape = {
    ...command.options,
    ...Object.fromEntries(Object.entries(commonOptions).filter(([name]) => common.includes(name))),
  };
  const properties: Record<string, JsonSchema> = {};
  if (command.inputs.max > 0)
    properties.in = {
      description: command.inputs.help,
      anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
    };
  for (const [name, schema] of Object.entries(shape)) properties[kebab(name)] = yamlSchemaOf(schema);
  const required = Object.entries(command.options)
    .filter(([, schema]) => !schema.safeParse(undefined).success)
    .map(([name]) => kebab(name));
  return { type: "object", properties, required, additionalProperties: false };
}

function yamlSchemaOf(schema: z.ZodType): JsonSchema {
  const { description, ...plain } = withoutLooks(z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  const fallback = plain.default;
  delete plain.default;
  const forms = [plain];
  if (plain.type === "array") forms.push(plain.items as JsonSchema);
  if (plain.type !== "string" || plain.enum) forms.push({ type: "string", pattern: "\\$\\{[^}]+\\}" });
  return {
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(forms.length === 1 ? plain : { anyOf: forms }),
  };
}

const looks = new Set(["$schema", "arg", "short", "must", "commas", "idle", "choices", "table"]);

/** A JSON Schema without what stands in it for the command line alone. */
function withoutLooks(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !looks.has(name)));
}

/** failIf → fail-if. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** fail-if → failIf. */
export function camel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Checks the options of one call and fills in defaults.
 *
 * @param given  values by camelCase name: texts from a command line, native values from YAML
 * @param inputs the positional inputs
 * @throws ShopaiError "usage" naming the option, what it must be and what it was
 */
export function checkOptions(
  command: Command,
  given: Record<string, unknown>,
  inputs: readonly string[],
): OptionsOf<OptionShape> {
  const shape = optionsOf(command);
  const checked: Record<string, unknown> = { in: [...inputs] };
  for (const name of Object.keys(given)) if (!(name in shape)) throw unknownOption(command, kebab(name));
  if (inputs.length < command.inputs.min || inputs.length > command.inputs.max)
    throw badInputCount(command, inputs);
  for (const [name, schema] of Object.entries(shape)) {
    const parsed = schema.safeParse(coerced(schema, given[name]));
    if (!parsed.success) throw badOption(command, name, schema, given[name]);
    checked[name] = parsed.data;
  }
  return checked as OptionsOf<OptionShape>;
}

/** Names the output that was asked for; needed where a command can also do without one. @throws OptionError "usage" */
export function outNeeded(out: string | undefined, who: string, example: string): string {
  if (out !== undefined) return out;
  throw new OptionError("out", "missing", `${who} needs -o, --out <path>`, { try: example, must: "a path" });
}

export function unknownOption(command: Command, name: string): OptionError {
  const near = nearest(name, Object.keys(optionsOf(command)).map(kebab));
  return new OptionError(camel(name), "unknown", `${command.name} has no option --${name}`, {
    try: near ? `--${near}` : `shopai ${command.name} --help`,
    near,
  });
}

function badOption(command: Command, name: string, schema: z.ZodType, value: unknown): OptionError {
  const meta = metaOf(schema);
  if (value === undefined)
    return new OptionError(
      name,
      "missing",
      `${command.name} needs ${meta.short ? `-${meta.short}, ` : ""}--${kebab(name)} ${meta.arg ?? ""}`.trimEnd(),
      { try: command.examples[0], must: meta.must },
    );
  const shown = Array.isArray(value) ? value.join(",") : String(value);
  const near = meta.choices && nearest(shown, meta.choices);
  return new OptionError(
    name,
    "value",
    `--${kebab(name)} must be ${meta.must ?? "another value"}, got ${shown === "" ? '""' : shown}`,
    { try: near ? `--${kebab(name)} ${near}` : `shopai ${command.name} --help`, must: meta.must, near },
  );
}

function badInputCount(command: Command, inputs: readonly string[]): OptionError {
  const { min, max, usage } = command.inputs;
  const wanted = min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`;
  return new OptionError(
    "in",
    "value",
    `${command.name} takes ${wanted} input${wanted === "1" || wanted === "at least 1" ? "" : "s"} (${usage}), got ${inputs.length}`,
    { try: command.examples[0] },
  );
}

/** Texts of a command line (and single values of YAML) as the type that the schema wants; what does not fit is left for the schema to refuse. */
function coerced(schema: z.ZodType, value: unknown): unknown {
  if (value === undefined) return undefined;
  const inner = unwrapped(schema);
  const definition = inner.def as unknown as { type: string; element?: z.ZodType };
  switch (definition.type) {
    case "number":
      return typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))
        ? Number(value)
        : value;
    case "boolean":
      return value === "true" ? true : value === "false" ? false : value;
    case "string":
    case "enum":
      return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
    case "array": {
      const list = (Array.isArray(value) ? value : [value]).flatMap((item: unknown) =>
        metaOf(inner).commas && typeof item === "string"
          ? item.split(",").map((part) => part.trim())
          : [item],
      );
      return list.map((item: unknown) => coerced(definition.element!, item));
    }
    case "record":
      return Array.isArray(value) ? Object.fromEntries(value.map((pair) => pairOf(String(pair)))) : value;
    default:
      return value;
  }
}

function pairOf(text: string): [string, string | number | boolean] {
  const cut = text.indexOf("=");
  if (cut < 1)
    throw new ShopaiError("usage", `--param takes k=v, got ${text}`, { try: "--param lambda=300" });
  const value = text.slice(cut + 1);
  if (value === "true" || value === "false") return [text.slice(0, cut), value === "true"];
  return [text.slice(0, cut), value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value];
}

/** The options that can change an output's bytes, for provenance, model files and locks. */
export function telling(command: Command, options: Record<string, unknown>): Record<string, unknown> {
  const shape = optionsOf(command);
  return Object.fromEntries(
    Object.entries(options)
      .filter(
        ([name, value]) =>
          name !== "in" &&
          name !== "seed" &&
          name !== "out" &&
          value !== undefined &&
          shape[name] &&
          !metaOf(shape[name]).idle,
      )
      .map(([name, value]) => [kebab(name), value]),
  );
}

import { basename } from "node:path";
import { z } from "zod";
import { listed, nearest, ShopaiError } from "../core/errors.js";
import { checkYaml, readYaml, yamlError, type YamlSource } from "../core/yaml-source.js";

export type ParamValue = string | number | boolean | (string | number | boolean)[];

/** A pipeline as its YAML says it, checked for shape alone; the commands check their options in plan.ts. */
export interface PipelineDocument {
  /** What state in `.shopai/` goes under: `name`, or the file's name without its ending. */
  name: string;
  params: Record<string, ParamValue>;
  stages: Record<string, { run: string; with: Record<string, unknown> }>;
  source: YamlSource;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const text = z.string();
export const documentSchema = z.strictObject({
  name: text.min(1).optional(),
  description: text.optional(),
  params: z.record(z.string(), z.union([scalar, z.array(scalar), z.null()])).optional(),
  stages: z.record(
    z.string(),
    z.strictObject({
      run: text.min(1),
      description: text.optional(),
      with: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

/** Letters, digits, `_` and `-`: a name becomes a file's name, and a part of `${stages.name.out}`. */
const plainName = /^[\p{L}\p{N}_][\p{L}\p{N}_-]*$/u;

/**
 * Reads a pipeline and settles its parameters.
 *
 * @param given `--param k=v` as typed
 * @throws ShopaiError "usage" with the place in the file, or naming the parameter
 */
export function readPipeline(path: string, given: readonly string[] = []): PipelineDocument {
  const source = readYaml(path);
  const document = checkYaml(source, documentSchema);
  const name = document.name ?? basename(path).replace(/\.ya?ml$/i, "");
  if (!plainName.test(name))
    throw yamlError(source, ["name"], `the name "${name}" may hold letters, digits, _ and - only`, {
      try: name.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+/, "") || "nightly",
    });
  if (Object.keys(document.stages).length === 0)
    throw yamlError(source, ["stages"], "the pipeline has no stage", { at: "key", try: "a stage" });
  for (const stage of Object.keys(document.stages))
    if (!plainName.test(stage))
      throw yamlError(
        source,
        ["stages", stage],
        `the stage name "${stage}" may hold letters, digits, _ and - only`,
        { at: "key", try: stage.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+/, "") || "stage" },
      );
  return {
    name,
    params: settled(document.params ?? {}, given, source),
    stages: Object.fromEntries(
      Object.entries(document.stages).map(([stage, { run, with: options }]) => [
        stage,
        { run, with: options ?? {} },
      ]),
    ),
    source,
  };
}

/** Parameters with what was typed over their defaults; a default fixes the type, `null` asks for a value. */
function settled(
  defaults: Record<string, ParamValue | null>,
  given: readonly string[],
  source: YamlSource,
): Record<string, ParamValue> {
  const typed = new Map(given.map((pair) => splitPair(pair)));
  for (const name of typed.keys())
    if (!Object.hasOwn(defaults, name))
      throw new ShopaiError("usage", `the pipeline has no parameter "${name}"`, {
        where: source.path,
        try: nearest(name, Object.keys(defaults)) ?? `one of ${listed(Object.keys(defaults)) || "none"}`,
      });
  return Object.fromEntries(
    Object.entries(defaults).map(([name, fallback]) => {
      const value = typed.get(name);
      if (value !== undefined) return [name, asTypeOf(name, fallback, value, source)];
      if (fallback === null)
        throw yamlError(source, ["params", name], `the parameter "${name}" has no value`, {
          at: "key",
          try: `--param ${name}=…`,
        });
      return [name, fallback];
    }),
  );
}

function splitPair(pair: string): [string, string] {
  const cut = pair.indexOf("=");
  if (cut < 1)
    throw new ShopaiError("usage", `--param takes k=v, got ${pair}`, { try: "--param horizon=14" });
  return [pair.slice(0, cut), pair.slice(cut + 1)];
}

function asTypeOf(name: string, fallback: ParamValue | null, value: string, source: YamlSource): ParamValue {
  if (Array.isArray(fallback)) {
    const element = fallback[0] ?? "";
    return value === ""
      ? []
      : value.split(",").map((part) => asTypeOf(name, element, part.trim(), source) as string);
  }
  const refuse = (must: string): never => {
    throw new ShopaiError(
      "usage",
      `the parameter "${name}" must be ${must}, as its default ${String(fallback)}; got ${value === "" ? '""' : value}`,
      { where: source.path, try: `--param ${name}=${String(fallback)}` },
    );
  };
  if (typeof fallback === "number") {
    const number = value.trim() === "" ? NaN : Number(value);
    return Number.isFinite(number) ? number : refuse("a number");
  }
  if (typeof fallback === "boolean")
    return value === "true" ? true : value === "false" ? false : refuse("true or false");
  return value;
}

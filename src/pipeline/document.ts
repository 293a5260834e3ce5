import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { checkYaml, readYaml, yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";
import { missingFile } from "../table/source.js";
import { loopSchema, unrolled, type LoopValues } from "./loops.js";
import { paramSchema, settledParams, type ParamEntry, type ParamValue } from "./params.js";

/** One stage as the YAML says it; of a loop, one for every turn. */
export interface StageText {
  run: string;
  with: Record<string, unknown>;
  /** The name in the file: that of the loop, where the stage is a turn of one. */
  group: string;
  /** What `${item}`, `${key}` and `${matrix.…}` are in this turn. */
  loop: LoopValues;
  /** Where it stands, for errors. */
  source: YamlSource;
  at: YamlPath;
}

/** A pipeline as its YAML says it, checked for shape alone; the commands check their options in plan.ts. */
export interface PipelineDocument {
  /** What state in `.shopai/` goes under: `name`, or the file's name without its ending. */
  name: string;
  params: Record<string, ParamValue>;
  stages: Record<string, StageText>;
  /** A shell command that is told of a failed run. */
  onFailure?: string;
  source: YamlSource;
}

const text = z.string();
const stageSchema = z.strictObject({
  run: text.min(1),
  description: text.optional(),
  ...loopSchema,
  with: z.record(z.string(), z.unknown()).optional(),
});
export const documentSchema = z.strictObject({
  name: text.min(1).optional(),
  description: text.optional(),
  include: z.union([text.min(1), z.array(text.min(1))]).optional(),
  params: z.record(z.string(), paramSchema).optional(),
  on_failure: text.min(1).optional(),
  stages: z.record(z.string(), stageSchema).optional(),
});
type Stage = z.output<typeof stageSchema>;

/** Letters, digits, `_` and `-`: a name becomes a file's name, and a part of `${stages.name.out}`. */
const plainName = /^[\p{L}\p{N}_][\p{L}\p{N}_-]*$/u;

/**
 * Reads a pipeline with what it includes, settles its parameters and unrolls its loops.
 *
 * @param given `--param k=v` as typed
 * @throws ShopaiError "usage" with the place in the file, or naming the parameter
 */
export function readPipeline(path: string, given: readonly string[] = []): PipelineDocument {
  const gathered: Gathered = { params: new Map(), stages: new Map() };
  const { source, document } = gather(path, gathered, []);
  const name = document.name ?? basename(path).replace(/\.ya?ml$/i, "");
  if (!plainName.test(name))
    throw yamlError(source, ["name"], `the name "${name}" may hold letters, digits, _ and - only`, {
      try: name.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+/, "") || "nightly",
    });
  if (gathered.stages.size === 0)
    throw yamlError(source, ["stages"], "the pipeline has no stage", { at: "key", try: "a stage" });
  const params = settledParams(gathered.params, given, path);
  const stages: Record<string, StageText> = {};
  for (const [group, { stage, source: from }] of gathered.stages) {
    const at = ["stages", group];
    for (const turn of unrolled(group, stage, { source: from, at, params }))
      stages[turn.name] = {
        run: stage.run,
        with: stage.with ?? {},
        group,
        loop: turn.values,
        source: from,
        at,
      };
  }
  return { name, params, stages, onFailure: document.on_failure, source };
}

interface Gathered {
  params: Map<string, ParamEntry>;
  stages: Map<string, { stage: Stage; source: YamlSource }>;
}

/** Reads one file and, before its own parts, what it includes. Parameters of the including file win; a stage may stand once. */
function gather(
  path: string,
  into: Gathered,
  above: readonly string[],
): { source: YamlSource; document: z.output<typeof documentSchema> } {
  const source = readYaml(path);
  const document = checkYaml(source, documentSchema);
  const own = [...above, resolve(path)];
  const includes = [document.include ?? []].flat();
  includes.forEach((include, i) => {
    const at = Array.isArray(document.include) ? ["include", i] : ["include"];
    const file = join(dirname(path), include);
    if (own.includes(resolve(file)))
      throw yamlError(source, at, `${include} includes itself`, { try: "leaving it out" });
    if (!existsSync(file))
      throw yamlError(source, at, `there is no ${include} beside the pipeline`, {
        try: missingFile(file).try,
      });
    gather(file, into, own);
  });
  for (const [name, param] of Object.entries(document.params ?? {}))
    into.params.set(name, { text: param, source });
  for (const [name, stage] of Object.entries(document.stages ?? {})) {
    checkName(name, source);
    const other = into.stages.get(name);
    if (other)
      throw yamlError(source, ["stages", name], `${other.source.path} has a stage ${name} already`, {
        at: "key",
        try: `another name for one of them`,
      });
    into.stages.set(name, { stage, source });
  }
  return { source, document };
}

function checkName(stage: string, source: YamlSource): void {
  if (plainName.test(stage)) return;
  throw yamlError(
    source,
    ["stages", stage],
    `the stage name "${stage}" may hold letters, digits, _ and - only`,
    { at: "key", try: stage.replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+/, "") || "stage" },
  );
}

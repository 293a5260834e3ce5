import { readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { listed, nearest, ShopaiError } from "../core/errors.js";
import { yamlError, type YamlPath, type YamlSource } from "../core/yaml-source.js";
import { matchesGlob } from "../table/source.js";
import {
  camel,
  checkOptions,
  kebab,
  metaOf,
  OptionError,
  optionsOf,
  type Command,
  type OptionShape,
  type OptionsOf,
} from "./command.js";
import type { PipelineDocument, StageText } from "./document.js";
import { stageValues, type StageValues } from "./references.js";
import { script } from "./script.js";
import { shell } from "./shell.js";
import { resultPath } from "./state.js";

/** Where the commands that stages may name are found. */
export type CommandListing = Record<string, { load(): Promise<{ default: Command }> }>;

/** One stage, ready to run. All paths are relative to the project folder, or absolute outside of it. */
export interface Stage {
  name: string;
  /** Its name in the file: that of the loop for a turn of one. */
  group: string;
  command: Command;
  options: OptionsOf<OptionShape>;
  reads: string[];
  writes: string[];
  /** Where its Result is kept as JSON. */
  result: string;
  /** Whether the result is an output like any other: another stage reads it, or the stage writes nothing else. */
  resultCounts: boolean;
  /** Stages whose outputs it reads, directly. */
  needs: string[];
  /** What it reads and no stage writes: must be there before anything runs. */
  outer: string[];
  /** `<file>:<line>:<column>` of the stage or of one of its keys, for errors. */
  where(key?: string): string;
}

export interface Plan {
  name: string;
  /** The pipeline's file, as typed. */
  file: string;
  params: PipelineDocument["params"];
  /** In an order in which they can run; the order of the file where that is free. */
  stages: Stage[];
  /** A shell command that is told of a failed run. */
  onFailure?: string;
}

/** What every stage gets unless its own `with` says otherwise. */
export interface StageDefaults {
  seed: number;
  threads?: number;
  memory?: string;
  device: string;
  allowSoftwareGpu?: boolean;
  engine: string;
}

export interface PlanAsk extends StageDefaults {
  /** Lets stages write outside the project folder. */
  allowOutside?: boolean;
}

/** Commands that say something about shopai itself, or that run pipelines. */
const notStages = new Set([
  "run",
  "status",
  "verify",
  "cache",
  "diff",
  "completion",
  "schema",
  "learners",
  "doctor",
]);
/** The common options that a stage may set; the others are about a terminal. */
export const stageOptions = ["seed", "threads", "memory", "device", "engine"] as const;
/** The kinds of stage that are no command of their own. */
export const stageKinds: Record<string, Command> = { script, shell };

/** The names that `run:` may take. */
export function runnable(listing: CommandListing): string[] {
  return [...Object.keys(listing).filter((name) => !notStages.has(name)), ...Object.keys(stageKinds)];
}

/**
 * Turns a pipeline into stages with checked options, and finds what depends on what from the paths
 * that commands say they read and write.
 *
 * @param project the folder that paths are relative to; must be the working directory
 * @throws ShopaiError "usage" with line, column and caret for everything that is wrong in the file
 */
export async function planPipeline(
  document: PipelineDocument,
  listing: CommandListing,
  project: string,
  { allowOutside = false, seed, threads, memory, device, allowSoftwareGpu, engine }: PlanAsk,
): Promise<Plan> {
  const commands = new Map<string, Command>();
  for (const [name, stage] of Object.entries(document.stages))
    commands.set(name, await commandOf(stage, listing));
  const values = stageValues(document);
  const defaults = { seed, threads, memory, device, allowSoftwareGpu, engine };
  const stages = Object.keys(document.stages).map((name) =>
    stageOf(document, name, commands.get(name)!, values.get(name)!, project, defaults),
  );
  if (!allowOutside) for (const stage of stages) checkInside(document, stage, project);
  readReferences(stages, values, project);
  connect(document, stages);
  return {
    name: document.name,
    file: document.source.path,
    params: document.params,
    stages: inOrder(document, stages),
    onFailure: document.onFailure,
  };
}

async function commandOf({ run, source, at }: StageText, listing: CommandListing): Promise<Command> {
  const known = runnable(listing);
  if (!known.includes(run))
    throw yamlError(
      source,
      [...at, "run"],
      notStages.has(run) ? `"${run}" cannot be a stage` : `"${run}" is not a command`,
      { try: nearest(run, known) ?? `one of ${listed(known, 30)}` },
    );
  return stageKinds[run] ?? (await listing[run].load()).default;
}

function stageOf(
  document: PipelineDocument,
  name: string,
  command: Command,
  values: StageValues,
  project: string,
  defaults: StageDefaults,
): Stage {
  const { source, at, group } = document.stages[name];
  const { in: inputs, ...given } = values.with;
  const shape = optionsOf(command);
  const allowed = [...Object.keys(command.options), ...stageOptions];
  for (const key of Object.keys(given))
    if (!allowed.includes(camel(key)) || kebab(camel(key)) !== key) {
      const known = ["in", ...allowed.map(kebab)];
      throw yamlError(source, [...at, "with", key], `${command.name} has no option "${key}"`, {
        at: "key",
        try: nearest(key, known) ?? nearest(kebab(key), known) ?? `one of ${listed(known, 40)}`,
      });
    }
  const typed: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const option = camel(key);
    const isPath = metaOf(shape[option]).must === "a path" && typeof value === "string" && value !== "-";
    typed[option] = isPath ? projectPath(project, value) : value === null ? undefined : value;
  }
  const where = (key?: string): string => {
    const path = key === undefined ? at : [...at, "with", key];
    const { line, col } = source.locate(path, key === undefined ? "key" : "value");
    return `${source.path}:${line}:${col}`;
  };
  const positional = inputsOf(source, [...at, "with", "in"], inputs).map((path) =>
    projectPath(project, path),
  );
  const options = checkedOptions(source, at, command, typed, positional);
  const paths = (list: readonly string[]): string[] => [
    ...new Set(list.map((path) => projectPath(project, path))),
  ];
  const reads = paths(command.reads(options));
  const writes = paths(command.writes(options));
  if ([...reads, ...writes].includes("-"))
    throw yamlError(source, at, `stage ${name} can use neither stdin nor stdout`, {
      at: "key",
      try: "a file instead of -",
    });
  return {
    name,
    group,
    command,
    options,
    reads,
    writes,
    result: resultPath(document.name, name),
    resultCounts: writes.length === 0,
    needs: [],
    outer: [],
    where,
  };
}

function inputsOf(source: YamlSource, at: YamlPath, value: unknown): string[] {
  const flat = (value === undefined || value === null ? [] : [value]).flat(3) as unknown[];
  return flat.map((item) => {
    if (typeof item === "string" && item !== "") return item;
    if (typeof item === "number") return String(item);
    throw yamlError(source, at, "in must be a path or a list of paths", {
      try: "in: [a.csv, b.csv]",
    });
  });
}

/** The command's own check, with the place in the YAML instead of the name of a flag. */
function checkedOptions(
  source: YamlSource,
  stage: YamlPath,
  command: Command,
  given: Record<string, unknown>,
  inputs: readonly string[],
): OptionsOf<OptionShape> {
  try {
    return checkOptions(command, given, inputs);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const key = kebab(error.option);
    const at = [...stage, "with", key];
    if (error.fault === "missing")
      throw yamlError(source, [...stage, "with"], `${command.name} needs "${key}"`, {
        at: "key",
        try: `${key}: ${error.must ?? "…"}`,
      });
    throw yamlError(source, at, error.message.replace(/^--/, ""), {
      try: error.near ?? (error.must && error.option !== "in" ? `${key}: ${error.must}` : undefined),
    });
  }
}

/** A path as stages and the lock know it: relative to the project with `/`, or absolute when it was typed so and lies outside. */
export function projectPath(project: string, path: string): string {
  if (path === "-" || path.includes("://")) return path;
  const inside = relative(project, resolve(project, path)).split(sep).join("/");
  if (inside === "") return ".";
  return inside.startsWith("../") && isAbsolute(path) ? resolve(path) : inside;
}

/**
 * Refuses outputs outside the project folder: a pipeline may come from somebody else. Links count as what
 * they point to.
 */
function checkInside(document: PipelineDocument, stage: Stage, project: string): void {
  const home = realpathSync(project);
  for (const path of stage.writes) {
    if (isInside(home, realPlace(resolve(project, path)))) continue;
    const { source } = document.stages[stage.name];
    throw yamlError(
      source,
      placeOfPath(document, stage, path),
      `stage ${stage.name} would write ${path}, outside the project folder ${project}`,
      { try: "a path inside it, or --allow-outside if you trust the pipeline" },
    );
  }
}

const isInside = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** Where a path really lies, whether something is there or not; a link to nothing counts as what it points to. */
function realPlace(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    if (above === path) return path;
    const target = links < mostLinks ? linkTarget(path) : undefined;
    return target === undefined
      ? join(realPlace(above, links), basename(path))
      : realPlace(resolve(above, target), links + 1);
  }
}

/** Links that are followed before they count as a loop, as on Linux. */
const mostLinks = 40;

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** What a reference names and another stage writes is read, even where the command does not know it for a path. */
function readReferences(stages: Stage[], values: ReadonlyMap<string, StageValues>, project: string): void {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  for (const stage of stages)
    for (const { stage: from, value } of values.get(stage.name)!.references)
      for (const item of [value].flat()) {
        if (typeof item !== "string") continue;
        const source = byName.get(from)!;
        const path = projectPath(project, item);
        if (path === source.result) source.resultCounts = true;
        else if (!source.writes.includes(path)) continue;
        if (!stage.reads.includes(path)) stage.reads.push(path);
      }
}

/** The folders that a path lies in, the nearest first. */
function foldersOf(path: string): string[] {
  const parts = path.split("/");
  const folders = parts.slice(1).map((_, i) => parts.slice(0, parts.length - 1 - i).join("/"));
  return isAbsolute(path) ? folders : [...folders, "."];
}

/** Finds what every stage needs from what it reads. @throws ShopaiError "usage" where two stages write one place */
function connect(document: PipelineDocument, stages: Stage[]): void {
  const makers = new Map<string, Stage>();
  const refuse = (stage: Stage, path: string, message: string): never => {
    throw yamlError(document.stages[stage.name].source, placeOfPath(document, stage, path), message, {
      try: "another path for one of them",
    });
  };
  for (const stage of stages)
    for (const path of stage.writes) {
      const other = makers.get(path);
      if (other) refuse(stage, path, `stages ${other.name} and ${stage.name} both write ${path}`);
      makers.set(path, stage);
    }
  for (const [path, stage] of makers)
    for (const folder of foldersOf(path)) {
      const other = makers.get(folder);
      if (other && other !== stage)
        refuse(
          stage,
          path,
          `stage ${stage.name} writes ${path}, and stage ${other.name} writes ${folder}: one lies inside the other`,
        );
    }
  for (const stage of stages) makers.set(stage.result, stage);
  const madeIn = new Map<string, string[]>();
  for (const path of makers.keys())
    for (const folder of foldersOf(path)) {
      const inside = madeIn.get(folder);
      if (inside) inside.push(path);
      else madeIn.set(folder, [path]);
    }

  for (const stage of stages)
    for (const read of stage.reads) {
      const globbed = /[*?[{]/.test(read) ? [...makers.keys()].filter((path) => matchesGlob(path, read)) : [];
      const around = [read, ...foldersOf(read)].filter((path) => makers.has(path));
      const made = [...around, ...(madeIn.get(read) ?? []), ...globbed];
      if (made.length === 0) stage.outer.push(read);
      for (const path of made) {
        const maker = makers.get(path)!;
        if (path === maker.result) maker.resultCounts = true;
        if (!stage.needs.includes(maker.name)) stage.needs.push(maker.name);
      }
    }
}

/** The key of a stage whose value is a path, else the stage itself. */
function placeOfPath(document: PipelineDocument, stage: Stage, path: string): YamlPath {
  const options = stage.options as Record<string, unknown>;
  const name = Object.keys(options).find((key) => [options[key]].flat().includes(path));
  const { at } = document.stages[stage.name];
  return name !== undefined && kebab(name) in document.stages[stage.name].with
    ? [...at, "with", kebab(name)]
    : at;
}

/** Stages so that each comes after what it needs. @throws ShopaiError "usage" naming a cycle */
function inOrder(document: PipelineDocument, stages: Stage[]): Stage[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const ordered: Stage[] = [];
  const state = new Map<string, "open" | "done">();
  const path: string[] = [];
  const visit = (stage: Stage): void => {
    if (state.get(stage.name) === "done") return;
    if (state.get(stage.name) === "open") {
      const cycle = [...path.slice(path.indexOf(stage.name)), stage.name];
      const { source, at } = document.stages[stage.name];
      throw yamlError(
        source,
        at,
        cycle.length === 2
          ? `stage ${stage.name} reads what it writes`
          : `the stages need each other: ${cycle.join(" → ")}`,
        {
          at: "key",
          try: stage.reads.some((read) => foldersOf(stage.result).includes(read))
            ? "the results of other stages one by one: ${stages.<stage>.result}"
            : "another output for one of them",
        },
      );
    }
    state.set(stage.name, "open");
    path.push(stage.name);
    for (const need of stage.needs) visit(byName.get(need)!);
    path.pop();
    state.set(stage.name, "done");
    ordered.push(stage);
  };
  for (const stage of stages) visit(stage);
  return ordered;
}

/** The stages that names mean: a stage, a turn of a loop (`train@north`), or all turns of a loop (`train`). @throws ShopaiError "usage" */
export function namedStages(plan: Plan, names: readonly string[]): string[] {
  const known = [...new Set(plan.stages.flatMap(({ name, group }) => [group, name]))];
  return names.flatMap((name) => {
    const meant = plan.stages.filter((stage) => stage.name === name || stage.group === name);
    if (meant.length > 0) return meant.map((stage) => stage.name);
    throw new ShopaiError("usage", `the pipeline has no stage "${name}"`, {
      where: plan.file,
      try: nearest(name, known) ?? `one of ${listed(known)}`,
    });
  });
}

/** The stages asked for by name with all that they need; every stage when none is named. @throws ShopaiError "usage" */
export function chosenStages(plan: Plan, names: readonly string[]): Stage[] {
  const byName = new Map(plan.stages.map((stage) => [stage.name, stage]));
  const wanted = new Set<string>(names.length > 0 ? namedStages(plan, names) : byName.keys());
  for (const stage of [...plan.stages].reverse())
    if (wanted.has(stage.name)) for (const need of stage.needs) wanted.add(need);
  return plan.stages.filter((stage) => wanted.has(stage.name));
}

import { existsSync, readFileSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { missingFile } from "../table/source.js";
import type { Contents } from "./content.js";
import { differences, outputDifferences } from "./changes.js";
import {
  describeStage,
  firstBeyond,
  metricsIn,
  type LockedStage,
  type LockFile,
  type MetricEntry,
  type StageNow,
} from "./lock.js";
import type { Plan, Stage } from "./plan.js";
import { script } from "./script.js";
import { shell } from "./shell.js";
import { lockPath } from "./state.js";

/** A stage held against its lock. */
export interface Look {
  now: StageNow;
  /** Reasons to run it; empty when it is fresh. */
  why: string[];
}

/** Commands of the user's: what they make of a YAML file is not known, so that its every byte counts. */
const readsBytes = (stage: Stage): boolean => stage.command === shell || stage.command === script;

/** The hash of something that a stage reads; of a YAML file that one of our commands reads, what it says. */
export const inputOf = (stage: Stage, path: string, contents: Contents): Promise<string | undefined> =>
  readsBytes(stage) ? contents.of(path) : contents.meaningOf(path);

/** The outputs that a lock records: what the stage writes, and its result where that counts. */
export const outputsOf = (stage: Stage): string[] =>
  stage.resultCounts ? [...stage.writes, stage.result] : stage.writes;

/**
 * Whether a stage is fresh, with its inputs as they are on disk.
 * @throws ShopaiError "data" when an input is not there
 */
export async function lookAt(
  stage: Stage,
  locked: LockedStage | undefined,
  contents: Contents,
): Promise<Look> {
  const inputs = Object.fromEntries(
    await Promise.all(
      stage.reads.map(async (path) => [path, await inputHash(stage, path, contents)] as const),
    ),
  );
  const now = describeStage(stage, inputs);
  const why = differences(locked, now, contents.facts);
  if (locked && why.length === 0) {
    const { missing, changed } = outputDifferences(locked, await hashesOf(outputsOf(stage), contents));
    why.push(...missing, ...changed);
  }
  return { now, why };
}

async function inputHash(stage: Stage, path: string, contents: Contents): Promise<string> {
  const hash = await inputOf(stage, path, contents);
  if (hash === undefined) throw missingInput(stage, path);
  return hash;
}

export function missingInput(stage: Stage, path: string): ShopaiError {
  return new ShopaiError("data", `stage ${stage.name}: no such file`, {
    where: `${path} in the project folder ${process.cwd()} (${stage.where("in")})`,
    try: missingFile(path).try,
  });
}

export async function hashesOf(
  paths: readonly string[],
  contents: Contents,
): Promise<Record<string, string | undefined>> {
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path, await contents.of(path)] as const)),
  );
}

/** A stage of a dry run: what would happen, as far as it can be known before anything runs. */
export interface Forecast {
  stage: Stage;
  /** `may run`: it runs if an earlier stage changes what it reads. */
  status: "fresh" | "would run" | "may run";
  why: string[];
}

/** What a run would do and why, without doing it. */
export async function foresee(
  stages: readonly Stage[],
  lock: LockFile,
  contents: Contents,
  forced: ReadonlySet<string>,
): Promise<Forecast[]> {
  const unsettled = new Map<string, string>();
  const seen: Forecast[] = [];
  for (const stage of stages) {
    const awaited = stage.needs.filter((need) => unsettled.has(need));
    const locked = lock[stage.name];
    let why: string[];
    if (awaited.length === 0) why = (await lookAt(stage, locked, contents)).why;
    else {
      // What earlier stages will write is not known: the recorded hash stands in, so that only other differences show.
      const stands = await Promise.all(
        stage.reads.map(
          async (path) =>
            [path, locked?.inputs[path] ?? (await inputOf(stage, path, contents)) ?? ""] as const,
        ),
      );
      why = differences(locked, describeStage(stage, Object.fromEntries(stands)), contents.facts);
      if (locked && why.length === 0)
        why = outputDifferences(locked, await hashesOf(outputsOf(stage), contents)).missing;
    }
    if (why.length === 0 && forced.has(stage.name)) why = ["--force"];
    const status = why.length > 0 ? "would run" : awaited.length > 0 ? "may run" : "fresh";
    if (status === "may run") why = [`reads what ${awaited.join(" and ")} will write`];
    if (status !== "fresh") unsettled.set(stage.name, status);
    seen.push({ stage, status, why });
  }
  return seen;
}

/**
 * Holds a whole pipeline against its lock, as CI does: options, versions, inputs, and the outputs that
 * are there must be equal.
 *
 * @returns the stages whose outputs are absent, which must be made again and compared
 * @throws ShopaiError "gate" naming the first thing that differs
 */
export async function checkFrozen(
  plan: Plan,
  stages: readonly Stage[],
  lock: LockFile,
  contents: Contents,
): Promise<Set<string>> {
  const file = lockPath(plan.file);
  if (Object.keys(lock).length === 0)
    throw frozenError("there is no lock", file, "shopai run without --frozen, and keep the lock in git");
  if (stages.length === plan.stages.length)
    for (const name of Object.keys(lock))
      if (!plan.stages.some((stage) => stage.name === name))
        throw frozenError(`the lock has a stage ${name}, the pipeline has not`, file);
  const absent = new Set<string>();
  const made = new Map<string, string>();
  /** Outputs whose bytes are not asked for: the lock says what they are. */
  const loose = new Set<string>();
  for (const stage of stages) {
    const locked = lock[stage.name];
    if (!locked) throw frozenError(`stage ${stage.name} is not in the lock`, file);
    const inputs = await Promise.all(
      stage.reads.map(async (path) => {
        const hash =
          (loose.has(path) ? undefined : await inputOf(stage, path, contents)) ??
          made.get(path) ??
          awaitedHash(stage, path, locked, absent);
        if (hash === undefined) throw missingInput(stage, path);
        return [path, hash] as const;
      }),
    );
    const why = differences(locked, describeStage(stage, Object.fromEntries(inputs)), contents.facts);
    const { missing, changed } = outputDifferences(locked, await hashesOf(outputsOf(stage), contents));
    if (locked.tolerance !== undefined && missing.length === 0) {
      const beyond = firstBeyond(locked, metricsOnDisk(stage));
      changed.splice(0, Infinity, ...(beyond === undefined ? [] : [beyond]));
      outputsOf(stage).forEach((path) => loose.add(path));
    }
    const [first] = [...why, ...changed];
    if (first !== undefined) throw frozenError(`${stage.name}: ${first}`, file);
    if (missing.length > 0) absent.add(stage.name);
    for (const [path, hash] of Object.entries(locked.outputs)) made.set(path, hash);
  }
  return absent;
}

function metricsOnDisk(stage: Stage): Record<string, MetricEntry> | undefined {
  if (!existsSync(stage.result)) return undefined;
  return metricsIn((JSON.parse(readFileSync(stage.result, "utf8")) as { result: unknown }).result);
}

/** For a part of an output folder that an earlier stage will make again: what the lock says of it. */
function awaitedHash(
  stage: Stage,
  path: string,
  locked: LockedStage,
  absent: ReadonlySet<string>,
): string | undefined {
  return stage.needs.some((need) => absent.has(need)) ? locked.inputs[path] : undefined;
}

export function frozenError(
  message: string,
  where: string,
  advice = "shopai run, and commit the new lock",
): ShopaiError {
  return new ShopaiError("gate", `--frozen: ${message}`, { where, try: advice });
}

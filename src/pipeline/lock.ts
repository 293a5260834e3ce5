import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { ShopaiError } from "../core/errors.js";
import { stableJson } from "../core/hash.js";
import { version } from "../core/version.js";
import { writeAtomically } from "../table/atomic.js";
import { telling } from "./command.js";
import type { Stage } from "./plan.js";

/** What a stage was when it last ran well: everything that its outputs depend on, and their bytes. */
export interface LockedStage {
  run: string;
  version: string;
  seed: number;
  /** Positional inputs in their order. */
  in: string[];
  options: Record<string, unknown>;
  /** sha256 by path of all that was read, and of all that was written. */
  inputs: Record<string, string>;
  outputs: Record<string, string>;
}

export type LockFile = Record<string, LockedStage>;

const format = 1;
const heading =
  " Written by shopai run, meant for git: what every stage read, was told and wrote (sha256).\n" +
  " shopai run --frozen fails when anything differs.";

/**
 * Reads the lock of a pipeline; an absent one is empty.
 * @throws ShopaiError "data" when the file is no lock, or holds the marks of a merge conflict
 */
export function readLock(path: string): LockFile {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, "utf8");
  if (/^(<{7}|={7}|>{7})( |$)/m.test(text))
    throw new ShopaiError("data", "the lock holds the marks of a merge conflict", {
      where: path,
      try: "taking either side (git checkout --ours), or deleting it; then shopai run writes it anew",
    });
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    throw damaged(path, cause);
  }
  const { lock, stages } = (content ?? {}) as { lock?: number; stages?: LockFile };
  if (lock !== format || stages === null || typeof stages !== "object") throw damaged(path);
  for (const stage of Object.values(stages))
    if (
      !stage ||
      ![stage.options, stage.inputs, stage.outputs].every(
        (part) => part !== null && typeof part === "object",
      ) ||
      !Array.isArray(stage.in)
    )
      throw damaged(path);
  return stages;
}

function damaged(path: string, cause?: unknown): ShopaiError {
  return new ShopaiError("data", "the lock is damaged, or of another version", {
    where: path,
    try: "deleting it; shopai run writes it anew",
    cause,
  });
}

/** Writes the lock, sorted, unless it already says the same. */
export async function writeLock(path: string, pipeline: string, stages: LockFile): Promise<void> {
  const text = lockText(pipeline, stages);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  await writeAtomically(path, async (temporary) => writeFileSync(temporary, text));
}

function lockText(pipeline: string, stages: LockFile): string {
  const comment = heading
    .split("\n")
    .map((line) => `#${line}\n`)
    .join("");
  return `${comment}${stringify({ lock: format, pipeline, stages }, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** What a stage is now, but for its outputs. */
export function describeStage(stage: Stage, inputs: Record<string, string>): Omit<LockedStage, "outputs"> {
  return {
    run: stage.command.name,
    version,
    seed: stage.options.seed,
    in: stage.options.in,
    options: plainData(telling(stage.command, stage.options)),
    inputs,
  };
}

/** As it will read back from YAML: no undefined, no bigint. */
const plainData = <T>(value: T): T => JSON.parse(stableJson(value)) as T;

/** Why a stage is not what the lock says: each difference in words, the most telling first; empty when all is equal. */
export function differences(locked: LockedStage | undefined, now: Omit<LockedStage, "outputs">): string[] {
  if (!locked) return ["never ran"];
  const found: string[] = [];
  if (locked.run !== now.run) return [`command ${locked.run} → ${now.run}`];
  if (locked.version !== now.version) found.push(`new version ${locked.version} → ${now.version}`);
  if (locked.seed !== now.seed) found.push(`seed ${locked.seed} → ${now.seed}`);
  for (const name of union(locked.options, now.options)) {
    const [before, after] = [shown(locked.options[name]), shown(now.options[name])];
    if (before !== after) found.push(`option \`${name}\` ${before} → ${after}`);
  }
  for (const path of union(locked.inputs, now.inputs)) {
    const [before, after] = [locked.inputs[path], now.inputs[path]];
    if (before === after) continue;
    if (before === undefined) found.push(`input ${path} is new`);
    else if (after === undefined) found.push(`input ${path} is read no more`);
    else found.push(`input ${path} changed (${short(before)} → ${short(after)})`);
  }
  if (found.length === 0 && shown(locked.in) !== shown(now.in))
    found.push(`inputs ${locked.in.join(", ")} → ${now.in.join(", ")}`);
  return found;
}

/** How outputs on disk differ from the lock: `missing` ones can be made again, `changed` ones were touched by somebody else. */
export function outputDifferences(
  locked: LockedStage,
  outputs: Record<string, string | undefined>,
): { missing: string[]; changed: string[] } {
  const missing: string[] = [];
  const changed: string[] = [];
  for (const [path, now] of Object.entries(outputs)) {
    const before = locked.outputs[path];
    if (before === undefined) missing.push(`output ${path} is new`);
    else if (now === undefined) missing.push(`output ${path} is missing`);
    else if (now !== before)
      changed.push(`output ${path} is not what the stage wrote (${short(before)} → ${short(now)})`);
  }
  return { missing, changed };
}

export const short = (hash: string): string => hash.slice(0, 8);

const shown = (value: unknown): string =>
  value === undefined ? "unset" : typeof value === "string" ? value : stableJson(value);

const union = (a: object, b: object): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();

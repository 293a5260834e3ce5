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
  /** Of a stage that measures: each metric with the ends of its interval, so that `diff` can compare revisions. */
  metrics?: Record<string, MetricEntry>;
  /**
   * Of a stage that ran on a GPU, or reads what such a one wrote: its bytes are not asked for again, its
   * metrics may differ by this share (src/engine/device.ts).
   */
  tolerance?: number;
}

/** `[value, from, to]`, `[value]` without an interval. */
export type MetricEntry = (number | null)[];

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
  return existsSync(path) ? lockFrom(readFileSync(path, "utf8"), path) : {};
}

/** The stages in the text of a lock. @param path what to call it in an error */
export function lockFrom(text: string, path: string): LockFile {
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

/** What a stage's Result may say of how well it went. */
interface Measuring {
  metrics?: Record<string, unknown> | null;
  intervals?: Record<string, [number, number] | null>;
  /** Of a neural training: the losses of every epoch, and the epoch whose weights were kept. */
  about?: { curve?: ({ epoch: number } & Record<string, unknown>)[]; best_epoch?: number };
}

function lossesIn({ about }: Measuring): Record<string, unknown> | undefined {
  const best = about?.curve?.find?.(({ epoch }) => epoch === about.best_epoch);
  return best && Object.fromEntries(Object.entries(best).filter(([name]) => name.endsWith("loss")));
}

/** The metrics in a stage's result (of a neural training its losses), if it has any, to six digits. */
export function metricsIn(result: unknown): Record<string, MetricEntry> | undefined {
  const told = (result ?? {}) as Measuring;
  const { intervals } = told;
  const metrics = told.metrics ?? lossesIn(told);
  if (!metrics || typeof metrics !== "object") return undefined;
  const entries = Object.entries(metrics).filter(([, value]) => value === null || typeof value === "number");
  if (entries.length === 0) return undefined;
  const rounded = (value: number): number => Number(value.toPrecision(6));
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      [value as number | null, ...(intervals?.[name] ?? [])].map((one) =>
        one === null ? null : rounded(one),
      ),
    ]),
  );
}

/** The tolerance of a stage: its own device's, or the widest of the stages that it reads from. */
export function toleranceOf(stage: Stage, own: number | undefined, lock: LockFile): number | undefined {
  const all = [own, ...stage.needs.map((need) => lock[need]?.tolerance)].filter((one) => one !== undefined);
  return all.length > 0 ? Math.max(...all) : undefined;
}

/** The first metric that is further from the lock than its tolerance allows, in words. */
export function firstBeyond(
  { metrics: locked = {}, tolerance = 0 }: LockedStage,
  found: Record<string, MetricEntry> = {},
): string | undefined {
  for (const [name, [before]] of Object.entries(locked)) {
    const [now] = found[name] ?? [null];
    if (before === now) continue;
    const allowed = tolerance * Math.max(1, Math.abs(before ?? 0));
    if (before === null || now === null || !(Math.abs(now - before) <= allowed))
      return `${name} ${before} → ${now}, more than the tolerance ${tolerance}`;
  }
  return undefined;
}

/** What is known of a stage's outputs beside their bytes. */
export type Measured = Pick<LockedStage, "metrics" | "tolerance">;

/** A stage as it is about to run: everything that its outputs depend on. */
export type StageNow = Omit<LockedStage, "outputs" | keyof Measured>;

/** What a stage is now, but for its outputs. */
export function describeStage(stage: Stage, inputs: Record<string, string>): StageNow {
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

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolderFor, writeAtomically } from "../table/atomic.js";
import type { StageOutcome } from "./execute.js";
import type { LockFile } from "./lock.js";
import { runsFolder } from "./state.js";

/** What one run did. Runs that had nothing to do leave no record. */
export interface RunRecord {
  run: number;
  pipeline: string;
  /** When it began, by the clock of the machine. */
  began: string;
  seconds: number;
  params: Record<string, unknown>;
  stages: StageOutcome[];
  /** The lock as the run left it. */
  lock: LockFile;
  error?: string;
}

const mostRuns = 100;
/** Runs of a stage that a prediction is made of. */
const recent = 5;

/** Numbers of the runs that are recorded, the oldest first. */
export function runNumbers(pipeline: string): number[] {
  const folder = runsFolder(pipeline);
  return (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => Number(/^(\d+)\.json$/.exec(name)?.[1]))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
}

export function readRun(pipeline: string, run: number): RunRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(runsFolder(pipeline), `${run}.json`), "utf8")) as RunRecord;
  } catch {
    return undefined;
  }
}

/** Keeps a record under the next number; the oldest make room. */
export async function recordRun(record: Omit<RunRecord, "run">): Promise<number> {
  const folder = runsFolder(record.pipeline);
  makeFolderFor(folder);
  const known = runNumbers(record.pipeline);
  const run = (known.at(-1) ?? 0) + 1;
  const text = `${JSON.stringify({ run, ...record }, undefined, 1)}\n`;
  await writeAtomically(join(folder, `${run}.json`), async (temporary) => writeFileSync(temporary, text));
  for (const old of known.slice(0, Math.max(0, known.length + 1 - mostRuns)))
    rmSync(join(folder, `${old}.json`), { force: true });
  return run;
}

/** Seconds that each stage took when it last ran: the median of its last runs, of those that are recorded. */
export function expectedSeconds(pipeline: string): Map<string, number> {
  const seen = new Map<string, number[]>();
  for (const number of runNumbers(pipeline)
    .slice(-4 * recent)
    .reverse())
    for (const { stage, status, seconds } of readRun(pipeline, number)?.stages ?? []) {
      const times = seen.get(stage) ?? [];
      if (status === "ran" && seconds !== undefined && times.length < recent)
        seen.set(stage, [...times, seconds]);
    }
  return new Map(
    [...seen].map(([stage, times]) => [stage, times.sort((a, b) => a - b)[Math.floor(times.length / 2)]]),
  );
}

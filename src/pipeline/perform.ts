import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import { listed, ShopaiError } from "../core/errors.js";
import { sha256, stableJson } from "../core/hash.js";
import { parseBytes } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { makeFolderFor, writeAtomically } from "../table/atomic.js";
import type { OptionShape, OptionsOf, Result } from "./command.js";
import type { LockFile } from "./lock.js";
import type { Stage } from "./plan.js";
import { script } from "./script.js";
import { maskOf, type Mask } from "./secrets.js";
import { shell } from "./shell.js";
import type { StageRun } from "./stage-run.js";
import { childPath, logPath } from "./state.js";
import { watchUndeclared } from "./undeclared.js";

/** What stages get from outside. */
export interface Outside {
  /** Opens what a stage works with; given by the command line, which owns engines and devices. */
  open(
    options: OptionsOf<OptionShape>,
    talk: Pick<Run, "progress" | "warn">,
  ): { run: Run; close(): Promise<void> };
  progress: Run["progress"];
  warn: Run["warn"];
  /** One plain line of words, for stages that run side by side. */
  say(line: string): void;
  signal: AbortSignal;
  /** Threads that hash large inputs. */
  pool?: Run["pool"];
}

/** What came of a stage. */
export interface Performed {
  result: Result;
  /** Of a stage that ran on a device whose bytes are its own: how far its metrics may be elsewhere. */
  tolerance?: number;
}

/** What a stage is run within. */
export interface Around {
  pipeline: string;
  /** Places that stages run in: side by side they share the cores and the memory. */
  jobs: number;
  /** All that stages of the pipeline write. */
  written: ReadonlySet<string>;
  /** What the stages that are up to date were. */
  lock: LockFile;
}

/**
 * Runs the command of a stage, with what it says in the stage's log, and keeps its Result.
 *
 * @throws what the command throws; "data" when an output was not written
 */
export async function perform(stage: Stage, around: Around, outside: Outside): Promise<Performed> {
  const mask = maskOf(stage);
  const file = logPath(around.pipeline, stage.name);
  const log = openLog(file, mask);
  const undeclared = isUsers(stage) ? watchUndeclared(stage, around.written) : undefined;
  const performed = await work(stage, log, around, outside).catch((error: unknown) => {
    throw masked(error, mask);
  });
  for (const path of stage.writes)
    if (!existsSync(path))
      throw new ShopaiError("data", `the stage ended without writing ${path}`, { where: stage.where() });
  const strays = undeclared?.() ?? [];
  if (strays.length > 0) {
    const message = `it wrote ${listed(strays, 5)} without declaring it: nobody sees that change (out: …)`;
    log(`warning: ${message}\n`);
    outside.warn(`${stage.name}: ${message}`);
  }
  await keepResult(stage, performed.result, mask);
  return performed;
}

/** Commands of the user's may write anything; ours write what they say. */
const isUsers = ({ command }: Stage): boolean => command === shell || command === script;

function masked(error: unknown, mask: Mask): unknown {
  if (!(error instanceof Error)) return error;
  if (!(error instanceof ShopaiError)) {
    error.message = mask(error.message);
    return error;
  }
  return new ShopaiError(error.kind, mask(error.message), {
    where: error.where && mask(error.where),
    try: error.try && mask(error.try),
    cause: error.cause,
  });
}

async function work(
  stage: Stage,
  log: (text: string) => void,
  { jobs, pipeline, lock }: Around,
  outside: Outside,
): Promise<Performed> {
  const alone = jobs === 1;
  if (alone) outside.progress.stage(`${stage.name}: ${stage.command.name}`);
  const options = { ...stage.options, ...(alone ? {} : share(stage, jobs)) };
  const open = outside.open(options, {
    progress: {
      stage: (what) => log(`${what}\n`),
      update: (done, total, unit) => {
        if (alone) outside.progress.update(done, total, unit);
      },
      done: (what) => {
        if (what !== undefined) log(`${what}\n`);
      },
    },
    warn: (message) => {
      log(`warning: ${message}\n`);
      outside.warn(`${stage.name}: ${message}`);
    },
  });
  let tolerance: number | undefined;
  try {
    const run: StageRun = {
      ...open.run,
      async device() {
        const device = await open.run.device();
        tolerance = device.tolerance;
        return device;
      },
      log,
      childFile: childPath(pipeline, stage.name),
      lineage: () => ({ pipeline, lock: sha256(stableJson(lock)) }),
    };
    const result = await stage.command.run(options, run);
    return { result, tolerance };
  } catch (error) {
    log(`error: ${(error as Error).message}\n`);
    throw error;
  } finally {
    await open.close();
    if (alone) outside.progress.done();
  }
}

function share(stage: Stage, jobs: number): { threads: number; memory: string } {
  const { threads, memory } = stage.options;
  const bytes = memory === undefined ? totalmem() * 0.75 : parseBytes(memory);
  return {
    threads: Math.max(1, Math.floor((threads ?? availableParallelism()) / jobs)),
    memory: String(Math.floor(bytes / jobs)),
  };
}

function openLog(path: string, mask: Mask): (text: string) => void {
  makeFolderFor(dirname(path));
  writeFileSync(path, "");
  return (text) => appendFileSync(path, mask(text));
}

/** The Result of a stage as `{command, stage, result}`, for reports and for whoever reads it by `${stages.x.result}`. */
async function keepResult(stage: Stage, result: Result, mask: Mask): Promise<void> {
  const content = { command: stage.command.name, stage: stage.name, result: result.json };
  const text = JSON.stringify(
    content,
    (_, value: unknown) => (typeof value === "bigint" ? exact(value) : value),
    2,
  );
  await writeAtomically(stage.result, async (temporary) => writeFileSync(temporary, `${mask(text)}\n`));
}

const exact = (value: bigint): number | string => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};

import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { parseBytes } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { writeAtomically } from "../table/atomic.js";
import type { OptionShape, OptionsOf, Result } from "./command.js";
import { openContents, type Contents } from "./content.js";
import {
  checkFrozen,
  foresee,
  frozenError,
  hashesOf,
  lookAt,
  missingInput,
  outputsOf,
  type Look,
} from "./freshness.js";
import { outputDifferences, readLock, writeLock, type LockFile } from "./lock.js";
import { chosenStages, type Plan, type Stage } from "./plan.js";
import { hashesPath, logPath, makeStateFolder } from "./state.js";
import type { StageRun } from "./stage-run.js";

export interface RunAsk {
  /** Stages asked for by name; all when empty. */
  names: readonly string[];
  dryRun: boolean;
  frozen: boolean;
  force: boolean;
  keepGoing: boolean;
  jobs: number;
}

/** What a run gets from outside. */
export interface RunOutside {
  /** Where the lock of the pipeline is: an absolute path. */
  lockFile: string;
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
}

export interface StageOutcome {
  stage: string;
  command: string;
  status: "ran" | "fresh" | "failed" | "blocked" | "would run" | "may run";
  why: string[];
  seconds?: number;
}

/** The lock is written again at most so often while stages run, and always at the end. */
const lockEveryMs = 1000;

/**
 * Runs what is out of date, or says what would run. The working directory must be the project folder,
 * and the caller holds the pipeline's lock on `.shopai/`.
 *
 * @throws what the first failing stage threw, naming the stage; "gate" when `frozen` and something differs
 */
export async function runPipeline(plan: Plan, ask: RunAsk, outside: RunOutside): Promise<StageOutcome[]> {
  const stages = chosenStages(plan, ask.names);
  for (const stage of stages)
    for (const path of stage.outer)
      if (!existsSync(path) && !/[*?[{]/.test(path)) throw missingInput(stage, path);
  const contents = openContents(hashesPath);
  const lock = readLock(outside.lockFile);
  const forced = new Set(
    ask.force ? (ask.names.length > 0 ? ask.names : stages.map(({ name }) => name)) : [],
  );
  const absent = ask.frozen ? await checkFrozen(plan, stages, lock, contents) : undefined;
  if (ask.dryRun) {
    const seen = await foresee(stages, lock, contents, forced);
    return seen.map(({ stage, status, why }) => ({
      stage: stage.name,
      command: stage.command.name,
      status,
      why,
    }));
  }
  makeStateFolder();
  const known = new Set(plan.stages.map(({ name }) => name));
  const kept: LockFile = Object.fromEntries(Object.entries(lock).filter(([name]) => known.has(name)));
  const book = lockBook(outside.lockFile, plan.name, kept, ask.frozen);
  try {
    return await new PipelineRun(plan, stages, ask, outside, contents, kept, book, forced, absent).all();
  } finally {
    await book.save();
    await contents.save();
  }
}

/** Collects what stages record and writes the lock now and then; a frozen run writes none. */
function lockBook(
  file: string,
  pipeline: string,
  stages: LockFile,
  frozen: boolean,
): { recorded(): Promise<void>; save(): Promise<void> } {
  let written = performance.now();
  const save = async (): Promise<void> => {
    if (frozen || Object.keys(stages).length === 0) return;
    await writeLock(file, pipeline, stages);
    written = performance.now();
  };
  return {
    recorded: async () => (performance.now() - written > lockEveryMs ? save() : undefined),
    save,
  };
}

class PipelineRun {
  private readonly outcomes = new Map<string, StageOutcome>();
  private readonly failures: { stage: Stage; error: unknown }[] = [];

  constructor(
    private readonly plan: Plan,
    private readonly stages: readonly Stage[],
    private readonly ask: RunAsk,
    private readonly outside: RunOutside,
    private readonly contents: Contents,
    private readonly lock: LockFile,
    private readonly book: { recorded(): Promise<void> },
    private readonly forced: ReadonlySet<string>,
    private readonly absent: ReadonlySet<string> | undefined,
  ) {}

  /** Starts every stage as soon as what it needs is done and a place is free. */
  async all(): Promise<StageOutcome[]> {
    const waiting = [...this.stages];
    const running = new Map<string, Promise<void>>();
    const halted = (): boolean =>
      this.outside.signal.aborted || (this.failures.length > 0 && !this.ask.keepGoing);
    for (;;) {
      for (let i = 0; i < waiting.length && running.size < this.ask.jobs && !halted();) {
        const stage = waiting[i];
        const needs = stage.needs.map((need) => this.outcomes.get(need)?.status);
        if (needs.some((status) => status === "failed" || status === "blocked")) {
          waiting.splice(i, 1);
          this.block(stage);
        } else if (needs.every((status) => status !== undefined)) {
          waiting.splice(i, 1);
          running.set(
            stage.name,
            this.one(stage).finally(() => running.delete(stage.name)),
          );
        } else i++;
      }
      if (running.size === 0) break;
      await Promise.race(running.values());
    }
    this.outside.signal.throwIfAborted();
    if (this.failures.length > 0) throw this.failure();
    return this.stages.map((stage) => this.outcomes.get(stage.name)!);
  }

  private block(stage: Stage): void {
    const culprits = stage.needs.filter((need) =>
      ["failed", "blocked"].includes(this.outcomes.get(need)?.status ?? ""),
    );
    this.record(stage, "blocked", [`needs ${culprits.join(", ")}`]);
  }

  private record(stage: Stage, status: StageOutcome["status"], why: string[], seconds?: number): void {
    this.outcomes.set(stage.name, { stage: stage.name, command: stage.command.name, status, why, seconds });
  }

  private async one(stage: Stage): Promise<void> {
    const began = performance.now();
    let why: string[] = [];
    try {
      const look = await lookAt(stage, this.lock[stage.name], this.contents);
      why = look.why.length === 0 && this.forced.has(stage.name) ? ["--force"] : look.why;
      if (why.length === 0) return this.record(stage, "fresh", []);
      if (this.absent && !this.absent.has(stage.name))
        throw frozenError(`${stage.name}: ${why[0]}`, this.outside.lockFile);
      await this.make(stage, look);
      const seconds = (performance.now() - began) / 1000;
      this.record(stage, "ran", why, seconds);
      if (this.ask.jobs > 1)
        this.outside.say(`${stage.name}: ${stage.command.name} (${seconds.toFixed(1)} s)`);
      await this.book.recorded();
    } catch (error) {
      this.failures.push({ stage, error });
      this.record(stage, "failed", why, (performance.now() - began) / 1000);
      if (this.ask.keepGoing && !this.outside.signal.aborted)
        this.outside.warn(`stage ${stage.name} failed: ${(error as Error).message}`);
    }
  }

  /** Runs a stage and records what it was and wrote. */
  private async make(stage: Stage, { now }: Look): Promise<void> {
    const result = await this.work(stage);
    for (const path of stage.writes)
      if (!existsSync(path))
        throw new ShopaiError("data", `the stage ended without writing ${path}`, { where: stage.where() });
    await keepResult(stage, result);
    const outputs = (await hashesOf(outputsOf(stage), this.contents)) as Record<string, string>;
    if (this.absent) {
      const [first] = outputDifferences(this.lock[stage.name], outputs).changed;
      if (first !== undefined)
        throw frozenError(
          `${stage.name} gave other bytes than the lock says: ${first}`,
          this.outside.lockFile,
          "finding what the stage depends on and does not declare",
        );
      return;
    }
    const after = await hashesOf(stage.reads, this.contents);
    const moved = stage.reads.find((path) => after[path] !== now.inputs[path]);
    if (moved === undefined) this.lock[stage.name] = { ...now, outputs };
    else {
      this.outside.warn(
        `${moved} changed while stage ${stage.name} was reading it: the next run makes it again`,
      );
      delete this.lock[stage.name];
    }
  }

  private async work(stage: Stage): Promise<Result> {
    const log = openLog(logPath(this.plan.name, stage.name));
    const alone = this.ask.jobs === 1;
    if (alone) this.outside.progress.stage(`${stage.name}: ${stage.command.name}`);
    const options = { ...stage.options, ...this.share(stage) };
    const open = this.outside.open(options, {
      progress: {
        stage: (what) => log(`${what}\n`),
        update: (done, total, unit) => {
          if (alone) this.outside.progress.update(done, total, unit);
        },
        done: (what) => {
          if (what !== undefined) log(`${what}\n`);
        },
      },
      warn: (message) => {
        log(`warning: ${message}\n`);
        this.outside.warn(`${stage.name}: ${message}`);
      },
    });
    try {
      const run: StageRun = { ...open.run, log };
      return await stage.command.run(options, run);
    } catch (error) {
      log(`error: ${(error as Error).message}\n`);
      throw error;
    } finally {
      await open.close();
      if (alone) this.outside.progress.done();
    }
  }

  /** Stages side by side share the cores and the memory. */
  private share(stage: Stage): { threads?: number; memory?: string } {
    const { jobs } = this.ask;
    if (jobs === 1) return {};
    const { threads, memory } = stage.options;
    const bytes = memory === undefined ? totalmem() * 0.75 : parseBytes(memory);
    return {
      threads: Math.max(1, Math.floor((threads ?? availableParallelism()) / jobs)),
      memory: String(Math.floor(bytes / jobs)),
    };
  }

  private failure(): unknown {
    const [{ stage, error }, ...others] = this.failures;
    const more =
      others.length > 0 ? ` (also failed: ${others.map((other) => other.stage.name).join(", ")})` : "";
    if (!(error instanceof ShopaiError)) {
      (error as Error).message = `stage ${stage.name}: ${(error as Error).message}${more}`;
      return error;
    }
    const named = error.message.startsWith(`stage ${stage.name}`) || error.message.startsWith("--frozen");
    return new ShopaiError(error.kind, `${named ? "" : `stage ${stage.name}: `}${error.message}${more}`, {
      where: error.where ?? stage.where(),
      try: error.try,
      cause: error,
    });
  }
}

function openLog(path: string): (text: string) => void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  return (text) => appendFileSync(path, text);
}

/** The Result of a stage as `{command, stage, result}`, for reports and for whoever reads it by `${stages.x.result}`. */
async function keepResult(stage: Stage, result: Result): Promise<void> {
  const content = { command: stage.command.name, stage: stage.name, result: result.json };
  const text = JSON.stringify(
    content,
    (_, value: unknown) => (typeof value === "bigint" ? exact(value) : value),
    2,
  );
  await writeAtomically(stage.result, async (temporary) => writeFileSync(temporary, `${text}\n`));
}

const exact = (value: bigint): number | string => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};

import { existsSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
import { openCache, type Cache } from "./cache.js";
import { outputDifferences } from "./changes.js";
import { endOrphans } from "./child.js";
import { openContents, type Contents } from "./content.js";
import {
  checkFrozen,
  foresee,
  frozenError,
  hashesOf,
  inputOf,
  lookAt,
  missingInput,
  outputsOf,
  type Look,
} from "./freshness.js";
import { expectedSeconds, recordRun } from "./history.js";
import { sweepLeftovers } from "./leftovers.js";
import {
  firstBeyond,
  metricsIn,
  readLock,
  toleranceOf,
  writeLock,
  type LockFile,
  type Measured,
} from "./lock.js";
import { perform, type Outside } from "./perform.js";
import { chosenStages, namedStages, type Plan, type Stage } from "./plan.js";
import { inOrderOfNeed } from "./schedule.js";
import { checkEnvironment } from "./secrets.js";
import { hashesPath, makeStateFolder, runLockPath, stateFolder } from "./state.js";

export interface RunAsk {
  /** Where the lock of the pipeline is: an absolute path. */
  lockFile: string;
  /** Stages asked for by name; all when empty. */
  names: readonly string[];
  dryRun: boolean;
  frozen: boolean;
  force: boolean;
  keepGoing: boolean;
  jobs: number;
  /** Bytes that the outputs of earlier states may take; 0 for no cache. */
  cacheBytes: number;
}

export interface StageOutcome {
  stage: string;
  command: string;
  /** `restored`: the outputs of an earlier run under the same circumstances were put back. */
  status: "ran" | "restored" | "fresh" | "failed" | "blocked" | "would run" | "may run";
  why: string[];
  seconds?: number;
  /** Of what did not run yet: seconds that it took when it last ran. */
  expected?: number;
}

/** The lock is written again at most so often while stages run, and always at the end. */
const lockEveryMs = 1000;

/**
 * Runs what is out of date, or says what would run. The working directory must be the project folder,
 * and the caller holds the pipeline's lock on `.shopai/` (but for a dry run).
 *
 * @throws what the first failing stage threw, naming the stage; "gate" when `frozen` and something differs
 */
export async function runPipeline(plan: Plan, ask: RunAsk, outside: Outside): Promise<StageOutcome[]> {
  const stages = chosenStages(plan, ask.names);
  checkInputs(stages);
  const contents = openContents(hashesPath, outside.pool);
  const lock = readLock(ask.lockFile);
  const forced = new Set(
    ask.force ? namedStages(plan, ask.names.length > 0 ? ask.names : namesOf(stages)) : [],
  );
  await readAhead(stages, contents);
  const absent = ask.frozen ? await checkFrozen(plan, stages, lock, contents) : undefined;
  if (ask.dryRun) {
    const forecasts = await foresee(stages, lock, contents, forced);
    await savedIfKept(contents);
    return foreseen(plan, forecasts);
  }

  checkEnvironment(stages);
  makeStateFolder();
  const orphans = endOrphans(runLockPath(plan.name));
  if (orphans > 0) outside.warn(`a killed run left ${orphans} processes behind: they were ended`);
  sweepLeftovers(plan.stages);
  const book = lockBook(plan, ask, lock);
  const cache = openCache(plan.name, contents, ask.cacheBytes);
  const written = new Set(plan.stages.flatMap(({ writes }) => writes));
  const outcomes = new Map<string, StageOutcome>();
  const began = { at: new Date(), timer: performance.now() };
  let failure: unknown;
  try {
    const held = { plan, ask, outside, contents, cache, book, forced, absent, written, outcomes };
    return await bringUpToDate(held, stages);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await book.save();
    const done = [...outcomes.values()];
    if (done.some(({ status }) => status !== "fresh"))
      await recordRun({
        pipeline: plan.name,
        began: began.at.toISOString(),
        seconds: (performance.now() - began.timer) / 1000,
        params: plan.params,
        stages: done,
        lock: book.stages,
        error: failure === undefined ? undefined : (failure as Error).message,
      });
    cache.trim();
    await contents.save();
  }
}

/** What a run of all stages would do, and why; nothing is locked or written but what was learned of the files. */
export async function foreseePipeline(
  plan: Plan,
  lockFile: string,
  pool?: Outside["pool"],
): Promise<StageOutcome[]> {
  checkInputs(plan.stages);
  const contents = openContents(hashesPath, pool);
  await readAhead(plan.stages, contents);
  const forecasts = await foresee(plan.stages, readLock(lockFile), contents, new Set());
  await savedIfKept(contents);
  return foreseen(plan, forecasts);
}

/** A reader keeps what it learned only where there is a state folder already. */
async function savedIfKept(contents: Contents): Promise<void> {
  if (existsSync(stateFolder)) await contents.save().catch(() => undefined);
}

const namesOf = (stages: readonly Stage[]): string[] => stages.map(({ name }) => name);

function checkInputs(stages: readonly Stage[]): void {
  for (const stage of stages)
    for (const path of stage.outer)
      if (!existsSync(path) && !/[*?[{]/.test(path)) throw missingInput(stage, path);
}

/** Reads what moved since the last run on all threads at once, instead of stage by stage. */
async function readAhead(stages: readonly Stage[], contents: Contents): Promise<void> {
  await Promise.all([...new Set(stages.flatMap(({ outer }) => outer))].map((path) => contents.of(path)));
}

/** What a run would do, with the time that it took before. */
function foreseen(plan: Plan, forecasts: Awaited<ReturnType<typeof foresee>>): StageOutcome[] {
  const expected = expectedSeconds(plan.name);
  return forecasts.map(({ stage, status, why }) => ({
    ...outcomeOf(stage, status, why),
    expected: status === "fresh" ? undefined : expected.get(stage.name),
  }));
}

/** What a run holds while its stages run. */
interface Held {
  plan: Plan;
  ask: RunAsk;
  outside: Outside;
  contents: Contents;
  cache: Cache;
  book: LockBook;
  forced: ReadonlySet<string>;
  /** In a frozen run: the stages whose outputs are absent, which alone may run. */
  absent?: ReadonlySet<string>;
  /** All that stages of the pipeline write. */
  written: ReadonlySet<string>;
  outcomes: Map<string, StageOutcome>;
}

/** The entries of the stages that are still in the pipeline; written now and then, never in a frozen run. */
interface LockBook {
  readonly stages: LockFile;
  /** Says that an entry changed. */
  changed(): Promise<void>;
  save(): Promise<void>;
}

function lockBook(plan: Plan, ask: RunAsk, lock: LockFile): LockBook {
  const known = new Set(namesOf(plan.stages));
  const stages: LockFile = Object.fromEntries(Object.entries(lock).filter(([name]) => known.has(name)));
  let written = performance.now();
  const save = async (): Promise<void> => {
    if (ask.frozen || Object.keys(stages).length === 0) return;
    await writeLock(ask.lockFile, plan.name, stages);
    written = performance.now();
  };
  return {
    stages,
    changed: async () => (performance.now() - written > lockEveryMs ? save() : undefined),
    save,
  };
}

const outcomeOf = (
  { name, command }: Stage,
  status: StageOutcome["status"],
  why: string[],
  seconds?: number,
): StageOutcome => ({ stage: name, command: command.name, status, why, seconds });

async function bringUpToDate(held: Held, stages: readonly Stage[]): Promise<StageOutcome[]> {
  const { ask, outside, outcomes } = held;
  const failures: Failure[] = [];
  const work = async (stage: Stage): Promise<void> => {
    const culprits = stage.needs.filter((need) =>
      ["failed", "blocked"].includes(outcomes.get(need)?.status ?? ""),
    );
    outcomes.set(
      stage.name,
      culprits.length > 0
        ? outcomeOf(stage, "blocked", [`needs ${culprits.join(", ")}`])
        : await oneStage(held, stage, (error) => failures.push({ stage, error })),
    );
  };
  const stopped = (): boolean => outside.signal.aborted || (failures.length > 0 && !ask.keepGoing);
  await inOrderOfNeed(stages, ask.jobs, work, stopped);
  outside.signal.throwIfAborted();
  if (failures.length > 0) throw failureOf(failures);
  return stages.map((stage) => outcomes.get(stage.name)!);
}

async function oneStage(held: Held, stage: Stage, failed: (error: unknown) => void): Promise<StageOutcome> {
  const { ask, outside, book, contents } = held;
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  let why: string[] = [];
  try {
    const locked = book.stages[stage.name];
    // In a frozen run it was held against the lock already, within its tolerance.
    if (held.absent && !held.absent.has(stage.name) && locked?.tolerance !== undefined)
      return outcomeOf(stage, "fresh", []);
    const look = await lookAt(stage, locked, contents);
    why = look.why.length === 0 && held.forced.has(stage.name) ? ["--force"] : look.why;
    if (why.length === 0) return outcomeOf(stage, "fresh", []);
    if (held.absent && !held.absent.has(stage.name))
      throw frozenError(`${stage.name}: ${why[0]}`, ask.lockFile);
    const status = (await restored(held, stage, look)) ? "restored" : "ran";
    if (status === "ran") await ranAnew(held, stage, look, seconds);
    if (ask.jobs > 1)
      outside.say(
        `${stage.name}: ${status === "restored" ? "restored" : stage.command.name} (${seconds().toFixed(1)} s)`,
      );
    return outcomeOf(stage, status, why, seconds());
  } catch (error) {
    failed(error);
    if (ask.keepGoing && !outside.signal.aborted)
      outside.warn(`stage ${stage.name} failed: ${(error as Error).message}`);
    return outcomeOf(stage, "failed", why, seconds());
  }
}

/** Whether an earlier run under the same circumstances left its outputs, and they are in their places again. */
async function restored({ ask, forced, cache, book }: Held, stage: Stage, { now }: Look): Promise<boolean> {
  if (ask.frozen || forced.has(stage.name) || stage.command.effects) return false;
  const entry = await cache.restore(stage, now);
  if (!entry) return false;
  const outputs = outputsOf(stage).map((path) => [path, entry.outputs[path].sha256]);
  book.stages[stage.name] = {
    ...now,
    outputs: Object.fromEntries(outputs) as Record<string, string>,
    ...entry.measured,
  };
  await book.changed();
  return true;
}

async function ranAnew(held: Held, stage: Stage, look: Look, seconds: () => number): Promise<void> {
  const { plan, ask, outside, written, book } = held;
  const around = { pipeline: plan.name, jobs: ask.jobs, written, lock: book.stages };
  const { result, tolerance: own } = await perform(stage, around, outside);
  const metrics = metricsIn(result.json);
  const tolerance = toleranceOf(stage, own, book.stages);
  const measured = { ...(metrics && { metrics }), ...(tolerance !== undefined && { tolerance }) };
  await (ask.frozen ? compare(held, stage, measured) : record(held, stage, look, seconds(), measured));
}

/** Takes down what a stage was and wrote, unless an input changed under its hands. */
async function record(
  { book, contents, cache, outside }: Held,
  stage: Stage,
  { now }: Look,
  seconds: number,
  measured: Measured,
): Promise<void> {
  const outputs = (await hashesOf(outputsOf(stage), contents)) as Record<string, string>;
  const after = await Promise.all(stage.reads.map((path) => inputOf(stage, path, contents)));
  const moved = stage.reads.find((path, i) => after[i] !== now.inputs[path]);
  if (moved === undefined) {
    if (!stage.command.effects)
      await cache.keep(stage, now, {
        outputs: await allOutputs(stage, outputs, contents),
        seconds,
        measured,
      });
    book.stages[stage.name] = { ...now, outputs, ...measured };
  } else {
    outside.warn(`${moved} changed while stage ${stage.name} was reading it: the next run makes it again`);
    delete book.stages[stage.name];
  }
  await book.changed();
}

/** With the stage's result, which people and reports read even where it is not an output that counts. */
async function allOutputs(
  stage: Stage,
  outputs: Record<string, string>,
  contents: Contents,
): Promise<Record<string, string>> {
  const result = await contents.of(stage.result);
  return result === undefined ? outputs : { ...outputs, [stage.result]: result };
}

/** Holds what a stage wrote against the lock. @throws ShopaiError "gate" */
async function compare({ ask, book, contents }: Held, stage: Stage, { metrics }: Measured): Promise<void> {
  const locked = book.stages[stage.name];
  if (locked.tolerance !== undefined) {
    const beyond = firstBeyond(locked, metrics);
    if (beyond !== undefined) throw frozenError(`${stage.name}: ${beyond}`, ask.lockFile);
    return;
  }
  const outputs = await hashesOf(outputsOf(stage), contents);
  const [first] = outputDifferences(locked, outputs).changed;
  if (first !== undefined)
    throw frozenError(
      `${stage.name} gave other bytes than the lock says: ${first}`,
      ask.lockFile,
      "finding what the stage depends on and does not declare",
    );
}

interface Failure {
  stage: Stage;
  error: unknown;
}

/** The first failure, with its stage's name and the names of the others. */
function failureOf([{ stage, error }, ...others]: readonly Failure[]): unknown {
  const more =
    others.length > 0 ? ` (also failed: ${others.map((other) => other.stage.name).join(", ")})` : "";
  if (!(error instanceof ShopaiError)) {
    (error as Error).message = `stage ${stage.name}: ${(error as Error).message}${more}`;
    return error;
  }
  const named = /^(stage |--frozen)/.test(error.message);
  return new ShopaiError(error.kind, `${named ? "" : `stage ${stage.name}: `}${error.message}${more}`, {
    where: error.where ?? stage.where(),
    try: error.try,
    cause: error,
  });
}

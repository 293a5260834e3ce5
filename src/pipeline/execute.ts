import { existsSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";
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
import { perform, type Outside } from "./perform.js";
import { chosenStages, type Plan, type Stage } from "./plan.js";
import { inOrderOfNeed } from "./schedule.js";
import { hashesPath, makeStateFolder } from "./state.js";

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
export async function runPipeline(plan: Plan, ask: RunAsk, outside: Outside): Promise<StageOutcome[]> {
  const stages = chosenStages(plan, ask.names);
  for (const stage of stages)
    for (const path of stage.outer)
      if (!existsSync(path) && !/[*?[{]/.test(path)) throw missingInput(stage, path);
  const contents = openContents(hashesPath);
  const lock = readLock(ask.lockFile);
  const all = stages.map(({ name }) => name);
  const forced = new Set(ask.force ? (ask.names.length > 0 ? ask.names : all) : []);
  const absent = ask.frozen ? await checkFrozen(plan, stages, lock, contents) : undefined;
  if (ask.dryRun)
    return (await foresee(stages, lock, contents, forced)).map(({ stage, status, why }) =>
      outcomeOf(stage, status, why),
    );

  makeStateFolder();
  const book = lockBook(plan, ask, lock);
  try {
    return await bringUpToDate({ plan, ask, outside, contents, book, forced, absent }, stages);
  } finally {
    await book.save();
    await contents.save();
  }
}

/** What a run holds while its stages run. */
interface Held {
  plan: Plan;
  ask: RunAsk;
  outside: Outside;
  contents: Contents;
  book: LockBook;
  forced: ReadonlySet<string>;
  /** In a frozen run: the stages whose outputs are absent, which alone may run. */
  absent?: ReadonlySet<string>;
}

/** The entries of the stages that are still in the pipeline; written now and then, never in a frozen run. */
interface LockBook {
  readonly stages: LockFile;
  /** Says that an entry changed. */
  changed(): Promise<void>;
  save(): Promise<void>;
}

function lockBook(plan: Plan, ask: RunAsk, lock: LockFile): LockBook {
  const known = new Set(plan.stages.map(({ name }) => name));
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
  const { ask, outside } = held;
  const outcomes = new Map<string, StageOutcome>();
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
    const look = await lookAt(stage, book.stages[stage.name], contents);
    why = look.why.length === 0 && held.forced.has(stage.name) ? ["--force"] : look.why;
    if (why.length === 0) return outcomeOf(stage, "fresh", []);
    if (held.absent && !held.absent.has(stage.name))
      throw frozenError(`${stage.name}: ${why[0]}`, ask.lockFile);
    await perform(stage, held.plan.name, ask.jobs, outside);
    await (ask.frozen ? compare(held, stage) : record(held, stage, look));
    if (ask.jobs > 1) outside.say(`${stage.name}: ${stage.command.name} (${seconds().toFixed(1)} s)`);
    return outcomeOf(stage, "ran", why, seconds());
  } catch (error) {
    failed(error);
    if (ask.keepGoing && !outside.signal.aborted)
      outside.warn(`stage ${stage.name} failed: ${(error as Error).message}`);
    return outcomeOf(stage, "failed", why, seconds());
  }
}

/** Takes down what a stage was and wrote, unless an input changed under its hands. */
async function record({ book, contents, outside }: Held, stage: Stage, { now }: Look): Promise<void> {
  const outputs = (await hashesOf(outputsOf(stage), contents)) as Record<string, string>;
  const after = await hashesOf(stage.reads, contents);
  const moved = stage.reads.find((path) => after[path] !== now.inputs[path]);
  if (moved === undefined) book.stages[stage.name] = { ...now, outputs };
  else {
    outside.warn(`${moved} changed while stage ${stage.name} was reading it: the next run makes it again`);
    delete book.stages[stage.name];
  }
  await book.changed();
}

/** Holds what a stage wrote against the lock. @throws ShopaiError "gate" */
async function compare({ ask, book, contents }: Held, stage: Stage): Promise<void> {
  const outputs = await hashesOf(outputsOf(stage), contents);
  const [first] = outputDifferences(book.stages[stage.name], outputs).changed;
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

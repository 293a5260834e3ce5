import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256 } from "../core/hash.js";
import { seededRng } from "../core/rng.js";
import { openContents } from "./content.js";
import { checkFrozen, frozenError, hashesOf, outputsOf } from "./freshness.js";
import { sweepLeftovers } from "./leftovers.js";
import { firstBeyond, metricsIn, readLock, type LockedStage, type MetricEntry } from "./lock.js";
import { perform, type Outside } from "./perform.js";
import { chosenStages, type Plan, type Stage } from "./plan.js";
import { checkEnvironment } from "./secrets.js";
import { hashesPath, makeStateFolder } from "./state.js";

export interface VerifyAsk {
  lockFile: string;
  names: readonly string[];
  /** How many of the stages are run again: a share (`10%`) or a number. */
  rerun: string;
  seed: number;
}

export interface VerifiedStage {
  stage: string;
  command: string;
  /**
   * `held`: what is on disk is what the lock says. `rerun`: it also came out the same again. `within`: it
   * did so within the tolerance that the lock states.
   */
  status: "held" | "rerun" | "within";
  seconds?: number;
}

/**
 * Holds a pipeline against its lock, and runs a sample of its stages again: their bytes must be those of
 * the lock, so that nobody can write one by hand. What stood on disk stands there afterwards. The caller
 * holds the pipeline's lock, and the working directory is the project folder.
 *
 * @throws ShopaiError "gate" naming the first thing that differs
 */
export async function verifyPipeline(plan: Plan, ask: VerifyAsk, outside: Outside): Promise<VerifiedStage[]> {
  const stages = chosenStages(plan, ask.names);
  const contents = openContents(hashesPath, outside.pool);
  const lock = readLock(ask.lockFile);
  const absent = await checkFrozen(plan, stages, lock, contents);
  const [missing] = absent;
  if (missing !== undefined)
    throw frozenError(`the outputs of ${missing} are not there`, ask.lockFile, "shopai run --frozen first");
  const sample = sampled(stages, ask);
  checkEnvironment(stages.filter(({ name }) => sample.has(name)));
  makeStateFolder();
  sweepLeftovers(plan.stages);
  const written = new Set(plan.stages.flatMap(({ writes }) => writes));
  const verified: VerifiedStage[] = [];
  for (const stage of stages) {
    outside.signal.throwIfAborted();
    if (!sample.has(stage.name)) {
      verified.push({ stage: stage.name, command: stage.command.name, status: "held" });
      continue;
    }
    const began = performance.now();
    const found = await outputsAgain(stage, async () => {
      const { result } = await perform(stage, { pipeline: plan.name, jobs: 1, written, lock }, outside);
      return { outputs: await hashesOf(outputsOf(stage), contents), metrics: metricsIn(result.json) };
    });
    const status = compareRerun(stage, lock[stage.name], found, ask.lockFile);
    const seconds = (performance.now() - began) / 1000;
    verified.push({ stage: stage.name, command: stage.command.name, status, seconds });
  }
  await contents.save();
  return verified;
}

function compareRerun(
  stage: Stage,
  locked: LockedStage,
  found: { outputs: Record<string, string | undefined>; metrics?: Record<string, MetricEntry> },
  lockFile: string,
): "rerun" | "within" {
  const other = Object.keys(found.outputs).find((path) => found.outputs[path] !== locked.outputs[path]);
  if (other === undefined) return "rerun";
  const beyond = locked.tolerance === undefined ? undefined : firstBeyond(locked, found.metrics);
  if (locked.tolerance !== undefined && beyond === undefined) return "within";
  throw frozenError(
    `${stage.name}, run again, gave another ${beyond ?? `${other} than the lock says`}`,
    lockFile,
    "finding what the stage depends on and does not declare; or the lock was not written by a run",
  );
}

/** The stages to run again: drawn by the seed and the lock itself, so that another lock has another sample. */
function sampled(stages: readonly Stage[], { rerun, seed, lockFile }: VerifyAsk): Set<string> {
  const share = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(rerun.trim());
  const number = share ? Number(share[1]) : NaN;
  if (!share || (share[2] === "%" && number > 100))
    throw new ShopaiError("usage", `--rerun takes a share or a number of stages, got ${rerun}`, {
      try: "--rerun 10%",
    });
  const wanted = share[2] === "%" ? Math.ceil((stages.length * number) / 100) : Math.floor(number);
  const rng = seededRng(seed, `verify ${sha256(readFileSync(lockFile))}`);
  const pure = stages.filter(({ command }) => !command.effects);
  const names = rng.shuffle(pure.map(({ name }) => name));
  return new Set(names.slice(0, wanted));
}

/** Lets a stage write its outputs anew while the present ones stand aside, and puts those back in any case. */
async function outputsAgain<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  const aside: [path: string, kept: string][] = [];
  try {
    for (const path of [...stage.writes, stage.result]) {
      if (!existsSync(path)) continue;
      // Another ending than a shell stage uses, which moves outputs aside itself.
      const kept = join(dirname(path), `.${basename(path)}.${process.pid}.tmp.old`);
      renameSync(path, kept);
      aside.push([path, kept]);
    }
    return await work();
  } finally {
    for (const [path, kept] of aside) {
      rmSync(path, { recursive: true, force: true });
      renameSync(kept, path);
    }
  }
}

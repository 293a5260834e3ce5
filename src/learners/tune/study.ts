import type { Rng } from "../../core/rng.js";
import { drawn, type Axis, type Params } from "./space.js";
import { proposed } from "./tpe.js";

export const studyMethods = ["tpe", "random", "halving"] as const;
export type StudyMethod = (typeof studyMethods)[number];

/** A search for the best point of a space. */
export interface Study {
  axes: readonly Axis[];
  /** Points to try. */
  trials: number;
  /**
   * - tpe: points by the tree-structured Parzen estimator, each measured in full
   * - random: points drawn evenly, each measured in full
   * - halving: points as by tpe, given up after a step where they are not among the best third so far
   *   (asynchronous successive halving)
   */
  by: StudyMethod;
  better: "higher" | "lower";
  /** Steps that one measurement takes: folds, or growing shares of the rows. */
  steps: number;
  /** How the scores of the steps make one: their mean (folds), or the last (growing shares). */
  combine: "mean" | "last";
  /**
   * What a point is worth.
   *
   * @param step from 0
   * @returns undefined where the score has no value: the point is never the best
   */
  objective(params: Params, step: number): Promise<number | undefined>;
  /** A random stream of its own for every name. */
  rng(name: string): Rng;
  /** Trials of an earlier run of the same study, in order: they are not measured again. */
  done?: readonly Trial[];
  /** Told of every trial that was measured. */
  tell?(trial: Trial): void;
}

/** One point that was tried. */
export interface Trial {
  /** From 1. */
  trial: number;
  params: Params;
  /** What it was worth as far as it was measured; null without a value. */
  score: number | null;
  /** Scores of the steps that were measured. */
  steps: (number | null)[];
  /** Whether it was given up before the last step. */
  pruned: boolean;
}

/** Of the trials that reach a step as many go on: the best 1 / reduction (eta of the paper). */
const reduction = 3;

/**
 * Tries points one after the other; every trial depends on the seed, its number and the trials before it
 * alone, so that a study that was cut short goes on as if it had not been.
 *
 * Li et al. (2020), A System for Massively Parallel Hyperparameter Tuning, MLSys, algorithm 2, for the
 * rule by which trials are given up.
 *
 * @returns every trial in order
 */
export async function searched(study: Study): Promise<Trial[]> {
  const trials: Trial[] = [...(study.done ?? [])].slice(0, study.trials);
  for (let number = trials.length + 1; number <= study.trials; number++) {
    const rng = study.rng(`trial ${number}`);
    const params =
      study.by === "random"
        ? drawn(study.axes, rng)
        : proposed(
            study.axes,
            ranked(trials, study).map((trial) => trial.params),
            rng,
          );
    const trial = await measuredTrial(study, number, params, trials);
    trials.push(trial);
    study.tell?.(trial);
  }
  return trials;
}

/** The best trial that was measured in full, the first of equals; undefined when none has a value. */
export function bestTrial(trials: readonly Trial[], study: Pick<Study, "better">): Trial | undefined {
  const best = ranked(trials, study)[0];
  return best === undefined || best.pruned || best.score === null ? undefined : best;
}

async function measuredTrial(
  study: Study,
  number: number,
  params: Params,
  before: readonly Trial[],
): Promise<Trial> {
  const scores: (number | null)[] = [];
  for (let step = 0; step < study.steps; step++) {
    scores.push((await study.objective(params, step)) ?? null);
    const last = step + 1 === study.steps;
    if (!last && study.by === "halving" && isRung(step + 1) && !goesOn(study, scores, before))
      return { trial: number, params, score: combined(scores, study), steps: scores, pruned: true };
  }
  return { trial: number, params, score: combined(scores, study), steps: scores, pruned: false };
}

/** 1, 3, 9… steps. */
function isRung(steps: number): boolean {
  let rung = 1;
  while (rung < steps) rung *= reduction;
  return rung === steps;
}

function goesOn(study: Study, scores: readonly (number | null)[], before: readonly Trial[]): boolean {
  const own = combined(scores, study);
  if (own === null) return false;
  const others = before
    .filter((trial) => trial.steps.length >= scores.length)
    .map((trial) => combined(trial.steps.slice(0, scores.length), study));
  const better = others.filter((score) => score !== null && isBetter(score, own, study)).length;
  return better < Math.max(1, Math.floor((others.length + 1) / reduction));
}

function combined(scores: readonly (number | null)[], { combine }: Pick<Study, "combine">): number | null {
  if (scores.some((score) => score === null)) return null;
  const known = scores as readonly number[];
  return combine === "last"
    ? known[known.length - 1]
    : known.reduce((sum, score) => sum + score, 0) / known.length;
}

function isBetter(a: number, b: number, { better }: Pick<Study, "better">): boolean {
  return better === "higher" ? a > b : a < b;
}

/** Best first: full measurements, then those given up, the later the better; trials without a value last. */
function ranked(trials: readonly Trial[], study: Pick<Study, "better">): Trial[] {
  const rank = ({ score, pruned, steps }: Trial): number =>
    score === null ? 1e6 : pruned ? 1000 - steps.length : 0;
  const sign = study.better === "higher" ? -1 : 1;
  return trials.toSorted(
    (a, b) => rank(a) - rank(b) || sign * ((a.score ?? 0) - (b.score ?? 0)) || a.trial - b.trial,
  );
}

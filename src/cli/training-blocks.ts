import { grouped } from "../core/quantity.js";
import type { CrossValidation } from "../learners/cross-validation.js";
import type { ModelCard } from "../learners/learner.js";
import type { ParamTable } from "../learners/params.js";
import type { Tuning } from "../learners/tune/tuned.js";
import type { Block, Cell } from "../pipeline/command.js";

/** Trials shown: the best. */
const mostTrials = 10;

/**
 * What `train` did, as people read it.
 *
 * @param table the learner's parameters: those that are as usual are only counted
 */
export function trainingBlocks(card: ModelCard, table: ParamTable, out: string): Block[] {
  const { cv, tune } = card.about as { cv?: CrossValidation; tune?: Tuning };
  const { threshold, threshold_by: by, groups } = card.decision ?? {};
  const params = Object.entries(card.params);
  const chosen = params.filter(([key, value]) => value !== table[key]?.default);
  const usual = params.length - chosen.length;
  return [
    { kind: "title", text: `${card.learner}: ${grouped(card.rows)} rows → ${out}` },
    {
      kind: "pairs",
      rows: [
        ...(card.positive === undefined ? [] : [["positive class", card.positive] as [string, string]]),
        ...(threshold === undefined
          ? []
          : [[`threshold${by ? ` (${by})` : ""}`, threshold] as [string, Cell]]),
        ...Object.entries(groups?.thresholds ?? {}).map(([group, own]): [string, Cell] => [
          `threshold of ${groups!.column} = ${group}`,
          own,
        ]),
        ...chosen.map(([key, value]): [string, Cell] => [`--param ${key}`, value]),
        ...(usual === 0
          ? []
          : [["parameters by default", `${usual} (shopai inspect ${out})`] as [string, Cell]]),
        ...Object.entries(card.about).filter(
          (entry): entry is [string, number | string | boolean] => typeof entry[1] !== "object",
        ),
      ],
    },
    ...(tune ? tuneBlocks(tune) : []),
    ...(cv ? foldBlocks(cv) : []),
  ];
}

function foldBlocks({ folds, metrics }: CrossValidation): Block[] {
  return [
    { kind: "title", text: `Cross-validation with ${folds} folds` },
    {
      kind: "table",
      head: ["metric", "mean", "deviation"],
      rows: Object.entries(metrics).map(([name, { mean, std }]) => [name, mean, std]),
    },
  ];
}

function tuneBlocks({ metric, trials, params, scored_by: by }: Tuning): Block[] {
  const names = Object.keys(params);
  const best = trials.findIndex((trial) => names.every((name) => trial.params[name] === params[name]));
  const others = trials.filter((_, i) => i !== best);
  const pruned = trials.some((trial) => trial.pruned);
  return [
    { kind: "title", text: `${grouped(trials.length)} trials by ${by}; the best and the last of the others` },
    {
      kind: "table",
      head: ["trial", metric, ...names, ...(pruned ? [""] : [])],
      rows: [trials[best], ...others.slice(-mostTrials)].map((trial): Cell[] => [
        trial.trial,
        trial.score,
        ...names.map((name) => trial.params[name]),
        ...(pruned ? [trial.pruned ? `given up after ${trial.steps.length}` : null] : []),
      ]),
    },
  ];
}

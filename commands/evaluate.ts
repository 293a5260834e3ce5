import { writeFileSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import { grouped } from "../src/core/quantity.js";
import type { Run } from "../src/engine/run.js";
import { breathe } from "../src/learners/breathe.js";
import { measured, type Measured } from "../src/learners/measured.js";
import { loadModel } from "../src/learners/model.js";
import { compareWith, pairingOf, type Comparison } from "../src/metrics/against.js";
import { fairness, largestGroup, type GroupFairness } from "../src/metrics/fairness.js";
import { checkGates, parseGate, unknownMetric } from "../src/metrics/gates.js";
import { checkGateNames, metricsText } from "../src/metrics/listing.js";
import { scoreOf, sliceScores, type FullScore, type SliceScore } from "../src/metrics/scorecard.js";
import {
  defineCommand,
  option,
  readingOptions,
  telling,
  type Block,
  type Cell,
} from "../src/pipeline/command.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { summaries } from "./summaries.js";

const evaluate = defineCommand({
  name: "evaluate",
  summary: summaries.evaluate,
  inputs: {
    usage: "<model> <table...>",
    min: 2,
    max: Infinity,
    help: "the model folder, then tables with rows that it has not seen and that hold the truth",
  },
  examples: [
    "shopai evaluate model/ orders.parquet --where \"split = 'test'\" -o metrics.json",
    "shopai evaluate model/ test.parquet --k 5,10 --by country",
    'shopai evaluate model/ test.parquet --against metrics.json --fail-if "auc < 0.9"',
  ],
  options: {
    out: option.path("metrics file to write, JSON", { short: "o" }).optional(),
    k: option
      .numbers("cut-offs of ranking metrics (default: 10)", { min: 1, max: 10_000, arg: "<5,10>" })
      .optional(),
    metrics: option.names("only these metrics (default: all of the task)").optional(),
    by: option.names("columns whose values are measured apart").default([]),
    group: option.text("column of the groups of a fairness report", { arg: "<column>" }).optional(),
    history: option
      .path("recommenders: interactions between training and these rows; users are answered from them too", {
        arg: "<table>",
      })
      .optional(),
    items: option
      .path("recommenders: table of items, for the metrics of their categories", { arg: "<table>" })
      .optional(),
    category: option
      .text("column of --items with an item's category, or several (a|b)", { arg: "<column>" })
      .optional(),
    reference: option.text("group that the others are compared with (default: the largest)").optional(),
    weight: option.text("column of row weights, 0 or more", { arg: "<column>" }).optional(),
    against: option
      .path("metrics file of another model, for paired differences", { arg: "<json>" })
      .optional(),
    failIf: option
      .repeated('end with exit code 6 if this holds: "auc < 0.9"', { arg: "<condition>" })
      .default([]),
    resamples: option
      .integer("resamples of the bootstrap, 0 for none (default: 1000, fewer for many rows)", {
        min: 0,
        max: 100_000,
      })
      .optional(),
    ...readingOptions,
  },
  moreHelp: async () => metricsText(),
  reads: (o) => [...o.in, ...[o.against, o.history, o.items].filter((path) => path !== undefined)],
  writes: (o) => (o.out === undefined ? [] : [o.out]),
  async run(o, run) {
    const gates = o.failIf.map(parseGate);
    checkGateNames(gates);
    const cuts = cutsOf(o.k);
    const [path, ...tables] = o.in;
    const model = await loadModel(path);
    const { task, learner } = model.card;
    if (o.k !== undefined && task !== "recommendation")
      throw new ShopaiError("usage", `--k is for recommendations, and ${path} is a model for ${task}`, {
        where: path,
        try: "leaving it out",
      });
    refuseForeign(o, task, path);
    const engine = await run.engine();
    const table = await openTable(engine, tables, { ...o, signal: run.signal });
    const beside = (file: string | undefined) =>
      file === undefined
        ? undefined
        : openTable(engine, [file], { ...o, where: undefined, signal: run.signal });
    const [history, items] = [await beside(o.history), await beside(o.items)];
    const categories = items && { items, column: o.category! };
    const measurement = await measured(model, table, { ...o, cuts, history, categories }, run);
    run.progress.stage("measuring");
    const { score, slices, warnings } = await scored(measurement, o, run);
    run.progress.done(`${score.resamples} resamples`);
    const report = o.group === undefined ? undefined : fairnessOf(measurement, o.group, o.reference);
    const pairing = pairingOf(score, measurement.units, o.seed);
    const against = o.against === undefined ? undefined : compareWith(o.against, task, score, pairing);
    if (against?.warning) warnings.push(against.warning);
    for (const warning of warnings) run.warn(warning);
    const json = {
      task,
      rows: measurement.rows,
      ...(measurement.users === undefined ? {} : { users: measurement.users }),
      metrics: score.metrics,
      intervals: score.intervals,
      slices,
      ...(report && { fairness: report }),
      ...(against && { against: against.comparison }),
      warnings,
      resamples: score.resamples,
      model: { path, learner },
    };
    if (o.out !== undefined) {
      const provenance = provenanceOf("evaluate", telling(evaluate, o), o.seed, table.inputs);
      const text = `${JSON.stringify({ ...json, pairing, provenance }, undefined, 2)}\n`;
      await writeAtomically(o.out, async (temporary) => writeFileSync(temporary, text));
    }
    checkGates(gates, score.metrics, o.out ?? path);
    return { json, blocks: blocksOf(json, o.out) };
  },
});
export default evaluate;

/** Refuses what goes with recommendations on other models, and half of a pair of options. */
function refuseForeign(
  o: { history?: string; items?: string; category?: string },
  task: string,
  path: string,
): void {
  const given = (["history", "items", "category"] as const).find((name) => o[name] !== undefined);
  if (given !== undefined && task !== "recommendation")
    throw new ShopaiError("usage", `--${given} is for recommendations, and ${path} is a model for ${task}`, {
      where: path,
      try: "leaving it out",
    });
  if ((o.items === undefined) !== (o.category === undefined))
    throw new ShopaiError("usage", "--items and --category go together", {
      try: "--items products.csv --category category",
    });
}

function cutsOf(given: readonly number[] = [10]): number[] {
  const odd = given.find((k) => !Number.isInteger(k));
  if (odd !== undefined)
    throw new ShopaiError("usage", `--k must be integers separated by commas, got ${odd}`, {
      try: "--k 5,10",
    });
  return [...new Set(given)].sort((a, b) => a - b);
}

async function scored(
  { subject, slicings }: Measured,
  { metrics: only, resamples }: { metrics?: readonly string[]; resamples?: number },
  run: Run,
): Promise<{ score: FullScore; slices: Record<string, Record<string, SliceScore>>; warnings: string[] }> {
  const known = subject.measure.names;
  for (const name of only ?? []) if (!known.includes(name)) throw unknownMetric(name, known, "--metrics");
  const heard = async (done: number, total: number): Promise<void> => {
    run.progress.update(done, total, "resamples");
    await breathe(run);
  };
  const about = { only, resamples, breathe: heard };
  const score = await scoreOf(subject, run.rng("bootstrap"), about);
  const warnings = [...score.warnings];
  const slices: Record<string, Record<string, SliceScore>> = {};
  for (const slicing of slicings) {
    const found = await sliceScores(subject, slicing, run.rng, about);
    slices[slicing.column] = found.slices;
    warnings.push(...found.warnings);
  }
  return { score, slices, warnings };
}

interface FairnessReport {
  column: string;
  reference: string;
  groups: Record<string, GroupFairness>;
}

function fairnessOf({ groups }: Measured, column: string, reference: string | undefined): FairnessReport {
  const { data, slicing, weights } = groups!;
  const index = reference === undefined ? largestGroup(slicing) : slicing.levels.indexOf(reference);
  if (index < 0)
    throw new ShopaiError("data", `no row has ${column} = ${reference}`, {
      where: "--reference",
      try: slicing.levels.slice(0, 12).join(", "),
    });
  return {
    column: slicing.column,
    reference: slicing.levels[index],
    groups: fairness(data, data.positive!, slicing.code, slicing.levels, index, weights),
  };
}

interface Shown {
  task: string;
  rows: number;
  users?: number;
  metrics: Record<string, number | null>;
  intervals: Record<string, [number, number] | null>;
  slices: Record<string, Record<string, SliceScore>>;
  fairness?: FairnessReport;
  against?: Comparison;
  resamples: number;
  model: { path: string; learner: string };
}

function blocksOf(shown: Shown, out: string | undefined): Block[] {
  const { metrics, intervals, slices, users, against } = shown;
  const names = Object.keys(metrics);
  const counted =
    users === undefined
      ? `${grouped(shown.rows)} rows`
      : `${grouped(users)} users, ${grouped(shown.rows)} rows`;
  const blocks: Block[] = [
    {
      kind: "title",
      text: `${shown.model.learner} (${shown.task}) on ${counted}${out === undefined ? "" : ` → ${out}`}`,
    },
    {
      kind: "table",
      head: ["metric", "value", "95 % from", "to"],
      rows: names.map((name): Cell[] => [name, metrics[name], ...(intervals[name] ?? [null, null])]),
    },
  ];
  if (against)
    blocks.push(
      { kind: "title", text: `Against ${against.file}${against.paired ? " (paired)" : " (not paired)"}` },
      {
        kind: "table",
        head: ["metric", "value", "before", "difference", "95 % from", "to"],
        rows: Object.entries(against.differences).map(([name, d]): Cell[] => [
          name,
          d.value,
          d.before,
          d.difference,
          ...(d.interval ?? [null, null]),
        ]),
      },
    );
  for (const [column, values] of Object.entries(slices))
    blocks.push(
      { kind: "title", text: `By ${column}` },
      {
        kind: "table",
        head: [column, "rows", ...names],
        rows: Object.entries(values).map(([value, slice]): Cell[] => [
          value,
          slice.rows,
          ...names.map((name) => slice.metrics[name]),
        ]),
      },
    );
  if (shown.fairness) blocks.push(...fairnessBlocks(shown.fairness));
  return blocks;
}

function fairnessBlocks({ column, reference, groups }: FairnessReport): Block[] {
  return [
    { kind: "title", text: `Fairness by ${column}, against ${reference}` },
    {
      kind: "table",
      head: [
        column,
        "rows",
        "selected",
        "parity difference",
        "disparate impact",
        "opportunity difference",
        "odds difference",
      ],
      rows: Object.entries(groups).map(([name, group]): Cell[] => [
        name,
        group.rows,
        group.selection_rate,
        group.statistical_parity_difference,
        group.disparate_impact,
        group.equal_opportunity_difference,
        group.average_odds_difference,
      ]),
    },
  ];
}

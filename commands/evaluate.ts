import { writeFileSync } from "node:fs";
import { ShopaiError } from "../src/core/errors.js";
import type { Run } from "../src/engine/run.js";
import { breathe } from "../src/learners/breathe.js";
import type { Decision } from "../src/learners/decision.js";
import { measured, type MeasureAsk, type Measured } from "../src/learners/measured.js";
import { permutationImportance } from "../src/learners/permutation-importance.js";
import { parseCost } from "../src/learners/threshold.js";
import type { ModelCard } from "../src/learners/learner.js";
import { learnedFrom } from "../src/learners/learned-rows.js";
import { loadModel } from "../src/learners/model.js";
import { compareWith, pairingOf } from "../src/metrics/against.js";
import { fairness, largestGroup } from "../src/metrics/fairness.js";
import { checkGates, gateResults, parseGate, unknownMetric } from "../src/metrics/gates.js";
import { junitText } from "../src/metrics/junit.js";
import { checkGateNames, metricsText } from "../src/metrics/listing.js";
import { scoreOf, sliceScores, type FullScore, type SliceScore } from "../src/metrics/scorecard.js";
import { evaluationBlocks, type FairnessReport } from "../src/cli/evaluation-blocks.js";
import { defineCommand, option, readingOptions, telling } from "../src/pipeline/command.js";
import { writeAtomically } from "../src/table/atomic.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { writeTable } from "../src/table/write.js";
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
    "shopai evaluate model/ test.parquet --importance --metrics auc",
    'shopai evaluate model/ test.parquet --against metrics.json --fail-if "auc < 0.9"',
  ],
  options: {
    out: option.path("metrics file to write, JSON", { short: "o" }).optional(),
    k: option
      .numbers("cut-offs of ranking metrics (default: 10)", { min: 1, max: 10_000, arg: "<5,10>" })
      .optional(),
    metrics: option.names("only these metrics (default: all of the task)").optional(),
    by: option.names("columns whose values are measured apart").default([]),
    group: option
      .text('groups of a fairness report: a column, or an SQL expression such as "age < 25"', {
        arg: "<column>",
      })
      .optional(),
    reference: option.text("group that the others are compared with (default: the largest)").optional(),
    weight: option.text("column of row weights, 0 or more", { arg: "<column>" }).optional(),
    history: option
      .path("interactions since training, in its columns: recommenders answer from these too", {
        arg: "<table>",
      })
      .optional(),
    items: option
      .path("recommenders: table of items, for the metrics of their categories", { arg: "<table>" })
      .optional(),
    category: option
      .text("column of --items with an item's category, or several (a|b)", { arg: "<column>" })
      .optional(),
    negatives: option
      .text(
        "rank relevant items among these alone: so many drawn by the seed, or a table of users and items",
        {
          arg: "<99|table>",
        },
      )
      .optional(),
    negativesOut: option
      .path("table to write with the negatives that were ranked among, for --negatives of other models")
      .optional(),
    cost: option
      .pairs("what errors cost, for average_cost: fp=1, fn=5 (default: as the model was trained)")
      .default({}),
    alertsPerDay: option
      .integer("also measure the first so many alerts of every day of --time", { min: 1 })
      .optional(),
    time: option.text("column of times: date, timestamp or seconds", { arg: "<column>" }).optional(),
    card: option
      .text("with --alerts-per-day: column of what is alerted (card, customer), once until it is found", {
        arg: "<column>",
      })
      .optional(),
    against: option
      .path("metrics file of another model, for paired differences", { arg: "<json>" })
      .optional(),
    importance: option
      .flag("also measure how much worse it gets when a feature is shuffled, by the first of --metrics")
      .default(false),
    repeats: option.integer("shuffles of every feature (default: 10)", { min: 1, max: 1000 }).optional(),
    failIf: option
      .repeated('end with exit code 6 if this holds: "auc < 0.9"', { arg: "<condition>" })
      .default([]),
    junit: option
      .path("JUnit report of the gates to write, also when one says no", { arg: "<xml>" })
      .optional(),
    resamples: option
      .integer("resamples of the bootstrap, 0 for none (default: 1000, fewer for many rows)", {
        min: 0,
        max: 100_000,
      })
      .optional(),
    ...readingOptions,
  },
  moreHelp: async () => metricsText(),
  reads: (o) => [
    ...o.in,
    ...[o.against, o.history, o.items].filter((path) => path !== undefined),
    ...(o.negatives === undefined || counted.test(o.negatives) ? [] : [o.negatives]),
  ],
  writes: (o) => [o.out, o.junit, o.negativesOut].filter((path) => path !== undefined),
  async run(o, run) {
    const gates = o.failIf.map(parseGate);
    checkGateNames(gates);
    const cuts = cutsOf(o.k);
    const [path, ...tables] = o.in;
    const model = await loadModel(path);
    const { task, learner } = model.card;
    if (o.k !== undefined && task !== "recommendation" && task !== "ranking")
      throw new ShopaiError(
        "usage",
        `--k is for recommendations and rankings, and ${path} is a model for ${task}`,
        {
          where: path,
          try: "leaving it out",
        },
      );
    refuseForeign(o, task, path);
    const table = await openTable(await run.engine(), tables, { ...o, signal: run.signal });
    const beside = async (path: string | undefined) =>
      path === undefined
        ? undefined
        : openTable(await run.engine(), [path], { ...o, where: undefined, signal: run.signal });
    const [history, items] = [await beside(o.history), await beside(o.items)];
    const categories = items && { items, column: o.category! };
    const negatives =
      o.negatives !== undefined && counted.test(o.negatives)
        ? Number(o.negatives)
        : await beside(o.negatives);
    const asked = {
      ...o,
      cuts,
      history,
      negatives,
      keepNegatives: o.negativesOut !== undefined,
      categories,
      cost: parseCost(o.cost),
      alerts: alertsOf(o),
    };
    const measurement = await measured(model, table, asked, run);
    run.progress.stage("measuring");
    const { score, slices, warnings } = await scored(measurement, o, run);
    run.progress.done(`${score.resamples} resamples`);
    if (o.repeats !== undefined && !o.importance)
      throw new ShopaiError("usage", "--repeats goes with --importance", { try: "--importance" });
    const importance = o.importance
      ? await permutationImportance(
          model,
          table,
          { metric: o.metrics?.[0], weight: o.weight, repeats: o.repeats ?? 10 },
          run,
        )
      : undefined;
    const report = o.group === undefined ? undefined : await fairnessOf(measurement, o.group, o, run);
    const pairing = pairingOf(score, measurement.units, o.seed);
    const against = o.against === undefined ? undefined : compareWith(o.against, task, score, pairing);
    if (against?.warning) warnings.push(against.warning);
    const flattered = learnedFrom(model.card, table, o.where);
    if (flattered) warnings.push(flattered);
    for (const warning of warnings) run.warn(warning);
    const json = {
      task,
      rows: measurement.rows,
      ...(measurement.users === undefined ? {} : { users: measurement.users }),
      ...(measurement.ranked && {
        ranked_among: {
          ...measurement.ranked,
          ...(o.negativesOut !== undefined && { stored_in: o.negativesOut }),
        },
      }),
      metrics: score.metrics,
      intervals: score.intervals,
      slices,
      ...(report && { fairness: report }),
      ...(measurement.tables?.confusion && { decision: decisionFacts(model.card, asked.cost) }),
      ...measurement.tables,
      ...(measurement.alerts && { alerts: measurement.alerts }),
      ...(importance && { importance }),
      ...(against && { against: against.comparison }),
      warnings,
      resamples: score.resamples,
      model: { path, learner },
    };
    if (o.out !== undefined) {
      const inputs = [table, history, typeof negatives === "object" ? negatives : undefined].flatMap(
        (read) => read?.inputs ?? [],
      );
      const provenance = provenanceOf("evaluate", telling(evaluate, o), o.seed, inputs);
      const text = `${JSON.stringify({ ...json, pairing, provenance }, undefined, 2)}\n`;
      await writeAtomically(o.out, async (temporary) => writeFileSync(temporary, text));
    }
    if (o.negativesOut !== undefined)
      await writeTable(
        measurement.negatives!,
        o.negativesOut,
        provenanceOf("evaluate", telling(evaluate, o), o.seed, table.inputs),
        o,
      );
    const results = gateResults(gates, score.metrics);
    if (o.junit !== undefined)
      await writeAtomically(o.junit, async (temporary) => writeFileSync(temporary, junitText(path, results)));
    checkGates(results, o.out ?? path);
    return { json, blocks: evaluationBlocks(json, o.out) };
  },
});
export default evaluate;

/** What a binary classifier decided by: the positive class, the threshold and how it was found, the costs. */
function decisionFacts({ positive, classes, decision = {} }: ModelCard, asked: Decision["cost"]) {
  const { threshold, threshold_by, groups, cost } = decision;
  const negative = classes?.find((name) => name !== positive);
  return {
    positive,
    negative,
    ...(groups ? { groups } : { threshold: threshold ?? 0.5 }),
    threshold_by,
    cost: asked ?? cost,
  };
}

/** Refuses what goes with recommendations on other models, and half of a pair of options. */
function refuseForeign(
  o: { history?: string; items?: string; category?: string; negatives?: string; negativesOut?: string },
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
  if (o.negativesOut !== undefined && (o.negatives === undefined || !counted.test(o.negatives)))
    throw new ShopaiError("usage", "--negatives-out goes with a number of --negatives to draw", {
      try: "--negatives 99 --negatives-out negatives.csv",
    });
}

/** A number of negatives, 1 or more; anything else is a path. */
const counted = /^[1-9]\d{0,8}$/;
function alertsOf(o: { alertsPerDay?: number; time?: string; card?: string }): MeasureAsk["alerts"] {
  if (o.alertsPerDay === undefined) {
    const extra = o.time !== undefined ? "--time" : o.card !== undefined ? "--card" : undefined;
    if (extra === undefined) return undefined;
    throw new ShopaiError("usage", `${extra} goes with --alerts-per-day`, { try: "--alerts-per-day 100" });
  }
  if (o.time === undefined)
    throw new ShopaiError("usage", "--alerts-per-day needs to know which day a row is of", {
      try: "--time <column>",
    });
  return { perDay: o.alertsPerDay, time: o.time, card: o.card };
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

/** The fairness report that `--group` asks for. */
async function fairnessOf(
  { groups }: Measured,
  column: string,
  { reference, resamples }: { reference?: string; resamples?: number },
  run: Run,
): Promise<FairnessReport> {
  const { data, slicing, weights } = groups!;
  const index = reference === undefined ? largestGroup(slicing) : slicing.levels.indexOf(reference);
  if (index < 0)
    throw new ShopaiError("data", `no row has ${column} = ${reference}`, {
      where: "--reference",
      try: slicing.levels.slice(0, 12).join(", "),
    });
  const found = await fairness(data, data.positive!, slicing, index, run.rng("bootstrap"), {
    weights,
    resamples,
    breathe: () => breathe(run),
  });
  return { column: slicing.column, ...found };
}

import { z } from "zod";
import { checkYaml, readYaml, yamlError } from "../core/yaml-source.js";
import { durationText, parseDuration } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { breathe } from "../learners/breathe.js";
import { measured, type Measured } from "../learners/measured.js";
import { loadModel } from "../learners/model.js";
import type { Model } from "../learners/learner.js";
import { percentileInterval } from "../metrics/bootstrap.js";
import { gateResults, parseGate } from "../metrics/gates.js";
import { checkGateNames, metricFamilies } from "../metrics/listing.js";
import { metricInfo } from "../metrics/metric.js";
import { scoreOf, sliceScores, type FullScore, type SliceScore } from "../metrics/scorecard.js";
import type { Relation } from "../table/relation.js";
import { ageOf } from "./freshness-rule.js";
import { monitored } from "./monitor.js";

const text = z.string().min(1);
/** When a model may take the champion's place. */
export const rulesSchema = z.strictObject({
  description: text.optional(),
  /** The metric that must gain: the 95 % interval of its paired difference must lie beyond `gain`. */
  metric: text,
  /** Least gain that the interval must exclude; 0 by default. */
  gain: z.number().min(0).optional(),
  /** Conditions that refuse whatever the champion is. */
  "fail-if": z.union([text, z.array(text)]).optional(),
  /** Metrics that may not get worse, as a whole or in any slice of a column. */
  guardrails: z
    .array(
      z.strictObject({
        metric: text,
        by: text.optional(),
        /** By how much it may get worse; 0 by default. */
        "worse-by": z.number().min(0).optional(),
        /** Slices with fewer rows are not judged; 50 by default. */
        "least-rows": z.number().int().min(1).optional(),
      }),
    )
    .optional(),
  /** The newest value of a time column may be so old at most. */
  freshness: z.strictObject({ column: text, "max-age": text }).optional(),
  /** Drift of the judged rows from those that the model was trained on. */
  drift: z
    .strictObject({
      /** PSI above which a column counts as drifted; 0.2 by default. */
      psi: z.number().min(0).optional(),
      /** Share of columns that may have drifted; 0 by default. */
      share: z.number().min(0).max(1).optional(),
    })
    .optional(),
  /** Rows to judge on, at least. */
  "least-rows": z.number().int().min(1).optional(),
});
export type Rules = z.output<typeof rulesSchema>;

/** @throws ShopaiError "usage" with the place in the file */
export function readRules(path: string): Rules {
  const source = readYaml(path);
  const rules = checkYaml(source, rulesSchema);
  if (rules.freshness) parseDuration(rules.freshness["max-age"]);
  const gates = [rules["fail-if"] ?? []].flat().map(parseGate);
  checkGateNames(gates);
  const named = [rules.metric, ...(rules.guardrails ?? []).map(({ metric }) => metric)];
  named.forEach((metric, i) => {
    if (betterOf(metric)) return;
    const at = i === 0 ? ["metric"] : ["guardrails", i - 1, "metric"];
    throw yamlError(source, at, `"${metric}" is no metric that has a better side`, {
      try: "auc, log_loss, ndcg@10…",
    });
  });
  return rules;
}

const betterOf = (metric: string): "higher" | "lower" | undefined => {
  const better = Object.values(metricFamilies)
    .map((family) => metricInfo(family, metric)?.better)
    .find((side) => side !== undefined);
  return better === "neither" ? undefined : better;
};

/** One condition of the rules with what it met. */
export interface Check {
  rule: string;
  passed: boolean;
  detail: string;
}

export interface Judgement {
  passed: boolean;
  checks: Check[];
  /** Of the candidate, on the rows it was judged on. */
  metrics: Record<string, number | null>;
  champion?: Record<string, number | null>;
}

/**
 * Judges a candidate by the rules, against the champion on the same rows; without a champion only what
 * does not compare counts.
 *
 * @param now the time that ages are measured at
 */
export async function judged(
  candidate: string,
  champion: string | undefined,
  rows: Relation,
  rules: Rules,
  now: Date,
  run: Run,
): Promise<Judgement> {
  const columns = [...new Set((rules.guardrails ?? []).flatMap(({ by }) => by ?? []))];
  const model = await loadModel(candidate);
  const own = await scoredBy(model, rows, columns, run);
  const other =
    champion === undefined ? undefined : await scoredBy(await loadModel(champion), rows, columns, run);
  const checks: Check[] = [];
  if (rules["least-rows"] !== undefined)
    checks.push({
      rule: `at least ${rules["least-rows"]} rows`,
      passed: own.measured.rows >= rules["least-rows"],
      detail: `${own.measured.rows} rows`,
    });
  for (const { gate, value, broken } of gateResults(
    [rules["fail-if"] ?? []].flat().map(parseGate),
    own.score.metrics,
  ))
    checks.push({
      rule: `not (${gate.text})`,
      passed: broken === undefined,
      detail: broken ?? `${gate.metric} is ${digits(value)}`,
    });
  if (other) {
    checks.push(gainCheck(rules, own, other));
    for (const guardrail of rules.guardrails ?? []) checks.push(...guardrailChecks(guardrail, own, other));
  }
  if (rules.freshness) checks.push(await freshnessCheck(rules.freshness, rows, now));
  if (rules.drift) checks.push(await driftCheck(rules.drift, candidate, rows, run));
  return {
    passed: checks.every(({ passed }) => passed),
    checks,
    metrics: own.score.metrics,
    champion: other?.score.metrics,
  };
}

interface Scored {
  measured: Measured;
  score: FullScore;
  slices: Record<string, Record<string, SliceScore>>;
}

async function scoredBy(model: Model, rows: Relation, by: readonly string[], run: Run): Promise<Scored> {
  const found = await measured(model, rows, { by, cuts: [10] }, run);
  const heard = async (): Promise<void> => breathe(run);
  // The same stream for both models: their resamples are the same rows, and differences are paired.
  const score = await scoreOf(found.subject, run.rng("bootstrap"), { breathe: heard });
  const slices: Scored["slices"] = {};
  for (const slicing of found.slicings)
    slices[slicing.column] = (
      await sliceScores(found.subject, slicing, run.rng, { resamples: 0, breathe: heard })
    ).slices;
  return { measured: found, score, slices };
}

const digits = (value: number | null): string =>
  value === null ? "undefined" : String(Number(value.toPrecision(5)));

/** How much better a metric became: positive is better, whichever side is. */
const gained = (metric: string, before: number, after: number): number =>
  betterOf(metric) === "lower" ? before - after : after - before;

function gainCheck({ metric, gain = 0 }: Rules, own: Scored, other: Scored): Check {
  const rule = `${metric} gains${gain > 0 ? ` more than ${gain}` : ""}`;
  const [now, before] = [own.score.metrics[metric], other.score.metrics[metric]];
  if (now === undefined || before === undefined)
    return { rule, passed: false, detail: `${metric} is not measured here` };
  if (own.measured.units !== other.measured.units)
    return { rule, passed: false, detail: "the two models cannot be measured on the same rows" };
  const [replicates, old] = [own.score.replicates[metric], other.score.replicates[metric]];
  const interval =
    replicates && old && percentileInterval(replicates.map((value, i) => gained(metric, old[i], value)));
  if (!interval || now === null || before === null)
    return {
      rule,
      passed: false,
      detail: `${metric} is ${digits(now)}, and the champion's ${digits(before)}`,
    };
  const [from, to] = interval;
  return {
    rule,
    passed: from > gain,
    detail: `${digits(before)} → ${digits(now)}, a gain of ${digits(gained(metric, before, now))} (95 %: ${digits(from)} to ${digits(to)})`,
  };
}

type Guardrail = NonNullable<Rules["guardrails"]>[number];

function guardrailChecks(guardrail: Guardrail, own: Scored, other: Scored): Check[] {
  const { metric, by } = guardrail;
  if (by === undefined)
    return [guarded(guardrail, "", own.score.metrics[metric], other.score.metrics[metric])];
  const least = guardrail["least-rows"] ?? 50;
  const [now, before] = [
    Object.values(own.slices)[slot(own, by)],
    Object.values(other.slices)[slot(other, by)],
  ];
  return Object.entries(now)
    .filter(([, slice]) => slice.rows >= least)
    .map(([level, slice]) =>
      guarded(guardrail, ` for ${by} = ${level}`, slice.metrics[metric], before[level]?.metrics[metric]),
    );
}

/** Columns may be typed in another case than the table has them. */
const slot = (scored: Scored, by: string): number =>
  Object.keys(scored.slices).findIndex((column) => column.toLowerCase() === by.toLowerCase());

function guarded(
  guardrail: Guardrail,
  where: string,
  now: number | null | undefined,
  before: number | null | undefined,
): Check {
  const { metric } = guardrail;
  const most = guardrail["worse-by"] ?? 0;
  const rule = `${metric}${where} falls back by no more than ${most}`;
  if (now === undefined) return { rule, passed: false, detail: `${metric} is not measured here` };
  // Where even the champion has no value there is nothing to lose.
  if (before === null || before === undefined)
    return { rule, passed: true, detail: "the champion has no value" };
  if (now === null) return { rule, passed: false, detail: `${digits(before)} → undefined` };
  return {
    rule,
    passed: -gained(metric, before, now) <= most,
    detail: `${digits(before)} → ${digits(now)}`,
  };
}

async function freshnessCheck(
  { column, "max-age": most }: NonNullable<Rules["freshness"]>,
  rows: Relation,
  now: Date,
): Promise<Check> {
  const { seconds, newest } = await ageOf(rows, column, now);
  return {
    rule: `${column} is no older than ${most}`,
    passed: seconds !== null && seconds <= parseDuration(most),
    detail:
      seconds === null ? `${column} has no value` : `the newest is ${newest}, ${durationText(seconds)} old`,
  };
}

async function driftCheck(
  { psi = 0.2, share = 0 }: NonNullable<Rules["drift"]>,
  model: string,
  rows: Relation,
  run: Run,
): Promise<Check> {
  const { columns } = await monitored(model, rows, {}, run);
  const measuredColumns = columns.filter((column) => column.psi !== null);
  const drifted = measuredColumns.filter((column) => column.psi! > psi);
  return {
    rule: `no more than ${Math.round(share * 100)} % of the columns drift (PSI above ${psi})`,
    passed: drifted.length <= share * measuredColumns.length,
    detail:
      drifted.length === 0
        ? `none of ${measuredColumns.length}`
        : drifted.map((column) => `${column.name} ${digits(column.psi)}`).join(", "),
  };
}

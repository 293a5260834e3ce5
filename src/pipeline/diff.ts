import { pairedInterval, whyUnpaired } from "../metrics/against.js";
import { metricFamilies } from "../metrics/listing.js";
import { metricInfo } from "../metrics/metric.js";
import { changedOptions, contentChange, union, type FactsOf } from "./changes.js";
import type { MetricsDocument, Side } from "./compared.js";
import type { LockedStage, MetricEntry } from "./lock.js";

export interface StageDifference {
  /** Which lock, where there are several. */
  lock?: string;
  stage: string;
  change: "added" | "removed" | "changed";
  /** Option, input, output and version changes in words. */
  what: string[];
}

export interface MetricDifference {
  /** The stage, or the metrics file. */
  of: string;
  metric: string;
  before: MetricEntry | null;
  after: MetricEntry | null;
  /** after - before. */
  difference: number | null;
  /** 95 % interval of the difference where both sides were measured on the same rows. */
  interval: [number, number] | null;
  /**
   * `better` or `worse` when the interval of the difference excludes zero, or, where the measurements
   * cannot be paired, when the two intervals do not overlap; `unclear` otherwise; `equal`.
   */
  verdict: "better" | "worse" | "changed" | "unclear" | "equal";
}

export interface Comparison {
  before: string;
  after: string;
  stages: StageDifference[];
  metrics: MetricDifference[];
}

/** What differs between two sides. */
export function compared(before: Side, after: Side, facts: FactsOf): Comparison {
  const one = { before: before.label, after: after.label };
  const stages: StageDifference[] = [];
  const metrics: MetricDifference[] = [];
  for (const [name, old, now] of pairsOf(before.locks, after.locks)) {
    const lock =
      Object.keys(before.locks).length > 1 || Object.keys(after.locks).length > 1 ? name : undefined;
    for (const stage of union(old ?? {}, now ?? {})) {
      const difference = stageDifference(old?.[stage], now?.[stage], facts);
      if (difference) stages.push({ lock, stage, ...difference });
      const label = lock === undefined ? stage : `${lock.replace(/\.lock\.yaml$/, "")}: ${stage}`;
      metrics.push(
        ...metricDifferences(label, asDocument(old?.[stage]?.metrics), asDocument(now?.[stage]?.metrics)),
      );
    }
  }
  for (const [name, old, now] of pairsOf(before.metrics, after.metrics))
    metrics.push(...metricDifferences(name, old, now));
  return { ...one, stages, metrics };
}

/** Entries of the same name; two single ones belong together whatever they are called. */
function pairsOf<T>(
  before: Record<string, T>,
  after: Record<string, T>,
): [name: string, before: T | undefined, after: T | undefined][] {
  const [old, now] = [Object.keys(before), Object.keys(after)];
  if (old.length === 1 && now.length === 1) return [[now[0] || old[0], before[old[0]], after[now[0]]]];
  return union(before, after).map((name) => [name, before[name], after[name]]);
}

function stageDifference(
  before: LockedStage | undefined,
  after: LockedStage | undefined,
  facts: FactsOf,
): Pick<StageDifference, "change" | "what"> | undefined {
  if (!before || !after) return { change: before ? "removed" : "added", what: [] };
  const what: string[] = [];
  if (before.run !== after.run) what.push(`command ${before.run} → ${after.run}`);
  if (before.version !== after.version) what.push(`version ${before.version} → ${after.version}`);
  if (before.seed !== after.seed) what.push(`seed ${before.seed} → ${after.seed}`);
  for (const { name, before: old, after: now } of changedOptions(before.options, after.options))
    what.push(`option \`${name}\` ${old} → ${now}`);
  what.push(...pathDifferences("input", before.inputs, after.inputs, facts));
  what.push(...pathDifferences("output", before.outputs, after.outputs, facts));
  return what.length === 0 ? undefined : { change: "changed", what };
}

function pathDifferences(
  kind: string,
  before: Record<string, string>,
  after: Record<string, string>,
  facts: FactsOf,
): string[] {
  return union(before, after).flatMap((path) => {
    const [old, now] = [before[path], after[path]];
    if (old === now) return [];
    if (old === undefined) return [`${kind} ${path} is new`];
    return [
      now === undefined ? `${kind} ${path} is gone` : `${kind} ${path}${contentChange(old, now, facts)}`,
    ];
  });
}

const asDocument = (metrics: Record<string, MetricEntry> | undefined): MetricsDocument | undefined =>
  metrics && { task: "", metrics };

function metricDifferences(
  of: string,
  before: MetricsDocument | undefined,
  after: MetricsDocument | undefined,
): MetricDifference[] {
  return union(before?.metrics ?? {}, after?.metrics ?? {}).map((metric) => {
    const [old, now] = [before?.metrics[metric] ?? null, after?.metrics[metric] ?? null];
    const [was, is] = [old?.[0] ?? null, now?.[0] ?? null];
    const difference = was === null || is === null ? null : is - was;
    const paired =
      before?.pairing && after?.pairing && whyUnpaired(before.pairing, after.pairing) === undefined
        ? pairedInterval(after.pairing.replicates[metric], before.pairing.replicates[metric])
        : null;
    return {
      of,
      metric,
      before: old,
      after: now,
      difference,
      interval: paired,
      verdict: verdictOf(metric, old, now, difference, paired),
    };
  });
}

function verdictOf(
  metric: string,
  before: MetricEntry | null,
  after: MetricEntry | null,
  difference: number | null,
  interval: [number, number] | null,
): MetricDifference["verdict"] {
  if (difference === 0) return "equal";
  if (difference === null) return "unclear";
  const apart = interval ? interval[0] > 0 || interval[1] < 0 : intervalsApart(before!, after!);
  if (!apart) return "unclear";
  const better = Object.values(metricFamilies)
    .map((family) => metricInfo(family, metric)?.better)
    .find(Boolean);
  if (better === undefined || better === "neither") return "changed";
  return difference > 0 === (better === "higher") ? "better" : "worse";
}

function intervalsApart(before: MetricEntry, after: MetricEntry): boolean {
  const [, low, high] = before;
  const [, from, to] = after;
  if ([low, high, from, to].some((end) => end === null || end === undefined)) return false;
  return from! > high! || to! < low!;
}

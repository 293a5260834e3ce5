import type { Rng } from "../core/rng.js";
import { bootstrap, defaultResamples, percentileInterval } from "./bootstrap.js";
import { metricInfo, type Measure } from "./metric.js";

/** What was predicted and what was true, ready to be measured as a whole or in parts. */
export interface Subject {
  measure: Measure;
  /** Weights of the units; all 1 when absent. */
  weights?: Float64Array;
  /** The same for some of the units. */
  subset(units: Uint32Array): Subject;
}

export interface Score {
  metrics: Record<string, number | null>;
  intervals: Record<string, [number, number] | null>;
}

export interface FullScore extends Score {
  resamples: number;
  /** Values on the resamples, by metric: what a paired difference is worked out from. */
  replicates: Record<string, Float64Array>;
  warnings: string[];
}

export interface SliceScore extends Score {
  rows: number;
}

/** Codes of the units by one column: slices are its levels. */
export interface Slicing {
  column: string;
  code: Int32Array;
  levels: readonly string[];
}

export interface ScoreAsk {
  /** Names to keep; all by default. */
  only?: readonly string[];
  /** Resamples of the bootstrap; by the number of units by default, 0 for no intervals. */
  resamples?: number;
  /** Called now and then in long work, so that Ctrl-C is heard. */
  breathe?: (done: number, total: number) => Promise<void>;
}

/** Most slices of a column that are measured: the largest. */
export const mostSlices = 50;

/** Every metric with its 95 % bootstrap interval. */
export async function scoreOf(subject: Subject, rng: Rng, about: ScoreAsk = {}): Promise<FullScore> {
  const { measure, weights } = subject;
  const resamples = about.resamples ?? defaultResamples(measure);
  const values = measure.at(weights ?? new Float64Array(measure.units).fill(1));
  const drawn = await bootstrap(measure, weights, resamples, rng, about.breathe);
  const score: FullScore = { metrics: {}, intervals: {}, resamples, replicates: {}, warnings: [] };
  measure.names.forEach((name, i) => {
    if (about.only && !about.only.includes(name)) return;
    const defined = Number.isFinite(values[i]);
    const info = metricInfo(measure.family, name);
    score.metrics[name] = defined ? values[i] : null;
    score.intervals[name] = defined && !info?.noInterval ? percentileInterval(drawn[i]) : null;
    if (!info?.noInterval) score.replicates[name] = drawn[i];
    if (!defined) score.warnings.push(`${name} is undefined: ${info?.undefinedWhen ?? "no value"}`);
  });
  return score;
}

/** The metrics of every level of a column, largest first; levels beyond `mostSlices` are left out with a warning. */
export async function sliceScores(
  subject: Subject,
  slicing: Slicing,
  rngOf: (stream: string) => Rng,
  about: ScoreAsk = {},
): Promise<{ slices: Record<string, SliceScore>; warnings: string[] }> {
  const counts = new Uint32Array(slicing.levels.length);
  for (const code of slicing.code) if (code >= 0) counts[code]++;
  const bySize = [...counts.keys()]
    .filter((level) => counts[level] > 0)
    .sort((a, b) => counts[b] - counts[a] || a - b);
  const slices: Record<string, SliceScore> = {};
  for (const level of bySize.slice(0, mostSlices)) {
    const units = new Uint32Array(counts[level]);
    let filled = 0;
    slicing.code.forEach((code, unit) => {
      if (code === level) units[filled++] = unit;
    });
    const name = slicing.levels[level];
    const { metrics, intervals } = await scoreOf(
      subject.subset(units),
      rngOf(`bootstrap ${slicing.column}=${name}`),
      about,
    );
    slices[name] = { rows: units.length, metrics, intervals };
  }
  const warnings =
    bySize.length > mostSlices
      ? [`${slicing.column} has ${bySize.length} values; the ${mostSlices} with most rows are measured`]
      : [];
  return { slices, warnings };
}

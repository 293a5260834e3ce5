import type { Rng } from "../core/rng.js";
import type { Measure } from "./metric.js";

/** Passes over units that the default number of resamples may cost: a few seconds. */
const budget = 4e7;

/** Passes over units between two breaths: some tenths of a second. */
const breath = 4e6;

/**
 * How many resamples a measure gets: 1000 for what is small, never under 200 up to a hundred thousand
 * units, at least 50 beyond. The intervals of large tables are narrow and need fewer.
 */
export function defaultResamples(measure: Measure): number {
  const affordable = Math.floor(budget / Math.max(1, measure.units * measure.cost));
  return Math.min(1000, Math.max(measure.units <= 100_000 ? 200 : 50, affordable));
}

/**
 * Values of every metric on resamples of the units, drawn with replacement.
 *
 * Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13. The draws depend on the stream
 * and the number of units only: two models measured on the same units with the same seed share
 * their resamples, and the differences of their values are paired.
 *
 * @param weights weights of the units themselves, multiplied by how often each was drawn
 * @param breathe called now and then, so that Ctrl-C is heard
 * @returns one array of `resamples` values per metric, NaN where a resample leaves it undefined
 */
export async function bootstrap(
  measure: Measure,
  weights: Float64Array | undefined,
  resamples: number,
  rng: Rng,
  breathe: (done: number, total: number) => Promise<void> = async () => undefined,
): Promise<Float64Array[]> {
  const { units, names } = measure;
  const replicates = names.map(() => new Float64Array(resamples));
  const drawn = new Float64Array(units);
  let visited = 0;
  for (let round = 0; round < resamples; round++) {
    visited += units * measure.cost;
    if (visited > breath) {
      await breathe(round, resamples);
      visited = 0;
    }
    drawn.fill(0);
    for (let i = 0; i < units; i++) drawn[rng.integer(units)]++;
    if (weights) for (let i = 0; i < units; i++) drawn[i] *= weights[i];
    measure.at(drawn).forEach((value, metric) => (replicates[metric][round] = value));
  }
  return replicates;
}

/**
 * The percentile interval of replicates.
 *
 * @param level 0.95 for the 2.5 % and 97.5 % quantiles
 * @returns null when the metric was undefined in more than half of the resamples
 */
export function percentileInterval(replicates: Float64Array, level = 0.95): [number, number] | null {
  const values = replicates.filter((value) => !Number.isNaN(value)).sort();
  if (values.length === 0 || values.length * 2 < replicates.length) return null;
  return [quantileOfSorted(values, (1 - level) / 2), quantileOfSorted(values, (1 + level) / 2)];
}

/** The q-quantile of ascending values, linear between neighbours (Hyndman & Fan's type 7, numpy's default). */
export function quantileOfSorted(values: Float64Array, q: number): number {
  const place = (values.length - 1) * q;
  const below = Math.floor(place);
  const share = place - below;
  return share === 0 ? values[below] : values[below] + share * (values[below + 1] - values[below]);
}

import { errorScales, ScoreTotals, type ErrorScales } from "../metrics/forecast.js";
import { calibrate, countBelow, countUpTo, type Calibration } from "./intervals.js";
import type { Projections } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** One origin of one series: a model sees the values before `cut` and is judged on the `horizon` after it. */
export interface Windows {
  horizon: number;
  series: Int32Array;
  /** Length of the history. */
  cut: Int32Array;
  /** Number of the origin, 0 is the latest. */
  origin: Int32Array;
  /** Windows of series s lie at starts[s]..starts[s+1]. */
  starts: Int32Array;
  /** Largest number of origins of any series. */
  origins: number;
}

/**
 * Rolling origins: the latest lies one horizon before the end of a series, the others before it, as far
 * apart as the horizon where the history allows it, else closer. A history holds at least a season
 * and one value, and three.
 */
export function rollingWindows(set: SeriesSet, season: number, horizon: number, origins: number): Windows {
  const least = Math.max(3, season > 1 ? season + 1 : 0);
  const series: number[] = [];
  const cut: number[] = [];
  const origin: number[] = [];
  const starts = new Int32Array(set.count + 1);
  for (let s = 0; s < set.count; s++) {
    const latest = set.starts[s + 1] - set.starts[s] - horizon;
    const apart = origins > 1 ? Math.floor((latest - least) / (origins - 1)) : horizon;
    const step = Math.max(1, Math.min(horizon, apart));
    for (let o = 0; o < origins && latest - o * step >= least; o++) {
      series.push(s);
      cut.push(latest - o * step);
      origin.push(o);
    }
    starts[s + 1] = series.length;
  }
  return {
    horizon,
    series: Int32Array.from(series),
    cut: Int32Array.from(cut),
    origin: Int32Array.from(origin),
    starts,
    origins: origin.reduce((most, o) => Math.max(most, o + 1), 0),
  };
}

/** The true values of a window. */
export function truthOf(set: SeriesSet, windows: Windows, window: number): Float64Array {
  const from = set.starts[windows.series[window]] + windows.cut[window];
  return set.values.subarray(from, from + windows.horizon);
}

/**
 * Whether errors of a window tell of those to come: a model that knew less than half of a series errs by more. The latest one always
 * does.
 */
function tells(set: SeriesSet, { series, cut, origin }: Windows, w: number): boolean {
  const length = set.starts[series[w] + 1] - set.starts[series[w]];
  return origin[w] === 0 || 2 * cut[w] >= length;
}

/** Errors over the deviation that the model expected, by origin and step, each array in order; those that it cannot tell of are left out. */
function standardised(set: SeriesSet, windows: Windows, { mean, spread }: Projections): Float64Array[][] {
  const { horizon, series, cut, origin, origins } = windows;
  const counts = new Int32Array(origins);
  for (const o of origin) counts[o]++;
  const errors = Array.from(counts, (count) =>
    Array.from({ length: horizon }, () => new Float64Array(count)),
  );
  const filled = Array.from(counts, () => new Int32Array(horizon));
  for (let w = 0; w < series.length; w++) {
    if (!tells(set, windows, w)) continue;
    const from = set.starts[series[w]] + cut[w];
    for (let h = 0; h < horizon; h++) {
      const deviation = spread[w * horizon + h];
      if (!(deviation > 0)) continue;
      errors[origin[w]][h][filled[origin[w]][h]++] =
        (set.values[from + h] - mean[w * horizon + h]) / deviation;
    }
  }
  return errors.map((steps, o) => steps.map((values, h) => values.subarray(0, filled[o][h]).sort()));
}

/** Origins from which on it can be told how wide intervals must be for an origin that none of them has seen. */
const fewestOrigins = 3;
/** Narrower intervals say where the middle is, not how wide errors spread: they stay as they are. */
const leastWidened = 50;
/** Intervals are not narrowed or widened by more than these. */
const narrowest = 0.5;
const widest = 3;

/**
 * The calibration of a model by all its windows, and for every origin the one by the windows of the
 * other origins: what an honest coverage is measured with.
 *
 * Errors of one origin go together (a holiday, a bad quarter hits all series), so that an origin that nobody has seen errs by more than
 * the pool of the others says. Every origin is therefore held against the pool of the others, and intervals are widened (or narrowed) by
 * the factor that lets these hold the level: cross-conformal prediction by groups (Vovk 2015, Annals of Mathematics
 * and Artificial Intelligence 74:9-28). The calibration without an origin learns its factor without it as well.
 */
export function calibrations(
  set: SeriesSet,
  windows: Windows,
  forecasts: Projections,
  levels: readonly number[],
): { whole: Calibration; without: Calibration[] } {
  const errors = standardised(set, windows, forecasts);
  const origins = errors.map((_, o) => o);
  const stepsOf = (among: readonly number[]): Float64Array[][] =>
    Array.from({ length: windows.horizon }, (_, h) => among.map((o) => errors[o][h]));
  const calibrated = (among: readonly number[]): Calibration => {
    const known = new Map<number, number>();
    return calibrate(stepsOf(among), levels, (level) => {
      if (level < leastWidened || among.length < fewestOrigins) return 1;
      let factor = known.get(level);
      if (factor === undefined) {
        factor = wideningOf(
          errors,
          among,
          (o) => calibrate(stepsOf(among.filter((one) => one !== o)), [level]),
          level,
        );
        known.set(level, factor);
      }
      return factor;
    });
  };
  return {
    whole: calibrated(origins),
    without: origins.map((o) => calibrated(origins.filter((one) => one !== o))),
  };
}

/** What intervals from the other origins must be widened or narrowed by so that the windows of each origin lie inside as often as the level says. */
function wideningOf(
  errors: readonly (readonly Float64Array[])[],
  origins: readonly number[],
  others: (origin: number) => Calibration,
  level: number,
): number {
  const bounded = origins.flatMap((o) => {
    const calibration = others(o);
    return errors[o].map((sorted, h) => ({ sorted, ...calibration.multiples(h + 1, level) }));
  });
  const count = bounded.reduce((sum, { sorted }) => sum + sorted.length, 0);
  const rank = Math.ceil(((count + 1) * level) / 100);
  if (rank > count) return 1;
  const holds = (factor: number): boolean => {
    let inside = 0;
    for (const { sorted, low, high } of bounded)
      inside += countUpTo(sorted, factor * high) - countBelow(sorted, factor * low);
    return inside >= rank;
  };
  let [low, high] = [narrowest, widest];
  if (holds(low)) return low;
  if (!holds(high)) return high;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export type ForecastMetrics = Record<string, number | null>;

/**
 * Metrics of one model over series.
 *
 * @param forecasts of every window
 * @param without   calibrations by the other origins, by origin
 * @param among     only these series; all by default
 */
export function backtestMetrics(
  set: SeriesSet,
  windows: Windows,
  scales: readonly ErrorScales[],
  levels: readonly number[],
  forecasts: Projections,
  without: readonly Calibration[],
  among?: readonly number[],
): ForecastMetrics {
  const { horizon } = windows;
  const score = new ScoreTotals();
  const covered = levels.map(() => 0);
  let counted = 0;
  const each = (s: number): void => {
    const origins = [];
    for (let w = windows.starts[s]; w < windows.starts[s + 1]; w++) {
      const truth = truthOf(set, windows, w);
      const forecast = forecasts.mean.subarray(w * horizon, (w + 1) * horizon);
      origins.push({ truth, forecast, scales: scales[w] });
      const judged = levels.length > 0 && tells(set, windows, w);
      for (let h = 0; judged && h < horizon; h++) {
        const spread = forecasts.spread[w * horizon + h];
        if (Number.isNaN(spread)) continue;
        counted++;
        levels.forEach((level, i) => {
          const { low, high } = without[windows.origin[w]].multiples(h + 1, level);
          const error = truth[h] - forecast[h];
          if (error >= low * spread && error <= high * spread) covered[i]++;
        });
      }
    }
    score.add(origins);
  };
  if (among) among.forEach(each);
  else for (let s = 0; s < set.count; s++) each(s);
  return metricsOf(
    score,
    levels.map((level, i) => [`coverage_${level}`, counted === 0 ? NaN : covered[i] / counted]),
  );
}

/** Totals as metrics; undefined ones are null. */
export function metricsOf(score: ScoreTotals, more: readonly [string, number][] = []): ForecastMetrics {
  const values = [...Object.entries(score.values()), ...more];
  return Object.fromEntries(values.map(([name, value]) => [name, Number.isFinite(value) ? value : null]));
}

/** MASE's and RMSSE's scales of the history of every window. */
export function windowScales(set: SeriesSet, season: number, windows: Windows): ErrorScales[] {
  return Array.from(windows.series, (s, w) =>
    errorScales(set.values.subarray(set.starts[s], set.starts[s] + windows.cut[w]), season),
  );
}

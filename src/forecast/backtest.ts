import { errorScales, ScoreTotals, type ErrorScales } from "../metrics/forecast.js";
import type { CalibrationFor } from "./calibrations.js";
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
  without: readonly CalibrationFor[],
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
      const calibration = levels.length > 0 ? without[windows.origin[w]](windows.cut[w]) : undefined;
      for (let h = 0; calibration && h < horizon; h++) {
        const spread = forecasts.spread[w * horizon + h];
        if (Number.isNaN(spread)) continue;
        counted++;
        levels.forEach((level, i) => {
          const { low, high } = calibration.multiples(h + 1, level);
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

import type { Run } from "../engine/run.js";
import { breathe } from "../learners/breathe.js";
import { errorScales, ForecastScore, type ErrorScales } from "../metrics/forecast.js";
import { calibrate, type Calibration } from "./intervals.js";
import type { ForecastFit } from "./model.js";
import type { ReadyModel } from "./registry.js";
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

/** What a model forecast in every window: horizon values each. */
export interface WindowForecasts {
  mean: Float64Array;
  /** Deviation that the model expected of its errors; NaN where it cannot tell. */
  spread: Float64Array;
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

/** Why a series got a simpler model, or intervals of no use. */
export interface Fallback {
  series: number;
  model: string;
  used: string;
  reason: string;
}

/** The simplest model: what a series gets that is too short for another. */
export const lastResort = "naive";

/**
 * Fits a model to a history, or the simplest one where the history is too short for it.
 *
 * @param simplest the model called `naive`
 */
export function fitOrFallBack(
  model: ReadyModel,
  simplest: ReadyModel,
  values: Float64Array,
  season: number,
): { fit: ForecastFit; reason?: string } {
  const needed = model.needs(season);
  if (values.length >= needed) return { fit: model.fit({ values, season }) };
  return {
    fit: simplest.fit({ values, season }),
    reason: `fewer than the ${needed} values that ${model.name} needs`,
  };
}

/** Means and deviations of a fit; not below zero where the history never is. */
export function project(
  fit: ForecastFit,
  history: Float64Array,
  horizon: number,
): { mean: Float64Array; spread: Float64Array; floor: number } {
  let floor = 0;
  for (const value of history) if (value < floor) floor = -Infinity;
  const mean = fit.mean(horizon);
  for (let h = 0; h < horizon; h++) mean[h] = Math.max(floor, mean[h]);
  return {
    mean,
    spread: Float64Array.from({ length: horizon }, (_, h) => fit.deviation * fit.growth(h + 1)),
    floor,
  };
}

/** Lets a model forecast every window. */
export async function forecastWindows(
  model: ReadyModel,
  simplest: ReadyModel,
  set: SeriesSet,
  season: number,
  windows: Windows,
  run: Run,
): Promise<WindowForecasts> {
  const { horizon, series, cut } = windows;
  const result = {
    mean: new Float64Array(series.length * horizon),
    spread: new Float64Array(series.length * horizon),
  };
  for (let w = 0; w < series.length; w++) {
    if (w % 256 === 0) {
      run.progress.update(w, series.length, "windows");
      await breathe(run);
    }
    const start = set.starts[series[w]];
    const history = set.values.subarray(start, start + cut[w]);
    const { mean, spread } = project(fitOrFallBack(model, simplest, history, season).fit, history, horizon);
    result.mean.set(mean, w * horizon);
    result.spread.set(spread, w * horizon);
  }
  return result;
}

/** The true values of a window. */
export function truthOf(set: SeriesSet, windows: Windows, window: number): Float64Array {
  const from = set.starts[windows.series[window]] + windows.cut[window];
  return set.values.subarray(from, from + windows.horizon);
}

/** Errors over the deviation that the model expected, one array per step with a value per window; NaN where it cannot tell. */
function standardised(set: SeriesSet, windows: Windows, { mean, spread }: WindowForecasts): Float64Array[] {
  const { horizon, series, cut } = windows;
  const errors = Array.from({ length: horizon }, () => new Float64Array(series.length));
  for (let w = 0; w < series.length; w++) {
    const from = set.starts[series[w]] + cut[w];
    for (let h = 0; h < horizon; h++) {
      const deviation = spread[w * horizon + h];
      errors[h][w] = deviation > 0 ? (set.values[from + h] - mean[w * horizon + h]) / deviation : NaN;
    }
  }
  return errors;
}

/**
 * The calibration of a model by all its windows, and for every origin the one by the windows of the
 * other origins: what an honest coverage is measured with.
 */
export function calibrations(
  set: SeriesSet,
  windows: Windows,
  forecasts: WindowForecasts,
  levels: readonly number[],
): { whole: Calibration; without: Calibration[] } {
  const errors = standardised(set, windows, forecasts);
  return {
    whole: calibrate(errors, levels),
    without: Array.from({ length: windows.origins }, (_, left) =>
      calibrate(
        errors.map((values) => values.filter((_value, w) => windows.origin[w] !== left)),
        levels,
      ),
    ),
  };
}

export type ForecastMetrics = Record<string, number | null>;

/**
 * Metrics of one model, or of a choice of models per window.
 *
 * @param used the forecasts of every window, with the calibrations by the other origins
 */
export function backtestMetrics(
  set: SeriesSet,
  windows: Windows,
  scales: readonly ErrorScales[],
  levels: readonly number[],
  used: (window: number) => { forecasts: WindowForecasts; without: readonly Calibration[] },
): ForecastMetrics {
  const { horizon } = windows;
  const score = new ForecastScore();
  const covered = levels.map(() => 0);
  let counted = 0;
  for (let s = 0; s < set.count; s++) {
    const origins = [];
    for (let w = windows.starts[s]; w < windows.starts[s + 1]; w++) {
      const { forecasts, without } = used(w);
      const truth = truthOf(set, windows, w);
      const forecast = forecasts.mean.subarray(w * horizon, (w + 1) * horizon);
      origins.push({ truth, forecast, scales: scales[w] });
      for (let h = 0; h < horizon; h++) {
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
  }
  const values: [string, number][] = Object.entries(score.values());
  levels.forEach((level, i) =>
    values.push([`coverage_${level}`, counted === 0 ? NaN : covered[i] / counted]),
  );
  return Object.fromEntries(values.map(([name, value]) => [name, Number.isFinite(value) ? value : null]));
}

/** MASE's and RMSSE's scales of the history of every window. */
export function windowScales(set: SeriesSet, season: number, windows: Windows): ErrorScales[] {
  return Array.from(windows.series, (s, w) =>
    errorScales(set.values.subarray(set.starts[s], set.starts[s] + windows.cut[w]), season),
  );
}

/** Sum of squared errors of a window. */
export function squaredError(
  set: SeriesSet,
  windows: Windows,
  { mean }: WindowForecasts,
  window: number,
): number {
  const truth = truthOf(set, windows, window);
  let sum = 0;
  for (let h = 0; h < windows.horizon; h++) sum += (truth[h] - mean[window * windows.horizon + h]) ** 2;
  return sum;
}

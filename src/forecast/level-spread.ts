import type { Windows } from "./backtest.js";
import { truthOf } from "./backtest.js";
import { certainAbove, keptOf } from "./intervals.js";
import type { Hierarchy } from "./reconcile.js";
import type { MadeForecasts } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** Errors of more deviations than this count like this: a deviation near zero makes a quotient of any size. */
const mostDeviations = 6;
/** How much the ratio of a level differs from origin to origin before any was seen (variance of its logarithm), and how many origins that counts for. */
const usually = { variance: 0.25, origins: 2 };

/**
 * Sets the deviations that reconciled forecasts are expected to have, level by level of the hierarchy, in place.
 *
 * A model tells of its own errors, which are others once forecasts were made to add up: those of a total may be half of
 * them (its parts know better) or more (its parts know less). The factor of a level is the size of its errors in the backtest, in deviations,
 * over that of all levels. Errors of the nodes of a level go together, so that no more than a few origins tell it, and
 * only what exceeds twice its standard error over the origins counts (James & Stein 1961, positive part). Windows of an
 * origin take the factor that the other origins tell, so that the coverage of the backtest stays honest.
 *
 * The limits were chosen on 144 forecasts from rolling origins of 34 made hierarchies and seven real ones.
 *
 * @param forecasts reconciled
 */
export function spreadByLevel(
  set: SeriesSet,
  hierarchy: Hierarchy,
  windows: Windows,
  forecasts: MadeForecasts,
): void {
  const { horizon, origins } = windows;
  const levels = hierarchy.levels.length;
  const sizes = Array.from({ length: levels }, () => new Float64Array(origins));
  const counts = Array.from({ length: levels }, () => new Float64Array(origins));
  for (let w = 0; w < windows.series.length; w++) {
    const truth = truthOf(set, windows, w);
    const level = hierarchy.level[windows.series[w]];
    for (let h = 0; h < horizon; h++) {
      const deviation = forecasts.windows.spread[w * horizon + h];
      if (!(deviation > 0)) continue;
      const error = Math.abs(truth[h] - forecasts.windows.mean[w * horizon + h]);
      sizes[level][windows.origin[w]] += Math.min(mostDeviations, error / deviation);
      counts[level][windows.origin[w]]++;
    }
  }
  /** The factor of every level, by all origins but one. */
  const factorsWithout = (left: number): number[] => {
    const heard = [...Array(origins).keys()].filter((origin) => origin !== left);
    return hierarchy.levels.map((_, level) => factorOf(sizes, counts, level, heard));
  };
  const scale = (spread: Float64Array, at: number, factor: number): void => {
    for (let i = at * horizon; i < (at + 1) * horizon; i++) spread[i] *= factor;
  };
  const inWindows = Array.from({ length: origins }, (_, origin) => factorsWithout(origin));
  for (let w = 0; w < windows.series.length; w++)
    scale(forecasts.windows.spread, w, inWindows[windows.origin[w]][hierarchy.level[windows.series[w]]]);
  const factors = factorsWithout(-1);
  for (let s = 0; s < set.count; s++) scale(forecasts.ahead.spread, s, factors[hierarchy.level[s]]);
}

/**
 * The size of the errors of a level over that of all levels, as far as it is beyond doubt.
 *
 * @param sizes  sums of errors in deviations by level and origin
 * @param counts how many there are
 * @param heard  origins
 */
function factorOf(
  sizes: readonly Float64Array[],
  counts: readonly Float64Array[],
  level: number,
  heard: readonly number[],
): number {
  const sumOf = (own: Float64Array, origins: readonly number[]): number =>
    origins.reduce((sum, origin) => sum + own[origin], 0);
  const meanOf = (levels: readonly number[], origins: readonly number[]): number =>
    levels.reduce((sum, l) => sum + sumOf(sizes[l], origins), 0) /
    levels.reduce((sum, l) => sum + sumOf(counts[l], origins), 0);
  const all = [...sizes.keys()];
  const relative = (origins: readonly number[]): number =>
    Math.log(meanOf([level], origins) / meanOf(all, origins));
  const ratios = heard.map((origin) => relative([origin])).filter(Number.isFinite);
  if (ratios.length < 2) return 1;
  const middle = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const squares = ratios.reduce((sum, ratio) => sum + (ratio - middle) ** 2, 0);
  const ratio = relative(heard);
  const variance = (squares + usually.origins * usually.variance) / (ratios.length - 1 + usually.origins);
  const doubt = variance / ratios.length;
  return Math.exp(ratio * keptOf(ratio * ratio, certainAbove * certainAbove * doubt));
}

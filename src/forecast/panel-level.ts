import type { Windows } from "./backtest.js";
import { truthOf } from "./backtest.js";
import type { ErrorScales } from "../metrics/forecast.js";
import type { SeriesSet } from "./series.js";
import type { MadeForecasts } from "./series-work.js";

/** Fewer series than this tell no common level. */
const fewestSeries = 30;
const leastFactor = 0.5;
const mostFactor = 1.5;

/**
 * Moves the forecasts of slow sellers by one factor that the whole panel's backtest tells: items that sell rarely are, as a
 * group, often on their way out, which no single series of them shows.
 *
 * The factor is the sum of truths over the sum of forecasts in all windows, both in units of each history's steps, so
 * that it takes bias out and nothing else; the windows of one origin are corrected by what the other origins tell.
 *
 * @param forecasts of `auto`; changed in place
 * @param rare      whether a series has intermittent demand
 * @returns the factor of the forecasts ahead; 1 where the panel is too small
 */
export function correctLevel(
  set: SeriesSet,
  windows: Windows,
  scales: readonly ErrorScales[],
  forecasts: MadeForecasts,
  rare: readonly boolean[],
): number {
  if (windows.origins < 2 || rare.filter(Boolean).length < fewestSeries) return 1;
  const { horizon } = windows;
  const top = new Float64Array(windows.origins);
  const bottom = new Float64Array(windows.origins);
  for (let w = 0; w < windows.series.length; w++) {
    const { step } = scales[w];
    if (!rare[windows.series[w]] || !(step > 0)) continue;
    const truth = truthOf(set, windows, w);
    for (let h = 0; h < horizon; h++) {
      const forecast = forecasts.windows.mean[w * horizon + h] / step;
      top[windows.origin[w]] += truth[h] / step;
      bottom[windows.origin[w]] += forecast;
    }
  }
  const factorWithout = (left: number): number => {
    let y = 0;
    let x = 0;
    for (let o = 0; o < windows.origins; o++)
      if (o !== left) {
        y += top[o];
        x += bottom[o];
      }
    return x > 0 ? Math.min(mostFactor, Math.max(leastFactor, y / x)) : 1;
  };
  const scale = ({ mean, spread }: MadeForecasts["ahead"], at: number, factor: number): void => {
    for (let i = at * horizon; i < (at + 1) * horizon; i++) {
      mean[i] *= factor;
      spread[i] *= factor;
    }
  };
  const without = Float64Array.from({ length: windows.origins }, (_, o) => factorWithout(o));
  for (let w = 0; w < windows.series.length; w++)
    if (rare[windows.series[w]]) scale(forecasts.windows, w, without[windows.origin[w]]);
  const factor = factorWithout(-1);
  for (let s = 0; s < set.count; s++) if (rare[s]) scale(forecasts.ahead, s, factor);
  return factor;
}

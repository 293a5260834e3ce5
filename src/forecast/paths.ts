import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Rng } from "../core/rng.js";
import { truthOf, type Windows } from "./backtest.js";
import { cellOf, cellsNear } from "./calibrations.js";
import { floorOf, type MadeForecasts } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** Possible futures as typed columns. */
export interface SamplePaths {
  sid: Int32Array;
  /** Periods ahead, from 1. */
  step: Int32Array;
  model: Int32Array;
  models: readonly string[];
  /** Number of the path, from 1. */
  path: Int32Array;
  values: Float64Array;
}

/** Most values of all paths together: 24 bytes each are held in memory. */
const mostValues = 100_000_000;

/**
 * Possible futures of every series: the forecast plus whole strings of errors as they came in the backtest, each error
 * in units of the deviation that its model expected there, and of a window with a history of like length. A string keeps how errors of neighbouring
 * steps go together, which intervals step by step do not tell and which sums over a lead time need.
 *
 * Without a backtest errors are sums of independent normal steps, scaled to the expected deviation.
 *
 * @throws ShopaiError "usage" for more than a hundred million values
 */
export function samplePaths(
  set: SeriesSet,
  windows: Windows,
  forecasts: ReadonlyMap<string, MadeForecasts>,
  paths: number,
  rng: Rng,
): SamplePaths {
  const { horizon } = windows;
  const models = [...forecasts.keys()];
  const rows = set.count * models.length * paths * horizon;
  if (rows > mostValues)
    throw new ShopaiError("usage", `${grouped(paths)} paths of every series are ${grouped(rows)} values`, {
      try: `--paths ${Math.max(1, Math.floor(mostValues / (set.count * models.length * horizon)))}`,
    });
  const result: SamplePaths = {
    sid: new Int32Array(rows),
    step: new Int32Array(rows),
    model: new Int32Array(rows),
    models,
    path: new Int32Array(rows),
    values: new Float64Array(rows),
  };
  const strings = models.map((name) => errorStrings(set, windows, forecasts.get(name)!));
  let row = 0;
  for (let s = 0; s < set.count; s++) {
    const cell = cellOf(set.starts[s + 1] - set.starts[s]);
    const floor = floorOf(set.values.subarray(set.starts[s], set.starts[s + 1]));
    models.forEach((name, m) => {
      const { mean, spread } = forecasts.get(name)!.ahead;
      const errors = strings[m](cell);
      for (let path = 1; path <= paths; path++) {
        const from = errors.length > 0 ? rng.integer(errors.length / horizon) * horizon : 0;
        let walk = 0;
        for (let h = 0; h < horizon; h++, row++) {
          if (errors.length === 0) walk += rng.normal();
          const error = errors.length > 0 ? errors[from + h] : walk / Math.sqrt(h + 1);
          const deviation = spread[s * horizon + h];
          const value = mean[s * horizon + h] + (deviation > 0 ? error * deviation : 0);
          result.sid[row] = s;
          result.step[row] = h + 1;
          result.model[row] = m;
          result.path[row] = path;
          result.values[row] = Math.max(floor, value);
        }
      }
    });
  }
  return result;
}

/** Errors of whole windows over the expected deviations, one window after the other: those that tell of a length (`cellOf`). */
function errorStrings(
  set: SeriesSet,
  windows: Windows,
  forecasts: MadeForecasts,
): (cell: number) => Float64Array {
  const { horizon } = windows;
  const { mean, spread } = forecasts.windows;
  const whole: number[] = [];
  const counts = new Map<number, number>();
  for (let w = 0; w < windows.series.length; w++) {
    if (!spread.subarray(w * horizon, (w + 1) * horizon).every((deviation) => deviation > 0)) continue;
    whole.push(w);
    const cell = cellOf(windows.cut[w]);
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
  }
  const known = new Map<number, Float64Array>();
  return (cell) => {
    const found = known.get(cell);
    if (found) return found;
    const near = cellsNear(cell, counts);
    const heard = whole.filter((w) => near.has(cellOf(windows.cut[w])));
    const strings = new Float64Array(heard.length * horizon);
    heard.forEach((w, i) => {
      const truth = truthOf(set, windows, w);
      for (let h = 0; h < horizon; h++)
        strings[i * horizon + h] = (truth[h] - mean[w * horizon + h]) / spread[w * horizon + h];
    });
    known.set(cell, strings);
    return strings;
  };
}

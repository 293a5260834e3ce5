import { stl } from "../mstl/stl.js";
import { filtered, differencing } from "./polynomial.js";

/** The 5 % value of the KPSS test of a stationary level (Kwiatkowski et al. 1992, table 1). */
const kpssLimit = 0.463;

/**
 * How often a series is to be differenced: until the KPSS test no longer rejects a stationary level.
 *
 * Kwiatkowski, Phillips, Schmidt & Shin (1992), J. Econometrics 54:159-178, with 3 sqrt(n) / 13 lags, as R's `ndiffs`.
 */
export function differencesNeeded(values: Float64Array, most = 2): number {
  let y = values;
  for (let d = 0; d < most; d++) {
    if (y.length < 8 || kpss(y) <= kpssLimit) return d;
    y = filtered(y, differencing(1, 0, 1));
    if (y.every((value) => Math.abs(value - y[0]) < 1e-12 * (1 + Math.abs(y[0])))) return d + 1;
  }
  return most;
}

/** The KPSS statistic of a stationary level. */
export function kpss(y: Float64Array): number {
  const n = y.length;
  let mean = 0;
  for (const value of y) mean += value / n;
  const lags = Math.trunc((3 * Math.sqrt(n)) / 13);
  let partial = 0;
  let top = 0;
  for (const value of y) {
    partial += value - mean;
    top += partial * partial;
  }
  let longRun = 0;
  for (let lag = 0; lag <= lags; lag++) {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (y[t] - mean) * (y[t - lag] - mean);
    longRun += lag === 0 ? sum : 2 * (1 - lag / (lags + 1)) * sum;
  }
  return longRun > 0 ? top / n / longRun : 0;
}

/** A season this strong is differenced, as by R's `nsdiffs`. */
const strongSeason = 0.64;

/** 1 where a season is strong enough to be differenced, else 0. */
export function seasonalDifferencesNeeded(values: Float64Array, season: number): 0 | 1 {
  if (season < 2 || values.length < 2 * season + 5) return 0;
  return seasonalStrength(values, season) > strongSeason ? 1 : 0;
}

/** 1 - var(rest) / var(season + rest) of STL, 0..1 (Wang, Smith & Hyndman 2006, Data Mining and Knowledge Discovery 13:335-364). */
export function seasonalStrength(values: Float64Array, season: number): number {
  const { seasonal, trend } = stl(values, season, 11);
  const rest = values.map((value, t) => value - seasonal[t] - trend[t]);
  const both = rest.map((value, t) => value + seasonal[t]);
  const whole = variance(both);
  return whole > 0 ? Math.max(0, 1 - variance(rest) / whole) : 0;
}

function variance(y: Float64Array): number {
  let mean = 0;
  for (const value of y) mean += value / y.length;
  let sum = 0;
  for (const value of y) sum += (value - mean) ** 2;
  return sum / Math.max(1, y.length - 1);
}

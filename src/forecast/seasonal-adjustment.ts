import { isSeasonal, seasonalIndex } from "./naive2.js";

/**
 * Above so many places a season has too few values a place to be taken as seen: on rolling origins in the training part of M4's
 * weekly series shrinking it takes 1.4 % off the OWA of `dynamic-theta`, `ets` and `theta`. Below, it makes no difference.
 */
const fewPlaces = 24;

/** A history without its season, and how to put the season back. */
export interface Adjusted {
  values: Float64Array;
  /** Whether a season was found and taken out. */
  seasonal: boolean;
  /** Puts the season of the periods after the history into `forecast`, in place; scales `spread` alike where given. */
  restore(forecast: Float64Array, spread?: Float64Array): Float64Array;
}

/**
 * Takes the season out by classical decomposition where a 90 % test of the autocorrelation finds one: multiplicative
 * where every value is above zero and no index comes near it, additive otherwise.
 *
 * Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16:521-530, step 0 of the Theta method, as R's `thetaf`;
 * the index of a long season is shrunk.
 */
export function seasonallyAdjusted(values: Float64Array, season: number): Adjusted {
  if (!isSeasonal(values, season)) return { values, seasonal: false, restore: (forecast) => forecast };
  let multiplicative = values.every((value) => value > 0);
  const shrink = season > fewPlaces;
  let index = seasonalIndex(values, season, multiplicative, shrink);
  if (multiplicative && index.some((value) => value < 0.01)) {
    multiplicative = false;
    index = seasonalIndex(values, season, false, shrink);
  }
  const n = values.length;
  const at = (t: number): number => index[t % season];
  return {
    values: values.map((value, t) => (multiplicative ? value / at(t) : value - at(t))),
    seasonal: true,
    restore(forecast, spread) {
      for (let h = 0; h < forecast.length; h++) {
        if (multiplicative) {
          forecast[h] *= at(n + h);
          if (spread) spread[h] *= at(n + h);
        } else forecast[h] += at(n + h);
      }
      return forecast;
    },
  };
}

import { defineForecastModel, deviationOf, grown } from "./model.js";

/**
 * Naive on the seasonally adjusted history, where a test finds a season: M4's benchmark, against which OWA is measured.
 *
 * Makridakis, Spiliotis & Assimakopoulos (2020), Int. J. Forecasting 36:54-74, and the organisers' program: a
 * 90 % test of the autocorrelation at the season, then classical multiplicative decomposition (additive
 * here where the history is not positive, which M4 never is).
 */
export default defineForecastModel({
  name: "naive2",
  summary: "the last value, seasonally adjusted where a test finds a season; the benchmark of M4",
  source: "Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, Int. J. Forecasting 36:54-74",
  params: {},
  seasonal: true,
  needs: () => 1,
  fit({ values, season }) {
    const seasonal = isSeasonal(values, season);
    const positive = values.every((value) => value > 0);
    const index = seasonal
      ? seasonalIndex(values, season, positive)
      : new Float64Array(1).fill(positive ? 1 : 0);
    const indexAt = (t: number): number => index[t % index.length];
    const moved = (value: number, from: number, to: number): number =>
      positive ? (value / indexAt(from)) * indexAt(to) : value - indexAt(from) + indexAt(to);
    const end = values.length - 1;
    let squares = 0;
    for (let t = 1; t <= end; t++) squares += (values[t] - moved(values[t - 1], t - 1, t)) ** 2;
    return {
      mean: (horizon) =>
        Float64Array.from({ length: horizon }, (_, h) => moved(values[end], end, end + 1 + h)),
      spread: grown(deviationOf(squares, end), (step) => Math.sqrt(step)),
      about: { seasonal: seasonal ? 1 : 0 },
    };
  },
});

/**
 * Whether the autocorrelation at the season exceeds its 90 % limit, given those of the shorter lags
 * (Bartlett's formula); never with fewer than three seasons.
 */
export function isSeasonal(values: Float64Array, season: number): boolean {
  if (season < 2 || values.length < 3 * season) return false;
  let mean = 0;
  for (const value of values) mean += value / values.length;
  const covariance = (lag: number): number => {
    let sum = 0;
    for (let t = lag; t < values.length; t++) sum += (values[t] - mean) * (values[t - lag] - mean);
    return sum;
  };
  const variance = covariance(0);
  if (variance === 0) return false;
  let squares = 1;
  for (let lag = 1; lag < season; lag++) squares += 2 * (covariance(lag) / variance) ** 2;
  return Math.abs(covariance(season) / variance) > 1.645 * Math.sqrt(squares / values.length);
}

/**
 * Seasonal index by classical decomposition: values against a centred moving average over a season,
 * averaged by place in the season and scaled to a mean of 1 (sum of 0 when additive).
 *
 * @param shrink whether places are drawn together by what of their differences is chance
 * @returns the index of places t % season
 */
export function seasonalIndex(
  values: Float64Array,
  season: number,
  multiplicative: boolean,
  shrink = false,
): Float64Array {
  const half = Math.floor(season / 2);
  const sums = new Float64Array(season);
  const counts = new Float64Array(season);
  let squares = 0;
  for (let t = half; t < values.length - half; t++) {
    let trend = 0;
    for (let i = t - half; i <= t + half; i++) {
      // An even season reaches half a value further on either side.
      const share = season % 2 === 0 && (i === t - half || i === t + half) ? 0.5 : 1;
      trend += (share * values[i]) / season;
    }
    const seen = multiplicative ? values[t] / trend : values[t] - trend;
    sums[t % season] += seen;
    squares += seen * seen;
    counts[t % season]++;
  }
  const index = sums.map((sum, place) => sum / counts[place]);
  let mean = 0;
  for (const value of index) mean += value / season;
  const kept = shrink ? keptShare(index, mean, counts, squares) : 1;
  return index.map((value) => {
    const own = mean + kept * (value - mean);
    return multiplicative ? own / mean : own - mean;
  });
}

/**
 * The share of the differences between places that is kept, the rest being chance: James & Stein's estimate, by the variance of places
 * and that of their means.
 *
 * Miller & Williams (2003), Shrinkage estimators of time series seasonal factors and their effect on forecasting accuracy, Int.
 * J. Forecasting 19:669-684.
 *
 * @param squares sum of the squares of what was averaged
 */
function keptShare(index: Float64Array, mean: number, counts: Float64Array, squares: number): number {
  const season = index.length;
  let between = 0;
  let within = squares;
  let total = 0;
  index.forEach((value, place) => {
    between += (value - mean) ** 2 / (season - 1);
    within -= counts[place] * value * value;
    total += counts[place];
  });
  if (!(between > 0) || total <= season) return 1;
  const chance = (Math.max(0, within) / (total - season)) * (season / total);
  return Math.max(0, 1 - (((season - 3) / (season - 1)) * chance) / between);
}

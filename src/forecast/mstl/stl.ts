import { loess, loessAt } from "./loess.js";

export interface StlParts {
  seasonal: Float64Array;
  trend: Float64Array;
}

/**
 * Seasonal and trend decomposition by loess, without robustness weights.
 *
 * Cleveland, Cleveland, McRae & Terpenning (1990), STL, J. Official Statistics 6:3-73: the inner loop of section 2.1, run
 * twice, with R's defaults: a local mean over seasons, local lines for trend and low-pass filter.
 *
 * @param y      at least two seasons of values
 * @param window values of equal place that a seasonal value is smoothed over, odd
 */
export function stl(y: Float64Array, season: number, window: number): StlParts {
  const n = y.length;
  const trendWindow = odd(Math.ceil((1.5 * season) / (1 - 1.5 / window)));
  const passWindow = odd(season);
  const jumpOf = (width: number): number => Math.ceil(width / 10);
  const seasonal = new Float64Array(n);
  const trend = new Float64Array(n);
  const work = new Float64Array(n + 2 * season);
  const cycles = new Float64Array(n + 2 * season);
  const passed = new Float64Array(n + 2 * season);
  for (let inner = 0; inner < 2; inner++) {
    for (let t = 0; t < n; t++) work[t] = y[t] - trend[t];
    smoothCycles(work, n, season, window, jumpOf(window), cycles);
    movingMean(cycles, n + 2 * season, season, passed);
    movingMean(passed, n + season + 1, season, work);
    movingMean(work, n + 2, 3, passed);
    loess(passed, n, passWindow, 1, jumpOf(passWindow), work);
    for (let t = 0; t < n; t++) seasonal[t] = cycles[season + t] - work[t];
    for (let t = 0; t < n; t++) work[t] = y[t] - seasonal[t];
    loess(work, n, trendWindow, 1, jumpOf(trendWindow), trend);
  }
  return { seasonal, trend };
}

const odd = (width: number): number => width + 1 - (width % 2);

/** Smooths the values of each place in the season, one beyond either end: n + 2 season values. */
function smoothCycles(
  y: Float64Array,
  n: number,
  season: number,
  window: number,
  jump: number,
  into: Float64Array,
): void {
  const most = Math.floor((n - 1) / season) + 1;
  const own = new Float64Array(most);
  const smooth = new Float64Array(most);
  for (let place = 0; place < season; place++) {
    const k = Math.floor((n - 1 - place) / season) + 1;
    for (let i = 0; i < k; i++) own[i] = y[place + i * season];
    loess(own, k, window, 0, jump, smooth);
    const first = loessAt(own, k, window, 0, 0, 1, Math.min(window, k));
    const last = loessAt(own, k, window, 0, k + 1, Math.max(1, k - window + 1), k);
    into[place] = Number.isNaN(first) ? smooth[0] : first;
    for (let i = 0; i < k; i++) into[place + (i + 1) * season] = smooth[i];
    into[place + (k + 1) * season] = Number.isNaN(last) ? smooth[k - 1] : last;
  }
}

/** Means over `length` neighbours: n - length + 1 values. */
function movingMean(y: Float64Array, n: number, length: number, into: Float64Array): void {
  let sum = 0;
  for (let t = 0; t < length; t++) sum += y[t];
  into[0] = sum / length;
  for (let t = length; t < n; t++) {
    sum += y[t] - y[t - length];
    into[t - length + 1] = sum / length;
  }
}

/**
 * Decomposition with several seasons: STL for each in turn on what the others leave, twice.
 *
 * Bandara, Hyndman & Bergmeir (2021), MSTL, arXiv:2107.13462, with R's windows of 11, 15, 19...
 *
 * @param seasons shortest first, each at most half of the values
 */
export function mstlParts(
  y: Float64Array,
  seasons: readonly number[],
): { seasonal: Float64Array[]; trend: Float64Array; adjusted: Float64Array } {
  const adjusted = y.slice();
  const seasonal: Float64Array[] = seasons.map(() => new Float64Array(y.length));
  let trend: Float64Array = new Float64Array(y.length);
  for (let round = 0; round < (seasons.length > 1 ? 2 : 1); round++)
    seasons.forEach((season, i) => {
      for (let t = 0; t < y.length; t++) adjusted[t] += seasonal[i][t];
      const parts = stl(adjusted, season, 11 + 4 * i);
      seasonal[i] = parts.seasonal;
      trend = parts.trend;
      for (let t = 0; t < y.length; t++) adjusted[t] -= seasonal[i][t];
    });
  return { seasonal, trend, adjusted };
}

import { solve } from "./arima/innovations.js";
import { farFromZero } from "./mstl.js";
import { stl } from "./mstl/stl.js";
import type { ForecastFit, History } from "./model.js";

/** An effect of this size (in logarithms, or in deviations of the values) is as likely as none: what keeps rare events' effects small. */
const priorDeviation = 0.5;

/**
 * Takes the effect of regressors out of a history, lets a model forecast the rest, and puts the effect of their future
 * values back: any model can so know of prices, promotions and holidays.
 *
 * Effects are the ridge regression of what STL leaves of the values (in logarithms where all are above zero) on what it
 * leaves of the regressors (Frisch & Waugh 1933): what repeats with the season stays with the model, which
 * is how an Easter that moves is told from the spring around it.
 */
export function withRegressors(history: History, fit: (rest: History) => ForecastFit): ForecastFit {
  const { values, season, known = [] } = history;
  const n = values.length;
  const log = farFromZero(values, 0.001);
  const y = log ? values.map(Math.log) : values;
  const scale = log ? 1 : deviation(y);
  const own = irregular(y, season);
  const columns = known.map((column) => irregular(column.subarray(0, n), season));
  const active = columns.map((column) => column.some((value) => Math.abs(value) > 1e-9));
  const used = known.filter((_, i) => active[i]);
  if (used.length === 0 || scale === 0) return fit({ ...history, known: undefined });
  const beta = ridge(
    columns.filter((_, i) => active[i]),
    own,
    priorDeviation * scale,
  );
  const effect = (t: number): number => {
    let sum = 0;
    used.forEach((column, i) => (sum += beta[i] * column[t]));
    return sum;
  };
  const rest = fit({
    ...history,
    known: undefined,
    values: y.map((value, t) => (log ? Math.exp(value - effect(t)) : value - effect(t))),
  });
  const moved = (whole: Float64Array, spread = false): Float64Array =>
    whole.map((value, h) => (log ? value * Math.exp(effect(n + h)) : spread ? value : value + effect(n + h)));
  return {
    mean: (horizon) => moved(rest.mean(horizon)),
    spread: (horizon) => moved(rest.spread(horizon), true),
    again: rest.again,
    residuals: rest.residuals,
    about: { ...rest.about, ...Object.fromEntries([...beta].map((b, i) => [`effect${i + 1}`, b])) },
  };
}

function deviation(y: Float64Array): number {
  let mean = 0;
  for (const value of y) mean += value / y.length;
  let squares = 0;
  for (const value of y) squares += (value - mean) ** 2;
  return Math.sqrt(squares / y.length);
}

/** What is left of a series without season and trend: STL where two seasons are there, else a running mean. */
function irregular(y: Float64Array, season: number): Float64Array {
  const n = y.length;
  if (season > 1 && n > 2 * season) {
    const { seasonal, trend } = stl(y, season, 11);
    return y.map((value, t) => value - seasonal[t] - trend[t]);
  }
  const half = Math.max(2, Math.min(6, Math.floor(n / 6)));
  return y.map((value, t) => {
    const from = Math.max(0, t - half);
    const to = Math.min(n, t + half + 1);
    let sum = 0;
    for (let i = from; i < to; i++) sum += y[i];
    return value - sum / (to - from);
  });
}

/** Ridge regression whose penalty is the noise over the prior variance; the noise is found in two rounds. */
function ridge(columns: readonly Float64Array[], y: Float64Array, prior: number): Float64Array {
  const k = columns.length;
  const gram = new Float64Array(k * k);
  const right = new Float64Array(k);
  for (let i = 0; i < k; i++) {
    for (let t = 0; t < y.length; t++) right[i] += columns[i][t] * y[t];
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let t = 0; t < y.length; t++) sum += columns[i][t] * columns[j][t];
      gram[i * k + j] = gram[j * k + i] = sum;
    }
  }
  let noise = 0;
  for (const value of y) noise += value * value;
  noise /= y.length;
  let beta = new Float64Array(k);
  for (let round = 0; round < 2; round++) {
    const matrix = gram.slice();
    for (let i = 0; i < k; i++) matrix[i * k + i] += noise / prior ** 2 + 1e-12;
    const found = right.slice();
    if (!solve(matrix, found, k)) return new Float64Array(k);
    beta = found;
    let squares = 0;
    for (let t = 0; t < y.length; t++) {
      let rest = y[t];
      for (let i = 0; i < k; i++) rest -= beta[i] * columns[i][t];
      squares += rest * rest;
    }
    noise = squares / y.length;
  }
  return beta;
}

import { power } from "../core/power.js";
import { chiSquareTail } from "../metrics/drift.js";

/** What tests say of a model's one-step errors in the history; NaN where there are too few of them. */
export interface ResidualChecks {
  /** Errors looked at. */
  count: number;
  /** Mean error over the deviation of errors; 0 is best. */
  bias: number;
  /** P-value of a mean of zero. */
  biasP: number;
  /** Correlation of an error with the one before it. */
  autocorrelation: number;
  /** P-value of no autocorrelation up to `lags`. */
  ljungBoxP: number;
  /** P-value of the normal distribution. */
  normalP: number;
}

/** The names of the checks as columns. */
export const checkNames = [
  "residual_bias",
  "residual_bias_p",
  "residual_autocorrelation",
  "ljung_box_p",
  "normal_p",
] as const;

/** The checks in the order of `checkNames`. */
export const checkValues = (of: ResidualChecks): number[] => [
  of.bias,
  of.biasP,
  of.autocorrelation,
  of.ljungBoxP,
  of.normalP,
];

/** Fewest errors that are tested. */
const fewest = 12;

/**
 * Ljung & Box (1978), Biometrika 65:297-303, over two seasons or ten lags, at most a fifth of the errors (Hyndman & Athanasopoulos 2021,
 * Forecasting: Principles and Practice, 5.4); Jarque & Bera (1980), Economics Letters 6:255-259; the mean by its
 * asymptotic normal test.
 *
 * @param parameters fitted, which the degrees of freedom of Ljung and Box fall by
 */
export function residualChecks(residuals: Float64Array, season: number, parameters = 0): ResidualChecks {
  const e = residuals.filter(Number.isFinite);
  const n = e.length;
  const checks = { count: n, bias: NaN, biasP: NaN, autocorrelation: NaN, ljungBoxP: NaN, normalP: NaN };
  if (n < fewest) return checks;
  let mean = 0;
  for (const value of e) mean += value / n;
  const moments = [2, 3, 4].map((order) => {
    let sum = 0;
    for (const value of e) sum += power(value - mean, order);
    return sum / n;
  });
  const [variance, third, fourth] = moments;
  if (!(variance > 1e-24 * Math.max(1, mean * mean))) return checks;
  checks.bias = mean / Math.sqrt(variance);
  checks.biasP = chiSquareTail(n * checks.bias ** 2, 1);
  const correlation = (lag: number): number => {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (e[t] - mean) * (e[t - lag] - mean);
    return sum / (n * variance);
  };
  checks.autocorrelation = correlation(1);
  const lags = Math.max(parameters + 1, Math.min(season > 1 ? 2 * season : 10, Math.floor(n / 5)));
  let q = 0;
  for (let lag = 1; lag <= lags; lag++) q += correlation(lag) ** 2 / (n - lag);
  checks.ljungBoxP = chiSquareTail(n * (n + 2) * q, lags - parameters);
  const skewness = third / power(variance, 1.5);
  const excess = fourth / variance ** 2 - 3;
  checks.normalP = chiSquareTail((n / 6) * (skewness ** 2 + excess ** 2 / 4), 2);
  return checks;
}

import { countDemand, normalDemand, type Demand } from "./demand.js";

/** Demand of consecutive periods, as a forecast sees it. */
export interface PeriodDemand {
  /** Units of each period, and their standard deviations as forecast from now. */
  means: Float64Array;
  deviations: Float64Array;
}

/** Up to this mean, demand is counted in whole units. */
const mostCounted = 500;

/** @param deviation 0 is taken for certain */
export function demandOf(mean: number, deviation: number): Demand {
  if (mean <= 0) return countDemand(1e-9, 0);
  return mean <= mostCounted
    ? countDemand(mean, deviation)
    : normalDemand(mean, Math.max(deviation, 1e-9 * mean));
}

/**
 * How much of a period's error goes on into the next ones, 0 (none) to 1 (all): the rate of exponential smoothing under
 * which deviations grow as these do, s_h² = s_1² (1 + (h - 1) α²). Hyndman et al. (2008), Forecasting with Exponential
 * Smoothing, 6.3.
 */
export function carryOver({ deviations }: PeriodDemand): number {
  const last = deviations.length;
  if (last < 2 || deviations[0] === 0) return 0;
  const growth = (deviations[last - 1] / deviations[0]) ** 2 - 1;
  return Math.min(1, Math.sqrt(Math.max(0, growth / (last - 1))));
}

/**
 * Demand of the periods [from, from + length), fractions of a period at the end included; errors of its periods
 * correlate as those of exponential smoothing do.
 *
 * @param lengthDeviation standard deviation of the window's length, periods: demand varies with it too
 */
export function windowDemand(
  demand: PeriodDemand,
  from: number,
  length: number,
  lengthDeviation = 0,
): { mean: number; deviation: number } {
  const { means, deviations } = demand;
  const alpha = carryOver(demand);
  const last = Math.min(means.length, Math.ceil(from + length));
  let mean = 0;
  let variance = 0;
  for (let j = from; j < last; j++) {
    const share = Math.min(1, from + length - j);
    mean += share * means[j];
    variance += (share * deviations[j]) ** 2;
    for (let i = from; i < j; i++)
      variance += 2 * share * deviations[i] * deviations[j] * correlation(alpha, i, j);
  }
  const rate = length > 0 ? mean / length : (means[from] ?? 0);
  return { mean, deviation: Math.sqrt(variance + (rate * lengthDeviation) ** 2) };
}

/** Of the errors i and j periods ahead (from 0, i < j), under ARIMA(0,1,1). */
function correlation(alpha: number, i: number, j: number): number {
  const shared = alpha + i * alpha ** 2;
  return shared / Math.sqrt((1 + i * alpha ** 2) * (1 + j * alpha ** 2));
}

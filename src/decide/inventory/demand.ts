import { normalQuantile } from "../../forecast/intervals.js";

/** Demand over a lead time or a period, in units: what stock is set against. */
export interface Demand {
  mean: number;
  deviation: number;
  /** Whether demand comes in whole units. */
  whole: boolean;
  /** P(D <= y). */
  cdf(y: number): number;
  /** The smallest y with P(D <= y) >= p; 0 < p < 1. */
  quantile(p: number): number;
  /** n(y) = E[(D - y)+], units short. */
  loss(y: number): number;
  /** n2(y) = the integral of n from y on (whole: its sum from y on, y itself left out). */
  secondLoss(y: number): number;
}

/** Standard normal density. */
export function normalDensity(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/**
 * P(Z <= z) to 1e-15: the power series of the middle (Marsaglia 2004, J. Stat. Software 11(4), eq. 3) and the continued
 * fraction of the tails (Abramowitz & Stegun 26.2.14).
 */
export function normalCdf(z: number): number {
  if (Math.abs(z) > 3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / (Math.abs(z) + fraction);
    const tail = normalDensity(z) / (Math.abs(z) + fraction);
    return z < 0 ? tail : 1 - tail;
  }
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (z * z) / k;
  return 0.5 + sum * normalDensity(z);
}

/** Standard normal loss E[(Z - z)+] = φ(z) - z (1 - Φ(z)). */
export function normalLoss(z: number): number {
  return normalDensity(z) - z * normalCdf(-z);
}

/** @param mean, deviation units, deviation > 0 */
export function normalDemand(mean: number, deviation: number): Demand {
  const standard = (y: number): number => (y - mean) / deviation;
  return {
    mean,
    deviation,
    whole: false,
    cdf: (y) => normalCdf(standard(y)),
    quantile: (p) => mean + deviation * normalQuantile(p),
    loss: (y) => deviation * normalLoss(standard(y)),
    secondLoss(y) {
      const z = standard(y);
      return 0.5 * deviation ** 2 * ((z * z + 1) * normalCdf(-z) - z * normalDensity(z));
    },
  };
}

/** @param mean units, > 0 */
export const poissonDemand = (mean: number): Demand => countDemand(mean, Math.sqrt(mean));

/**
 * Demand in whole units with any mean and deviation: negative binomial where it varies more than Poisson's, else a normal
 * in whole units, none below 0.
 *
 * @param mean, deviation units, mean > 0, deviation >= 0
 */
export function countDemand(mean: number, deviation: number): Demand {
  const most = Math.ceil(mean + 12 * deviation + 12 * Math.sqrt(mean) + 20);
  const mass = new Float64Array(most + 1);
  const excess = deviation ** 2 - mean;
  if (excess > -1e-9 * mean) {
    // Poisson is where the shape r goes to infinity and r (1 - p) to the mean.
    const shape = excess > 1e-9 * mean ? mean ** 2 / excess : Infinity;
    const rise = (d: number): number =>
      shape === Infinity ? mean / (d + 1) : ((d + shape) * mean) / ((d + 1) * (shape + mean));
    const mode = Math.min(most, Math.floor(mean));
    mass[mode] = 1;
    for (let d = mode; d < most; d++) mass[d + 1] = mass[d] * rise(d);
    for (let d = mode; d > 0; d--) mass[d - 1] = mass[d] / rise(d - 1);
  } else
    for (let d = 0; d <= most; d++)
      mass[d] =
        deviation === 0
          ? Number(d === Math.round(mean))
          : normalCdf((d + 0.5 - mean) / deviation) - (d === 0 ? 0 : normalCdf((d - 0.5 - mean) / deviation));
  const total = mass.reduce((sum, value) => sum + value, 0);
  return discreteDemand(mass.map((value) => value / total));
}

/** @param mass probabilities of 0, 1, 2, … units; they sum to 1 */
export function discreteDemand(mass: ArrayLike<number>): Demand {
  const most = mass.length - 1;
  const below = new Float64Array(most + 1);
  const short = new Float64Array(most + 2);
  const beyond = new Float64Array(most + 2);
  let sum = 0;
  let mean = 0;
  let square = 0;
  for (let d = 0; d <= most; d++) {
    below[d] = sum += mass[d];
    mean += d * mass[d];
    square += d * d * mass[d];
  }
  let above = 0;
  for (let y = most; y >= 0; y--) {
    short[y] = short[y + 1] + above;
    beyond[y] = beyond[y + 1] + short[y + 1];
    above += mass[y];
  }
  const table = (values: Float64Array, y: number): number => (y >= most ? 0 : values[y]);
  return {
    mean,
    deviation: Math.sqrt(Math.max(0, square - mean * mean)),
    whole: true,
    cdf: (y) => (y < 0 ? 0 : y >= most ? 1 : below[Math.floor(y)]),
    quantile(p) {
      let low = 0;
      for (let high = most; low < high;) {
        const middle = (low + high) >> 1;
        if (below[middle] < p) low = middle + 1;
        else high = middle;
      }
      return low;
    },
    // Below nothing everything is short, and a unit less is a unit more short.
    loss: (y) =>
      y < 0
        ? mean - y
        : table(short, Math.floor(y)) - (y - Math.floor(y)) * (1 - below[Math.min(most, Math.floor(y))]),
    secondLoss: (y) =>
      y < 0 ? table(beyond, 0) + mean + sumOfLosses(mean, y) : table(beyond, Math.floor(y)),
  };
}

/** n(y + 1) + … + n(-1) for whole y below 0, where n(x) = mean - x. */
function sumOfLosses(mean: number, y: number): number {
  const terms = -y - 1;
  return terms * mean + (terms * (terms + 1)) / 2;
}

/**
 * Demand as it was sampled: sample paths of a forecast, summed over the lead time.
 *
 * @param samples units, any order, at least one
 */
export function sampledDemand(samples: Float64Array): Demand {
  const sorted = samples.slice().sort();
  const n = sorted.length;
  const above = new Float64Array(n + 1);
  for (let i = n - 1; i >= 0; i--) above[i] = above[i + 1] + sorted[i];
  const mean = above[0] / n;
  let square = 0;
  for (const value of sorted) square += (value - mean) ** 2;
  const firstAbove = (y: number): number => {
    let low = 0;
    for (let high = n; low < high;) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    mean,
    deviation: Math.sqrt(square / n),
    whole: false,
    cdf: (y) => firstAbove(y) / n,
    quantile: (p) => sorted[Math.min(n - 1, Math.ceil(p * n - 1e-9) - 1)],
    loss(y) {
      const from = firstAbove(y);
      return (above[from] - (n - from) * y) / n;
    },
    secondLoss(y) {
      let sum = 0;
      for (let i = firstAbove(y); i < n; i++) sum += (sorted[i] - y) ** 2;
      return sum / (2 * n);
    },
  };
}

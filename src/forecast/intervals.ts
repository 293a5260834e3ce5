/**
 * Intervals from errors that were seen in a backtest.
 *
 * Errors of all series are divided by the deviation that the model expected of itself (one-step deviation of
 * the series times growth with the step) and pooled; the interval is the mean plus that deviation times
 * order statistics of the pool. This is split conformal prediction with normalised scores, each
 * tail on its own (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, 2.2; Lei et al. 2018, JASA
 * 113:1094-1111); order statistics are interpolated, so that few errors widen no interval.
 */
export interface Calibration {
  /** Lower and upper multiple of the deviation at a step (from 1) for a level in percent. A wider level never lies inside a narrower one. */
  multiples(step: number, level: number): Multiples;
  /** The multiple of the deviation at a step (from 1) that a share p in (0, 1) of errors lie below; grows with p. */
  quantile(step: number, p: number): number;
  /** Where the multiples at a level come from. */
  basis(level: number): IntervalBasis;
}

interface Multiples {
  low: number;
  high: number;
}

/** From what tells most to what tells least. */
export const intervalBases = [
  "backtest errors per step",
  "backtest errors of all steps",
  "normal distribution",
] as const;
export type IntervalBasis = (typeof intervalBases)[number];

/** Several arrays, each in order, that stand for one. */
export type SortedParts = readonly Float64Array[];

/** Standardised errors (truth - mean) / deviation by origin. */
type ByOrigin = readonly SortedParts[];

/** Errors of every step, and of all steps together. */
export interface ErrorPool {
  steps: readonly MirroredErrors[];
  all: MirroredErrors;
  /** How many errors the step has that has fewest. */
  fewest: number;
}

/** Errors of some origins, beside the same errors with the opposite shock. */
interface MirroredErrors {
  errors: ByOrigin;
  /** As how many origins that share no period these count. */
  independent: number;
  /** By origin. */
  shocks: Float64Array;
}

/**
 * Errors of one origin go together: all series grew faster than anybody thought. That a shock went up says nothing of the next one, so
 * that every error counts twice, as it came and with the shock of its origin turned round, and a few shocks say little of how large they
 * may be, so that they are enlarged as Student's t is against the normal distribution. What all origins have in common, as far as it
 * is more than twice its standard error, is no shock but a bias of the model, which stays (James & Stein 1961, 4th Berkeley
 * Symposium 1:361-379, positive part). How errors are spread within an origin, skewed or not, stays as well.
 *
 * Origins less than a horizon apart are judged by the same periods: that they agree says less, as if they were fewer.
 *
 * @param steps errors of every step by the same origins; none of them is empty at any step
 * @param apart distance of neighbouring origins over the horizon, in (0, 1]
 */
export function errorPool(steps: readonly ByOrigin[], apart = 1): ErrorPool {
  const all = (steps[0] ?? []).map((_, o) => steps.flatMap((errors) => errors[o]));
  const independent = 1 + Math.max(0, all.length - 1) * apart;
  const shocks = shocksOf(steps, independent, true);
  return {
    steps: steps.map((errors, h) => ({ errors, independent, shocks: shocks[h] })),
    all: { errors: all, independent, shocks: shocksOf([all], independent, false)[0] },
    fewest: Math.min(...steps.map((errors) => countOf(errors.flat()))),
  };
}

/** Standard errors that what origins have in common must exceed. */
export const certainAbove = 2;
/** A shock of less than so much of the deviation of errors makes no difference, but where many errors are alike (months without a sale). */
const slight = 0.1;

/**
 * By step and origin, how far the errors of an origin lie from the bias of all origins.
 *
 * @param independent as how many origins these count
 * @param ofSeries    whether errors of a step and origin are of different series: what their mean owes to chance is no shock then
 */
function shocksOf(steps: readonly ByOrigin[], independent: number, ofSeries: boolean): Float64Array[] {
  const centres = steps.map((errors) => errors.map(centreOf));
  let biases = 0;
  let doubts = 0;
  const means = centres.map((own) => {
    const mean = own.reduce((sum, { mean }) => sum + mean, 0) / own.length;
    const squares = own.reduce((sum, one) => sum + (one.mean - mean) ** 2, 0);
    biases += mean * mean;
    // Origins that go together differ by less than their mean may be off: n values of correlation r count as n / (1 + (n - 1) r).
    const alike = own.length > 1 ? (own.length / independent - 1) / (own.length - 1) : 1;
    doubts += alike < 1 ? squares / (own.length - 1) / (1 - alike) / independent : Infinity;
    return mean;
  });
  const bias = keptOf(biases, certainAbove * certainAbove * doubts);
  const shocks = centres.map((own, h) => Float64Array.from(own, ({ mean }) => mean - bias * means[h]));
  if (!ofSeries) return shocks;
  const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  const squares = sumOf(shocks.flatMap((own) => [...own].map((shock) => shock * shock)));
  const noise = sumOf(
    centres.flatMap((own) => own.map(({ variance, count }) => variance / count + slight * slight * variance)),
  );
  const real = Math.sqrt(keptOf(squares, noise));
  return shocks.map((own) => own.map((shock) => real * shock));
}

/** The share of squares that noise does not explain. */
export const keptOf = (squares: number, noise: number): number => (squares > noise ? 1 - noise / squares : 0);

/** From so many values on, one in 200 of them, and one at least, is moved in on either side: a deviation near zero makes a quotient of any size. */
const fewestMoved = 20;

/** The mean and the variance (0 for a single one) of values of which the outermost are moved in. */
function centreOf(parts: SortedParts): { count: number; mean: number; variance: number } {
  const count = countOf(parts);
  const outside = count < fewestMoved ? 0 : Math.max(1, Math.floor(count / 200));
  const low = orderStatistic(parts, 1 + outside);
  const high = orderStatistic(parts, count - outside);
  let sum = 0;
  let squares = 0;
  for (const part of parts)
    for (const value of part) {
      const bounded = Math.min(high, Math.max(low, value)) - low;
      sum += bounded;
      squares += bounded * bounded;
    }
  const mean = sum / count;
  const variance = count > 1 ? Math.max(0, squares - count * mean * mean) / (count - 1) : 0;
  return { count, mean: low + mean, variance };
}

/** Arrays in order, each moved as a whole, that stand for one. */
interface MovedParts {
  parts: SortedParts;
  by: readonly number[];
}

/** Every error twice, the second time with the opposite shock, and shocks as large as so few of them leave possible at a share outside. */
function mirrored({ errors, shocks, independent }: MirroredErrors, outside: number): MovedParts {
  const larger = studentRatio(normalQuantile(outside), Math.max(2, independent));
  const both = [larger - 1, -larger - 1];
  return {
    parts: errors.flatMap((parts) => both.flatMap(() => parts)),
    by: errors.flatMap((parts, o) => both.flatMap((times) => parts.map(() => times * shocks[o]))),
  };
}

/** Student's t over the normal deviate z that as much lies beyond of. Abramowitz & Stegun (1964), 26.7.5: to 3 % at 95 % and two degrees, better from three on. */
function studentRatio(z: number, degrees: number): number {
  const y = z * z;
  return (
    1 +
    polynomial([1, 1], y) / (4 * degrees) +
    polynomial([3, 16, 5], y) / (96 * degrees * degrees) +
    polynomial([-15, 17, 19, 3], y) / (384 * degrees * degrees * degrees)
  );
}

/** An order statistic of a single step must have so many values at or beyond it; those of all steps need one. */
const fewestBeyond = 4;

/**
 * @param levels in percent
 * @param factor what the multiples at a level are widened by
 */
export function calibrate(
  pool: ErrorPool,
  levels: readonly number[],
  factor: (level: number) => number = () => 1,
): Calibration {
  const total = countOf(pool.all.errors.flat());
  /** By the share of errors that lie beyond. */
  const basisOf = (outside: number): IntervalBasis => {
    if (outside * (2 * pool.fewest + 1) >= fewestBeyond) return "backtest errors per step";
    return outside * (2 * total + 1) >= 1 ? "backtest errors of all steps" : "normal distribution";
  };
  const outsideOf = (level: number): number => (100 - level) / 200;
  const ofAllSteps = new Map<number, Multiples>();
  const multiplesOf = (h: number, level: number): Multiples => {
    const outside = outsideOf(level);
    const basis = basisOf(outside);
    if (basis === "normal distribution") return normalTails(outside);
    if (basis === "backtest errors per step") return tails(mirrored(pool.steps[h], outside), outside);
    const found = ofAllSteps.get(level) ?? tails(mirrored(pool.all, outside), outside);
    ofAllSteps.set(level, found);
    return found;
  };
  const byStep = pool.steps.map((_, h) => {
    const found = new Map<number, Multiples>();
    let narrower: Multiples = { low: 0, high: 0 };
    for (const level of [...levels].sort((a, b) => a - b)) {
      const tight = multiplesOf(h, level);
      const by = factor(level);
      const fresh = { low: by * tight.low, high: by * tight.high };
      // The mean belongs to every interval, and a level that rests on more errors may come out narrower.
      narrower = { low: Math.min(narrower.low, fresh.low), high: Math.max(narrower.high, fresh.high) };
      found.set(level, narrower);
    }
    return found;
  });
  const quantileOf = (step: number, p: number): number => {
    const outside = Math.min(p, 1 - p);
    const basis = basisOf(outside);
    if (basis === "normal distribution") return normalQuantile(p);
    const moved = mirrored(basis === "backtest errors per step" ? pool.steps[step - 1] : pool.all, outside);
    return orderBetween(moved, p * (countOf(moved.parts) + 1));
  };
  const quantiles = new Map<string, number>();
  return {
    quantile(step, p) {
      const key = `${step} ${p}`;
      const found = quantiles.get(key) ?? quantileOf(step, p) * factor(100 * Math.abs(2 * p - 1));
      quantiles.set(key, found);
      return found;
    },
    basis: (level) => basisOf(outsideOf(level)),
    multiples: (step, level) => byStep[step - 1].get(level)!,
  };
}

const countOf = (parts: SortedParts): number => parts.reduce((sum, { length }) => sum + length, 0);

/** How many values of an array in order are x or less. */
export const countUpTo = (sorted: Float64Array, x: number): number => placeIn(sorted, x, true, 0);
/** How many values of an array in order are less than x. */
export const countBelow = (sorted: Float64Array, x: number): number => placeIn(sorted, x, false, 0);

function placeIn(sorted: Float64Array, x: number, after: boolean, by: number): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    const value = sorted[middle] + by;
    if (value < x || (after && value === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The value of a rank (from 1) among arrays that are each in order, without putting them together: the range that holds it is halved
 * from value to value.
 *
 * @param by what the values of every array are moved by; nothing by default
 */
export function orderStatistic(parts: SortedParts, rank: number, by?: readonly number[]): number {
  let low = Infinity;
  let high = -Infinity;
  parts.forEach((part, i) => {
    if (part.length === 0) return;
    low = Math.min(low, part[0] + (by?.[i] ?? 0));
    high = Math.max(high, part[part.length - 1] + (by?.[i] ?? 0));
  });
  while (low < high) {
    const half = low / 2 + high / 2;
    const middle = half < high ? half : low;
    let count = 0;
    let below = -Infinity;
    let above = Infinity;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      const moved = by?.[i] ?? 0;
      const upTo = placeIn(part, middle, true, moved);
      count += upTo;
      if (upTo > 0) below = Math.max(below, part[upTo - 1] + moved);
      if (upTo < part.length) above = Math.min(above, part[upTo] + moved);
    }
    if (count >= rank) high = below;
    else low = above;
  }
  return low;
}

/** The value of a rank (from 1) that may lie between two values. */
function orderBetween({ parts, by }: MovedParts, rank: number): number {
  const count = countOf(parts);
  const whole = Math.min(Math.floor(rank), count);
  const value = orderStatistic(parts, whole, by);
  return rank <= whole || whole === count
    ? value
    : value + (rank - whole) * (orderStatistic(parts, whole + 1, by) - value);
}

/** The order statistics that a share of errors like those lies outside of on either side. */
function tails(moved: MovedParts, outside: number): Multiples {
  const ranks = countOf(moved.parts) + 1;
  return {
    low: orderBetween(moved, outside * ranks),
    high: orderBetween(moved, ranks - outside * ranks),
  };
}

function normalTails(outside: number): Multiples {
  const z = normalQuantile(1 - outside);
  return { low: -z, high: z };
}

/** The standard normal quantile of p in (0, 1), to 1e-15. Wichura (1988), Applied Statistics 37:477-484, AS 241 (PPND16). */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(central[0], r)) / polynomial(central[1], r);
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  const [top, bottom] = r <= 5 ? middle : far;
  const shifted = r <= 5 ? r - 1.6 : r - 5;
  return (Math.sign(q) * polynomial(top, shifted)) / polynomial(bottom, shifted);
}

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}

const central = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
    67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852546,
  ],
];
const middle = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
];
const far = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
];

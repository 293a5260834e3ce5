/**
 * Intervals from errors that were seen in a backtest.
 *
 * Errors of all series are divided by the deviation that the model expected of itself (one-step deviation of
 * the series times growth with the step) and pooled; the interval is the mean plus that deviation times
 * order statistics of the pool. This is split conformal prediction with normalised scores, each
 * tail on its own (Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, 2.2; Lei et al. 2018, JASA
 * 113:1094-1111): with exchangeable errors the coverage is at least the level.
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

export type IntervalBasis =
  "backtest errors per step" | "backtest errors of all steps" | "normal distribution";

/** Errors of one step: several arrays, each in order. */
export type SortedParts = readonly Float64Array[];

/**
 * @param errors standardised errors (truth - mean) / deviation of every step
 * @param levels in percent
 * @param factor what the multiples at a level are widened or narrowed by
 */
export function calibrate(
  errors: readonly SortedParts[],
  levels: readonly number[],
  factor: (level: number) => number = () => 1,
): Calibration {
  const counts = errors.map(countOf);
  const fewest = Math.min(...counts);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const basisOf = (level: number): IntervalBasis => {
    const needed = Math.ceil(200 / (100 - level)) - 1;
    if (fewest >= needed) return "backtest errors per step";
    return total >= needed ? "backtest errors of all steps" : "normal distribution";
  };
  const bases = new Map(levels.map((level) => [level, basisOf(level)]));
  const all = errors.flat();
  const pooled = new Map<number, Multiples>();
  const pooledTails = (level: number): Multiples => {
    const found = pooled.get(level) ?? tails(all, level);
    pooled.set(level, found);
    return found;
  };
  const byStep = errors.map((own) => {
    const found = new Map<number, Multiples>();
    let narrower: Multiples = { low: 0, high: 0 };
    for (const level of [...levels].sort((a, b) => a - b)) {
      const basis = bases.get(level)!;
      const tight =
        basis === "normal distribution"
          ? normalTails(level)
          : basis === "backtest errors per step"
            ? tails(own, level)
            : pooledTails(level);
      const by = factor(level);
      const fresh = { low: by * tight.low, high: by * tight.high };
      // The mean belongs to every interval, and a level that rests on more errors may come out narrower.
      narrower = { low: Math.min(narrower.low, fresh.low), high: Math.max(narrower.high, fresh.high) };
      found.set(level, narrower);
    }
    return found;
  });
  const quantileOf = (parts: SortedParts, p: number): number | undefined => {
    const count = countOf(parts);
    const exact = p * (count + 1);
    // Outward, as the intervals: rounding first, for 0.9 * 10 is a little more than 9.
    const rank = p < 0.5 ? Math.floor(exact + 1e-9) : Math.ceil(exact - 1e-9);
    return rank < 1 || rank > count ? undefined : orderStatistic(parts, rank);
  };
  const quantiles = new Map<string, number>();
  return {
    quantile(step, p) {
      const key = `${step} ${p}`;
      let found = quantiles.get(key);
      if (found === undefined) {
        found =
          (quantileOf(errors[step - 1], p) ?? quantileOf(all, p) ?? normalQuantile(p)) *
          factor(100 * Math.abs(2 * p - 1));
        quantiles.set(key, found);
      }
      return found;
    },
    basis: (level) => bases.get(level)!,
    multiples: (step, level) => byStep[step - 1].get(level)!,
  };
}

const countOf = (parts: SortedParts): number => parts.reduce((sum, { length }) => sum + length, 0);

/** How many values of an array in order are x or less. */
export const countUpTo = (sorted: Float64Array, x: number): number => placeIn(sorted, x, true);
/** How many values of an array in order are less than x. */
export const countBelow = (sorted: Float64Array, x: number): number => placeIn(sorted, x, false);

function placeIn(sorted: Float64Array, x: number, after: boolean): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    const value = sorted[middle];
    if (value < x || (after && value === x)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The value of a rank (from 1) among arrays that are each in order, without putting them together: the range that holds it is halved
 * from value to value.
 */
export function orderStatistic(parts: SortedParts, rank: number): number {
  let low = Infinity;
  let high = -Infinity;
  for (const part of parts)
    if (part.length > 0) {
      low = Math.min(low, part[0]);
      high = Math.max(high, part[part.length - 1]);
    }
  while (low < high) {
    const half = low / 2 + high / 2;
    const middle = half < high ? half : low;
    let count = 0;
    let below = -Infinity;
    let above = Infinity;
    for (const part of parts) {
      const upTo = countUpTo(part, middle);
      count += upTo;
      if (upTo > 0) below = Math.max(below, part[upTo - 1]);
      if (upTo < part.length) above = Math.min(above, part[upTo]);
    }
    if (count >= rank) high = below;
    else low = above;
  }
  return low;
}

/** The order statistics that leave (1 - level) / 2 of n + 1 outside on either side. */
function tails(parts: SortedParts, level: number): Multiples {
  const count = countOf(parts);
  const outside = Math.floor(((count + 1) * (100 - level)) / 200);
  return { low: orderStatistic(parts, outside), high: orderStatistic(parts, count + 1 - outside) };
}

function normalTails(level: number): Multiples {
  const z = normalQuantile((1 + level / 100) / 2);
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

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
  /** Where the multiples at a level come from. */
  basis(level: number): IntervalBasis;
}

interface Multiples {
  low: number;
  high: number;
}

export type IntervalBasis =
  "backtest errors per step" | "backtest errors of all steps" | "normal distribution";

/**
 * @param errors standardised errors (truth - mean) / deviation of every step, NaN left out; any order
 * @param levels in percent
 */
export function calibrate(errors: readonly Float64Array[], levels: readonly number[]): Calibration {
  const perStep = errors.map((values) => known(values).sort());
  const fewest = Math.min(...perStep.map((values) => values.length));
  const all = concatenated(perStep).sort();
  const basisOf = (level: number): IntervalBasis => {
    const needed = Math.ceil(200 / (100 - level)) - 1;
    if (fewest >= needed) return "backtest errors per step";
    return all.length >= needed ? "backtest errors of all steps" : "normal distribution";
  };
  const bases = new Map(levels.map((level) => [level, basisOf(level)]));
  const byStep = perStep.map((own) => {
    const found = new Map<number, Multiples>();
    let narrower: Multiples = { low: 0, high: 0 };
    for (const level of [...levels].sort((a, b) => a - b)) {
      const basis = bases.get(level)!;
      const fresh =
        basis === "normal distribution"
          ? normalTails(level)
          : tails(basis === "backtest errors per step" ? own : all, level);
      // The mean belongs to every interval, and a level that rests on more errors may come out narrower.
      narrower = { low: Math.min(narrower.low, fresh.low), high: Math.max(narrower.high, fresh.high) };
      found.set(level, narrower);
    }
    return found;
  });
  return {
    basis: (level) => bases.get(level)!,
    multiples: (step, level) => byStep[step - 1].get(level)!,
  };
}

function concatenated(parts: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function known(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value));
}

/** The order statistics that leave (1 - level) / 2 of n + 1 outside on either side. */
function tails(sorted: Float64Array, level: number): Multiples {
  const outside = Math.floor(((sorted.length + 1) * (100 - level)) / 200);
  return { low: sorted[outside - 1], high: sorted[sorted.length - outside] };
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
    3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
    45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
  ],
  [
    1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867,
    39307.89580009271061, 28729.085735721942674, 5226.495278852545925,
  ],
];
const middle = [
  [
    1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
    1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4,
  ],
  [
    1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
    0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9,
  ],
];
const far = [
  [
    6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
    0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
  ],
  [
    1, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 7.868691311456132591e-4,
    1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
  ],
];

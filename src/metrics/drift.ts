/** How far a distribution moved: all measures are worked out from counts in the same bins, before and after. */
export interface Drift {
  /** Population stability index: sum of (q - p) ln(q / p) over the bins; 0.1 is small, 0.25 is large. */
  psi: number;
  /** Kolmogorov-Smirnov statistic, in [0, 1]: the largest distance of the cumulative shares at the ends of the bins. Null where bins have no order. */
  ks: number | null;
  /** Jensen-Shannon distance with base 2, in [0, 1]: the root of the divergence (Lin 1991), as scipy has it. */
  js: number;
  /** Pearson's chi-square of the table of bins and samples. */
  chi2: { statistic: number; df: number; p: number };
}

/** Bins that a PSI is worked out on: ten of about equal share is the custom that its thresholds come from. */
const psiBins = 10;

/**
 * @param before  counts per bin of the reference
 * @param after   counts in the same bins
 * @param ordered whether the bins are intervals of numbers, lowest first; neighbours are joined for PSI, JS and chi-square
 * @returns undefined when one side holds nothing
 */
export function driftOf(
  before: readonly number[],
  after: readonly number[],
  ordered: boolean,
): Drift | undefined {
  const [n, m] = [sum(before), sum(after)];
  if (n === 0 || m === 0) return undefined;
  const groups = ordered ? joined(before, psiBins) : before.map((_, i) => [i, i + 1] as const);
  const [old, now] = [grouped(before, groups), grouped(after, groups)];
  return {
    psi: stability(old, now),
    ks: ordered ? largestGap(before, after) : null,
    js: jensenShannon(old, now),
    chi2: chiSquare(old, now),
  };
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

type Span = readonly [from: number, to: number];

/** Neighbouring bins in groups of about equal count. */
function joined(counts: readonly number[], most: number): Span[] {
  const total = sum(counts);
  const spans: Span[] = [];
  let from = 0;
  let seen = 0;
  counts.forEach((count, i) => {
    seen += count;
    const last = i === counts.length - 1;
    if (last || seen >= ((spans.length + 1) * total) / most) {
      spans.push([from, i + 1]);
      from = i + 1;
    }
  });
  return spans;
}

const grouped = (counts: readonly number[], spans: readonly Span[]): number[] =>
  spans.map(([from, to]) => sum(counts.slice(from, to)));

/** Half a count in every bin, so that an empty one does not make it infinite. */
function stability(before: readonly number[], after: readonly number[]): number {
  const [n, m] = [sum(before) + before.length / 2, sum(after) + after.length / 2];
  return before.reduce((total, count, i) => {
    const [p, q] = [(count + 0.5) / n, (after[i] + 0.5) / m];
    return total + (q - p) * Math.log(q / p);
  }, 0);
}

function largestGap(before: readonly number[], after: readonly number[]): number {
  const [n, m] = [sum(before), sum(after)];
  let [below, under, gap] = [0, 0, 0];
  before.forEach((count, i) => {
    below += count / n;
    under += after[i] / m;
    gap = Math.max(gap, Math.abs(below - under));
  });
  return Math.min(1, gap);
}

function jensenShannon(before: readonly number[], after: readonly number[]): number {
  const [n, m] = [sum(before), sum(after)];
  const part = (p: number, middle: number): number => (p === 0 ? 0 : p * Math.log2(p / middle));
  const divergence = before.reduce((total, count, i) => {
    const [p, q] = [count / n, after[i] / m];
    const middle = (p + q) / 2;
    return total + (part(p, middle) + part(q, middle)) / 2;
  }, 0);
  return Math.sqrt(Math.max(0, divergence));
}

function chiSquare(before: readonly number[], after: readonly number[]): Drift["chi2"] {
  const [n, m] = [sum(before), sum(after)];
  let statistic = 0;
  let bins = 0;
  before.forEach((count, i) => {
    const both = count + after[i];
    if (both === 0) return;
    bins++;
    const [expected, other] = [(both * n) / (n + m), (both * m) / (n + m)];
    statistic += (count - expected) ** 2 / expected + (after[i] - other) ** 2 / other;
  });
  const df = Math.max(0, bins - 1);
  return { statistic, df, p: df === 0 ? 1 : chiSquareTail(statistic, df) };
}

/**
 * P(X >= x) of a chi-square distribution: the upper regularised gamma function Q(df/2, x/2), by its series
 * below and its continued fraction above (Press et al. 2007, Numerical Recipes, 6.2).
 *
 * @param x  >= 0
 * @param df degrees of freedom, > 0
 */
export function chiSquareTail(x: number, df: number): number {
  const [a, z] = [df / 2, x / 2];
  if (z <= 0) return 1;
  const scale = Math.exp(-z + a * Math.log(z) - logGamma(a));
  if (z < a + 1) {
    let term = 1 / a;
    let series = term;
    for (let k = 1; k < 10_000 && Math.abs(term) > Math.abs(series) * 1e-16; k++) {
      term *= z / (a + k);
      series += term;
    }
    return Math.max(0, 1 - series * scale);
  }
  const tiny = 1e-300;
  let b = z + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 10_000; k++) {
    const factor = -k * (k - a);
    b += 2;
    d = 1 / nonZero(factor * d + b, tiny);
    c = nonZero(b + factor / c, tiny);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return Math.min(1, fraction * scale);
}

const nonZero = (value: number, tiny: number): number => (Math.abs(value) < tiny ? tiny : value);

/** ln Γ(x), x > 0: Lanczos' approximation with g = 7 and nine terms, good to 15 digits. */
function logGamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const series = terms.slice(1).reduce((total, term, i) => total + term / (x + i), terms[0]);
  return Math.log(2 * Math.PI) / 2 + (x - 0.5) * Math.log(t) - t + Math.log(series);
}

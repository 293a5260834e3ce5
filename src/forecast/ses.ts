import { defineForecastModel, deviationOf, grown } from "./model.js";
import { goldenSection } from "../kernels/golden-section.js";
import { real } from "../learners/params.js";

/** Bounds of the smoothing parameter, as in R's `ses`. */
const leastAlpha = 0.0001;
const mostAlpha = 0.9999;

/**
 * Simple exponential smoothing: l_t = alpha y_t + (1 - alpha) l_(t-1), every forecast is the last level.
 *
 * Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, ch. 2 (ETS(A,N,N)). alpha and the
 * first level minimise the sum of squared one-step errors, which maximises the likelihood. For a
 * given alpha the errors are linear in the first level, so the best level has a closed form and only alpha is searched.
 */
export default defineForecastModel({
  name: "ses",
  summary: "simple exponential smoothing: a level that follows recent values",
  source: "Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, Springer, ch. 2",
  params: {
    alpha: real({
      default: 0,
      min: 0,
      max: 1,
      help: "weight of the newest value; 0 finds the best for every series",
    }),
  },
  seasonal: false,
  needs: () => 3,
  fit({ values }, { alpha: given }) {
    const alpha = given > 0 ? given : bestAlpha(values);
    const { squares, level } = smoothed(values, alpha);
    return {
      mean: (horizon) => new Float64Array(horizon).fill(level),
      spread: grown(deviationOf(squares, values.length, given > 0 ? 1 : 2), (step) =>
        Math.sqrt(1 + (step - 1) * alpha * alpha),
      ),
      residuals: () => smoothingErrors(values, alpha),
      about: { alpha },
    };
  },
});

/** One-step errors of the smoothing with the best first level. */
export function smoothingErrors(values: Float64Array, alpha: number): Float64Array {
  let { first: level } = smoothed(values, alpha);
  return values.map((value) => {
    const error = value - level;
    level += alpha * error;
    return error;
  });
}

/**
 * Runs the smoothing with the best first level.
 *
 * With a first level l the one-step errors are e_t - d_t l, where e_t are the errors from a first
 * level of 0 and d_t = (1 - alpha)^(t-1); least squares gives l = sum(e d) / sum(d d).
 */
export function smoothed(
  values: Float64Array,
  alpha: number,
): { squares: number; level: number; first: number } {
  let level = 0;
  let decay = 1;
  let ee = 0;
  let ed = 0;
  let dd = 0;
  for (let t = 0; t < values.length; t++) {
    const error = values[t] - level;
    ee += error * error;
    ed += error * decay;
    dd += decay * decay;
    level += alpha * error;
    decay *= 1 - alpha;
  }
  const first = ed / dd;
  return { squares: Math.max(0, ee - first * ed), level: level + decay * first, first };
}

/** The alpha of least squared error: the best of a grid, refined by golden section within its neighbours. */
export function bestAlpha(values: Float64Array): number {
  // Around the mean, the sums of squares lose no digits to the level of the series.
  let mean = 0;
  for (const value of values) mean += value / values.length;
  const centered = values.map((value) => value - mean);
  const loss = (alpha: number): number => smoothed(centered, alpha).squares;
  const steps = 20;
  const at = (i: number): number => leastAlpha + ((mostAlpha - leastAlpha) * i) / steps;
  let best = 0;
  let least = Infinity;
  for (let i = 0; i <= steps; i++) {
    const found = loss(at(i));
    if (found < least) {
      least = found;
      best = i;
    }
  }
  return goldenSection(loss, at(Math.max(0, best - 1)), at(Math.min(steps, best + 1)));
}

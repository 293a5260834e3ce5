import { goldenSection } from "../kernels/golden-section.js";
import { defineForecastModel, deviationOf } from "./model.js";
import { seasonallyAdjusted } from "./seasonal-adjustment.js";

/**
 * The dynamic optimised Theta model: exponential smoothing plus a share of the linear trend of all values so far,
 * share, smoothing and first level by least squares.
 *
 * Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler (2016), Int. J. Forecasting 32:1151-1161 (DOTM). For a given alpha the
 * errors are linear in the first level and in the share 1 - 1/theta, so both have a closed form and only
 * alpha is searched: the minimum is exact and takes a few dozen passes over the values.
 */
export default defineForecastModel({
  name: "dynamic-theta",
  summary: "dynamic optimised Theta: level and trend share fitted to every series; best value for time",
  source:
    "Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler (2016), Models for optimising the theta method, Int. J. Forecasting 32:1151-1161",
  params: {},
  seasonal: false,
  needs: () => 5,
  fit({ values, season }) {
    const adjusted = seasonallyAdjusted(values, season);
    const y = adjusted.values;
    const n = y.length;
    const trend = runningTrend(y);
    const { alpha } = leastSquares(y, trend);
    const fit = dynamicTheta(y, trend, alpha);
    const deviation = deviationOf(fit.squares, n - 3, 3);
    return {
      mean: (horizon) => adjusted.restore(fit.mean(horizon)),
      spread(horizon) {
        const spread = Float64Array.from(
          { length: horizon },
          (_, h) => deviation * Math.sqrt(1 + h * alpha * alpha),
        );
        adjusted.restore(new Float64Array(horizon), spread);
        return spread;
      },
      residuals: fit.errors,
      about: { alpha, theta: 1 / (1 - fit.share), level: fit.first, seasonal: adjusted.seasonal ? 1 : 0 },
    };
  },
});

/** Intercept and slope of the least squares line through the first t values, for every t (ibid., equations 16 and 17). */
interface RunningTrend {
  intercept: Float64Array;
  slope: Float64Array;
}

function runningTrend(y: Float64Array): RunningTrend {
  const n = y.length;
  const intercept = new Float64Array(n);
  const slope = new Float64Array(n);
  let mean = y[0];
  let b = 0;
  intercept[0] = y[0];
  for (let t = 1; t < n; t++) {
    // With t+1 values: B <- ((t-1) B + 6 (y - mean) / (t+1)) / (t+2).
    b = ((t - 1) * b + (6 * (y[t] - mean)) / (t + 1)) / (t + 2);
    mean = (t * mean + y[t]) / (t + 1);
    slope[t] = b;
    intercept[t] = mean - ((t + 2) / 2) * b;
  }
  return { intercept, slope };
}

/** The first errors are left out of the sum, as in the authors' program: their trends rest on one or two values. */
const settling = 3;
/** The authors' bounds: a level that hardly follows the series forecasts worse than its errors in the history say. */
const leastAlpha = 0.1;
const mostAlpha = 0.99;

function leastSquares(y: Float64Array, trend: RunningTrend): { alpha: number } {
  const loss = (alpha: number): number => dynamicTheta(y, trend, alpha).squares;
  const steps = 12;
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
  return { alpha: goldenSection(loss, at(Math.max(0, best - 1)), at(Math.min(steps, best + 1)), 1e-6) };
}

/** The largest share of the trend: theta stays finite. */
const mostShare = 1 - 1e-4;

/**
 * With a = 1 - alpha, the forecast of value t is l_(t-1) + w c_t, where c_t = a^(t-1) A + (1 - a^t) / alpha B with the
 * trend A + B t of the values before it. l is linear in its start: l_(t-1) = l0_(t-1) + a^(t-1) first.
 */
function dynamicTheta(y: Float64Array, { intercept, slope }: RunningTrend, alpha: number) {
  const n = y.length;
  const a = 1 - alpha;
  let level = 0;
  let power = 1;
  let ee = 0;
  let ed = 0;
  let ec = 0;
  let dd = 0;
  let dc = 0;
  let cc = 0;
  for (let t = 0; t < n; t++) {
    const error = y[t] - level;
    if (t >= settling) {
      const c = power * intercept[t - 1] + ((1 - power * a) / alpha) * slope[t - 1];
      ee += error * error;
      ed += error * power;
      ec += error * c;
      dd += power * power;
      dc += power * c;
      cc += c * c;
    }
    level += alpha * error;
    power *= a;
  }
  // Two unknowns, the share within its bounds; a first level that hardly matters any more is the first value.
  const free = dd * cc - dc * dc;
  let share = free > 1e-12 * dd * cc ? (ec * dd - ed * dc) / free : 0;
  share = Math.min(mostShare, Math.max(0, share));
  const first = dd > 1e-12 * n ? (ed - share * dc) / dd : y[0];
  const squares = Math.max(
    0,
    ee - 2 * first * ed - 2 * share * ec + first * first * dd + 2 * first * share * dc + share * share * cc,
  );
  const lastLevel = level + power * first;
  return {
    squares,
    share,
    first,
    errors(): Float64Array {
      let l = first;
      let p = 1;
      return y
        .map((value, t) => {
          const trend = t > 0 ? p * intercept[t - 1] + ((1 - p * a) / alpha) * slope[t - 1] : 0;
          const error = value - l - share * trend;
          l += alpha * (value - l);
          p *= a;
          return error;
        })
        .subarray(settling);
    },
    mean(horizon: number): Float64Array {
      const forecast = new Float64Array(horizon);
      let l = lastLevel;
      let p = power;
      let mean = 0;
      for (const value of y) mean += value / n;
      let b = slope[n - 1];
      let i = intercept[n - 1];
      for (let h = 0; h < horizon; h++) {
        const t = n + h;
        const f = l + share * (p * i + ((1 - p * a) / alpha) * b);
        forecast[h] = f;
        // Forecasts take the place of values to come, in level and trend alike.
        l += alpha * (f - l);
        p *= a;
        b = ((t - 1) * b + (6 * (f - mean)) / (t + 1)) / (t + 2);
        mean = (t * mean + f) / (t + 1);
        i = mean - ((t + 2) / 2) * b;
      }
      return forecast;
    },
  };
}

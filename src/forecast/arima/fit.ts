import { bfgs } from "../../kernels/bfgs.js";
import { ConditionalErrors, type ArmaCoefficients } from "./conditional.js";
import { Innovations, solve } from "./innovations.js";
import { differencing, filtered, fromPartials, partialsJacobian, product } from "./polynomial.js";

/** (p, d, q)(P, D, Q) of a season. */
export interface ArimaOrder {
  p: number;
  d: number;
  q: number;
  P: number;
  D: number;
  Q: number;
  /** A mean where nothing is differenced, a drift where one difference is. */
  constant: boolean;
}

export interface ArimaFit extends ArmaCoefficients {
  order: ArimaOrder;
  season: number;
  /** Coefficients of the regressors; the constant last. */
  beta: Float64Array;
  sigma2: number;
  logLikelihood: number;
  aic: number;
  aicc: number;
  /** False where a root lies so near the unit circle that other orders are to be preferred. */
  inside: boolean;
  /** One-step errors of the differenced values, all of the variance sigma2. */
  residuals: Float64Array;
  /** Where the search ended: a place to start from for another history of the series. */
  places: Float64Array;
  mean(horizon: number): Float64Array;
  spread(horizon: number): Float64Array;
}

/** tanh of these partial autocorrelations is 0.99: roots this near the unit circle speak against an order. */
const edge = Math.atanh(0.99);

/**
 * Regression with seasonal ARIMA errors by maximum likelihood: y_t = x_t beta + n_t, where n_t is ARIMA.
 *
 * The likelihood of the differenced values is exact (see `Innovations`); coefficients of regressors and the variance of the noise
 * are concentrated out, so only the ARMA coefficients are searched, in partial autocorrelations.
 *
 * @param known regressors, each of the length of the history plus any horizon asked for
 * @param exact false for the conditional sum of squares, which is faster; the likelihood is then an approximation
 * @returns undefined where there are too few values
 */
export function fitArima(
  values: Float64Array,
  order: ArimaOrder,
  season: number,
  known: readonly Float64Array[] = [],
  search: { exact: boolean; gain: number; start?: Float64Array } = { exact: true, gain: 1e-6 },
): ArimaFit | undefined {
  const { p, d, q, P, D, Q } = order;
  const n = values.length;
  const differences = differencing(d, D, season);
  const used = n - differences.length;
  const size = p + q + P + Q;
  const columns: ((t: number) => number)[] = known.map((column) => (t) => column[t]);
  if (order.constant) columns.push(d + D === 0 ? () => 1 : (t) => t + 1);
  const count = size + columns.length + 1;
  if (used < count + 2 || (!search.exact && used < p + P * season + count + 2)) return undefined;
  const y = filtered(values, differences);
  const xs = columns.map((column) =>
    filtered(
      Float64Array.from({ length: n }, (_, t) => column(t)),
      differences,
    ),
  );
  const errors = new Float64Array(used);
  const whitened = xs.map(() => new Float64Array(used));
  const beta = new Float64Array(xs.length);
  let squares = 0;
  let logs = 0;
  const counted = search.exact ? used : used - p - P * season;

  const conditional = search.exact ? undefined : new ConditionalErrors(used, season, order);
  const loose = search.gain > 1e-3;
  const whiten = (at: ArmaCoefficients): boolean => {
    if (conditional) {
      conditional.errors(at, y, errors);
      xs.forEach((x, i) => conditional.errors(at, x, whitened[i]));
      return true;
    }
    const { ar, ma } = polynomials(at, season);
    const filter = new Innovations(ar, ma, used, loose ? 1e-5 : 1e-9);
    if (!Number.isFinite(filter.logs)) return false;
    filter.errors(y, errors);
    xs.forEach((x, i) => filter.errors(x, whitened[i]));
    logs = filter.logs;
    return true;
  };
  /** -2 log likelihood with the regression and the variance at their best. */
  const deviance = (z: Float64Array): number => {
    for (const value of z) if (!(Math.abs(value) < 9)) return Infinity;
    if (!whiten(coefficientsAt(z, order))) return Infinity;
    regress(whitened, errors, beta);
    squares = 0;
    for (const error of errors) squares += error * error;
    // Skipped errors are scored like the others, so that orders compare.
    return used * (Math.log((2 * Math.PI * Math.max(squares, 1e-300)) / counted) + 1) + logs;
  };
  const places = new Float64Array(size);
  if (search.start?.length === size) places.set(search.start);
  else places.fill(0.1);
  let at = Infinity;
  const here = new Float64Array(size);
  const problem = {
    value(z: Float64Array): number {
      here.set(z);
      at = deviance(z);
      return at;
    },
    gradient: conditional ? conditionalGradient : numericGradient,
  };
  function conditionalGradient(into: Float64Array): void {
    let own = y;
    if (xs.length > 0) {
      own = y.slice();
      xs.forEach((x, i) => {
        for (let t = 0; t < used; t++) own[t] -= beta[i] * x[t];
      });
    }
    const found = coefficientsAt(here, order);
    conditional!.gradient(found, own, errors, into);
    byPlaces(into, here, order, used / Math.max(squares, 1e-300));
  }
  function numericGradient(into: Float64Array): void {
    const step = 1e-4;
    for (let i = 0; i < size; i++) {
      const kept = here[i];
      here[i] = kept + step;
      const above = deviance(here);
      if (loose) {
        here[i] = kept;
        into[i] = Number.isFinite(above) ? (above - at) / step : 0;
        continue;
      }
      here[i] = kept - step;
      const below = deviance(here);
      here[i] = kept;
      into[i] = Number.isFinite(above) && Number.isFinite(below) ? (above - below) / (2 * step) : 0;
    }
  }
  if (size > 0) bfgs(problem, places, { iterations: loose ? 20 : 60, gain: search.gain });
  const value = deviance(places);
  if (!Number.isFinite(value)) return undefined;
  const sigma2 = squares / counted;
  const aic = value + 2 * count;
  const found = coefficientsAt(places, order);
  const { ar, ma } = polynomials(found, season);
  const whole = product(ar, differences, 1);
  const raw = values.slice();
  xs.forEach((_, i) => {
    for (let t = 0; t < n; t++) raw[t] -= beta[i] * columns[i](t);
  });
  const lastErrors = new Float64Array(used);
  const rest = filtered(raw, differences);
  if (conditional) conditional.errors(found, rest, lastErrors);
  else new Innovations(ar, ma, used).errors(rest, lastErrors);
  const fittedBeta = beta.slice();
  return {
    order,
    season,
    ...found,
    beta: fittedBeta,
    sigma2,
    logLikelihood: -value / 2,
    aic,
    aicc: used > count + 1 ? aic + (2 * count * (count + 1)) / (used - count - 1) : Infinity,
    inside: places.every((z) => Math.abs(z) < edge),
    places: places.slice(),
    residuals: lastErrors,
    mean(horizon) {
      const path = new Float64Array(n + horizon);
      path.set(raw);
      for (let h = 0; h < horizon; h++) {
        let sum = 0;
        for (let j = 0; j < whole.length; j++) if (whole[j] !== 0) sum += whole[j] * path[n + h - 1 - j];
        for (let j = h; j < ma.length; j++) {
          const back = used - 1 - (j - h);
          if (back >= 0) sum += ma[j] * lastErrors[back];
        }
        path[n + h] = sum;
      }
      return Float64Array.from({ length: horizon }, (_, h) => {
        let sum = path[n + h];
        for (let i = 0; i < columns.length; i++) sum += fittedBeta[i] * columns[i](n + h);
        return sum;
      });
    },
    spread(horizon) {
      const psi = new Float64Array(horizon);
      const result = new Float64Array(horizon);
      const deviation = Math.sqrt(squares / Math.max(1, counted - size - columns.length) || 0);
      let sum = 0;
      for (let h = 0; h < horizon; h++) {
        psi[h] = h === 0 ? 1 : h <= ma.length ? ma[h - 1] : 0;
        for (let j = 1; j <= Math.min(h, whole.length); j++) psi[h] += whole[j - 1] * psi[h - j];
        sum += psi[h] * psi[h];
        result[h] = deviation * Math.sqrt(sum);
      }
      return result;
    },
  };
}

/** ARMA coefficients from partial autocorrelations tanh(z), in the order p, q, P, Q. */
function coefficientsAt(z: Float64Array, { p, q, P, Q }: ArimaOrder): ArmaCoefficients {
  return {
    phi: fromPartials(z, 0, p),
    theta: fromPartials(z, p, q).map((value) => -value),
    seasonalPhi: fromPartials(z, p + q, P),
    seasonalTheta: fromPartials(z, p + q + P, Q).map((value) => -value),
  };
}

/** Turns a gradient by coefficients into `scale` times the one by places, block by block. */
function byPlaces(gradient: Float64Array, z: Float64Array, { p, q, P, Q }: ArimaOrder, scale: number): void {
  let from = 0;
  [p, q, P, Q].forEach((count, block) => {
    const jacobian = partialsJacobian(z, from, count);
    const byCoefficient = gradient.slice(from, from + count);
    for (let k = 0; k < count; k++) {
      let sum = 0;
      for (let j = 0; j < count; j++) sum += byCoefficient[j] * jacobian[j * count + k];
      // Moving averages are the partials' coefficients with the sign turned.
      gradient[from + k] = (block % 2 === 0 ? scale : -scale) * sum;
    }
    from += count;
  });
}

/** Both polynomials with the season multiplied in. */
function polynomials({ phi, theta, seasonalPhi, seasonalTheta }: ArmaCoefficients, season: number) {
  const turned = (values: Float64Array): Float64Array => values.map((value) => -value);
  return {
    ar: product(phi, seasonalPhi, season),
    ma: turned(product(turned(theta), turned(seasonalTheta), season)),
  };
}

/** Least squares of `y` on the columns: coefficients into `beta`, `y` becomes the residuals. */
function regress(columns: readonly Float64Array[], y: Float64Array, beta: Float64Array): void {
  const k = columns.length;
  if (k === 0) return;
  const matrix = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    let right = 0;
    for (let t = 0; t < y.length; t++) right += columns[i][t] * y[t];
    beta[i] = right;
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let t = 0; t < y.length; t++) sum += columns[i][t] * columns[j][t];
      matrix[i * k + j] = sum;
      matrix[j * k + i] = sum;
    }
  }
  // A regressor without variation of its own gets next to nothing instead of everything.
  for (let i = 0; i < k; i++) matrix[i * k + i] = matrix[i * k + i] * (1 + 1e-10) + 1e-300;
  if (!solve(matrix, beta, k)) beta.fill(0);
  for (let t = 0; t < y.length; t++) for (let i = 0; i < k; i++) y[t] -= beta[i] * columns[i][t];
}

/**
 * One-step prediction errors of a Gaussian ARMA process and their variances: what its exact likelihood is made of.
 *
 * The innovations algorithm on Ansley's transform (Brockwell & Davis 1991, Time Series: Theory and Methods, 2nd ed.,
 * 5.2.7 and 5.3; Ansley 1979, Biometrika 66:59-65): the first m = max(p, q) values as they are, the autoregression taken
 * out of the others, whose covariances vanish beyond lag q. Once the variance has settled the moving
 * average runs with its own coefficients, which costs a few operations a value.
 */
export class Innovations {
  /** Sum of the logarithms of the variances, in units of the noise. */
  logs = 0;
  private readonly factors: Float64Array[] = [];
  private readonly variances: Float64Array;
  /** Values before the filter has settled. */
  private settled = 0;
  private readonly maLags: number[] = [];
  private readonly arLags: number[] = [];
  private readonly m: number;

  /**
   * @param ar         coefficients phi of y_t = phi_1 y_(t-1) + ... , stationary
   * @param ma         coefficients theta of e_t + theta_1 e_(t-1) + ...
   * @param length     values of a series
   * @param exact      false: conditional on the first values, errors before them taken for zero
   */
  constructor(
    private readonly ar: Float64Array,
    private readonly ma: Float64Array,
    private readonly length: number,
    exact: boolean,
  ) {
    ar.forEach((value, j) => value !== 0 && this.arLags.push(j));
    ma.forEach((value, j) => value !== 0 && this.maLags.push(j));
    this.m = Math.max(ar.length, ma.length);
    this.variances = new Float64Array(exact ? length : 0);
    if (exact) this.factorise();
  }

  /** How many errors of the start are left out: those that a conditional fit cannot have. */
  get skipped(): number {
    return this.variances.length === 0 ? this.ar.length : 0;
  }

  /** The banded Cholesky factor of the transformed covariances, row by row, until it settles. */
  private factorise(): void {
    const { ar, ma, m, length, variances, factors } = this;
    const q = ma.length;
    const gamma = autocovariances(ar, ma, m);
    if (!gamma) {
      this.logs = Infinity;
      return;
    }
    const thetas = Float64Array.of(1, ...ma);
    const pure = (lag: number): number => {
      let sum = 0;
      for (let j = 0; j + lag <= q; j++) sum += thetas[j] * thetas[j + lag];
      return sum;
    };
    const pures = Float64Array.from({ length: q + 1 }, (_, lag) => pure(lag));
    // Between a value of the start and one after it.
    const mixedAt = (lag: number): number => {
      let sum = gamma[lag];
      for (let j = 0; j < ar.length; j++) sum -= ar[j] * gamma[Math.abs(lag - j - 1)];
      return sum;
    };
    const mixeds = Float64Array.from({ length: q + 1 }, (_, lag) => (lag === 0 ? 0 : mixedAt(lag)));
    const kappa = (i: number, j: number): number => {
      const lag = i - j;
      if (i < m) return gamma[lag];
      if (lag > q) return 0;
      return j >= m ? pures[lag] : mixeds[lag];
    };
    // Two roads to settled: coefficients and variance unchanged over a whole cycle of q values.
    let calm = 0;
    for (let t = 0; t < length; t++) {
      const width = t < m ? t : Math.min(q, t);
      const row = new Float64Array(width);
      // row[k] is the factor of the error width-k values ago... column j = t - width + k.
      for (let k = 0; k < width; k++) {
        const j = t - width + k;
        let sum = kappa(t, j);
        const other = factors[j];
        const offset = j - other.length;
        for (let i = Math.max(offset, t - width); i < j; i++)
          sum -= row[i - (t - width)] * other[i - offset] * variances[i];
        row[k] = sum / variances[j];
      }
      let variance = kappa(t, t);
      for (let k = 0; k < width; k++) variance -= row[k] * row[k] * variances[t - width + k];
      if (!(variance > 1e-12)) variance = 1e-12;
      variances[t] = variance;
      factors.push(row);
      this.logs += Math.log(variance);
      this.settled = t + 1;
      calm = t >= m && Math.abs(variance - 1) < 1e-9 ? calm + 1 : 0;
      if (calm > q) break;
    }
  }

  /**
   * Errors of a series, each over the root of its variance.
   *
   * @param into receives as many errors as there are values; those that are skipped are 0
   */
  errors(y: Float64Array, into: Float64Array): void {
    const { ar, ma, arLags, maLags, m, length, factors, variances, settled } = this;
    const begin = this.variances.length === 0 ? ar.length : settled;
    for (let t = 0; t < Math.min(begin, length); t++) {
      if (variances.length === 0) {
        into[t] = 0;
        continue;
      }
      let error = y[t];
      if (t >= m) for (const j of arLags) error -= ar[j] * y[t - 1 - j];
      const row = factors[t];
      const from = t - row.length;
      for (let k = 0; k < row.length; k++) error -= row[k] * into[from + k];
      into[t] = error;
    }
    for (let t = begin; t < length; t++) {
      let error = y[t];
      for (let i = 0; i < arLags.length; i++) error -= ar[arLags[i]] * y[t - 1 - arLags[i]];
      for (let i = 0; i < maLags.length; i++) {
        const back = t - 1 - maLags[i];
        if (back >= 0) error -= ma[maLags[i]] * into[back];
      }
      into[t] = error;
    }
    for (let t = 0; t < Math.min(begin, variances.length); t++) into[t] /= Math.sqrt(variances[t]);
  }
}

/**
 * Autocovariances 0..most of an ARMA process with noise of variance 1 (Brockwell & Davis 1991, 3.3, the third method).
 *
 * @returns undefined for an autoregression at the edge of stationarity
 */
export function autocovariances(
  ar: Float64Array,
  ma: Float64Array,
  most: number,
): Float64Array | undefined {
  const p = ar.length;
  const q = ma.length;
  const psi = new Float64Array(q + 1);
  psi[0] = 1;
  for (let j = 1; j <= q; j++) {
    psi[j] = ma[j - 1];
    for (let i = 1; i <= Math.min(j, p); i++) psi[j] += ar[i - 1] * psi[j - i];
  }
  const right = (k: number): number => {
    let sum = 0;
    for (let j = k; j <= q; j++) sum += (j === 0 ? 1 : ma[j - 1]) * psi[j - k];
    return sum;
  };
  const gamma = new Float64Array(Math.max(most, p) + 1);
  if (p > 0) {
    const size = p + 1;
    const matrix = new Float64Array(size * size);
    const first = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      matrix[k * size + k] += 1;
      for (let j = 1; j <= p; j++) matrix[k * size + Math.abs(k - j)] -= ar[j - 1];
      first[k] = right(k);
    }
    if (!solve(matrix, first, size)) return undefined;
    gamma.set(first);
    if (!(gamma[0] > 0)) return undefined;
  } else gamma[0] = right(0);
  for (let k = p + 1; k <= most; k++) {
    let sum = k <= q ? right(k) : 0;
    for (let j = 1; j <= p; j++) sum += ar[j - 1] * gamma[k - j];
    gamma[k] = sum;
  }
  return gamma;
}

/** Solves A x = b in place by Gaussian elimination with partial pivoting; false where A is singular. */
export function solve(matrix: Float64Array, vector: Float64Array, n: number): boolean {
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++)
      if (Math.abs(matrix[r * n + c]) > Math.abs(matrix[pivot * n + c])) pivot = r;
    if (Math.abs(matrix[pivot * n + c]) < 1e-12) return false;
    if (pivot !== c) {
      for (let k = c; k < n; k++) {
        const kept = matrix[c * n + k];
        matrix[c * n + k] = matrix[pivot * n + k];
        matrix[pivot * n + k] = kept;
      }
      const kept = vector[c];
      vector[c] = vector[pivot];
      vector[pivot] = kept;
    }
    for (let r = c + 1; r < n; r++) {
      const factor = matrix[r * n + c] / matrix[c * n + c];
      if (factor === 0) continue;
      for (let k = c; k < n; k++) matrix[r * n + k] -= factor * matrix[c * n + k];
      vector[r] -= factor * vector[c];
    }
  }
  for (let r = n - 1; r >= 0; r--) {
    for (let k = r + 1; k < n; k++) vector[r] -= matrix[r * n + k] * vector[k];
    vector[r] /= matrix[r * n + r];
  }
  return true;
}

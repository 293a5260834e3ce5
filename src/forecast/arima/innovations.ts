/** Room for the factor of the filter at work, which lives until the next one is made. */
let factors = new Float64Array(4096);
let variances = new Float64Array(512);

/**
 * One-step prediction errors of a Gaussian ARMA process and their variances: what its exact likelihood is made of.
 *
 * The innovations algorithm on Ansley's transform (Brockwell & Davis 1991, Time Series: Theory and Methods, 2nd ed.,
 * 5.2.7 and 5.3; Ansley 1979, Biometrika 66:59-65): the first m = max(p, q) values as they are, the autoregression taken
 * out of the others, whose covariances vanish beyond lag q. Once the variance has settled the moving
 * average runs with its own coefficients, which costs a few operations a value.
 *
 * Only the filter made last may be used: all share one room for the factor.
 */
export class Innovations {
  /** Sum of the logarithms of the variances, in units of the noise. */
  logs = 0;
  /** Values before the filter has settled. */
  private settled = 0;
  private readonly maLags: number[] = [];
  private readonly arLags: number[] = [];
  private readonly m: number;
  private readonly band: number;

  /**
   * @param ar         coefficients phi of y_t = phi_1 y_(t-1) + ... , stationary
   * @param ma         coefficients theta of e_t + theta_1 e_(t-1) + ...
   * @param length     values of a series
   * @param tolerance  how near to 1 the variance has to come to be taken for settled
   */
  constructor(
    private readonly ar: Float64Array,
    private readonly ma: Float64Array,
    private readonly length: number,
    tolerance = 1e-9,
  ) {
    ar.forEach((value, j) => value !== 0 && this.arLags.push(j));
    ma.forEach((value, j) => value !== 0 && this.maLags.push(j));
    this.m = Math.max(ar.length, ma.length);
    this.band = Math.max(1, this.m);
    this.factorise(tolerance);
  }

  /** The banded Cholesky factor of the transformed covariances, row by row, until it settles. */
  private factorise(tolerance: number): void {
    const { ar, ma, m, length, band } = this;
    const q = ma.length;
    const gamma = autocovariances(ar, ma, m);
    if (!gamma) {
      this.logs = Infinity;
      return;
    }
    if (factors.length < length * band) factors = new Float64Array(length * band);
    if (variances.length < length) variances = new Float64Array(length);
    // Covariances beyond the start, and between a value of the start and one after it.
    const pure = new Float64Array(q + 1);
    const mixed = new Float64Array(q + 1);
    for (let lag = 0; lag <= q; lag++) {
      for (let j = 0; j + lag <= q; j++)
        pure[lag] += (j === 0 ? 1 : ma[j - 1]) * (j + lag === 0 ? 1 : ma[j + lag - 1]);
      mixed[lag] = gamma[lag];
      for (let j = 0; j < ar.length; j++) mixed[lag] -= ar[j] * gamma[Math.abs(lag - j - 1)];
    }
    let logs = 0;
    let product = 1;
    let calm = 0;
    let t = 0;
    for (; t < length && calm <= q; t++) {
      const width = t < m ? t : Math.min(q, t);
      const row = t * band;
      const first = t - width;
      const early = t < m;
      let variance = early ? gamma[0] : pure[0];
      for (let j = first; j < t; j++) {
        let sum = early ? gamma[t - j] : j >= m ? pure[t - j] : mixed[t - j];
        const otherFirst = j < m ? 0 : j - Math.min(q, j);
        const from = otherFirst > first ? otherFirst : first;
        const other = j * band - otherFirst;
        for (let i = from; i < j; i++) sum -= factors[row + i - first] * factors[other + i];
        // Rows hold factor times variance until they are whole.
        factors[row + j - first] = sum;
      }
      for (let j = first; j < t; j++) {
        const scaled = factors[row + j - first];
        const factor = scaled / variances[j];
        variance -= factor * scaled;
        factors[row + j - first] = factor;
      }
      if (!(variance > 1e-12)) variance = 1e-12;
      variances[t] = variance;
      product *= variance;
      if (product > 1e100 || product < 1e-100) {
        logs += Math.log(product);
        product = 1;
      }
      calm = t >= m && Math.abs(variance - 1) < tolerance ? calm + 1 : 0;
    }
    this.logs = logs + Math.log(product);
    this.settled = t;
  }

  /**
   * Errors of a series, each over the root of its variance.
   *
   * @param into receives as many errors as there are values
   */
  errors(y: Float64Array, into: Float64Array): void {
    const { ar, ma, arLags, maLags, m, length, band } = this;
    const q = ma.length;
    const begin = Math.min(this.settled, length);
    for (let t = 0; t < begin; t++) {
      let error = y[t];
      if (t >= m) for (let i = 0; i < arLags.length; i++) error -= ar[arLags[i]] * y[t - 1 - arLags[i]];
      const width = t < m ? t : Math.min(q, t);
      const row = t * band;
      for (let k = 0; k < width; k++) error -= factors[row + k] * into[t - width + k];
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
    for (let t = 0; t < begin; t++) into[t] /= Math.sqrt(variances[t]);
  }
}

/**
 * Autocovariances 0..most of an ARMA process with noise of variance 1 (Brockwell & Davis 1991, 3.3, the third method).
 *
 * @returns undefined for an autoregression at the edge of stationarity
 */
export function autocovariances(ar: Float64Array, ma: Float64Array, most: number): Float64Array | undefined {
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

/** Weights of one fit; grown when needed, never given out. */
let weights = new Float64Array(256);

/**
 * Local regression at one place x of values at 1..n, over the values from `left` to `right` (counted from 1) with
 * tricube weights.
 *
 * Cleveland, Cleveland, McRae & Terpenning (1990), STL, J. Official Statistics 6:3-73, section 2.
 *
 * @param window  values that the weights reach over; more than n widens them
 * @param degree  0 for a local mean, 1 for a local line
 * @returns NaN where no value has a weight
 */
export function loessAt(
  y: Float64Array,
  n: number,
  window: number,
  degree: 0 | 1,
  x: number,
  left: number,
  right: number,
): number {
  if (weights.length < n + 1) weights = new Float64Array(2 * n + 1);
  let reach = Math.max(x - left, right - x);
  if (window > n) reach += (window - n) >> 1;
  const far = 0.999 * reach;
  const near = 0.001 * reach;
  let total = 0;
  for (let j = left; j <= right; j++) {
    const r = Math.abs(j - x);
    let w = 0;
    if (r <= far) {
      if (r <= near) w = 1;
      else {
        const share = r / reach;
        const rest = 1 - share * share * share;
        w = rest * rest * rest;
      }
    }
    weights[j] = w;
    total += w;
  }
  if (!(total > 0)) return NaN;
  let mean = 0;
  let value = 0;
  for (let j = left; j <= right; j++) {
    mean += weights[j] * j;
    value += weights[j] * y[j - 1];
  }
  mean /= total;
  value /= total;
  if (reach <= 0 || degree === 0) return value;
  let spread = 0;
  let slope = 0;
  for (let j = left; j <= right; j++) {
    spread += weights[j] * (j - mean) * (j - mean);
    slope += weights[j] * (j - mean) * y[j - 1];
  }
  spread /= total;
  // Places that hardly differ tell no slope.
  return Math.sqrt(spread) > 0.001 * (n - 1) ? value + ((x - mean) * slope) / total / spread : value;
}

/**
 * Local regression at every place of 1..n; with `jump` above 1 only at every jump-th, linear in between.
 *
 * @param into receives n values
 */
export function loess(
  y: Float64Array,
  n: number,
  window: number,
  degree: 0 | 1,
  jump: number,
  into: Float64Array,
): void {
  if (n < 2) {
    into[0] = y[0];
    return;
  }
  const step = Math.min(jump, n - 1);
  const half = (window + 1) >> 1;
  const at = (i: number): number => {
    let left = 1;
    let right = n;
    if (window < n) {
      left = Math.min(Math.max(1, i - half + 1), n - window + 1);
      right = left + window - 1;
    }
    const value = loessAt(y, n, window, degree, i, left, right);
    return Number.isNaN(value) ? y[i - 1] : value;
  };
  let before = 1;
  into[0] = at(1);
  for (let i = 1 + step; ; i += step) {
    const here = Math.min(i, n);
    if (here > before) {
      into[here - 1] = at(here);
      const rise = (into[here - 1] - into[before - 1]) / (here - before);
      for (let j = before + 1; j < here; j++) into[j - 1] = into[before - 1] + rise * (j - before);
    }
    if (here === n) return;
    before = here;
  }
}

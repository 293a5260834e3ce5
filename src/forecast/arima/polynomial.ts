/**
 * Coefficients of a stationary autoregression from partial autocorrelations tanh(z): the Durbin-Levinson recursion.
 *
 * Monahan (1984), Biometrika 71:403-404. With the signs turned it gives invertible moving averages.
 */
export function fromPartials(z: Float64Array, from: number, count: number): Float64Array {
  const phi = new Float64Array(count);
  const before = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const r = Math.tanh(z[from + k]);
    before.set(phi);
    phi[k] = r;
    for (let j = 0; j < k; j++) phi[j] = before[j] - r * before[k - 1 - j];
  }
  return phi;
}

/** How `fromPartials` moves with z: row j, column k has the derivative of coefficient j by z_k. */
export function partialsJacobian(z: Float64Array, from: number, count: number): Float64Array {
  const phi = new Float64Array(count);
  const before = new Float64Array(count);
  const jacobian = new Float64Array(count * count);
  const earlier = new Float64Array(count * count);
  for (let k = 0; k < count; k++) {
    const r = Math.tanh(z[from + k]);
    before.set(phi);
    earlier.set(jacobian);
    phi[k] = r;
    jacobian[k * count + k] = 1 - r * r;
    for (let j = 0; j < k; j++) {
      const mirror = k - 1 - j;
      phi[j] = before[j] - r * before[mirror];
      for (let i = 0; i < k; i++)
        jacobian[j * count + i] = earlier[j * count + i] - r * earlier[mirror * count + i];
      jacobian[j * count + k] = -before[mirror] * (1 - r * r);
    }
  }
  return jacobian;
}

/** The product (1 - a_1 B - ...)(1 - b_1 B^s - ...) as coefficients c of 1 - c_1 B - c_2 B^2 - .... */
export function product(a: Float64Array, b: Float64Array, season: number): Float64Array {
  const c = new Float64Array(a.length + b.length * season);
  for (let i = 0; i <= a.length; i++)
    for (let j = 0; j <= b.length; j++) {
      if (i + j === 0) continue;
      const left = i === 0 ? 1 : -a[i - 1];
      const right = j === 0 ? 1 : -b[j - 1];
      c[i + j * season - 1] -= left * right;
    }
  return c;
}

/** (1 - B)^d (1 - B^s)^D as coefficients of 1 - c_1 B - .... */
export function differencing(d: number, seasonalD: number, season: number): Float64Array {
  let c: Float64Array = new Float64Array();
  for (let i = 0; i < d; i++) c = product(c, Float64Array.of(1), 1);
  for (let i = 0; i < seasonalD; i++) c = product(c, Float64Array.of(1), season);
  return c;
}

/** The values that (1 - c_1 B - ...) makes of a series: as many fewer as c is long. */
export function filtered(y: Float64Array, c: Float64Array): Float64Array {
  const result = new Float64Array(Math.max(0, y.length - c.length));
  for (let t = 0; t < result.length; t++) {
    let sum = y[t + c.length];
    for (let j = 0; j < c.length; j++) if (c[j] !== 0) sum -= c[j] * y[t + c.length - 1 - j];
    result[t] = sum;
  }
  return result;
}

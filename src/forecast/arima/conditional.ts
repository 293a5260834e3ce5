/** Coefficients of an ARMA process before seasons are multiplied in: 1 - phi_1 B - ..., 1 + theta_1 B + ... */
export interface ArmaCoefficients {
  phi: Float64Array;
  theta: Float64Array;
  seasonalPhi: Float64Array;
  seasonalTheta: Float64Array;
}

/**
 * One-step errors of an ARMA process given its first values, errors before them taken for zero, and the exact gradient of their sum
 * of squares (Box & Jenkins 1970, 7.1.2).
 *
 * Season by season and lag by lag, so that a season costs as many passes as it has coefficients; the gradient takes one pass back through the moving average
 * instead of one for every coefficient.
 */
export class ConditionalErrors {
  /** Errors that the first values have no say in. */
  readonly skipped: number;
  private readonly pad: number;
  /** With as many zeros before and after the values as the longest lag. */
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private readonly third: Float64Array;

  constructor(
    private readonly length: number,
    private readonly season: number,
    { p, q, P, Q }: { p: number; q: number; P: number; Q: number },
  ) {
    this.skipped = p + P * season;
    this.pad = Math.max(p, q, P * season, Q * season);
    const room = (): Float64Array => new Float64Array(length + 2 * this.pad);
    this.first = room();
    this.second = room();
    this.third = room();
  }

  /** @param into as many errors as there are values; those that are skipped are 0 */
  errors(
    { phi, theta, seasonalPhi, seasonalTheta }: ArmaCoefficients,
    y: Float64Array,
    into: Float64Array,
  ): void {
    const { first, second, pad, season, length, skipped } = this;
    first.set(y, pad);
    second.set(y, pad);
    subtractLags(first, seasonalPhi, season, second, pad, pad + length);
    first.set(second);
    subtractLags(second, phi, 1, first, pad, pad + length);
    first.fill(0, pad, pad + Math.min(skipped, length));
    undoLags(first, seasonalTheta, season, pad, pad + length);
    undoLags(first, theta, 1, pad, pad + length);
    into.set(first.subarray(pad, pad + length));
  }

  /**
   * Gradient of the sum of squares.
   *
   * @param errors those of `y` under the coefficients
   * @param into   by phi, theta, seasonalPhi and seasonalTheta, one after the other
   */
  gradient(
    { phi, theta, seasonalPhi, seasonalTheta }: ArmaCoefficients,
    y: Float64Array,
    errors: Float64Array,
    into: Float64Array,
  ): void {
    const { first, second, third, pad, season, length, skipped } = this;
    const end = pad + length;
    const begin = pad + Math.min(skipped, length);
    let place = 0;
    const push = (other: Float64Array, step: number, count: number): void => {
      for (let j = 1; j <= count; j++) {
        let sum = 0;
        for (let t = begin; t < end; t++) sum += first[t] * other[t - j * step];
        into[place++] = -2 * sum;
      }
    };
    // Back through theta: what a change of the errors before it does to the sum.
    first.set(errors, pad);
    undoLagsBack(first, theta, 1, pad, end);
    second.set(errors, pad);
    const thetaAt = phi.length;
    place = thetaAt;
    push(second, 1, theta.length);
    third.set(second);
    subtractLags(second, theta, 1, third, pad, end, -1);
    undoLagsBack(first, seasonalTheta, season, pad, end);
    place = thetaAt + theta.length + seasonalPhi.length;
    push(third, season, seasonalTheta.length);
    second.set(y, pad);
    third.set(second);
    subtractLags(second, seasonalPhi, season, third, pad, end);
    place = 0;
    push(third, 1, phi.length);
    third.set(second);
    subtractLags(second, phi, 1, third, pad, end);
    place = thetaAt + theta.length;
    push(third, season, seasonalPhi.length);
  }
}

/** into_t -= sign * (c_1 x_(t-step) + c_2 x_(t-2 step) + ...). */
function subtractLags(
  x: Float64Array,
  c: Float64Array,
  step: number,
  into: Float64Array,
  from: number,
  to: number,
  sign = 1,
): void {
  for (let j = 0; j < c.length; j++) {
    const weight = sign * c[j];
    const lag = (j + 1) * step;
    for (let t = from; t < to; t++) into[t] -= weight * x[t - lag];
  }
}

/** x_t -= c_1 x_(t-step) + ..., each from those that were changed before it: divides by 1 + c_1 B^step + .... */
function undoLags(x: Float64Array, c: Float64Array, step: number, from: number, to: number): void {
  const count = c.length;
  if (count === 0) return;
  const c1 = c[0];
  if (count === 1) for (let t = from; t < to; t++) x[t] -= c1 * x[t - step];
  else
    for (let t = from; t < to; t++) {
      let sum = x[t];
      for (let j = count; j >= 1; j--) sum -= c[j - 1] * x[t - j * step];
      x[t] = sum;
    }
}

/** The transpose of `undoLags`. */
function undoLagsBack(x: Float64Array, c: Float64Array, step: number, from: number, to: number): void {
  const count = c.length;
  if (count === 0) return;
  for (let t = to - 1; t >= from; t--) {
    let sum = x[t];
    for (let j = count; j >= 1; j--) sum -= c[j - 1] * x[t + j * step];
    x[t] = sum;
  }
}

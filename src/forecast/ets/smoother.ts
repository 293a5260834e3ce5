import type { EtsForm } from "./forms.js";

/** Smoothing parameters: b' = phi b + beta e, so that beta is alpha times Holt's. */
export interface EtsParams {
  alpha: number;
  beta: number;
  gamma: number;
  phi: number;
}

/**
 * One form of exponential smoothing run over one history, with the derivatives of its likelihood.
 *
 * With q = l + phi b and the forecast f = q, q + s or q s, the states move by e = y - f:
 * l' = q + alpha e/s, b' = phi b + beta e/s, s' = s + gamma e/q for a multiplicative season, the same without the
 * quotients otherwise (Hyndman, Koehler, Ord & Snyder 2008, table 2.1). Multiplicative errors move the states alike
 * and are measured as e/f. The gradient is worked out backwards through the recursion, so that it costs
 * about two runs whatever the number of starting states.
 */
export class Smoother {
  /** First level, slope and seasonal states (of places 0..season-1), to be set before `run`. */
  level = 0;
  slope = 0;
  readonly start: Float64Array;
  /** States after the last value; the season by its place. */
  lastLevel = 0;
  lastSlope = 0;
  readonly last: Float64Array;
  /** Sum of squared errors, relative ones where the error is multiplicative. */
  squares = 0;
  /** Derivatives of `run`'s value, after `back`. */
  readonly by = { alpha: 0, beta: 0, gamma: 0, phi: 0, level: 0, slope: 0 };
  readonly byStart: Float64Array;

  private readonly relative: boolean;
  private readonly kind: EtsForm["season"];
  private readonly trended: boolean;
  private readonly errors: Float64Array;
  private readonly levels: Float64Array;
  private readonly slopes: Float64Array;
  private readonly seasons: Float64Array;
  private params: EtsParams = { alpha: 0, beta: 0, gamma: 0, phi: 1 };

  constructor(
    readonly values: Float64Array,
    form: EtsForm,
    readonly season: number,
  ) {
    const n = values.length;
    this.relative = form.error === "M";
    this.kind = form.season;
    this.trended = form.trend !== "N";
    this.errors = new Float64Array(n);
    this.levels = new Float64Array(n);
    this.slopes = new Float64Array(this.trended ? n : 0);
    this.seasons = new Float64Array(form.season === "N" ? 0 : n);
    this.start = new Float64Array(form.season === "N" ? 0 : season);
    this.last = new Float64Array(this.start.length);
    this.byStart = new Float64Array(this.start.length);
  }

  /**
   * -2 log likelihood, less a constant: n log(sum of squares), plus 2 sum(log |f|) for multiplicative errors (ibid., 5.3).
   *
   * @returns Infinity where a multiplicative form meets a forecast that is not positive
   */
  run(params: EtsParams): number {
    this.params = params;
    const logs =
      this.kind === "N" ? this.runPlain() : this.kind === "A" ? this.runAdditive() : this.runMultiplicative();
    const n = this.values.length;
    if (!Number.isFinite(logs) || !Number.isFinite(this.squares)) return Infinity;
    // A perfect fit has no likelihood: the least sum of squares that is told from zero stands in.
    return n * Math.log(Math.max(this.squares, 1e-300)) + 2 * logs;
  }

  /** Errors of the last `run`, relative ones where the error is multiplicative. */
  residuals(): Float64Array {
    const { errors, values, relative } = this;
    return errors.map((e, t) => (relative ? e / (values[t] - e) : e));
  }

  private runPlain(): number {
    const { values, errors, levels, slopes, relative, trended } = this;
    const { alpha, beta, phi } = this.params;
    let l = this.level;
    let b = trended ? this.slope : 0;
    let squares = 0;
    let logs = 0;
    let product = 1;
    for (let t = 0; t < values.length; t++) {
      levels[t] = l;
      if (trended) slopes[t] = b;
      const damped = phi * b;
      const q = l + damped;
      const e = values[t] - q;
      errors[t] = e;
      if (relative) {
        if (!(q > 0)) return Infinity;
        const r = e / q;
        squares += r * r;
        product *= q;
        // Logarithms are dear: one for many factors.
        if (product > 1e200 || product < 1e-200 || (t & 7) === 7) {
          logs += Math.log(product);
          product = 1;
        }
      } else squares += e * e;
      l = q + alpha * e;
      b = damped + beta * e;
    }
    this.lastLevel = l;
    this.lastSlope = b;
    this.squares = squares;
    return logs + Math.log(product);
  }

  private runAdditive(): number {
    const { values, errors, levels, slopes, seasons, last, relative, trended, season } = this;
    const { alpha, beta, gamma, phi } = this.params;
    last.set(this.start);
    let l = this.level;
    let b = trended ? this.slope : 0;
    let squares = 0;
    let logs = 0;
    for (let t = 0, place = 0; t < values.length; t++) {
      const s = last[place];
      levels[t] = l;
      if (trended) slopes[t] = b;
      seasons[t] = s;
      const damped = phi * b;
      const q = l + damped;
      const f = q + s;
      const e = values[t] - f;
      errors[t] = e;
      if (relative) {
        if (!(f > 0)) return Infinity;
        const r = e / f;
        squares += r * r;
        logs += Math.log(f);
      } else squares += e * e;
      l = q + alpha * e;
      b = damped + beta * e;
      last[place] = s + gamma * e;
      if (++place === season) place = 0;
    }
    this.lastLevel = l;
    this.lastSlope = b;
    this.squares = squares;
    return logs;
  }

  private runMultiplicative(): number {
    const { values, errors, levels, slopes, seasons, last, relative, trended, season } = this;
    const { alpha, beta, gamma, phi } = this.params;
    last.set(this.start);
    let l = this.level;
    let b = trended ? this.slope : 0;
    let squares = 0;
    let logs = 0;
    for (let t = 0, place = 0; t < values.length; t++) {
      const s = last[place];
      levels[t] = l;
      if (trended) slopes[t] = b;
      seasons[t] = s;
      const damped = phi * b;
      const q = l + damped;
      if (!(q > 0) || !(s > 0)) return Infinity;
      const f = q * s;
      const e = values[t] - f;
      errors[t] = e;
      if (relative) {
        const r = e / f;
        squares += r * r;
        logs += Math.log(f);
      } else squares += e * e;
      const u = e / s;
      l = q + alpha * u;
      b = damped + beta * u;
      last[place] = s + (gamma * e) / q;
      if (++place === season) place = 0;
    }
    this.lastLevel = l;
    this.lastSlope = b;
    this.squares = squares;
    return logs;
  }

  /** The derivatives of the last `run` by parameters and starting states. */
  back(): void {
    const { values, errors, levels, slopes, seasons, relative, trended, season, kind, by, byStart } = this;
    const { alpha, beta, gamma, phi } = this.params;
    const weight = (2 * values.length) / Math.max(this.squares, 1e-300);
    let byAlpha = 0;
    let byBeta = 0;
    let byGamma = 0;
    let byPhi = 0;
    let gl = 0;
    let gb = 0;
    byStart.fill(0);
    let place = kind === "N" ? 0 : (values.length - 1) % season;
    for (let t = values.length - 1; t >= 0; t--) {
      const e = errors[t];
      const b = trended ? slopes[t] : 0;
      const q = levels[t] + phi * b;
      const s = kind === "N" ? 0 : seasons[t];
      const gs = kind === "N" ? 0 : byStart[place];
      const f = kind === "N" ? q : kind === "A" ? q + s : q * s;
      // How the likelihood moves with this forecast, states aside.
      const own = relative ? (2 - (weight * (e / f) * values[t]) / f) / f : -weight * e;
      let gq = gl;
      if (kind === "M") {
        const u = e / s;
        const v = e / q;
        const gu = alpha * gl + beta * gb;
        const gv = gamma * gs;
        byAlpha += u * gl;
        byBeta += u * gb;
        byGamma += v * gs;
        const gf = own - gu / s - gv / q;
        gq += gf * s - (gv * v) / q;
        byStart[place] = gs - (gu * u) / s + gf * q;
      } else {
        byAlpha += e * gl;
        byBeta += e * gb;
        const gf = own - alpha * gl - beta * gb - gamma * gs;
        gq += gf;
        if (kind === "A") {
          byGamma += e * gs;
          byStart[place] = gs + gf;
        }
      }
      byPhi += b * (gq + gb);
      gl = gq;
      gb = phi * (gq + gb);
      if (--place < 0) place = season - 1;
    }
    by.alpha = byAlpha;
    by.beta = byBeta;
    by.gamma = byGamma;
    by.phi = byPhi;
    by.level = gl;
    by.slope = gb;
  }
}

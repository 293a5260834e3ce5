import { bfgs } from "../../kernels/bfgs.js";
import { seasonalIndex } from "../naive2.js";
import { sizeOf, type EtsForm } from "./forms.js";
import { Smoother, type EtsParams } from "./smoother.js";

/** Bounds of the smoothing parameters, as in R's `ets`: beta lies below alpha, gamma below 1 - alpha. */
const least = 1e-4;
const most = 0.9999;
const leastDamping = 0.8;
const mostDamping = 0.98;

/** Parameters that are given, not searched. */
export type FixedParams = Partial<Pick<EtsParams, "alpha" | "beta" | "gamma" | "phi">>;

/** A form fitted by maximum likelihood. */
export interface EtsFit {
  form: EtsForm;
  season: number;
  params: EtsParams;
  /** First level, slope and season. */
  first: { level: number; slope: number; season: Float64Array };
  /** States after the last value; `season[0]` belongs to the period after it. */
  last: { level: number; slope: number; season: Float64Array };
  logLikelihood: number;
  aic: number;
  aicc: number;
  /** Variance of the errors, relative ones where they are multiplicative, less the parameters. */
  variance: number;
  /** One-step errors, relative ones where they are multiplicative. */
  residuals(): Float64Array;
}

/**
 * Fits one form: parameters and starting states together, by BFGS with exact gradients.
 *
 * Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, ch. 5; starting points as in 2.6.1.
 *
 * @returns undefined where the form cannot be fitted: too few values, or values that are not positive for a multiplicative one
 */
export function fitEts(
  values: Float64Array,
  form: EtsForm,
  season: number,
  fixed: FixedParams = {},
): EtsFit | undefined {
  const size = sizeOf(form, season);
  const count = size.smoothing + size.states + 1;
  if (
    values.length < (form.name === "ANN" ? 2 : count + 2) ||
    (form.season !== "N" && values.length < 2 * season)
  )
    return undefined;
  const smoother = new Smoother(values, form, season);
  const unit = roughness(values, form.season === "N" ? 1 : season);
  const start = startingStates(values, form, season);
  const problem = new EtsProblem(smoother, form, start, unit, fixed);
  const x = problem.bestStart();
  if (!x) return undefined;
  bfgs(problem, x, { iterations: 100, gain: 1e-5 });
  const value = problem.value(x);
  if (!Number.isFinite(value)) return undefined;
  const n = values.length;
  const place = form.season === "N" ? 0 : n % season;
  const aic = value + 2 * count;
  return {
    form,
    season,
    params: { ...problem.params },
    first: { level: smoother.level, slope: smoother.slope, season: smoother.start.slice() },
    last: {
      level: smoother.lastLevel,
      slope: smoother.lastSlope,
      season: smoother.last.map((_, i) => smoother.last[(place + i) % season]),
    },
    logLikelihood: -value / 2,
    aic,
    aicc: n > count + 1 ? aic + (2 * count * (count + 1)) / (n - count - 1) : Infinity,
    variance: smoother.squares / Math.max(1, n - count + 1),
    residuals: () => smoother.residuals(),
  };
}

/** The size of steps from one period (or season) to the next: a unit for starting states. */
function roughness(values: Float64Array, lag: number): number {
  let sum = 0;
  for (let t = lag; t < values.length; t++) sum += Math.abs(values[t] - values[t - lag]);
  const size = sum / Math.max(1, values.length - lag);
  return size > 0 ? size : Math.max(1e-6, Math.abs(values[0]) * 1e-3);
}

interface States {
  level: number;
  slope: number;
  season: Float64Array;
}

/** A line through the first seasonally adjusted values, and the season of classical decomposition. */
function startingStates(values: Float64Array, form: EtsForm, season: number): States {
  const multiplicative = form.season === "M";
  const index = form.season === "N" ? new Float64Array() : seasonalIndex(values, season, multiplicative);
  if (multiplicative) for (let i = 0; i < season; i++) index[i] = Math.max(0.01, index[i]);
  const m = Math.min(values.length, Math.max(10, 2 * (form.season === "N" ? 1 : season)));
  let sy = 0;
  let sty = 0;
  for (let t = 0; t < m; t++) {
    const y =
      form.season === "N"
        ? values[t]
        : multiplicative
          ? values[t] / index[t % season]
          : values[t] - index[t % season];
    sy += y;
    sty += (t + 1) * y;
  }
  const mean = sy / m;
  if (form.trend === "N") return { level: mean, slope: 0, season: index };
  const middle = (m + 1) / 2;
  const slope = (sty - middle * sy) / ((m * (m * m - 1)) / 12);
  const level = mean - slope * middle;
  // A multiplicative form needs a first forecast above zero.
  const low = form.error === "M" || multiplicative ? !(level + slope > 0) : false;
  return low ? { level: mean, slope: 0, season: index } : { level, slope, season: index };
}

/** Logistic with ends. */
const between = (low: number, high: number, z: number): number => low + (high - low) / (1 + Math.exp(-z));
const placeOf = (low: number, high: number, value: number): number => {
  const share = Math.min(1 - 1e-6, Math.max(1e-6, (value - low) / (high - low)));
  return Math.log(share / (1 - share));
};

/**
 * The likelihood as a function without bounds: logistic places of the smoothing parameters, then starting states in
 * units of the series' steps from where they were guessed.
 */
class EtsProblem {
  readonly params: EtsParams = { alpha: 0, beta: 0, gamma: 0, phi: 1 };
  private readonly trended: boolean;
  private readonly seasonal: boolean;
  private readonly searched: ("alpha" | "beta" | "gamma" | "phi")[];
  private readonly seasonUnit: number;
  readonly size: number;

  constructor(
    private readonly smoother: Smoother,
    form: EtsForm,
    private readonly guess: States,
    private readonly unit: number,
    fixed: FixedParams,
  ) {
    this.trended = form.trend !== "N";
    this.seasonal = form.season !== "N";
    const has = {
      alpha: true,
      beta: this.trended,
      gamma: this.seasonal,
      phi: form.trend === "Ad",
    };
    this.searched = (["alpha", "beta", "gamma", "phi"] as const).filter(
      (name) => has[name] && fixed[name] === undefined,
    );
    for (const name of ["alpha", "beta", "gamma", "phi"] as const)
      if (has[name] && fixed[name] !== undefined) this.params[name] = fixed[name]!;
    this.seasonUnit = form.season === "M" ? unit / Math.max(unit, Math.abs(guess.level)) : unit;
    this.size = this.searched.length + 1 + (this.trended ? 1 : 0) + (this.seasonal ? smoother.season - 1 : 0);
  }

  /** Low and high ends of a parameter, given those before it. */
  private ends(name: "alpha" | "beta" | "gamma" | "phi"): [number, number] {
    const { alpha } = this.params;
    switch (name) {
      case "alpha":
        return [least, most];
      case "beta":
        return [least, Math.max(2 * least, alpha)];
      case "gamma":
        return [least, Math.max(2 * least, 1 - alpha)];
      case "phi":
        return [leastDamping, mostDamping];
    }
  }

  /** The best of a few places, by one run each. */
  bestStart(): Float64Array | undefined {
    let best: Float64Array | undefined;
    let lowest = Infinity;
    const seeds: EtsParams[] = this.seasonal
      ? [
          { alpha: 0.1, beta: 0.01, gamma: 0.05, phi: 0.95 },
          { alpha: 0.4, beta: 0.03, gamma: 0.1, phi: 0.9 },
          { alpha: 0.8, beta: 0.02, gamma: 0.01, phi: 0.975 },
          { alpha: 0.2, beta: 0.02, gamma: 0.5, phi: 0.95 },
        ]
      : [
          { alpha: 0.05, beta: 0.005, gamma: 0, phi: 0.975 },
          { alpha: 0.2, beta: 0.02, gamma: 0, phi: 0.95 },
          { alpha: 0.5, beta: 0.05, gamma: 0, phi: 0.9 },
          { alpha: 0.9, beta: 0.01, gamma: 0, phi: 0.975 },
          { alpha: 0.9, beta: 0.6, gamma: 0, phi: 0.85 },
        ];
    for (const seed of seeds) {
      const x = new Float64Array(this.size);
      this.searched.forEach((name, i) => {
        const [low, high] = this.ends(name);
        x[i] = placeOf(low, high, seed[name]);
        this.params[name] = seed[name];
      });
      const value = this.value(x);
      if (value < lowest) {
        lowest = value;
        best = x;
      }
    }
    return best;
  }

  value(x: Float64Array): number {
    const { smoother, guess, unit, searched, params } = this;
    let i = 0;
    for (; i < searched.length; i++) {
      const [low, high] = this.ends(searched[i]);
      params[searched[i]] = between(low, high, x[i]);
    }
    smoother.level = guess.level + unit * x[i++];
    if (this.trended) smoother.slope = guess.slope + 0.1 * unit * x[i++];
    if (this.seasonal) {
      let moved = 0;
      const m = smoother.season;
      for (let k = 0; k < m - 1; k++, i++) {
        smoother.start[k] = guess.season[k] + this.seasonUnit * x[i];
        moved += x[i];
      }
      smoother.start[m - 1] = guess.season[m - 1] - this.seasonUnit * moved;
    }
    return smoother.run(params);
  }

  gradient(into: Float64Array): void {
    const { smoother, searched, params, unit } = this;
    smoother.back();
    const { by } = smoother;
    const whole = { alpha: by.alpha, beta: by.beta, gamma: by.gamma, phi: by.phi };
    // The ends of beta and gamma move with alpha.
    for (let i = searched.length - 1; i >= 0; i--) {
      const name = searched[i];
      const [low, high] = this.ends(name);
      const share = (params[name] - low) / (high - low);
      into[i] = whole[name] * (high - low) * share * (1 - share);
      if (name === "beta") whole.alpha += whole.beta * share;
      if (name === "gamma") whole.alpha -= whole.gamma * share;
    }
    let i = searched.length;
    into[i++] = by.level * unit;
    if (this.trended) into[i++] = by.slope * 0.1 * unit;
    if (this.seasonal) {
      const m = smoother.season;
      const closing = smoother.byStart[m - 1];
      for (let k = 0; k < m - 1; k++, i++) into[i] = (smoother.byStart[k] - closing) * this.seasonUnit;
    }
  }
}

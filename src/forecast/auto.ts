import { power } from "../core/power.js";
import type { ParamValue } from "../learners/params.js";
import { ScoreTotals } from "../metrics/forecast.js";
import { longestEtsSeason } from "./ets.js";
import { demandClass } from "./intermittent/demands.js";
import type { ForecastFit } from "./model.js";
import type { Projected, Projections, SeriesWork } from "./series-work.js";

/** One voice of `auto`. */
export interface Member {
  /** What results call it. */
  label: string;
  model: string;
  /** Fitted as if there were no season. */
  flat?: boolean;
  /** Parameters of its own. */
  params?: Record<string, ParamValue>;
  /** Joins only where it beats every other member in the backtest. */
  baseline?: boolean;
  /** Has a share of the weight in short histories whatever its errors in the backtest were. */
  core?: boolean;
  /** Measured beside the others, for comparison, and never heard. */
  silent?: boolean;
}

/** Above so many values the backtest is trusted more, and models without a season may speak in a seasonal series. */
const longHistory = 200;

interface Trust {
  /** Members worse than the best by more than this factor are silent. */
  silentAbove: number;
  /** How steeply weights fall with the error. */
  steepness: number;
  /** The part of the weight that core members share evenly. */
  even: number;
}

/**
 * A handful of windows with little to learn from says little of who is best: half of the weight of a short history
 * goes evenly to unlike members. Where the season is too long for the states of `ets`, the backtest decides alone.
 */
const trust = {
  short: { silentAbove: 2, steepness: 4, even: 0.5 },
  shortOfLongSeason: { silentAbove: 2, steepness: 4, even: 0 },
  long: { silentAbove: 1.3, steepness: 8, even: 0 },
} satisfies Record<string, Trust>;

/** Core members worse than the best by more than this factor have no even share. */
const wildAbove = 4;

const one = (model: string, more: Partial<Member> = {}): Member => ({
  label: more.flat ? `${model} without season` : model,
  model,
  ...more,
});

/**
 * The members for a history: by its demand class (Syntetos, Boylan & Croston 2005) the models of intermittent demand, or
 * those of regular demand; some only where there is a season or a long history.
 *
 * @param effort "quick" leaves out what takes longest: arima, and ets without a season in a seasonal series
 */
export function membersFor(
  history: Float64Array,
  season: number,
  effort: "full" | "quick",
  known: boolean,
): Member[] {
  const demand = demandClass(history);
  if (demand === "intermittent" || demand === "lumpy")
    return [
      one("window-mean"),
      one("window-mean", {
        label: "window-mean, half",
        params: { window: Math.max(2, Math.round((season * Math.ceil(12 / season)) / 2)) },
      }),
      one("ses", { label: "ses, slow", params: { alpha: 0.1 } }),
      one("tsb"),
      one("naive", { silent: true }),
      ...(season > 1
        ? [
            one("seasonal-naive", { silent: true }),
            one("dynamic-theta", { baseline: true }),
            one("ets", { baseline: true }),
          ]
        : []),
    ];
  const seasonal = season > 1 && history.length > season + 3;
  const long = history.length >= longHistory;
  return [
    ...["ets", "dynamic-theta"].map((name) => one(name, { core: true })),
    ...["theta", "damped"].map((name) => one(name)),
    ...(effort === "full" || known ? [one("arima", { core: true })] : []),
    ...(history.length > 2 * season && seasonal ? [one("mstl", { core: true })] : []),
    ...(seasonal && long ? [one("mstl", { label: "mstl plain", params: { scale: "plain" } })] : []),
    ...(seasonal && long ? [one("dynamic-theta", { flat: true })] : []),
    ...(seasonal && long && effort === "full" ? [one("ets", { flat: true })] : []),
    one("naive", { baseline: long }),
    ...(seasonal
      ? [one("seasonal-naive", { baseline: long }), one("seasonal-growth", { baseline: long })]
      : []),
  ];
}

export interface AutoResult {
  windows: Projections[];
  ahead: Projections;
  /** The member of most weight, and its fit where it was made here. */
  chosen: string;
  lead?: ForecastFit;
  /** Whether demand is intermittent or lumpy. */
  rare: boolean;
}

/**
 * The mean of the members' forecasts, weighted by their errors in the backtest; in every window by the errors in the others, so
 * that the backtest of `auto` itself is honest.
 *
 * Weights fall with a power of the error and vanish well above the best (Bates & Granger 1969, Operational Research
 * Quarterly 20:451-468; Pawlikowski & Chorowska 2020, Int. J. Forecasting 36:93-97). Errors are absolute ones, squared
 * ones for intermittent demand, where absolute errors reward forecasting zero. Without a window to judge by, all
 * members but the baselines count alike. Powers and limits were chosen on rolling origins in the training
 * part of M4's weekly series and of sums of them over months, quarters and years, the even share of short histories on the
 * last horizons of 1,500 yearly, quarterly and monthly series of R's data packages.
 */
export function autoForecast(
  work: SeriesWork,
  cuts: Int32Array,
  totals: Record<string, ScoreTotals>,
  made: Readonly<Record<string, { windows: Projections[]; ahead: Projections }>>,
): AutoResult {
  const { values, plan } = work;
  const history = cuts.length > 0 ? values.subarray(0, cuts[cuts.length - 1]) : values;
  const demand = demandClass(values);
  const squared = demand === "intermittent" || demand === "lumpy";
  const usual = membersFor(values, plan.season, plan.effort, work.hasKnown);
  const members: Voice[] = [
    ...usual,
    ...plan.autoAlso
      .filter((name) => !made[name] && !usual.some(({ label }) => label === name))
      .map((name) => one(name)),
    ...Object.keys(made).map((label): Voice => ({ label })),
  ];
  const windowsOf = (member: Voice): (Projections & { reason?: string; fit?: ForecastFit })[] =>
    member.model === undefined ? made[member.label].windows : work.windows(member.model, cuts, member);
  const inWindows = members.map(windowsOf);
  // A window where a member had to make way for a simpler model tells nothing of the member.
  const errors = inWindows.map((windows) =>
    windows.map(({ mean, reason }, w) => (reason ? NaN : meanError(mean, work.truthAt(cuts[w]), squared))),
  );
  members.forEach(({ label }, m) => {
    const total = (totals[label] ??= new ScoreTotals());
    total.add(
      inWindows[m].map(({ mean }, w) => ({
        truth: work.truthAt(cuts[w]),
        forecast: mean,
        scales: work.scalesAt(cuts[w]),
      })),
    );
  });
  const mode =
    history.length >= longHistory
      ? trust.long
      : plan.season > longestEtsSeason
        ? trust.shortOfLongSeason
        : trust.short;
  const weights = (without: number): Float64Array => weigh(members, errors, without, mode);
  const windows = Array.from(cuts, (_, w) =>
    blend(
      inWindows.map((of) => of[w]),
      weights(w),
      plan.horizon,
    ),
  );
  const final = weights(-1);
  const voices = members.map((member, m): Voiced | undefined => {
    if (final[m] === 0) return undefined;
    if (member.model === undefined) return made[member.label].ahead;
    // In a long history the earliest window knows the form or order as well, and finding it anew takes as long as all windows.
    const kept = mode === trust.long ? inWindows[m].at(-1)?.fit : undefined;
    return work.forecast(member.model, values.length, member, kept);
  });
  const ahead = blend(voices, final, plan.horizon);
  let leader = 0;
  final.forEach((weight, m) => (leader = weight > final[leader] ? m : leader));
  const lead = voices[leader];
  // A member that the series is too short for makes way for a simpler one.
  const chosen = lead?.reason ? lead.used! : members[leader].label;
  return { windows, ahead, chosen, lead: lead?.fit, rare: squared };
}

/** What a member says, and the model that said it where it was not the member. */
type Voiced = Projections & Partial<Pick<Projected, "fit" | "used" | "reason">>;

/** A member, or one whose forecasts were made elsewhere. */
type Voice = Omit<Member, "model"> & { model?: string };

function meanError(forecast: Float64Array, truth: Float64Array, squared: boolean): number {
  let sum = 0;
  for (let h = 0; h < truth.length; h++) {
    const error = forecast[h] - truth[h];
    sum += squared ? error * error : Math.abs(error);
  }
  return squared ? Math.sqrt(sum / truth.length) : sum / truth.length;
}

/** Weights that add up to 1, by the errors of all windows but one (-1 for all). */
function weigh(
  members: readonly Voice[],
  errors: readonly (readonly number[])[],
  without: number,
  { silentAbove, steepness, even }: Trust,
): Float64Array {
  const scores = relativeErrors(errors, without);
  const least = (among: (m: number) => boolean): number =>
    scores.reduce((best, score, m) => (among(m) && score < best ? score : best), Infinity);
  const best = least((m) => !members[m].silent);
  const bestRegular = least((m) => !members[m].baseline && !members[m].silent);
  const judged = Number.isFinite(best);
  const weights = scores.map((score, m) => {
    if (members[m].silent) return 0;
    if (members[m].baseline && !(score < bestRegular && score === best)) return 0;
    // Members that no window could judge count like an average one.
    const relative = Number.isNaN(score) ? 1 : score;
    if (!judged) return 1;
    if (best === 0) return relative === 0 ? 1 : 0;
    return relative > silentAbove * best ? 0 : power(relative / best, -steepness);
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const core = members.map(
    (member, m) => judged && member.core === true && best > 0 && scores[m] <= wildAbove * best,
  );
  const cores = core.filter(Boolean).length;
  if (cores === 0 || even === 0) return weights.map((weight) => weight / total);
  return weights.map((weight, m) => ((1 - even) * weight) / total + (core[m] ? even / cores : 0));
}

/**
 * Mean error of every member over the windows that could judge it, over the mean error of all members in the same
 * windows; NaN for a member without one.
 */
function relativeErrors(errors: readonly (readonly number[])[], without: number): Float64Array {
  const count = errors[0].length;
  const usual = Float64Array.from({ length: count }, (_, w) => {
    const known = errors.map((own) => own[w]).filter((error) => !Number.isNaN(error));
    return known.reduce((sum, error) => sum + error, 0) / known.length;
  });
  return Float64Array.from(errors, (own) => {
    let top = 0;
    let bottom = 0;
    let seen = 0;
    own.forEach((error, w) => {
      if (w === without || Number.isNaN(error)) return;
      top += error;
      bottom += usual[w];
      seen++;
    });
    return seen === 0 ? NaN : bottom > 0 ? top / bottom : 0;
  });
}

/** The weighted mean of projections; deviations of those that have none are left out. */
function blend(
  projections: readonly (Projections | undefined)[],
  weights: Float64Array,
  horizon: number,
): Projections {
  const first = projections.find((projection, m) => projection && weights[m] > 0)!;
  const mean = first.mean.slice();
  const spread = new Float64Array(horizon);
  const counted = new Float64Array(horizon);
  projections.forEach((projection, m) => {
    if (!projection || weights[m] === 0) return;
    for (let h = 0; h < horizon; h++) {
      // By differences, so that voices that agree are not rounded.
      mean[h] += weights[m] * (projection.mean[h] - first.mean[h]);
      if (!(projection.spread[h] >= 0)) continue;
      spread[h] += weights[m] * projection.spread[h];
      counted[h] += weights[m];
    }
  });
  return { mean, spread: spread.map((sum, h) => (counted[h] > 0 ? sum / counted[h] : NaN)) };
}

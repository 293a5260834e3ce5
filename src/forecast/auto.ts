import { ScoreTotals } from "../metrics/forecast.js";
import { demandClass } from "./intermittent/demands.js";
import type { Projections, SeriesWork } from "./series-work.js";

/** One voice of `auto`. */
export interface Member {
  /** What results call it. */
  label: string;
  model: string;
  /** Fitted as if there were no season. */
  flat?: boolean;
  /** Joins only where it beats every other member in the backtest. */
  baseline?: boolean;
}

/** Above so many values the backtest is trusted more, and models without a season may speak in a seasonal series. */
const longHistory = 200;

/** Members worse than the best by more than this factor are silent, and how steeply weights fall with the error. */
const trust = {
  short: { silentAbove: 2, steepness: 2 },
  long: { silentAbove: 1.3, steepness: 8 },
};

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
      ...["window-mean", "ses", "tsb", "sba", "adida", "imapa"].map((name) => one(name)),
      one("naive", { baseline: true }),
      ...(season > 1 ? [one("seasonal-naive", { baseline: true })] : []),
    ];
  const seasonal = season > 1 && history.length > 2 * season;
  const long = history.length >= longHistory;
  return [
    ...["ets", "dynamic-theta", "theta", "damped"].map((name) => one(name)),
    ...(effort === "full" || known ? [one("arima")] : []),
    ...(seasonal ? [one("mstl")] : []),
    ...(seasonal && long ? [one("dynamic-theta", { flat: true })] : []),
    ...(seasonal && long && effort === "full" ? [one("ets", { flat: true })] : []),
    one("naive", { baseline: true }),
    ...(seasonal
      ? [one("seasonal-naive", { baseline: true }), one("seasonal-growth", { baseline: true })]
      : []),
  ];
}

export interface AutoResult {
  windows: Projections[];
  ahead: Projections;
  /** The member of most weight. */
  chosen: string;
}

/**
 * The mean of the members' forecasts, weighted by their errors in the backtest; in every window by the errors in the others, so
 * that the backtest of `auto` itself is honest.
 *
 * Weights fall with a power of the error and vanish well above the best (Bates & Granger 1969, Operational Research
 * Quarterly 20:451-468; Pawlikowski & Chorowska 2020, Int. J. Forecasting 36:93-97). Errors are absolute ones, squared
 * ones for intermittent demand, where absolute errors reward forecasting zero. Without a window to judge by, all
 * members but the baselines count alike. Powers and limits were chosen on rolling origins in the training
 * part of M4's weekly series and of sums of them over months, quarters and years.
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
  const windowsOf = (member: Voice): Projections[] =>
    member.model === undefined ? made[member.label].windows : work.windows(member.model, cuts, member.flat);
  const inWindows = members.map(windowsOf);
  const errors = inWindows.map((windows) =>
    windows.map(({ mean }, w) => meanError(mean, work.truthAt(cuts[w]), squared)),
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
  const mode = history.length >= longHistory ? trust.long : trust.short;
  const weights = (without: number): Float64Array => weigh(members, errors, without, mode, squared);
  const windows = Array.from(cuts, (_, w) =>
    blend(
      inWindows.map((of) => of[w]),
      weights(w),
      plan.horizon,
    ),
  );
  const final = weights(-1);
  const ahead = blend(
    members.map((member, m) => {
      if (final[m] === 0) return undefined;
      return member.model === undefined
        ? made[member.label].ahead
        : work.forecast(member.model, values.length, member.flat);
    }),
    final,
    plan.horizon,
  );
  let leader = 0;
  final.forEach((weight, m) => (leader = weight > final[leader] ? m : leader));
  return { windows, ahead, chosen: members[leader].label };
}

/** A member, or one whose forecasts were made elsewhere. */
type Voice = Omit<Member, "model"> & { model?: string };

function meanError(forecast: Float64Array, truth: Float64Array, squared: boolean): number {
  let sum = 0;
  for (let h = 0; h < truth.length; h++) {
    const error = forecast[h] - truth[h];
    sum += squared ? error * error : Math.abs(error);
  }
  return sum / truth.length;
}

/** Weights that add up to 1, by the errors of all windows but one (-1 for all). */
function weigh(
  members: readonly { baseline?: boolean }[],
  errors: readonly (readonly number[])[],
  without: number,
  { silentAbove, steepness }: { silentAbove: number; steepness: number },
  squared: boolean,
): Float64Array {
  const mean = errors.map((own) => {
    let sum = 0;
    own.forEach((error, w) => (sum += w === without ? 0 : error));
    const size = sum / (own.length - (without < 0 ? 0 : 1));
    return squared ? Math.sqrt(size) : size;
  });
  const weights = new Float64Array(members.length);
  const judged = Number.isFinite(mean[0]);
  let best = Infinity;
  let bestRegular = Infinity;
  mean.forEach((error, m) => {
    best = Math.min(best, error);
    if (!members[m].baseline) bestRegular = Math.min(bestRegular, error);
  });
  let total = 0;
  for (let m = 0; m < members.length; m++) {
    const silent = members[m].baseline
      ? !judged || mean[m] >= bestRegular || mean[m] > best
      : judged && mean[m] > silentAbove * best;
    if (silent) continue;
    weights[m] = judged && best > 0 ? (mean[m] / best) ** -steepness : 1;
    total += weights[m];
  }
  return weights.map((weight) => weight / total);
}

/** The weighted mean of projections; deviations of those that have none are left out. */
function blend(
  projections: readonly (Projections | undefined)[],
  weights: Float64Array,
  horizon: number,
): Projections {
  const mean = new Float64Array(horizon);
  const spread = new Float64Array(horizon);
  const counted = new Float64Array(horizon);
  projections.forEach((projection, m) => {
    if (!projection || weights[m] === 0) return;
    for (let h = 0; h < horizon; h++) {
      mean[h] += weights[m] * projection.mean[h];
      if (!(projection.spread[h] >= 0)) continue;
      spread[h] += weights[m] * projection.spread[h];
      counted[h] += weights[m];
    }
  });
  return { mean, spread: spread.map((sum, h) => (counted[h] > 0 ? sum / counted[h] : NaN)) };
}

import { grouped } from "../core/quantity.js";
import type { ParamValue } from "../learners/params.js";
import { errorScales, type ErrorScales, type ScoreTotals } from "../metrics/forecast.js";
import { autoForecast } from "./auto.js";
import { clipped, eventsOf, type OutlierRule, type SeriesEvent } from "./events.js";
import { checkNames, checkValues, residualChecks } from "./residual-checks.js";
import type { ForecastFit, History } from "./model.js";
import { withRegressors } from "./regression-layer.js";
import { lastResort, paramsFor, readyModels, type ReadyModel } from "./registry.js";
import { transformed, type TransformName } from "./transform.js";

/** What is done with every series of a call; goes to the threads as it is. */
export interface Plan {
  horizon: number;
  season: number;
  seasons: number[];
  /** Models that are forecast with, each on its own; `auto` may be among them. */
  models: string[];
  /** Models that speak in `auto` beside its own members. */
  autoAlso: string[];
  /** Models that could not be learned over all series, and who speaks for them. */
  instead: Record<string, string>;
  params: Record<string, ParamValue>;
  effort: "full" | "quick";
  transform: TransformName;
  /** Whether what stands out of a history is moved in before models see it. */
  outliers: OutlierRule;
  /** Whether anomalies and changes of the histories are looked for. */
  events: boolean;
}

/** Series to work on, and the windows that their models are judged in. */
export interface Batch {
  plan: Plan;
  /** The values of series s lie at starts[s]..starts[s+1]. */
  values: Float64Array;
  starts: Int32Array;
  /** History lengths of the windows; those of series s lie at windows[s]..windows[s+1]. */
  cuts: Int32Array;
  windows: Int32Array;
  /** Regressors: arrays of values and futures of all series, series s at starts[s] + s * horizon. */
  known: Float64Array[];
  /** Forecasts made elsewhere (one model over all series), by name. */
  made: Record<string, MadeForecasts>;
}

/** Forecasts of one model: `horizon` values for every window and for every series. */
export interface MadeForecasts {
  windows: Projections;
  ahead: Projections;
}

/** Means and the deviations expected of their errors (NaN where it cannot be told), horizon by horizon. */
export interface Projections {
  mean: Float64Array;
  spread: Float64Array;
}

export interface SeriesFallback {
  series: number;
  model: string;
  used: string;
  reason: string;
}

export interface BatchOutput {
  /** By model of the plan. */
  forecasts: Record<string, MadeForecasts>;
  /** Errors of the members of `auto` in the windows. */
  members: Record<string, ScoreTotals>;
  /** What `auto` did, by series: a model's name, or "ensemble". */
  chosen: string[];
  /** Whether `auto` took the demand for intermittent, by series. */
  rare: boolean[];
  fallbacks: SeriesFallback[];
  /** By model of the plan: checks of its residuals (`checkNames`), series after series; of `auto` those of its leading member. */
  checks: Record<string, Float64Array>;
  /** Of every series, where the plan asks for them. */
  events: SeriesEvent[][];
}

const blank = (places: number): Projections => ({
  mean: new Float64Array(places),
  spread: new Float64Array(places).fill(NaN),
});

/** Fits every model of the plan to every series and every window of a batch. */
export function workBatch({ plan, values, starts, cuts, windows, known, made }: Batch): BatchOutput {
  const { horizon } = plan;
  const count = starts.length - 1;
  const models = new Map<string, ReadyModel>();
  const output: BatchOutput = {
    forecasts: Object.fromEntries(
      plan.models.map((name) => [
        name,
        { windows: blank(cuts.length * horizon), ahead: blank(count * horizon) },
      ]),
    ),
    members: {},
    chosen: [],
    rare: [],
    fallbacks: [],
    checks: Object.fromEntries(
      plan.models.map((name) => [name, new Float64Array(count * checkNames.length).fill(NaN)]),
    ),
    events: [],
  };
  for (let s = 0; s < count; s++) {
    const own = values.subarray(starts[s], starts[s + 1]);
    const knownOwn = known.map((column) =>
      column.subarray(starts[s] + s * horizon, starts[s + 1] + (s + 1) * horizon),
    );
    const work = new SeriesWork(own, plan, knownOwn, models);
    const from = windows[s];
    const ownCuts = cuts.subarray(from, windows[s + 1]);
    if (own.length > mostSeen)
      for (const name of plan.models)
        output.fallbacks.push({
          ...{ series: s, model: name, used: name },
          reason: `longer than ${grouped(mostSeen)} values: models saw the last ones`,
        });
    if (plan.events) output.events.push(eventsOf(own, plan.season));
    for (const name of plan.models) {
      const check = (fit: ForecastFit | undefined): void => {
        const residuals = fit?.residuals?.();
        if (residuals)
          output.checks[name].set(checkValues(residualChecks(residuals, plan.season)), s * checkNames.length);
      };
      const into = output.forecasts[name];
      if (name === "auto") {
        const result = autoForecast(
          work,
          ownCuts,
          output.members,
          Object.fromEntries(
            Object.keys(made).map((other) => [other, madeOf(made[other], s, from, ownCuts.length, horizon)]),
          ),
        );
        output.chosen.push(result.chosen);
        output.rare.push(result.rare);
        result.windows.forEach((one, i) => place(into.windows, from + i, one));
        place(into.ahead, s, result.ahead);
        check(result.lead);
        continue;
      }
      if (made[name]) {
        const ready = madeOf(made[name], s, from, ownCuts.length, horizon);
        ready.windows.forEach((one, i) => place(into.windows, from + i, one));
        place(into.ahead, s, ready.ahead);
        continue;
      }
      const spoken = plan.instead[name] ?? name;
      work.windows(spoken, ownCuts).forEach((one, i) => place(into.windows, from + i, one));
      const ahead = work.forecast(spoken, own.length);
      if (ahead.reason)
        output.fallbacks.push({ series: s, model: name, used: ahead.used, reason: ahead.reason });
      place(into.ahead, s, ahead);
      check(ahead.fit);
    }
  }
  return output;
}

function place(into: Projections, at: number, { mean, spread }: Projections): void {
  into.mean.set(mean, at * mean.length);
  into.spread.set(spread, at * spread.length);
}

function madeOf(made: MadeForecasts, s: number, from: number, count: number, horizon: number) {
  const slice = ({ mean, spread }: Projections, at: number): Projections => ({
    mean: mean.subarray(at * horizon, (at + 1) * horizon),
    spread: spread.subarray(at * horizon, (at + 1) * horizon),
  });
  return {
    windows: Array.from({ length: count }, (_, i) => slice(made.windows, from + i)),
    ahead: slice(made.ahead, s),
  };
}

interface FitAsk {
  flat?: boolean;
  params?: Record<string, ParamValue>;
}

/** What a model says of the periods after a history. */
export interface Projected extends Projections {
  used: string;
  reason?: string;
  /** The fit, where the model asked for was used. */
  fit?: ForecastFit;
}

/**
 * Values of a history that models see, the last ones: smoothing has long forgotten what was before, and a sensor's million
 * values would take minutes for every model.
 */
export const mostSeen = 20_000;
/** A form or order chosen from fewer values is chosen anew in the next window. */
const fewestToChoose = 40;
const firstSeen = (cut: number): number => Math.max(0, cut - mostSeen);

/** One series with what is known of it: fits models to the whole of it, or to its beginning. */
export class SeriesWork {
  private readonly scales = new Map<number, ErrorScales>();
  private readonly histories = new Map<number, Float64Array>();

  constructor(
    readonly values: Float64Array,
    readonly plan: Plan,
    private readonly known: readonly Float64Array[],
    private readonly models: Map<string, ReadyModel>,
  ) {}

  /** Whether there are regressors. */
  get hasKnown(): boolean {
    return this.known.length > 0;
  }

  /** The model of a name, with the parameters of the call where it has them. */
  private modelNamed(name: string, own?: Record<string, ParamValue>): ReadyModel {
    const key = own ? `${name} ${JSON.stringify(own)}` : name;
    let model = this.models.get(key);
    if (!model) {
      [model] = readyModels([name], { ...paramsFor(name, this.plan.params), ...own });
      this.models.set(key, model);
    }
    return model;
  }

  /**
   * Forecasts of one model from the first `cut` values. A model that the history is too short for, that fails, or
   * that gives no finite numbers makes way for a simpler one.
   *
   * @param how   `flat`: as if there were no season; `params`: of its own
   * @param like  a fit to an earlier part, whose form or order is kept
   */
  forecast(name: string, cut: number, how: FitAsk = {}, like?: ForecastFit): Projected {
    const values = this.history(cut);
    const season = how.flat ? 1 : this.plan.season;
    const history = {
      values,
      season,
      seasons: how.flat ? [1] : this.plan.seasons,
      known: this.hasKnown ? this.known.map((column) => column.subarray(firstSeen(cut))) : undefined,
    };
    const model = this.modelNamed(name, how.params);
    const needed = model.needs(season);
    let reason = `fewer than the ${needed} values that ${name} needs`;
    if (values.length >= needed) {
      const found = attempt(() => {
        const fit = this.fitted(model, history, like);
        return { ...projected(fit, values, this.plan.horizon), fit };
      });
      if (typeof found !== "string") return { ...found, used: name };
      reason = found;
    }
    const simple = this.modelNamed(lastResort).fit(history);
    return { ...projected(simple, values, this.plan.horizon), used: lastResort, reason };
  }

  /** The first `cut` values, as models see them: what stands out of them is told from them alone. */
  private history(cut: number): Float64Array {
    const values = this.values.subarray(firstSeen(cut), cut);
    if (this.plan.outliers === "keep") return values;
    let found = this.histories.get(cut);
    if (!found) {
      found = clipped(values, this.plan.season);
      this.histories.set(cut, found);
    }
    return found;
  }

  /** A fit on the scale that was asked for, with the regressors taken into account. */
  private fitted(model: ReadyModel, history: History, like: ForecastFit | undefined): ForecastFit {
    const plain = (rest: History): ForecastFit => like?.again?.(rest) ?? model.fit(rest);
    const regressed = (rest: History): ForecastFit =>
      rest.known && !model.regressors ? withRegressors(rest, plain) : plain(rest);
    return transformed(history, this.plan.transform, regressed);
  }

  /**
   * Forecasts of one model in every window. Its form or order is chosen at the earliest one that has enough values to tell, where
   * nothing of the later ones is known, and kept: choosing takes most of the time.
   */
  windows(name: string, cuts: Int32Array, how: FitAsk = {}): Projected[] {
    let first: ForecastFit | undefined;
    return [...cuts]
      .reverse()
      .map((cut) => {
        const found = this.forecast(name, cut, how, first);
        if (cut >= fewestToChoose) first ??= found.fit;
        return found;
      })
      .reverse();
  }

  scalesAt(cut: number): ErrorScales {
    let found = this.scales.get(cut);
    if (!found) {
      found = errorScales(this.values.subarray(0, cut), this.plan.season);
      this.scales.set(cut, found);
    }
    return found;
  }

  truthAt(cut: number): Float64Array {
    return this.values.subarray(cut, cut + this.plan.horizon);
  }
}

/** What it gives, or why it gives nothing. */
function attempt<T extends Projections>(work: () => T): T | string {
  try {
    const found = work();
    return found.mean.every(Number.isFinite) ? found : "gave no finite forecast";
  } catch (error) {
    // One series must not end the work on all others; what went wrong is listed with it.
    return `could not be fitted (${(error as Error).message})`;
  }
}

/** Means and deviations of a fit; not below zero where the history never is. */
function projected(fit: ForecastFit, history: Float64Array, horizon: number): Projections {
  const floor = floorOf(history);
  const mean = fit.mean(horizon);
  for (let h = 0; h < horizon; h++) mean[h] = Math.max(floor, mean[h]);
  return { mean, spread: fit.spread(horizon) };
}

/** 0 for a history that never is below it, else no floor. */
export function floorOf(history: Float64Array): number {
  for (const value of history) if (value < 0) return -Infinity;
  return 0;
}

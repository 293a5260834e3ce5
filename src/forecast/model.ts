import type { Engine } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import type { ParamsOf, ParamTable } from "../learners/params.js";
import type { Windows } from "./backtest.js";
import type { MadeForecasts } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** What one series gives a model: values at equal distances, oldest first, none missing. */
export interface History {
  values: Float64Array;
  /** Periods after which the pattern repeats; 1 for none. */
  season: number;
  /** All periods after which patterns repeat, shortest first (24 and 168 for hours); `season` alone by default. */
  seasons?: readonly number[];
  /**
   * Values known for the history and for the future (price, promotion, holidays): one array per regressor, each
   * at least as long as the history and the horizon together.
   */
  known?: readonly Float64Array[];
}

/** A model fitted to one history. */
export interface ForecastFit {
  /** Expected values of the next `horizon` periods, in the unit of the values. */
  mean(horizon: number): Float64Array;
  /** Standard deviations of the errors 1..horizon periods ahead; NaN when the history is too short to tell. */
  spread(horizon: number): Float64Array;
  /** Fits the same form or order to another history of the series; absent where that saves no time. */
  again?(history: History): ForecastFit;
  /** One-step errors in the history, on the scale that was fitted; relative ones where the errors multiply. */
  residuals?(): Float64Array;
  /** What was fitted, for people and tests. */
  about: Readonly<Record<string, number | string>>;
}

/** What help and checks know of a model. */
export interface ModelAbout<T extends ParamTable = ParamTable> {
  name: string;
  /** One line: when to use it. */
  summary: string;
  /** Paper or book, with its year. */
  source: string;
  params: T;
}

/**
 * One way to forecast a series. A new one is a file of this room and its line in registry.ts.
 *
 * A model sees clean histories only: gaps, short and constant series are dealt with by the frame
 * around it, so `fit` never throws.
 */
export interface ForecastModel<T extends ParamTable = ParamTable> extends ModelAbout<T> {
  /** Differs from a simpler model only where there is a season. */
  seasonal: boolean;
  /** Takes regressors into its own fit; they are taken out before the others see a history. */
  regressors?: boolean;
  /** The fewest values that it can be fitted to. */
  needs(season: number): number;
  fit(history: History, params: ParamsOf<T>): ForecastFit;
}

/** All series at once, with the windows of their backtest. */
export interface PanelAsk {
  set: SeriesSet;
  windows: Windows;
  season: number;
  /** All seasons, the shortest first. */
  seasons: readonly number[];
  horizon: number;
}

/** One model over all series. */
export interface PanelModel<T extends ParamTable = ParamTable> extends ModelAbout<T> {
  /**
   * Forecasts of every series, and of every window from what lies before the earliest window of its series.
   *
   * @returns why there are none, where the series are too few or too short to learn from
   */
  forecast(ask: PanelAsk, params: ParamsOf<T>, engine: Engine, run: Run): Promise<MadeForecasts | string>;
}

/** Declares a model over all series. */
export function definePanelModel<const T extends ParamTable>(model: PanelModel<T>): PanelModel {
  return model as unknown as PanelModel;
}

/** Declares a model; nothing but a place for the types to meet. */
export function defineForecastModel<const T extends ParamTable>(model: ForecastModel<T>): ForecastModel {
  return model as unknown as ForecastModel;
}

/** Root of the sum of squares over the count less `parameters`; NaN where nothing is left. */
export function deviationOf(squares: number, count: number, parameters = 0): number {
  return count > parameters ? Math.sqrt(squares / (count - parameters)) : NaN;
}

/** A deviation that grows with the step (from 1). */
export function grown(deviation: number, growth: (step: number) => number): ForecastFit["spread"] {
  return (horizon) => Float64Array.from({ length: horizon }, (_, h) => deviation * growth(h + 1));
}

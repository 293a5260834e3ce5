import type { ParamsOf, ParamTable } from "../learners/params.js";

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
  /** What was fitted, for people and tests. */
  about: Readonly<Record<string, number | string>>;
}

/**
 * One way to forecast. A new one is a file of this room and its line in registry.ts.
 *
 * A model sees clean histories only: gaps, short and constant series are dealt with by the frame
 * around it, so `fit` never throws.
 */
export interface ForecastModel<T extends ParamTable = ParamTable> {
  name: string;
  /** One line: when to use it. */
  summary: string;
  /** Paper or book, with its year. */
  source: string;
  params: T;
  /** Differs from a simpler model only where there is a season. */
  seasonal: boolean;
  /** The fewest values that it can be fitted to. */
  needs(season: number): number;
  fit(history: History, params: ParamsOf<T>): ForecastFit;
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

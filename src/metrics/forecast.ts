import { ratio, type MetricInfo } from "./metric.js";

export const forecastMetrics: MetricInfo[] = [
  {
    name: "smape",
    summary: "mean of 200 |y - f| / (|y| + |f|), 0..200; 0 where both are zero; mean over series",
    source: "Makridakis, Spiliotis & Assimakopoulos (2020), Int. J. Forecasting 36:54-74 (M4)",
    better: "lower",
    undefinedWhen: "there is no backtest",
  },
  {
    name: "mase",
    summary: "mean absolute error over that of the seasonal naive in the history; mean over series",
    source: "Hyndman & Koehler (2006), Int. J. Forecasting 22:679-688",
    better: "lower",
    undefinedWhen: "every series repeats its season exactly",
  },
  {
    name: "owa",
    summary: "mean of smape and mase, each over that of naive2",
    source: "Makridakis, Spiliotis & Assimakopoulos (2020), Int. J. Forecasting 36:54-74 (M4)",
    better: "lower",
    undefinedWhen: "naive2 makes no error, or there is no backtest",
  },
  {
    name: "rmsse",
    summary: "root mean squared error over that of the naive in the history; mean over series",
    source: "Makridakis, Spiliotis & Assimakopoulos (2022), Int. J. Forecasting 38:1346-1364 (M5)",
    better: "lower",
    undefinedWhen: "every series is constant",
  },
  {
    name: "wape",
    summary: "sum of absolute errors over the sum of absolute truths, all series together",
    source: "Kolassa & Schütz (2007), Foresight 6:40-43 (MAD/mean ratio)",
    better: "lower",
    undefinedWhen: "all true values are zero",
  },
  {
    name: "bias",
    summary: "sum of (forecast - truth) over the sum of absolute truths; above 0 forecasts too much",
    source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 5.8, as a share",
    better: "neither",
    undefinedWhen: "all true values are zero",
  },
  {
    name: "coverage_k",
    summary: "share of truths inside the k % interval; best at k / 100",
    source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 5.9",
    better: "neither",
    undefinedWhen: "there is no backtest",
  },
];

/** Scales of one history, by which errors of series of any size become comparable. */
export interface ErrorScales {
  /** Mean absolute difference to the value a season before; NaN when there is none or it is zero. */
  seasonal: number;
  /** Root mean squared difference to the value before, from the first value that is not zero. */
  step: number;
}

/** MASE's and RMSSE's scales of a history (Hyndman & Koehler 2006; M5 guide). */
export function errorScales(history: Float64Array, season: number): ErrorScales {
  // A history shorter than a season is scaled by its plain steps.
  const lag = history.length > season ? season : 1;
  let absolute = 0;
  for (let t = lag; t < history.length; t++) absolute += Math.abs(history[t] - history[t - lag]);
  const first = Math.max(
    0,
    history.findIndex((value) => value !== 0),
  );
  let squares = 0;
  for (let t = first + 1; t < history.length; t++) squares += (history[t] - history[t - 1]) ** 2;
  return {
    seasonal: absolute > 0 ? absolute / (history.length - lag) : NaN,
    step: squares > 0 ? Math.sqrt(squares / (history.length - 1 - first)) : NaN,
  };
}

/** Adds up the errors of one model, first within a series, then over series. Plain data, so that it goes between threads. */
export class ScoreTotals {
  series = 0;
  sums = { smape: 0, mase: 0, rmsse: 0 };
  counts = { mase: 0, rmsse: 0 };
  absolute = 0;
  signed = 0;
  size = 0;

  /** Adds the totals of other series. */
  merge(other: ScoreTotals): void {
    this.series += other.series;
    for (const name of ["smape", "mase", "rmsse"] as const) this.sums[name] += other.sums[name];
    for (const name of ["mase", "rmsse"] as const) this.counts[name] += other.counts[name];
    this.absolute += other.absolute;
    this.signed += other.signed;
    this.size += other.size;
  }

  /**
   * One series: its origins' truths and forecasts, with the scales of each origin's history.
   * MASE and RMSSE leave out origins whose scale is undefined.
   */
  add(origins: readonly { truth: Float64Array; forecast: Float64Array; scales: ErrorScales }[]): void {
    if (origins.length === 0) return;
    const own = { smape: 0, mase: 0, rmsse: 0, maseOrigins: 0, rmsseOrigins: 0 };
    for (const { truth, forecast, scales } of origins) {
      const sums = errorSums(truth, forecast);
      own.smape += sums.smape / truth.length;
      this.absolute += sums.absolute;
      this.signed += sums.signed;
      this.size += sums.size;
      if (!Number.isNaN(scales.seasonal)) {
        own.mase += sums.absolute / truth.length / scales.seasonal;
        own.maseOrigins++;
      }
      if (!Number.isNaN(scales.step)) {
        own.rmsse += Math.sqrt(sums.squares / truth.length) / scales.step;
        own.rmsseOrigins++;
      }
    }
    this.series++;
    this.sums.smape += own.smape / origins.length;
    if (own.maseOrigins > 0) {
      this.sums.mase += own.mase / own.maseOrigins;
      this.counts.mase++;
    }
    if (own.rmsseOrigins > 0) {
      this.sums.rmsse += own.rmsse / own.rmsseOrigins;
      this.counts.rmsse++;
    }
  }

  /** Totals that came from another thread, with their methods. */
  static of(plain: ScoreTotals): ScoreTotals {
    return Object.assign(new ScoreTotals(), plain);
  }

  /** `smape`, `mase`, `rmsse`, `wape` and `bias`; NaN where undefined. */
  values(): Record<"smape" | "mase" | "rmsse" | "wape" | "bias", number> {
    return {
      smape: ratio(this.sums.smape, this.series),
      mase: ratio(this.sums.mase, this.counts.mase),
      rmsse: ratio(this.sums.rmsse, this.counts.rmsse),
      wape: ratio(this.absolute, this.size),
      bias: ratio(this.signed, this.size),
    };
  }
}

/** Sums over one horizon. */
function errorSums(truth: Float64Array, forecast: Float64Array) {
  const sums = { smape: 0, absolute: 0, squares: 0, signed: 0, size: 0 };
  for (let h = 0; h < truth.length; h++) {
    const error = forecast[h] - truth[h];
    const both = Math.abs(truth[h]) + Math.abs(forecast[h]);
    sums.smape += both === 0 ? 0 : (200 * Math.abs(error)) / both;
    sums.absolute += Math.abs(error);
    sums.squares += error * error;
    sums.signed += error;
    sums.size += Math.abs(truth[h]);
  }
  return sums;
}

/** OWA of M4: the mean of the two ratios to the benchmark naive2. */
export function overallWeightedAverage(
  own: { smape: number; mase: number },
  naive2: { smape: number; mase: number },
): number {
  return (ratio(own.smape, naive2.smape) + ratio(own.mase, naive2.mase)) / 2;
}

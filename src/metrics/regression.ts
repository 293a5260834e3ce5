import { ratio, taken, type Measure, type MetricInfo } from "./metric.js";

const sklearn = "scikit-learn, sklearn.metrics";

export const regressionMetrics: MetricInfo[] = [
  {
    name: "rmse",
    summary: "root mean squared error, in the target's unit",
    source: `${sklearn}.root_mean_squared_error`,
    better: "lower",
    undefinedWhen: "there is no row",
  },
  {
    name: "mae",
    summary: "mean absolute error, in the target's unit",
    source: `${sklearn}.mean_absolute_error`,
    better: "lower",
    undefinedWhen: "there is no row",
  },
  {
    name: "mape",
    summary: "mean absolute error as a share of the truth, 0.1 is 10 %",
    source: `${sklearn}.mean_absolute_percentage_error`,
    better: "lower",
    undefinedWhen: "a true value is zero",
  },
  {
    name: "wape",
    summary: "sum of absolute errors as a share of the sum of absolute truths",
    source: "Kolassa & Schütz (2007), Foresight 6:40-43 (MAD/mean ratio)",
    better: "lower",
    undefinedWhen: "all true values are zero",
  },
  {
    name: "r2",
    summary: "share of the variance explained, 1 is all of it",
    source: `${sklearn}.r2_score`,
    better: "higher",
    undefinedWhen: "the true values are all equal",
  },
  {
    name: "pinball",
    summary: "quantile loss, in the target's unit, at the quantile that the model predicts (0.5 by default)",
    source: `${sklearn}.mean_pinball_loss; Koenker & Bassett (1978), Econometrica 46:33-50`,
    better: "lower",
    undefinedWhen: "there is no row",
  },
];

export interface RegressionRows {
  truth: Float64Array;
  predicted: Float64Array;
  /** The quantile that the predictions stand for, in (0, 1); the median by default. */
  quantile?: number;
}

/** The same for some of the rows. */
export function regressionSubset(data: RegressionRows, rows: Uint32Array): RegressionRows {
  return { ...data, truth: taken(data.truth, rows), predicted: taken(data.predicted, rows) };
}

/** All regression metrics. */
export function measureRegression({ truth, predicted, quantile = 0.5 }: RegressionRows): Measure {
  const rows = truth.length;
  let center = 0;
  for (const value of truth) center += value / rows;
  return {
    family: regressionMetrics,
    names: regressionMetrics.map((metric) => metric.name),
    units: rows,
    cost: 1,
    at(weights) {
      let total = 0;
      let squares = 0;
      let absolute = 0;
      let shares = 0;
      let size = 0;
      let pinball = 0;
      let first = 0;
      let second = 0;
      for (let row = 0; row < rows; row++) {
        const weight = weights[row];
        if (weight === 0) continue;
        const error = truth[row] - predicted[row];
        const distance = Math.abs(error);
        const centered = truth[row] - center;
        total += weight;
        squares += weight * error * error;
        absolute += weight * distance;
        shares += truth[row] === 0 ? NaN : (weight * distance) / Math.abs(truth[row]);
        size += weight * Math.abs(truth[row]);
        pinball += weight * (error >= 0 ? quantile * error : (quantile - 1) * error);
        first += weight * centered;
        second += weight * centered * centered;
      }
      const spread = second - (first * first) / total;
      return Float64Array.of(
        Math.sqrt(ratio(squares, total)),
        ratio(absolute, total),
        ratio(shares, total),
        ratio(absolute, size),
        spread <= 1e-14 * second ? NaN : 1 - squares / spread,
        ratio(pinball, total),
      );
    },
  };
}

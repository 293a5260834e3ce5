import { defineForecastModel, deviationOf, grown } from "./model.js";

/** The last value goes on. The best forecast of a random walk, and the one to beat. */
export default defineForecastModel({
  name: "naive",
  summary: "the last value goes on; what every other model has to beat",
  source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., 5.2",
  params: {},
  seasonal: false,
  needs: () => 1,
  fit({ values }) {
    const last = values[values.length - 1];
    let squares = 0;
    for (let t = 1; t < values.length; t++) squares += (values[t] - values[t - 1]) ** 2;
    return {
      mean: (horizon) => new Float64Array(horizon).fill(last),
      spread: grown(deviationOf(squares, values.length - 1), (step) => Math.sqrt(step)),
      residuals: () => values.subarray(1).map((value, t) => value - values[t]),
      about: {},
    };
  },
});

import { defineForecastModel, deviationOf, grown } from "./model.js";

/** The line from the first value to the last goes on: a random walk with drift. */
export default defineForecastModel({
  name: "drift",
  summary: "the line from the first value to the last goes on",
  source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., 5.2 and table 5.2",
  params: {},
  seasonal: false,
  needs: () => 2,
  fit({ values }) {
    const n = values.length;
    const slope = (values[n - 1] - values[0]) / (n - 1);
    let squares = 0;
    for (let t = 1; t < n; t++) squares += (values[t] - values[t - 1] - slope) ** 2;
    return {
      mean: (horizon) => Float64Array.from({ length: horizon }, (_, h) => values[n - 1] + (h + 1) * slope),
      spread: grown(deviationOf(squares, n - 1, 1), (step) => Math.sqrt(step * (1 + step / (n - 1)))),
      residuals: () => values.subarray(1).map((value, t) => value - values[t] - slope),
      about: { slope },
    };
  },
});

import { defineForecastModel, deviationOf, grown } from "./model.js";

/** Every period is as it was a season ago. */
export default defineForecastModel({
  name: "seasonal-naive",
  summary: "every period is as it was a season ago (last Monday, last January)",
  source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., 5.2 and table 5.2",
  params: {},
  seasonal: true,
  needs: (season) => season,
  fit({ values, season }) {
    const start = values.length - season;
    let squares = 0;
    for (let t = season; t < values.length; t++) squares += (values[t] - values[t - season]) ** 2;
    return {
      mean: (horizon) => Float64Array.from({ length: horizon }, (_, step) => values[start + (step % season)]),
      spread: grown(deviationOf(squares, values.length - season), (step) =>
        Math.sqrt(Math.floor((step - 1) / season) + 1),
      ),
      residuals: () => values.subarray(season).map((value, t) => value - values[t]),
      about: {},
    };
  },
});

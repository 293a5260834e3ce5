import { int } from "../learners/params.js";
import { defineForecastModel, deviationOf, grown } from "./model.js";

/** The mean of the last values goes on. */
export default defineForecastModel({
  name: "window-mean",
  summary: "the mean of the last values goes on: hard to beat for slow sellers",
  source: "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., 5.2 (mean method)",
  params: {
    window: int({
      default: 0,
      min: 0,
      max: 100_000,
      help: "values in the mean; 0 takes a season, made longer to hold 12 values or more",
    }),
  },
  seasonal: false,
  needs: () => 2,
  fit({ values, season }, { window }) {
    const wanted = window > 0 ? window : season * Math.ceil(12 / season);
    const length = Math.min(wanted, values.length);
    let sum = 0;
    for (let t = values.length - length; t < values.length; t++) sum += values[t];
    const mean = sum / length;
    let squares = 0;
    for (let t = values.length - length; t < values.length; t++) squares += (values[t] - mean) ** 2;
    return {
      mean: (horizon) => new Float64Array(horizon).fill(mean),
      spread: grown(deviationOf(squares * (1 + 1 / length), length, 1), () => 1),
      about: { window: length },
    };
  },
});

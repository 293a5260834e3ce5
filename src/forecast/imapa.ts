import { aggregatedRate, meanInterval, squaresAround } from "./intermittent/aggregated.js";
import { defineForecastModel, deviationOf, grown } from "./model.js";

/** The mean of forecasts from sums over 1, 2, ... periods, up to the mean interval of demand. */
export default defineForecastModel({
  name: "imapa",
  summary: "the mean of forecasts at several levels of aggregation over time",
  source:
    "Petropoulos & Kourentzes (2015), Forecast combinations for intermittent demand, J. Operational Research Society 66:914-924",
  params: {},
  seasonal: false,
  needs: () => 3,
  fit({ values }) {
    const longest = Math.min(meanInterval(values), Math.floor(values.length / 2));
    let rate = 0;
    for (let length = 1; length <= longest; length++) rate += aggregatedRate(values, length) / longest;
    return {
      mean: (horizon) => new Float64Array(horizon).fill(rate),
      spread: grown(deviationOf(squaresAround(values, rate), values.length, 1), () => 1),
      about: { blocks: longest },
    };
  },
});

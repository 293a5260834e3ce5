import { aggregatedRate, meanInterval, squaresAround } from "./intermittent/aggregated.js";
import { defineForecastModel, deviationOf, grown } from "./model.js";

/** Aggregate, smooth, disaggregate: demand is added up over its mean interval, which leaves few zeros. */
export default defineForecastModel({
  name: "adida",
  summary: "demand added up over its mean interval, smoothed, shared out again",
  source:
    "Nikolopoulos, Syntetos, Boylan, Petropoulos & Assimakopoulos (2011), An aggregate-disaggregate intermittent demand approach (ADIDA), J. Operational Research Society 62:544-554",
  params: {},
  seasonal: false,
  needs: () => 3,
  fit({ values }) {
    const length = Math.min(meanInterval(values), Math.floor(values.length / 2));
    const rate = aggregatedRate(values, length);
    return {
      mean: (horizon) => new Float64Array(horizon).fill(rate),
      spread: grown(deviationOf(squaresAround(values, rate), values.length, 1), () => 1),
      about: { block: length },
    };
  },
});

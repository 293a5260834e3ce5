import { choice } from "../learners/params.js";
import { bestEts } from "./ets.js";
import { etsMean, etsSpread } from "./ets/outlook.js";
import { etsForms } from "./ets/forms.js";
import { defineForecastModel } from "./model.js";
import { mstlParts } from "./mstl/stl.js";

/**
 * Several seasons taken out by STL, the rest forecast by exponential smoothing without a season, the last
 * cycle of every season put back.
 *
 * Bandara, Hyndman & Bergmeir (2021), MSTL: A Seasonal-Trend Decomposition Algorithm for Time Series with Multiple
 * Seasonal Patterns, arXiv:2107.13462.
 */
export default defineForecastModel({
  name: "mstl",
  summary: "several seasons (hour of day, day of week, week of year) by STL, the rest by ets",
  source: "Bandara, Hyndman & Bergmeir (2021), MSTL, arXiv:2107.13462",
  params: {
    scale: choice({
      default: "auto",
      choices: ["auto", "plain", "log"],
      help: "auto takes logarithms where every value is well above zero: seasons then multiply",
    }),
  },
  seasonal: true,
  needs: (season) => 2 * season + 1,
  fit({ values, season, seasons = [season] }, { scale }) {
    const log = scale !== "plain" && farFromZero(values, scale === "log" ? 0 : 0.001);
    const y = log ? values.map(Math.log) : values;
    const usable = seasons.filter((one) => one > 1 && 2 * one < values.length);
    const { seasonal, adjusted } = mstlParts(y, usable);
    const rest = bestEts(adjusted, 1, restForms) ?? bestEts(adjusted, 1, etsForms)!;
    const meanOf = (horizon: number): Float64Array => {
      const mean = etsMean(rest, horizon);
      usable.forEach((one, i) => {
        for (let h = 0; h < horizon; h++) mean[h] += seasonal[i][y.length - one + (h % one)];
      });
      return mean;
    };
    return {
      mean: (horizon) => (log ? meanOf(horizon).map(Math.exp) : meanOf(horizon)),
      spread(horizon) {
        const spread = etsSpread(rest, horizon);
        // By the delta method: a step of s in the logarithm is s times the value.
        if (log) meanOf(horizon).forEach((value, h) => (spread[h] *= Math.exp(value)));
        return spread;
      },
      residuals: () => rest.residuals(),
      about: { form: rest.form.name, log: log ? 1 : 0, seasons: usable.join(",") },
    };
  },
});

/** Additive forms: what is left has no scale of its own. */
const restForms = etsForms.filter(({ error, season }) => error === "A" && season === "N");

/** Whether every value exceeds a share of the mean. */
export function farFromZero(values: Float64Array, share: number): boolean {
  let sum = 0;
  let low = Infinity;
  for (const value of values) {
    sum += value;
    low = Math.min(low, value);
  }
  return low > 0 && low > (share * sum) / values.length;
}

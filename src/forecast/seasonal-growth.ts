import { int } from "../learners/params.js";
import { defineForecastModel, deviationOf } from "./model.js";

/** Growth beyond these factors is taken for a level shift that last year tells nothing about. */
const leastGrowth = 0.5;
const mostGrowth = 2;

/** Every period is as it was a season ago, times the growth of the last periods on those a season before them. */
export default defineForecastModel({
  name: "seasonal-growth",
  summary: "a season ago, times the growth of the last weeks on the same weeks then",
  source:
    "Makridakis, Wheelwright & Hyndman (1998), Forecasting: Methods and Applications, 3rd ed., ch. 2 (seasonal random walk), with a ratio for growth",
  params: {
    window: int({
      default: 0,
      min: 0,
      max: 100_000,
      help: "periods that growth is measured over; 0 takes a sixth of a season, 2 at least",
    }),
  },
  seasonal: true,
  needs: (season) => season + Math.max(2, Math.round(season / 6)),
  fit({ values, season }, { window }) {
    const n = values.length;
    const wanted = window > 0 ? window : Math.max(2, Math.round(season / 6));
    const length = Math.min(wanted, n - season);
    // growth[t] for a forecast made after t values.
    const growthAfter = (end: number): number => {
      let now = 0;
      let then = 0;
      for (let t = end - length; t < end; t++) {
        now += values[t];
        then += values[t - season];
      }
      return now > 0 && then > 0 ? Math.min(mostGrowth, Math.max(leastGrowth, now / then)) : 1;
    };
    const growth = growthAfter(n);
    let squares = 0;
    let count = 0;
    for (let t = season + length; t < n; t++, count++)
      squares += (values[t] - growthAfter(t) * values[t - season]) ** 2;
    const deviation = deviationOf(squares, count);
    return {
      mean(horizon) {
        const forecast = new Float64Array(horizon);
        for (let h = 0; h < horizon; h++)
          forecast[h] = h < season ? growth * values[n - season + h] : growth * forecast[h - season];
        return forecast;
      },
      spread: (horizon) =>
        Float64Array.from({ length: horizon }, (_, h) => deviation * Math.sqrt(Math.floor(h / season) + 1)),
      about: { growth },
    };
  },
});

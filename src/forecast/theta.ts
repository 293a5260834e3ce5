import { power } from "../core/power.js";
import { defineForecastModel, deviationOf } from "./model.js";
import { seasonallyAdjusted } from "./seasonal-adjustment.js";
import { bestAlpha, smoothed, smoothingErrors } from "./ses.js";

/**
 * The Theta method: simple exponential smoothing with half the slope of the linear trend as drift, on the seasonally
 * adjusted history.
 *
 * Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16:521-530, in the form of Hyndman & Billah (2003), Int. J.
 * Forecasting 19:287-290, which R's `thetaf` has too.
 */
export default defineForecastModel({
  name: "theta",
  summary: "Theta method: exponential smoothing with half the linear trend; best of M3",
  source: "Assimakopoulos & Nikolopoulos (2000), The theta model, Int. J. Forecasting 16:521-530",
  params: {},
  seasonal: false,
  needs: () => 3,
  fit({ values, season }) {
    const adjusted = seasonallyAdjusted(values, season);
    const y = adjusted.values;
    const n = y.length;
    const alpha = bestAlpha(y);
    const { squares, level } = smoothed(y, alpha);
    const drift = slopeOf(y) / 2;
    const settled = (1 - power(1 - alpha, n)) / alpha;
    const deviation = deviationOf(squares, n, 2);
    return {
      mean: (horizon) =>
        adjusted.restore(Float64Array.from({ length: horizon }, (_, h) => level + drift * (h + settled))),
      spread(horizon) {
        const spread = Float64Array.from(
          { length: horizon },
          (_, h) => deviation * Math.sqrt(1 + h * alpha * alpha),
        );
        adjusted.restore(new Float64Array(horizon), spread);
        return spread;
      },
      residuals: () => smoothingErrors(y, alpha),
      about: { alpha, drift, seasonal: adjusted.seasonal ? 1 : 0 },
    };
  },
});

/** The slope of the least squares line through equally distant values. */
export function slopeOf(values: Float64Array): number {
  const n = values.length;
  if (n < 2) return 0;
  const middle = (n - 1) / 2;
  let sum = 0;
  for (let t = 0; t < n; t++) sum += (t - middle) * values[t];
  return sum / ((n * (n * n - 1)) / 12);
}

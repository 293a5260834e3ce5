import { crostonFit, crostonParams } from "./intermittent/croston-rate.js";
import { defineForecastModel } from "./model.js";

/** Croston's method: the smoothed size of demands over the smoothed interval between them. */
export default defineForecastModel({
  name: "croston",
  summary: "demand size over demand interval, smoothed apart; for rare demand",
  source:
    "Croston (1972), Forecasting and stock control for intermittent demands, Operational Research Quarterly 23:289-303",
  params: crostonParams,
  seasonal: false,
  needs: () => 2,
  fit: ({ values }, { alpha }) => crostonFit(values, alpha, () => 1),
});

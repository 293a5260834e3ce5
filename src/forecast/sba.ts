import { crostonFit, crostonParams } from "./intermittent/croston-rate.js";
import { defineForecastModel } from "./model.js";

/** Croston's method with the Syntetos-Boylan approximation, which takes out its upward bias. */
export default defineForecastModel({
  name: "sba",
  summary: "Croston without its upward bias",
  source:
    "Syntetos & Boylan (2005), The accuracy of intermittent demand estimates, Int. J. Forecasting 21:303-314",
  params: crostonParams,
  seasonal: false,
  needs: () => 2,
  fit: ({ values }, { alpha }) => crostonFit(values, alpha, (weight) => 1 - weight / 2),
});

import { bestEts, etsForecast, formsNamed } from "./ets.js";
import { defineForecastModel } from "./model.js";

/** A trend that levels off, ETS(A,Ad,N), on values as they are. */
export default defineForecastModel({
  name: "damped",
  summary: "exponential smoothing with a trend that levels off",
  source: "Gardner & McKenzie (1985), Forecasting trends in time series, Management Science 31:1237-1246",
  params: {},
  seasonal: false,
  needs: () => 5,
  fit: ({ values }) =>
    etsForecast(bestEts(values, 1, formsNamed("AAdN")) ?? bestEts(values, 1, formsNamed("ANN"))!),
});

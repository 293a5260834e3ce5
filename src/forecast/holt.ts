import { bestEts, etsForecast, formsNamed } from "./ets.js";
import { defineForecastModel } from "./model.js";

/** Holt's linear trend, ETS(A,A,N), on values as they are. */
export default defineForecastModel({
  name: "holt",
  summary: "exponential smoothing with a linear trend",
  source: "Holt (1957), reprinted 2004, Int. J. Forecasting 20:5-10; fitted as ETS(A,A,N)",
  params: {},
  seasonal: false,
  needs: () => 5,
  fit: ({ values }) =>
    etsForecast(bestEts(values, 1, formsNamed("AAN")) ?? bestEts(values, 1, formsNamed("ANN"))!),
});

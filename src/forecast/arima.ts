import { choice, int } from "../learners/params.js";
import { fitArima, type ArimaFit, type ArimaOrder } from "./arima/fit.js";
import { longSeries, searchArima } from "./arima/search.js";
import { defineForecastModel, type ForecastFit, type History } from "./model.js";
import { mstlParts } from "./mstl/stl.js";

/** Above it all seasons are taken out by STL first: seasonal lags this long cost minutes and gain little. */
const longestArimaSeason = 13;

/**
 * Seasonal ARIMA with regressors, by exact maximum likelihood; the order by a stepwise search unless it is given.
 *
 * Hyndman & Khandakar (2008), Automatic time series forecasting: the forecast package for R, J. Statistical Software 27(3);
 * Box & Jenkins (1970).
 */
export default defineForecastModel({
  name: "arima",
  summary: "seasonal ARIMA, order found by AICc, with regressors (--regressors)",
  source: "Hyndman & Khandakar (2008), Automatic time series forecasting, J. Statistical Software 27(3)",
  params: {
    order: choice({
      default: "auto",
      choices: ["auto", "given"],
      help: "auto searches; given takes p, d, q, sp, sd, sq",
    }),
    p: int({ default: 0, min: 0, max: 5, help: "autoregressive order" }),
    d: int({ default: 1, min: 0, max: 2, help: "differences" }),
    q: int({ default: 1, min: 0, max: 5, help: "moving average order" }),
    sp: int({ default: 0, min: 0, max: 2, help: "seasonal autoregressive order" }),
    sd: int({ default: 0, min: 0, max: 1, help: "seasonal differences" }),
    sq: int({ default: 0, min: 0, max: 2, help: "seasonal moving average order" }),
  },
  seasonal: false,
  regressors: true,
  needs: () => 6,
  fit: (history, given) => arimaOf(history, given),
});

interface Given {
  order: string;
  p: number;
  d: number;
  q: number;
  sp: number;
  sd: number;
  sq: number;
}

/** @param like a fit to another part of the series, whose order is kept */
function arimaOf(history: History, given: Given, like?: ArimaFit): ForecastFit {
  const { values, season, seasons = [season], known } = history;
  const usable = seasons.filter((one) => one > 1 && values.length > 2 * one + 5);
  const stripped = season > longestArimaSeason && usable.length > 0;
  const parts = stripped ? mstlParts(values, usable) : undefined;
  const y = parts?.adjusted ?? values;
  const period = season > longestArimaSeason ? 1 : season;
  const fit = fitOf(y, period, known, given, like);
  const n = values.length;
  return {
    mean(horizon) {
      const mean = fit.mean(horizon);
      if (parts)
        usable.forEach((one, i) => {
          for (let h = 0; h < horizon; h++) mean[h] += parts.seasonal[i][n - one + (h % one)];
        });
      return mean;
    },
    spread: (horizon) => fit.spread(horizon),
    again: (other) => arimaOf(other, given, fit),
    residuals: () => fit.residuals,
    about: aboutArima(fit),
  };
}

function fitOf(
  values: Float64Array,
  season: number,
  known: readonly Float64Array[] | undefined,
  given: Given,
  like: ArimaFit | undefined,
): ArimaFit {
  const { p, d, q, sp, sd, sq } = given;
  const order: ArimaOrder | undefined =
    like?.order ??
    (given.order === "given" ? { p, d, q, P: sp, D: sd, Q: sq, constant: d + sd === 0 } : undefined);
  const search = like
    ? { exact: values.length <= longSeries, gain: 1e-2, start: like.places }
    : { exact: true, gain: 1e-6 };
  return (
    (order && fitArima(values, order, season, known, search)) ??
    searchArima(values, season, known) ??
    fitArima(values, { p: 0, d: 1, q: 0, P: 0, D: 0, Q: 0, constant: false }, 1)!
  );
}

function aboutArima(fit: ArimaFit): ForecastFit["about"] {
  const { order, season, logLikelihood, aic, aicc, sigma2 } = fit;
  const { p, d, q, P, D, Q } = order;
  const named = (name: string, values: Float64Array): [string, number][] =>
    [...values].map((value, i) => [`${name}${i + 1}`, value]);
  return {
    order: `(${p},${d},${q})${season > 1 ? `(${P},${D},${Q})[${season}]` : ""}${order.constant ? " with constant" : ""}`,
    ...Object.fromEntries([
      ...named("ar", fit.phi),
      ...named("ma", fit.theta),
      ...named("sar", fit.seasonalPhi),
      ...named("sma", fit.seasonalTheta),
      ...named("beta", fit.beta),
    ]),
    sigma2,
    log_likelihood: logLikelihood,
    aic,
    aicc,
  };
}

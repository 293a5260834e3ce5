import { choice, int } from "../learners/params.js";
import { fitArima, type ArimaFit } from "./arima/fit.js";
import { searchArima } from "./arima/search.js";
import { defineForecastModel, type ForecastFit } from "./model.js";
import { mstlParts } from "./mstl/stl.js";

/** Above it the season is taken out by STL first: seasonal lags this long cost minutes and gain little. */
const longestArimaSeason = 24;

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
  needs: () => 6,
  fit({ values, season, known }, given) {
    if (season > longestArimaSeason && values.length > 2 * season + 5) {
      const { seasonal, adjusted } = mstlParts(values, [season]);
      const rest = fitOf(adjusted, 1, known, given);
      const offset = values.length - season;
      return {
        ...rest,
        mean: (horizon) => rest.mean(horizon).map((value, h) => value + seasonal[0][offset + (h % season)]),
      };
    }
    return fitOf(values, season > longestArimaSeason ? 1 : season, known, given);
  },
});

function fitOf(
  values: Float64Array,
  season: number,
  known: readonly Float64Array[] | undefined,
  given: { order: string; p: number; d: number; q: number; sp: number; sd: number; sq: number },
): ForecastFit {
  const { p, d, q, sp, sd, sq } = given;
  const fit =
    (given.order === "auto"
      ? searchArima(values, season, known)
      : fitArima(values, { p, d, q, P: sp, D: sd, Q: sq, constant: d + sd === 0 }, season, known)) ??
    fitArima(values, { p: 0, d: 1, q: 0, P: 0, D: 0, Q: 0, constant: false }, 1)!;
  return { mean: fit.mean, spread: fit.spread, about: aboutArima(fit) };
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

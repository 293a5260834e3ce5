import { choice } from "../learners/params.js";
import { etsForms, shortPool, type EtsForm } from "./ets/forms.js";
import { fitEts, type EtsFit } from "./ets/fit.js";
import { etsMean, etsSpread } from "./ets/outlook.js";
import { defineForecastModel, type ForecastFit } from "./model.js";
import { seasonallyAdjusted } from "./seasonal-adjustment.js";

/**
 * The longest season whose starting states are worth their parameters; R's `ets` has the same limit. A longer one is
 * taken out by classical decomposition first.
 */
export const longestEtsSeason = 24;

/**
 * Above it, trends that are not damped and multiplicative parts make forecasts worse: on four rolling origins in
 * the training part of M4's hourly series, the four forms left have an OWA of 0.75 against 1.1 of all fifteen.
 */
const longestFullSeason = 12;
const longSeasonPool = etsForms.filter(
  ({ error, trend, season }) => error === "A" && trend !== "A" && season !== "M",
);

/**
 * Exponential smoothing, its form chosen by AICc among the admissible ones.
 *
 * Hyndman, Koehler, Snyder & Grose (2002), Int. J. Forecasting 18:439-454. Forms with a multiplicative part are
 * tried only where every value is well above zero: near it, relative errors know no bounds.
 */
export default defineForecastModel({
  name: "ets",
  summary: "exponential smoothing: error, trend and season, the form chosen by AICc",
  source:
    "Hyndman, Koehler, Snyder & Grose (2002), A state space framework for automatic forecasting using exponential smoothing methods, Int. J. Forecasting 18:439-454",
  params: {
    form: choice({
      default: "auto",
      choices: ["auto", "short", ...etsForms.map((form) => form.name)],
      help: "auto tries all fifteen (four for a season above 12), short the eight with no trend or a damped one; a name fits that one alone",
    }),
  },
  seasonal: false,
  needs: () => 4,
  fit: ({ values, season }, { form }) => etsOf(values, season, form),
});

function etsOf(values: Float64Array, season: number, form: string): ForecastFit {
  const pool =
    form === "auto"
      ? season > longestFullSeason
        ? longSeasonPool
        : etsForms
      : form === "short"
        ? shortPool
        : formsNamed(form);
  const fitted = (y: Float64Array): ForecastFit =>
    etsForecast(bestEts(y, season, pool) ?? bestEts(y, season, formsNamed("ANN"))!);
  if (season <= longestEtsSeason) {
    const fit = fitted(values);
    return { ...fit, again: (history) => etsOf(history.values, season, String(fit.about.form)) };
  }
  const adjusted = seasonallyAdjusted(values, season);
  const fit = fitted(adjusted.values);
  return {
    mean: (horizon) => adjusted.restore(fit.mean(horizon)),
    spread(horizon) {
      const spread = fit.spread(horizon);
      adjusted.restore(new Float64Array(horizon), spread);
      return spread;
    },
    again: (history) => etsOf(history.values, season, String(fit.about.form)),
    residuals: fit.residuals,
    about: { ...fit.about, seasonal: adjusted.seasonal ? 1 : 0 },
  };
}

/** The pool of one form. */
export function formsNamed(name: string): EtsForm[] {
  return etsForms.filter((form) => form.name === name);
}

/** The form of least AICc of a pool; undefined where none can be fitted. */
export function bestEts(values: Float64Array, season: number, pool: readonly EtsForm[]): EtsFit | undefined {
  let sum = 0;
  let low = Infinity;
  for (const value of values) {
    sum += value;
    low = Math.min(low, value);
  }
  const relative = low > 0 && low > (0.01 * sum) / values.length;
  const seasonal = season > 1 && season <= longestEtsSeason && values.length >= 2 * season + 3;
  let best: EtsFit | undefined;
  for (const form of pool) {
    if (!relative && (form.error === "M" || form.season === "M")) continue;
    if (!seasonal && form.season !== "N") continue;
    const fit = fitEts(values, form, season);
    if (fit && (!best || fit.aicc < best.aicc)) best = fit;
  }
  return best;
}

/** What the frame wants to know of a fit. */
export function etsForecast(fit: EtsFit): ForecastFit {
  const { form, params, logLikelihood, aic, aicc } = fit;
  const { alpha, beta, gamma, phi } = params;
  return {
    mean: (horizon) => etsMean(fit, horizon),
    spread: (horizon) => etsSpread(fit, horizon),
    residuals: () => fit.residuals(),
    about: {
      form: form.name,
      alpha,
      ...(form.trend === "N" ? {} : { beta, phi }),
      ...(form.season === "N" ? {} : { gamma }),
      log_likelihood: logLikelihood,
      aic,
      aicc,
    },
  };
}

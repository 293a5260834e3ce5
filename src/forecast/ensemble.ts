import { power } from "../core/power.js";
import { checkParams, choice } from "../learners/params.js";
import arima from "./arima.js";
import dynamicTheta from "./dynamic-theta.js";
import ets from "./ets.js";
import { defineForecastModel, type ForecastFit, type ForecastModel, type History } from "./model.js";
import mstl from "./mstl.js";

/** Origins within the history by which members are weighed. */
const innerOrigins = 3;
/** How steeply weights fall with the error. */
const steepness = 2;

/** A combination of unlike models, which is seldom much worse than the best of them and usually better. */
export default defineForecastModel({
  name: "ensemble",
  summary: "ets, dynamic-theta, arima and mstl together: mean, median or weighted by backtest",
  source:
    "Petropoulos & Svetunkov (2020), A simple combination of univariate models, Int. J. Forecasting 36:110-115; Bates & Granger (1969), Operational Research Quarterly 20:451-468",
  params: {
    combine: choice({
      default: "median",
      choices: ["median", "mean", "weighted"],
      help: "weighted forecasts from three earlier origins of every history, which takes longer",
    }),
  },
  seasonal: false,
  needs: (season) => Math.max(6, season > 1 ? 4 : 0),
  fit(history, { combine }) {
    const { values, season } = history;
    const members: ForecastModel[] = [ets, dynamicTheta, arima, mstl].filter(
      (model) => values.length >= model.needs(season) && (season > 1 || !model.seasonal),
    );
    const fitOf = (model: ForecastModel, part: History): ForecastFit =>
      model.fit(part, checkParams(model.name, model.params, {}));
    const fits = members.map((model) => fitOf(model, history));
    const weights = combine === "weighted" ? backtestWeights(history, members, fits) : fits.map(() => 1);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const combined = (parts: Float64Array[], median: boolean): Float64Array =>
      parts[0].map((_, h) => {
        const at = parts.map((part) => part[h]);
        return median ? medianOf(at) : at.reduce((sum, value, m) => sum + (weights[m] * value) / total, 0);
      });
    return {
      mean: (horizon) =>
        combined(
          fits.map((fit) => fit.mean(horizon)),
          combine === "median",
        ),
      spread: (horizon) =>
        combined(
          fits.map((fit) => fit.spread(horizon)),
          false,
        ),
      about: Object.fromEntries(members.map((model, m) => [model.name, weights[m] / total])),
    };
  },
});

function medianOf(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** By the absolute error a season (8 periods at least) ahead from earlier origins; forms and orders are kept. */
function backtestWeights(
  history: History,
  members: readonly ForecastModel[],
  fits: readonly ForecastFit[],
): number[] {
  const { values, season } = history;
  const ahead = Math.max(1, Math.min(Math.max(8, season), Math.floor(values.length / 6)));
  const errors = members.map(() => 0);
  for (let origin = 1; origin <= innerOrigins; origin++) {
    const part = { ...history, values: values.subarray(0, values.length - origin * ahead) };
    if (members.some((model) => part.values.length < model.needs(season))) break;
    members.forEach((model, m) => {
      const fit = fits[m].again?.(part) ?? model.fit(part, checkParams(model.name, model.params, {}));
      fit.mean(ahead).forEach((value, h) => {
        errors[m] += Math.abs(value - values[part.values.length + h]);
      });
    });
  }
  const least = Math.min(...errors);
  if (least === 0) return errors.map((error) => (error === 0 ? 1 : 0));
  return errors.map((error) => power(error / least, -steepness));
}

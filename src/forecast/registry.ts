import { nearest, ShopaiError } from "../core/errors.js";
import { checkParams, rangeOf, type ParamValue } from "../learners/params.js";
import type { ForecastFit, ForecastModel, History } from "./model.js";
import adida from "./adida.js";
import arima from "./arima.js";
import croston from "./croston.js";
import damped from "./damped.js";
import drift from "./drift.js";
import dynamicTheta from "./dynamic-theta.js";
import ets from "./ets.js";
import holt from "./holt.js";
import imapa from "./imapa.js";
import mstl from "./mstl.js";
import sba from "./sba.js";
import seasonalGrowth from "./seasonal-growth.js";
import theta from "./theta.js";
import tsb from "./tsb.js";
import windowMean from "./window-mean.js";
import naive from "./naive.js";
import naive2 from "./naive2.js";
import seasonalNaive from "./seasonal-naive.js";
import ses from "./ses.js";

/** Every forecasting model, in the order that tables show. */
export const forecastModels: readonly ForecastModel[] = [
  naive,
  seasonalNaive,
  seasonalGrowth,
  naive2,
  drift,
  windowMean,
  ses,
  holt,
  damped,
  ets,
  theta,
  dynamicTheta,
  arima,
  mstl,
  croston,
  sba,
  tsb,
  adida,
  imapa,
];

/** @throws ShopaiError "usage" with the nearest name */
export function forecastModelNamed(name: string): ForecastModel {
  const found = forecastModels.find((model) => model.name === name);
  if (found) return found;
  const near = nearest(name, [...forecastModels.map((model) => model.name), "auto"]);
  throw new ShopaiError("usage", `"${name}" is not a forecasting model`, {
    try: `--model ${near ?? ["auto", ...forecastModels.map((model) => model.name)].join("|")}`,
  });
}

/** The simplest model: what a series gets that is too short for another. */
export const lastResort = "naive";

/** A model with its parameters settled. */
export interface ReadyModel {
  name: string;
  needs(season: number): number;
  fit(history: History): ForecastFit;
}

/**
 * Models by name with the parameters of one call. A parameter goes to every model that has it.
 *
 * @throws ShopaiError "usage" for an unknown model, a parameter that none of them has, or one out of range
 */
export function readyModels(
  names: readonly string[],
  given: Readonly<Record<string, ParamValue>>,
): ReadyModel[] {
  const models = names.map(forecastModelNamed);
  const known = models.flatMap((model) => Object.keys(model.params));
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new ShopaiError("usage", `none of ${names.join(", ")} has a parameter "${name}"`, {
      try: near ? `--param ${near}=${String(given[name])}` : "leaving it out",
    });
  }
  return models.map((model) => {
    const params = checkParams(model.name, model.params, paramsFor(model.name, given));
    return {
      name: model.name,
      needs: (season) => model.needs(season),
      fit: (history) => model.fit(history, params),
    };
  });
}

/** Those of the given parameters that a model has. */
export function paramsFor(
  name: string,
  given: Readonly<Record<string, ParamValue>>,
): Record<string, ParamValue> {
  const { params } = forecastModelNamed(name);
  return Object.fromEntries(Object.entries(given).filter(([param]) => Object.hasOwn(params, param)));
}

/** Every model with its parameters, for help. */
export function modelsText(): string {
  const width = Math.max(...forecastModels.map(({ name }) => name.length));
  const lines = forecastModels.flatMap(({ name, summary, params }) => [
    `  ${name.padEnd(width)}  ${summary}`,
    ...Object.entries(params).map(
      ([param, about]) =>
        `  ${" ".repeat(width)}  --param ${param}=${String(about.default)}: ${about.help} (${rangeOf(about)})`,
    ),
  ]);
  return ["", "Models:", ...lines, ""].join("\n");
}

import { nearest, ShopaiError } from "../core/errors.js";
import { checkParams, rangeOf, type ParamsOf, type ParamTable, type ParamValue } from "../learners/params.js";
import type { ForecastFit, ForecastModel, History, ModelAbout, PanelModel } from "./model.js";
import adida from "./adida.js";
import arima from "./arima.js";
import croston from "./croston.js";
import damped from "./damped.js";
import drift from "./drift.js";
import dynamicTheta from "./dynamic-theta.js";
import ensemble from "./ensemble.js";
import ets from "./ets.js";
import globalGbdt from "./global-gbdt.js";
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
  ensemble,
  croston,
  sba,
  tsb,
  adida,
  imapa,
];

/** Models over all series at once. */
export const panelModels: readonly PanelModel[] = [globalGbdt];

/** What is known of every model, in the order that help shows. */
export const modelAbouts: readonly ModelAbout[] = [...forecastModels, ...panelModels];

/** @throws ShopaiError "usage" with the nearest name */
function modelNamed<M extends ModelAbout>(name: string, among: readonly M[]): M {
  const found = among.find((model) => model.name === name);
  if (found) return found;
  const names = modelAbouts.map((model) => model.name);
  throw new ShopaiError("usage", `"${name}" is not a forecasting model`, {
    try: `--model ${nearest(name, [...names, "auto"]) ?? ["auto", ...names].join("|")}`,
  });
}

/** The simplest model: what a series gets that is too short for another. */
export const lastResort = "naive";

/** A model with its parameters settled. */
export interface ReadyModel {
  name: string;
  regressors: boolean;
  needs(season: number): number;
  fit(history: History): ForecastFit;
}

/**
 * Checks names of models and the parameters of a call.
 *
 * @throws ShopaiError "usage" for an unknown model, a parameter that none of them has, or one out of range
 */
export function checkModels(names: readonly string[], given: Readonly<Record<string, ParamValue>>): void {
  const models = names.map((name) => modelNamed(name, modelAbouts));
  const known = models.flatMap((model) => Object.keys(model.params));
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new ShopaiError("usage", `none of ${names.join(", ")} has a parameter "${name}"`, {
      try: near ? `--param ${near}=${String(given[name])}` : "leaving it out",
    });
  }
  for (const model of models) settledParams(model, given);
}

/** All parameters of a model: those of a call that it has, the defaults of the others. */
export function settledParams<T extends ParamTable>(
  { name, params }: ModelAbout<T>,
  given: Readonly<Record<string, ParamValue>>,
): ParamsOf<T> {
  return checkParams(name, params, paramsFor(name, given));
}

/** Models of single series by name, with the parameters of one call. A parameter goes to every model that has it. */
export function readyModels(
  names: readonly string[],
  given: Readonly<Record<string, ParamValue>>,
): ReadyModel[] {
  checkModels(names, given);
  return names.map((name) => {
    const model = modelNamed(name, forecastModels);
    const params = settledParams(model, given);
    return {
      name,
      regressors: model.regressors ?? false,
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
  const { params } = modelNamed(name, modelAbouts);
  return Object.fromEntries(Object.entries(given).filter(([param]) => Object.hasOwn(params, param)));
}

/** Every model with its parameters, for help. */
export function modelsText(): string {
  const width = Math.max(...modelAbouts.map(({ name }) => name.length));
  const lines = modelAbouts.flatMap(({ name, summary, params }) => [
    `  ${name.padEnd(width)}  ${summary}`,
    ...Object.entries(params).map(
      ([param, about]) =>
        `  ${" ".repeat(width)}  --param ${param}=${String(about.default)}: ${about.help} (${rangeOf(about)})`,
    ),
  ]);
  return ["", "Models:", ...lines, ""].join("\n");
}

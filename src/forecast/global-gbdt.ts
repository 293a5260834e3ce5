import { choice, int, real, type ParamsOf } from "../learners/params.js";
import { definePanelModel } from "./model.js";

const params = {
  strategy: choice({
    default: "direct",
    choices: ["direct", "recursive"],
    help: "every step from what is known, or one step after the other from the forecasts before it",
  }),
  trees: int({
    default: 0,
    min: 0,
    max: 10_000,
    help: "rounds of boosting; 0: as many as do good on the horizon before the backtest",
  }),
  eta: real({ default: 0.05, min: 0.001, max: 1, help: "learning rate of global-gbdt" }),
  depth: int({ default: 6, min: 1, max: 12, help: "most levels of splits of global-gbdt" }),
  objective: choice({
    default: "squared",
    choices: ["squared", "absolute"],
    help: "errors that global-gbdt minimises, in units of each series: squared for means, absolute for medians",
  }),
  examples: int({
    default: 500_000,
    min: 1000,
    max: 20_000_000,
    help: "most rows to learn from, drawn from all series; 50 features of 4 bytes each in memory",
  }),
} as const;
export type GlobalParams = ParamsOf<typeof params>;

/**
 * One model of boosted trees over all series, in units of each: lags, rolling statistics, calendar, holidays and regressors.
 * Montero-Manso & Hyndman (2021), Int. J. Forecasting 37:1632-1653, on learning across series; Makridakis, Spiliotis &
 * Assimakopoulos (2022), Int. J. Forecasting 38:1346-1364, on boosted trees in M5; Ben Taieb et al. (2012), Expert
 * Systems with Applications 39:7067-7083, on direct and recursive steps.
 */
export default definePanelModel({
  name: "global-gbdt",
  summary: "boosted trees over all series at once: for many related series, prices, promotions",
  source: "Montero-Manso & Hyndman (2021), Int. J. Forecasting 37:1632-1653",
  params,
  // Loaded when asked for: threads that work on single series need none of it.
  forecast: async (ask, params, engine, run) =>
    (await import("./global-gbdt/forecast-panel.js")).forecastPanel(ask, params, engine, run),
});

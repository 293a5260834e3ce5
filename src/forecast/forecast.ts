import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { breathe } from "../learners/breathe.js";
import type { ParamValue } from "../learners/params.js";
import { overallWeightedAverage, type ErrorScales } from "../metrics/forecast.js";
import type { Relation } from "../table/relation.js";
import {
  backtestMetrics,
  calibrations,
  fitOrFallBack,
  forecastWindows,
  lastResort,
  project,
  rollingWindows,
  squaredError,
  windowScales,
  type Fallback,
  type ForecastMetrics,
  type WindowForecasts,
  type Windows,
} from "./backtest.js";
import { frequencies } from "./frequency.js";
import type { Calibration, IntervalBasis } from "./intervals.js";
import { ForecastColumns, outputTable } from "./output.js";
import { forecastModels, readyModels, type ReadyModel } from "./registry.js";
import { readSeries, type SeriesAsk, type SeriesSet } from "./series.js";

/** What a series gets that is too short for another model, and what OWA measures against. */
const [simplest, benchmark] = readyModels([lastResort, "naive2"], {});

export interface ForecastAsk extends SeriesAsk {
  /** Periods ahead, 1 or more. */
  horizon: number;
  /** Names of models, or `auto` alone: the best of all in the backtest, series by series. */
  models: readonly string[];
  params: Readonly<Record<string, ParamValue>>;
  /** Levels of the intervals in percent, in (0, 100). */
  levels: readonly number[];
  /** Origins of the backtest; 0 for none. */
  origins: number;
  /** Periods of a season; the usual one of the frequency by default. */
  season?: number;
}

export interface ForecastResult {
  /** `series…, time, model, mean, lo_80, hi_80, …`, ordered by series, time and model. */
  table: Relation;
  rows: number;
  series: number;
  freq: string | null;
  /** What periods are called: "days". */
  word: string;
  season: number;
  filled: SeriesSet["filled"];
  /** Of the backtest, by model. */
  metrics: Record<string, ForecastMetrics>;
  backtest: { origins: number; windows: number; series: number };
  /** Series by the model that `auto` chose. */
  chosen?: Record<string, number>;
  /** Where the intervals come from, by model and level. */
  intervals: Record<string, Record<string, IntervalBasis>>;
  fallbacks: FallbackSummary[];
}

/** Series that were not treated as asked, by reason. */
export interface FallbackSummary {
  reason: string;
  model: string;
  used: string;
  series: number;
  /** The first few of them, by their series columns. */
  examples: string[];
}

/**
 * Forecasts every series of a long table.
 *
 * @throws ShopaiError "usage" for unknown models and parameters, "data" for columns that are missing or of another kind
 */
export async function forecastTable(relation: Relation, ask: ForecastAsk, run: Run): Promise<ForecastResult> {
  const auto = ask.models.includes("auto");
  if (auto && ask.models.length > 1)
    throw new ShopaiError("usage", "--model auto chooses among all models: it stands alone", {
      try: "--model auto",
    });
  if (!auto) readyModels(ask.models, ask.params);
  run.progress.stage("reading series");
  const set = await readSeries(relation, ask, run);
  run.progress.done(`${set.count} series, ${set.values.length} values`);
  refuseTakenNames(set, ask, relation);
  const season = ask.season ?? (set.axis.freq ? frequencies[set.axis.freq].season : 1);
  const names = auto ? candidates(season) : [...new Set(ask.models)];
  const windows = rollingWindows(set, season, ask.horizon, ask.origins);
  const tried = await backtested(set, season, windows, readyModels(names, ask.params), ask.levels, run);
  const { metrics, choice } = await judged(set, season, windows, tried, ask, auto, run);
  const { output, fallbacks } = await forecasted(set, season, tried, choice?.bySeries, ask, run);
  return {
    table: await outputTable(relation, set, output, ask.value),
    rows: output.rows,
    series: set.count,
    freq: set.axis.freq ?? null,
    word: set.axis.word,
    season,
    filled: set.filled,
    metrics,
    backtest: {
      origins: windows.origins,
      windows: windows.series.length,
      series: new Set(windows.series).size,
    },
    chosen: choice && countsOf(choice.bySeries),
    intervals: Object.fromEntries(
      [...tried].map(([name, { whole }]) => [
        name,
        Object.fromEntries(ask.levels.map((level) => [level, whole.basis(level)])),
      ]),
    ),
    fallbacks: await summarised(relation, set, fallbacks),
  };
}

/** What `auto` chooses among: seasonal models only where there is a season. */
function candidates(season: number): string[] {
  return forecastModels.filter((model) => season > 1 || !model.seasonal).map((model) => model.name);
}

interface Tried {
  model: ReadyModel;
  forecasts: WindowForecasts;
  /** Calibrated by all windows. */
  whole: Calibration;
  /** By the windows of all origins but one. */
  without: readonly Calibration[];
}

async function backtested(
  set: SeriesSet,
  season: number,
  windows: Windows,
  models: readonly ReadyModel[],
  levels: readonly number[],
  run: Run,
): Promise<Map<string, Tried>> {
  const tried = new Map<string, Tried>();
  for (const model of models) {
    run.progress.stage(`backtest of ${model.name}`);
    const forecasts = await forecastWindows(model, simplest, set, season, windows, run);
    tried.set(model.name, { model, forecasts, ...calibrations(set, windows, forecasts, levels) });
    run.progress.done();
  }
  return tried;
}

/** Metrics of every model in the backtest, and what `auto` makes of them. */
async function judged(
  set: SeriesSet,
  season: number,
  windows: Windows,
  tried: ReadonlyMap<string, Tried>,
  ask: ForecastAsk,
  auto: boolean,
  run: Run,
): Promise<{ metrics: Record<string, ForecastMetrics>; choice?: Choice }> {
  const metrics: Record<string, ForecastMetrics> = {};
  if (windows.series.length === 0)
    return { metrics, choice: auto ? chooseModels(set, windows, tried, metrics) : undefined };
  const scales = windowScales(set, season, windows);
  const judge = (used: (window: number) => Pick<Tried, "forecasts" | "without">): ForecastMetrics =>
    backtestMetrics(set, windows, scales, ask.levels, used);
  for (const [name, one] of tried) metrics[name] = judge(() => one);
  const choice = auto ? chooseModels(set, windows, tried, metrics) : undefined;
  if (choice) metrics.auto = judge((window) => tried.get(choice.byWindow[window])!);
  const known = metrics[benchmark.name] ?? (await benchmarkMetrics(set, season, windows, scales, run));
  for (const own of Object.values(metrics)) own.owa = relativeTo(own, known);
  return { metrics, choice };
}

/** The benchmark's own errors, where it is not among the models that were tried. */
async function benchmarkMetrics(
  set: SeriesSet,
  season: number,
  windows: Windows,
  scales: readonly ErrorScales[],
  run: Run,
): Promise<ForecastMetrics> {
  run.progress.stage(`backtest of ${benchmark.name}, for owa`);
  const forecasts = await forecastWindows(benchmark, simplest, set, season, windows, run);
  run.progress.done();
  return backtestMetrics(set, windows, scales, [], () => ({ forecasts, without: [] }));
}

function relativeTo(own: ForecastMetrics, known: ForecastMetrics): number | null {
  const { smape, mase } = own;
  if (smape === null || mase === null || known.smape === null || known.mase === null) return null;
  const owa = overallWeightedAverage({ smape, mase }, { smape: known.smape, mase: known.mase });
  return Number.isFinite(owa) ? owa : null;
}

async function forecasted(
  set: SeriesSet,
  season: number,
  tried: ReadonlyMap<string, Tried>,
  chosen: readonly string[] | undefined,
  ask: ForecastAsk,
  run: Run,
): Promise<{ output: ForecastColumns; fallbacks: Fallback[] }> {
  run.progress.stage("forecasting");
  const names = [...tried.keys()];
  const rows = set.count * (chosen ? 1 : names.length) * ask.horizon;
  const output = new ForecastColumns(rows, names, ask.levels);
  const fallbacks: Fallback[] = [];
  for (let s = 0; s < set.count; s++) {
    if (s % 256 === 0) {
      run.progress.update(s, set.count, "series");
      await breathe(run);
    }
    const history = set.values.subarray(set.starts[s], set.starts[s + 1]);
    for (const name of chosen ? [chosen[s]] : names) {
      const { model, whole } = tried.get(name)!;
      const { fit, reason } = fitOrFallBack(model, simplest, history, season);
      if (reason) fallbacks.push({ series: s, model: name, used: lastResort, reason });
      const width = widthOf(fit.deviation);
      if (width) fallbacks.push({ series: s, model: name, used: name, reason: width });
      output.add(s, names.indexOf(name), project(fit, history, ask.horizon), whole);
    }
  }
  run.progress.done(`${set.count} series`);
  return { output, fallbacks };
}

/** Why intervals of a series are of no use, if they are. */
function widthOf(deviation: number): string | undefined {
  if (Number.isNaN(deviation)) return "too short to tell its deviation: no intervals";
  return deviation === 0 ? "no error in its history: intervals have no width" : undefined;
}

/** The output's own columns may not be a series or time column as well. */
function refuseTakenNames(set: SeriesSet, ask: ForecastAsk, relation: Relation): void {
  const own = ["model", "mean", ...ask.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`])];
  const taken = [...set.columns, set.time].find((column) => own.includes(column.name.toLowerCase()));
  if (taken)
    throw new ShopaiError(
      "data",
      `a series or time column cannot be called ${taken.name}: forecasts have such a column`,
      {
        where: relation.name,
        try: "renaming it",
      },
    );
}

interface Choice {
  /** Name of the model of every series. */
  bySeries: string[];
  /** Name of the model that is judged in every window. */
  byWindow: string[];
}

/**
 * The model of least squared error for every series, by its windows: all of them for the forecast, and all
 * but the window's own for judging the choice. Series (or windows) without others get the model of
 * the least mean RMSSE of all series.
 */
function chooseModels(
  set: SeriesSet,
  windows: Windows,
  tried: ReadonlyMap<string, Tried>,
  metrics: Readonly<Record<string, ForecastMetrics>>,
): Choice {
  const names = [...tried.keys()];
  const least = (score: (name: string) => number): string =>
    names.reduce((best, name) => (score(name) < score(best) ? name : best));
  const overall =
    windows.series.length > 0
      ? least((name) => metrics[name].rmsse ?? metrics[name].smape ?? Infinity)
      : names[names.length - 1];
  const errors = new Map(
    names.map((name) => [
      name,
      Float64Array.from(windows.series, (_, w) => squaredError(set, windows, tried.get(name)!.forecasts, w)),
    ]),
  );
  const bestOf = (from: number, to: number, without = -1): string => {
    if (to - from - (without < 0 ? 0 : 1) <= 0) return overall;
    return least((name) => {
      let sum = 0;
      for (let w = from; w < to; w++) if (w !== without) sum += errors.get(name)![w];
      return sum;
    });
  };
  return {
    bySeries: Array.from({ length: set.count }, (_, s) => bestOf(windows.starts[s], windows.starts[s + 1])),
    byWindow: Array.from(windows.series, (s, w) => bestOf(windows.starts[s], windows.starts[s + 1], w)),
  };
}

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

async function summarised(
  relation: Relation,
  set: SeriesSet,
  fallbacks: readonly Fallback[],
): Promise<FallbackSummary[]> {
  const groups = new Map<string, { first: Fallback; sids: number[] }>();
  for (const fallback of fallbacks) {
    const key = `${fallback.reason}\u0000${fallback.model}`;
    const group = groups.get(key) ?? { first: fallback, sids: [] };
    groups.set(key, group);
    group.sids.push(fallback.series);
  }
  const result: FallbackSummary[] = [];
  for (const { first, sids } of groups.values())
    result.push({
      reason: first.reason,
      model: first.model,
      used: first.used,
      series: sids.length,
      examples: await seriesNames(relation, set, sids.slice(0, 5)),
    });
  return result;
}

async function seriesNames(relation: Relation, set: SeriesSet, sids: readonly number[]): Promise<string[]> {
  if (set.columns.length === 0) return ["the series"];
  const parts = set.columns.map((column) => `coalesce(${ident(column.name)}::VARCHAR, 'null')`);
  const rows = await relation.engine.rows<{ name: string }>(
    `SELECT concat_ws(', ', ${parts.join(", ")}) AS name FROM ${ident(set.table)} WHERE _sid IN (${sids.join(", ")}) ORDER BY _sid`,
  );
  return rows.map((row) => row.name);
}

import { ShopaiError } from "../core/errors.js";
import type { Column } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { breathe } from "../learners/breathe.js";
import type { ParamValue } from "../learners/params.js";
import { relationOf, type Relation } from "../table/relation.js";
import {
  backtestMetrics,
  calibrationOf,
  calibrationsWithout,
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
import { forecastModels, readyModels, type ReadyModel } from "./registry.js";
import { readSeries, type SeriesAsk, type SeriesSet } from "./series.js";

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
  run.progress.stage("reading series");
  const set = await readSeries(relation, ask, run);
  run.progress.done(`${set.count} series, ${set.values.length} values`);
  const season = ask.season ?? (set.axis.freq ? frequencies[set.axis.freq].season : 1);
  const names = auto
    ? forecastModels.map((model) => model.name).filter((name) => season > 1 || name !== "seasonal-naive")
    : [...new Set(ask.models)];
  refuseTakenNames(set, ask, relation);
  const models = readyModels(names, ask.params);
  const simplest = readyModels([lastResort], {})[0];

  const windows = rollingWindows(set, season, ask.horizon, ask.origins);
  const tried = new Map<string, Tried>();
  for (const model of models) {
    run.progress.stage(`backtest of ${model.name}`);
    const forecasts = await forecastWindows(model, simplest, set, season, windows, run);
    tried.set(model.name, {
      model,
      forecasts,
      calibration: calibrationOf(set, windows, forecasts, ask.levels),
      calibrations: calibrationsWithout(set, windows, forecasts, ask.levels),
    });
    run.progress.done();
  }
  const scales = windowScales(set, season, windows);
  const metrics: Record<string, ForecastMetrics> = {};
  if (windows.series.length > 0)
    for (const [name, one] of tried)
      metrics[name] = backtestMetrics(set, windows, scales, ask.levels, () => one);
  const choice = auto ? chooseModels(set, windows, tried, metrics) : undefined;
  if (choice && windows.series.length > 0)
    metrics.auto = backtestMetrics(set, windows, scales, ask.levels, (w) => tried.get(choice.byWindow[w])!);

  run.progress.stage("forecasting");
  const output = new Output(set.count * (choice ? 1 : models.length) * ask.horizon, names, ask.levels);
  const fallbacks: Fallback[] = [];
  for (let s = 0; s < set.count; s++) {
    if (s % 256 === 0) {
      run.progress.update(s, set.count, "series");
      await breathe(run);
    }
    const history = set.values.subarray(set.starts[s], set.starts[s + 1]);
    for (const name of choice ? [choice.bySeries[s]] : names) {
      const { model, calibration } = tried.get(name)!;
      const { fit, reason } = fitOrFallBack(model, simplest, history, season);
      if (reason) fallbacks.push({ series: s, model: name, used: lastResort, reason });
      if (fit.deviation === 0)
        fallbacks.push({
          series: s,
          model: name,
          used: name,
          reason: "no error in its history: intervals have no width",
        });
      if (Number.isNaN(fit.deviation))
        fallbacks.push({
          series: s,
          model: name,
          used: name,
          reason: "too short to tell its deviation: no intervals",
        });
      output.add(s, names.indexOf(name), project(fit, history, ask.horizon), calibration);
    }
  }
  run.progress.done(`${set.count} series`);
  return {
    table: await outputTable(relation, set, output, ask),
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
      [...tried].map(([name, { calibration }]) => [
        name,
        Object.fromEntries(ask.levels.map((level) => [level, calibration.basis(level)])),
      ]),
    ),
    fallbacks: await summarised(relation, set, fallbacks),
  };
}

interface Tried {
  model: ReadyModel;
  forecasts: WindowForecasts;
  calibration: Calibration;
  calibrations: readonly Calibration[];
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
): { bySeries: string[]; byWindow: string[] } {
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

/** Forecasts as typed columns, in the order of series and steps. */
class Output {
  rows = 0;
  readonly sid: Int32Array;
  readonly step: Int32Array;
  readonly model: Int32Array;
  readonly mean: Float64Array;
  readonly bounds: { level: number; low: Float64Array; high: Float64Array }[];

  constructor(
    capacity: number,
    readonly models: readonly string[],
    levels: readonly number[],
  ) {
    this.sid = new Int32Array(capacity);
    this.step = new Int32Array(capacity);
    this.model = new Int32Array(capacity);
    this.mean = new Float64Array(capacity);
    this.bounds = levels.map((level) => ({
      level,
      low: new Float64Array(capacity),
      high: new Float64Array(capacity),
    }));
  }

  add(
    sid: number,
    model: number,
    { mean, spread, floor }: ReturnType<typeof project>,
    calibration: Calibration,
  ): void {
    for (let h = 0; h < mean.length; h++, this.rows++) {
      this.sid[this.rows] = sid;
      this.step[this.rows] = h + 1;
      this.model[this.rows] = model;
      this.mean[this.rows] = mean[h];
      for (const { level, low, high } of this.bounds) {
        const multiples = calibration.multiples(h + 1, level);
        low[this.rows] = Math.max(floor, mean[h] + multiples.low * spread[h]);
        high[this.rows] = Math.max(floor, mean[h] + multiples.high * spread[h]);
      }
    }
  }
}

async function outputTable(
  relation: Relation,
  set: SeriesSet,
  output: Output,
  ask: ForecastAsk,
): Promise<Relation> {
  const { engine } = relation;
  const lasts = engine.fresh("last_periods");
  await engine.load(lasts, {
    rows: set.count,
    columns: new Map([
      ["sid", { kind: "i32", values: Int32Array.from({ length: set.count }, (_, s) => s) }],
      ["last", { kind: "i32", values: set.last }],
    ]),
  });
  const forecasts = engine.fresh("forecasts");
  const bounds = output.bounds.flatMap(({ level, low, high }): [string, Float64Array][] => [
    [`lo_${level}`, low],
    [`hi_${level}`, high],
  ]);
  await engine.load(forecasts, {
    rows: output.rows,
    columns: new Map<string, Column>([
      ["sid", { kind: "i32", values: output.sid }],
      ["step", { kind: "i32", values: output.step }],
      ["model", { kind: "code", values: output.model, levels: [...output.models] }],
      ["mean", { kind: "f64", values: output.mean }],
      ...bounds.map(([name, values]): [string, Column] => [name, { kind: "f64", values }]),
    ]),
  });
  const period = `(${set.base}::BIGINT + l.last + f.step)`;
  const columns = [
    ...set.columns.map((column) => `s.${ident(column.name)}`),
    `${set.axis.fromPeriod(period)} AS ${ident(set.time.name)}`,
    ...["model", "mean", ...bounds.map(([name]) => name)].map((name) => `f.${ident(name)}`),
  ];
  return relationOf(
    engine,
    `SELECT ${columns.join(", ")} FROM ${ident(forecasts)} f JOIN ${ident(lasts)} l ON f.sid = l.sid JOIN ${ident(set.table)} s ON s._sid = f.sid`,
    {
      key: [...set.columns.map((column) => column.name), set.time.name, "model"],
      inputs: relation.inputs,
      name: `forecasts of ${ask.value}`,
    },
  );
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

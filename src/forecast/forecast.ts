import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import type { ParamValue } from "../learners/params.js";
import { overallWeightedAverage, type ErrorScales } from "../metrics/forecast.js";
import type { Relation } from "../table/relation.js";
import {
  backtestMetrics,
  metricsOf,
  rollingWindows,
  windowScales,
  type ForecastMetrics,
  type Windows,
} from "./backtest.js";
import { calibrations, type CalibrationFor } from "./calibrations.js";
import { frequencies } from "./frequency.js";
import {
  checkHierarchy,
  hierarchyOf,
  reconcileForecasts,
  withLevels,
  type HierarchyPaths,
} from "./hierarchy.js";
import { intervalBases, type IntervalBasis } from "./intervals.js";
import { ForecastColumns, outputTable, pathsTable } from "./output.js";
import type { PanelAsk } from "./model.js";
import { spreadByLevel } from "./level-spread.js";
import type { Hierarchy, ReconcileRule } from "./reconcile.js";
import { checkModels, lastResort, modelAbouts, panelModels, settledParams } from "./registry.js";
import { correctLevel } from "./panel-level.js";
import {
  eventNames,
  eventsTable,
  foundIn,
  residualSummaries,
  seriesTable,
  seriesTableNames,
  type ResidualSummary,
} from "./series-table.js";
import { workAll, type Worked } from "./work-all.js";
import { samplePaths } from "./paths.js";
import { readSeries, type SeriesAsk, type SeriesSet } from "./series.js";
import type { OutlierRule } from "./events.js";
import type { TransformName } from "./transform.js";
import { floorOf, type MadeForecasts, type Plan, type SeriesFallback } from "./series-work.js";

/** What OWA measures against. */
const benchmark = "naive2";

export interface ForecastAsk extends SeriesAsk {
  /** Periods ahead, 1 or more. */
  horizon: number;
  /** Names of models; with `auto` the others speak in it beside its own members. */
  models: readonly string[];
  /** Scale that models see values on. */
  transform?: TransformName;
  /** What `auto` may spend: "quick" leaves out the slowest models. */
  effort?: "full" | "quick";
  /** What is done with values that stand out of a history before models see it. */
  outliers?: OutlierRule;
  /** Whether anomalies and changes of the histories are looked for (`perSeries` and `events` of the result). */
  looks?: boolean;
  params: Readonly<Record<string, ParamValue>>;
  /** Levels of the intervals in percent, in (0, 100). */
  levels: readonly number[];
  /** Shares in (0, 1) whose quantiles are given beside the intervals. */
  quantiles?: readonly number[];
  /** Sample paths of every series; 0 for none. */
  paths?: number;
  /** Origins of the backtest; 0 for none. */
  origins: number;
  /** Columns whose sums are forecast too and made to add up; `series` is empty then. */
  hierarchy?: HierarchyPaths;
  reconcile?: ReconcileRule;
  /** A series column (or "level" of a hierarchy) to give metrics by. */
  by?: string;
  /** Periods of the seasons, the main one first; the usual ones of the frequency by default. */
  season?: readonly number[];
}

export interface ForecastResult {
  /** `series…, time, model, mean, lo_80, hi_80, …`, ordered by series, time and model. */
  table: Relation;
  rows: number;
  /** `series…, time, model, path, value`, where paths were asked for. */
  paths?: Relation;
  series: number;
  freq: string | null;
  /** What periods are called: "days". */
  word: string;
  season: number;
  filled: SeriesSet["filled"];
  /** Columns and holidays that forecasts took into account. */
  regressors: string[];
  /** Series whose one-step errors fail a test at 5 %, by model. */
  residuals: Record<string, ResidualSummary>;
  /** Anomalies and changes of the histories, where they were looked for: how many, and where. */
  found?: { anomalies: number; changes: number; series: number };
  /** A row per series and model: metrics, checks, events (series-table.ts). */
  perSeries: () => Promise<Relation>;
  /** A row per anomaly and change. */
  events: () => Promise<Relation>;
  /** Of the backtest, by model. */
  metrics: Record<string, ForecastMetrics>;
  /** The same by value of a column. */
  slices?: Record<string, Record<string, ForecastMetrics>>;
  backtest: { origins: number; windows: number; series: number };
  /** Series by the model that has most weight in `auto`. */
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
export async function forecastTable(table: Relation, asked: ForecastAsk, run: Run): Promise<ForecastResult> {
  const { relation, ask } = await levelled(table, asked);
  const auto = ask.models.includes("auto");
  const named = [...new Set(ask.models)].filter((name) => name !== "auto");
  checkModels(auto ? [...modelAbouts.map((model) => model.name), ...named] : named, ask.params);
  run.progress.stage("reading series");
  const set = await readSeries(relation, ask, run);
  run.progress.done(`${grouped(set.count)} series, ${grouped(set.values.length)} values`);
  refuseTakenNames(set, ask, relation);
  const rule = ask.reconcile ?? "mint";
  if (ask.hierarchy) checkHierarchy(set, ask.hierarchy, rule);
  const seasons = seasonsOf(ask, set);
  const season = seasons[0];
  const windows = rollingWindows(set, season, ask.horizon, ask.origins);
  const names = auto ? ["auto"] : named;
  const plan: Plan = {
    horizon: ask.horizon,
    season,
    seasons: [...seasons].sort((a, b) => a - b),
    models: windows.series.length > 0 && !names.includes(benchmark) ? [...names, benchmark] : names,
    autoAlso: auto ? named : [],
    instead: {},
    params: { ...ask.params },
    effort: ask.effort ?? "full",
    transform: ask.transform ?? "none",
    outliers: ask.outliers ?? "keep",
    events: ask.looks ?? false,
  };
  const panel = await panelForecasts(
    { set, windows, season, seasons: plan.seasons, horizon: ask.horizon },
    plan,
    named,
    relation,
    run,
  );
  const worked = await workAll(set, windows, panel.plan, panel.made, run);
  worked.fallbacks.push(...panel.fallbacks);
  const scales = windowScales(set, season, windows);
  if (auto) correctLevel(set, windows, scales, worked.forecasts.auto, worked.rare);
  const hierarchy = ask.hierarchy && (await hierarchyOf(relation, set, ask.hierarchy));
  if (hierarchy)
    for (const name of plan.models) {
      reconcileForecasts(set, hierarchy, windows, worked.forecasts[name], rule);
      spreadByLevel(set, hierarchy, windows, worked.forecasts[name]);
    }
  const { metrics, scaled, judge } = judged(set, windows, scales, worked, names, ask.levels);
  const { output, fallbacks } = columnsOf(set, worked, scaled, names, ask);
  const ahead = new Map(names.map((name) => [name, worked.forecasts[name]]));
  return {
    table: await outputTable(relation, set, output, ask.value),
    paths: ask.paths
      ? await pathsTable(relation, set, samplePaths(set, windows, ahead, ask.paths, run.rng("paths")))
      : undefined,
    rows: output.rows,
    series: set.count,
    freq: set.axis.freq ?? null,
    word: set.axis.word,
    season,
    filled: set.filled,
    regressors: set.known.map(({ name }) => name),
    residuals: residualSummaries(names, worked.checks),
    found: plan.events ? foundIn(worked.events) : undefined,
    perSeries: () =>
      seriesTable(relation, set, { names, levels: ask.levels, worked, windows, fallbacks, judge }),
    events: () => eventsTable(relation, set, worked.events),
    metrics,
    slices: ask.by === undefined ? undefined : await sliced(relation, set, hierarchy, ask.by, judge),
    backtest: {
      origins: windows.origins,
      windows: windows.series.length,
      series: new Set(windows.series).size,
    },
    chosen: auto ? countsOf(worked.chosen) : undefined,
    intervals: Object.fromEntries(
      names.map((name) => [name, basesOf(set, scaled.get(name)!.whole, ask.levels)]),
    ),
    fallbacks: await summarised(relation, set, fallbacks),
  };
}

/** A hierarchy's table has every row once a level, and its columns are the series columns. */
async function levelled(
  table: Relation,
  ask: ForecastAsk,
): Promise<{ relation: Relation; ask: ForecastAsk }> {
  if (!ask.hierarchy) return { relation: table, ask };
  if (ask.hierarchy.length === 0)
    throw new ShopaiError("usage", "--hierarchy names no column", { try: "--hierarchy region/store" });
  if (ask.series.length > 0)
    throw new ShopaiError("usage", "--hierarchy names the series columns itself, --series stands beside it", {
      try: "leaving --series out",
    });
  if (ask.aggregate === "mean")
    throw new ShopaiError("usage", "means do not add up over a hierarchy", { try: "--aggregate sum" });
  const columns = ask.hierarchy.flat();
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  if (twice !== undefined)
    throw new ShopaiError("usage", `--hierarchy names ${twice} twice`, {
      try: "--hierarchy state/region,purpose",
    });
  const relation = await withLevels(table, ask.hierarchy, [
    ...new Set([ask.time, ask.value, ...(ask.regressors ?? []), ...(ask.censoredBy ? [ask.censoredBy] : [])]),
  ]);
  return { relation, ask: { ...ask, series: columns, together: true } };
}

/** Metrics by value of a series column, or by level of the hierarchy. */
async function sliced(
  relation: Relation,
  set: SeriesSet,
  hierarchy: Hierarchy | undefined,
  by: string,
  judge: (among: readonly number[]) => Record<string, ForecastMetrics>,
): Promise<Record<string, Record<string, ForecastMetrics>>> {
  const groups = new Map<string, number[]>();
  const put = (name: string, sid: number): void => {
    const group = groups.get(name) ?? [];
    groups.set(name, group);
    group.push(sid);
  };
  if (hierarchy && by === "level")
    hierarchy.levels.forEach((name, l) => hierarchy.level.forEach((own, sid) => own === l && put(name, sid)));
  else {
    const column = set.columns.find(({ name }) => name === by);
    if (!column)
      throw new ShopaiError("usage", `--by ${by} is no series column`, {
        try: set.columns.length > 0 ? `--by ${set.columns[0].name}` : "--series with columns to slice by",
      });
    const rows = await relation.engine.rows<{ sid: number; name: string }>(
      `SELECT _sid AS sid, coalesce(${ident(column.name)}::VARCHAR, 'null') AS name FROM ${ident(set.table)} ORDER BY _sid`,
    );
    for (const { sid, name } of rows) put(name, Number(sid));
  }
  return Object.fromEntries([...groups].map(([name, among]) => [name, judge(among)]));
}

function seasonsOf(ask: ForecastAsk, set: SeriesSet): readonly number[] {
  const odd = ask.season?.find((season) => !Number.isInteger(season));
  if (odd !== undefined)
    throw new ShopaiError("usage", `a season is a whole number of periods, got ${odd}`, {
      try: "--season 7",
    });
  if (ask.season && ask.season.length > 0) return ask.season;
  return set.axis.freq ? frequencies[set.axis.freq].seasons : [1];
}

/** Forecasts of the named models over all series; for one that has too little to learn from, a simple one speaks. */
async function panelForecasts(
  ask: PanelAsk,
  plan: Plan,
  named: readonly string[],
  { engine }: Relation,
  run: Run,
): Promise<{ plan: Plan; made: Record<string, MadeForecasts>; fallbacks: SeriesFallback[] }> {
  const instead: Record<string, string> = {};
  const made: Record<string, MadeForecasts> = {};
  const fallbacks: SeriesFallback[] = [];
  for (const model of panelModels.filter(({ name }) => named.includes(name))) {
    const found = await model.forecast(ask, settledParams(model, plan.params), engine, run);
    if (typeof found !== "string") {
      made[model.name] = found;
      continue;
    }
    instead[model.name] = lastResort;
    for (let series = 0; series < ask.set.count; series++)
      fallbacks.push({ series, model: model.name, used: lastResort, reason: found });
  }
  return {
    plan: { ...plan, instead, autoAlso: plan.autoAlso.filter((name) => !instead[name]) },
    made,
    fallbacks,
  };
}

interface Scaled {
  /** Calibrated by all windows. */
  whole: CalibrationFor;
  /** By the windows of all origins but one. */
  without: readonly CalibrationFor[];
}

/** Metrics of every model in the backtest, and what its errors say of its intervals. */
function judged(
  set: SeriesSet,
  windows: Windows,
  scales: readonly ErrorScales[],
  worked: Worked,
  names: readonly string[],
  levels: readonly number[],
): {
  metrics: Record<string, ForecastMetrics>;
  scaled: Map<string, Scaled>;
  /** Metrics of every model over some series. */
  judge(among: readonly number[]): Record<string, ForecastMetrics>;
} {
  const scaled = new Map(
    names.map((name) => [name, calibrations(set, windows, worked.forecasts[name].windows, levels)]),
  );
  const judge = (among?: readonly number[]): Record<string, ForecastMetrics> => {
    if (windows.series.length === 0) return {};
    const of = (name: string, own: readonly number[]): ForecastMetrics =>
      backtestMetrics(
        ...([set, windows, scales, own, worked.forecasts[name].windows] as const),
        scaled.get(name)?.without ?? [],
        among,
      );
    const metrics = Object.fromEntries(names.map((name) => [name, of(name, levels)]));
    const known = metrics[benchmark] ?? of(benchmark, []);
    for (const name of names) metrics[name].owa = relativeTo(metrics[name], known);
    return metrics;
  };
  const metrics = judge();
  for (const [label, totals] of worked.members) metrics[label] ??= metricsOf(totals);
  return { metrics, scaled, judge };
}

function relativeTo(own: ForecastMetrics, known: ForecastMetrics): number | null {
  const { smape, mase } = own;
  if (smape === null || mase === null || known.smape === null || known.mase === null) return null;
  const owa = overallWeightedAverage({ smape, mase }, { smape: known.smape, mase: known.mase });
  return Number.isFinite(owa) ? owa : null;
}

/** The forecasts with their intervals as columns. */
function columnsOf(
  set: SeriesSet,
  worked: Worked,
  scaled: ReadonlyMap<string, Scaled>,
  names: readonly string[],
  ask: ForecastAsk,
): { output: ForecastColumns; fallbacks: SeriesFallback[] } {
  const { horizon } = ask;
  const output = new ForecastColumns(
    set.count * names.length * horizon,
    names,
    ask.levels,
    ask.quantiles ?? [],
  );
  const fallbacks = [...worked.fallbacks];
  for (let s = 0; s < set.count; s++) {
    const floor = floorOf(set.values.subarray(set.starts[s], set.starts[s + 1]));
    names.forEach((name, m) => {
      const { ahead } = worked.forecasts[name];
      const mean = ahead.mean.subarray(s * horizon, (s + 1) * horizon);
      const spread = ahead.spread.subarray(s * horizon, (s + 1) * horizon);
      const width = widthOf(spread[0]);
      if (width) fallbacks.push({ series: s, model: name, used: name, reason: width });
      output.add(s, m, { mean, spread, floor }, scaled.get(name)!.whole(set.starts[s + 1] - set.starts[s]));
    });
  }
  return { output, fallbacks };
}

/** Where the intervals of a model come from, by level; of the series that least is known of where they differ. */
function basesOf(
  set: SeriesSet,
  whole: CalibrationFor,
  levels: readonly number[],
): Record<string, IntervalBasis> {
  const lengths = [
    ...new Set(Array.from({ length: set.count }, (_, s) => set.starts[s + 1] - set.starts[s])),
  ];
  return Object.fromEntries(
    levels.map((level) => {
      const own = lengths.map((length) => whole(length).basis(level));
      return [level, intervalBases.findLast((basis) => own.includes(basis))!];
    }),
  );
}

/** Why intervals of a series are of no use, if they are. */
function widthOf(deviation: number): string | undefined {
  if (Number.isNaN(deviation)) return "too short to tell its deviation: no intervals";
  return deviation === 0 ? "without an error in the past: intervals have no width" : undefined;
}

/** The output's own columns may not be a series or time column as well. */
function refuseTakenNames(set: SeriesSet, ask: ForecastAsk, relation: Relation): void {
  const own = [
    "model",
    "mean",
    ...ask.levels.flatMap((level) => [`lo_${level}`, `hi_${level}`]),
    ...(ask.quantiles ?? []).map((p) => `q_${p}`),
    ...(ask.looks ? [...seriesTableNames, ...eventNames] : []),
  ];
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

function countsOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

async function summarised(
  relation: Relation,
  set: SeriesSet,
  fallbacks: readonly SeriesFallback[],
): Promise<FallbackSummary[]> {
  const groups = new Map<string, { first: SeriesFallback; sids: number[] }>();
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

import { grouped } from "../src/core/quantity.js";
import { forecastTable, type ForecastResult } from "../src/forecast/forecast.js";
import { reconcileRules } from "../src/forecast/reconcile.js";
import { calendarNames } from "../src/forecast/calendar.js";
import { transformNames } from "../src/forecast/transform.js";
import { frequencyNames } from "../src/forecast/frequency.js";
import { modelAbouts, modelsText } from "../src/forecast/registry.js";
import { outlierRules } from "../src/forecast/events.js";
import { fillRules } from "../src/forecast/series.js";
import { defineCommand, option, readingOptions, telling, type Block } from "../src/pipeline/command.js";
import { openTable } from "../src/table/open.js";
import { provenanceOf } from "../src/table/provenance.js";
import { writeTable } from "../src/table/write.js";
import { summaries } from "./summaries.js";

const forecast = defineCommand({
  name: "forecast",
  summary: summaries.forecast,
  inputs: {
    usage: "<table...>",
    min: 1,
    max: Infinity,
    help: "a long table: one row per series and time (rows within a period are added up)",
  },
  examples: [
    "shopai forecast demand.parquet -o forecast.parquet --series sku --time day --value units --horizon 28 --freq D",
    "shopai forecast sales.csv -o f.csv --time month --value revenue --horizon 12 --model ses,seasonal-naive --backtest 5",
  ],
  options: {
    out: option.path("table of forecasts to write", { short: "o", table: true }),
    series: option.names("columns that tell series apart (default: one series)").default([]),
    time: option.text("time column: dates, timestamps or integers", { arg: "<column>" }),
    value: option.text("column of the values to forecast", { arg: "<column>" }),
    horizon: option.integer("periods ahead", { min: 1, max: 10_000 }),
    freq: option
      .choice(
        "length of a period: hour, day, week, month, quarter, year (default: found out)",
        frequencyNames,
      )
      .optional(),
    season: option
      .numbers("periods of the seasons, the main one first (default: H 24,168, D 7, W 52, M 12, Q 4)", {
        min: 1,
        max: 100_000,
      })
      .optional(),
    model: option
      .names(`auto, or names of models: ${modelAbouts.map((model) => model.name).join(", ")}`)
      .default(["auto"]),
    effort: option
      .choice("what auto may spend: quick leaves out the slowest models", ["full", "quick"])
      .default("full"),
    level: option
      .numbers("levels of the intervals, in percent", { min: 1, max: 99.9, arg: "<80,95>" })
      .default([80, 95]),
    quantiles: option
      .numbers("shares below 1 whose quantiles are written beside the intervals", {
        min: 0.001,
        max: 0.999,
        arg: "<0.5,0.9>",
      })
      .default([]),
    paths: option
      .integer("sample paths of every series, for --paths-out", { min: 1, max: 100_000 })
      .default(100),
    pathsOut: option
      .path("table of possible futures to write: series, time, model, path, value", { table: true })
      .optional(),
    seriesOut: option
      .path(
        "table to write of a row per series and model: its metrics, checks of residuals, anomalies, changes",
        {
          table: true,
        },
      )
      .optional(),
    eventsOut: option
      .path(
        "table to write of anomalies and changes in the histories: series, time, kind, value, expected, score",
        {
          table: true,
        },
      )
      .optional(),
    outliers: option
      .choice(
        "values beyond three interquartile ranges of what season and trend leave: kept, or moved to that bound before models see them",
        outlierRules,
      )
      .default("keep"),
    regressors: option
      .names(
        "columns known ahead (price, promotion); rows after a series' last value hold them for the periods ahead",
      )
      .default([]),
    holidays: option
      .names(`calendars whose holidays are taken into account: ${calendarNames.join(", ")}`, {
        arg: "<US,shopping>",
      })
      .default([]),
    censoredBy: option
      .text("column of stock: values of days without stock are unknown, not demand", { arg: "<column>" })
      .optional(),
    transform: option.choice("scale that models see values on", transformNames).default("none"),
    hierarchy: option
      .text(
        "columns from the top to the bottom whose sums are forecast too and add up: region/store/sku; paths that cross each other by commas: state/region,purpose",
        { arg: "<a/b,c>" },
      )
      .optional(),
    reconcile: option
      .choice(
        "how forecasts of a hierarchy are made to add up: by least variance (mint; with variances alone), from the leaves, from the top",
        reconcileRules,
      )
      .default("mint"),
    by: option
      .text("metrics of the backtest by this series column, or by level of a hierarchy", { arg: "<column>" })
      .optional(),
    backtest: option.integer("origins of the rolling backtest, 0 for none", { min: 0, max: 1000 }).default(4),
    fill: option
      .choice(
        "a period without a row: zero, the previous value, or no period at all (default: zero for dates, after a series' last row only where gaps are usual; previous for numbers)",
        fillRules,
      )
      .optional(),
    aggregate: option.choice("rows of a series within a period", ["sum", "mean"]).default("sum"),
    param: option.pairs("parameter of a model, repeatable: alpha=0.2").default({}),
    ...readingOptions,
  },
  moreHelp: async () => modelsText(),
  reads: (o) => o.in,
  writes: (o) => [o.out, o.pathsOut, o.seriesOut, o.eventsOut].filter((path) => path !== undefined),
  async run(o, run) {
    const table = await openTable(await run.engine(), o.in, { ...o, signal: run.signal });
    const levels = [...new Set(o.level)].sort((a, b) => a - b);
    const result = await forecastTable(
      table,
      {
        ...o,
        models: o.model,
        params: o.param,
        levels,
        quantiles: [...new Set(o.quantiles)].sort((a, b) => a - b),
        paths: o.pathsOut ? o.paths : 0,
        hierarchy: o.hierarchy
          ?.split(",")
          .map((path) =>
            path
              .split("/")
              .map((name) => name.trim())
              .filter((name) => name !== ""),
          )
          .filter((path) => path.length > 0),
        origins: o.backtest,
        looks: o.seriesOut !== undefined || o.eventsOut !== undefined,
      },
      run,
    );
    const provenance = provenanceOf("forecast", telling(forecast, o), o.seed, table.inputs);
    await writeTable(result.table, o.out, provenance, o);
    if (result.paths) await writeTable(result.paths, o.pathsOut!, provenance, o);
    if (o.seriesOut) await writeTable(await result.perSeries(), o.seriesOut, provenance, o);
    if (o.eventsOut) await writeTable(await result.events(), o.eventsOut, provenance, o);
    const { table: _, paths: __, perSeries: ___, events: ____, ...json } = result;
    return {
      json: {
        out: o.out,
        paths_out: o.pathsOut,
        series_out: o.seriesOut,
        events_out: o.eventsOut,
        horizon: o.horizon,
        levels,
        ...json,
      },
      blocks: blocksOf(result, o.out, o.horizon, levels, o.backtest),
      wroteStdout: o.out === "-",
    };
  },
});
export default forecast;

function blocksOf(
  result: ForecastResult,
  out: string,
  horizon: number,
  levels: readonly number[],
  asked: number,
): Block[] {
  const { filled, backtest, word } = result;
  const columns = ["rmsse", "mase", "smape", "wape", "bias", ...levels.map((level) => `coverage_${level}`)];
  const blocks: Block[] = [
    {
      kind: "title",
      text: `${grouped(result.series)} series, ${horizon} ${word} ahead: ${grouped(result.rows)} forecasts → ${out}`,
    },
  ];
  if (filled.gaps + filled.tail > 0)
    blocks.push({
      kind: "line",
      text: `${grouped(filled.gaps + filled.tail)} ${word} without a row: ${filled.rule} (--fill)`,
    });
  if (filled.ended > 0)
    blocks.push({
      kind: "line",
      text: `${grouped(filled.ended)} series end before the last of the ${word} and go on from their own ends (--fill zero: nothing since)`,
    });
  if (backtest.windows > 0)
    blocks.push(
      {
        kind: "line",
        text: `Backtest of ${backtest.origins} origins, ${grouped(backtest.series)} series:`,
      },
      {
        kind: "table",
        head: ["model", ...columns],
        rows: Object.entries(result.metrics).map(([name, metrics]) => [
          name,
          ...columns.map((column) => metrics[column]),
        ]),
      },
    );
  else
    blocks.push({
      kind: "line",
      text: `No backtest${asked > 0 ? ` (it takes ${Math.max(3, result.season > 1 ? result.season + 1 : 0)} ${word} before the horizon)` : ""}: intervals are those of the normal distribution.`,
    });
  if (result.chosen)
    blocks.push({
      kind: "line",
      text: `auto gives most weight to ${Object.entries(result.chosen)
        .map(([name, count]) => `${name} for ${grouped(count)}`)
        .join(", ")}`,
    });
  if (result.found)
    blocks.push({
      kind: "line",
      text: `${grouped(result.found.anomalies)} anomalies and ${grouped(result.found.changes)} changes in ${grouped(result.found.series)} series`,
    });
  for (const { model, series, reason, used } of result.fallbacks)
    blocks.push({
      kind: "line",
      text: `${model}: ${grouped(series)} series ${reason}${used === model ? "" : ` (${used} instead)`}`,
    });
  return blocks;
}

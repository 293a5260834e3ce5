import type { Column } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { relationOf, rowColumn, type Relation } from "../table/relation.js";
import type { ForecastMetrics, Windows } from "./backtest.js";
import type { SeriesEvent } from "./events.js";
import { demandClass } from "./intermittent/demands.js";
import { lastPeriods, namedSql } from "./output.js";
import { checkNames } from "./residual-checks.js";
import type { SeriesFallback } from "./series-work.js";
import type { SeriesSet } from "./series.js";
import type { Worked } from "./work-all.js";

/** Series whose residuals were tested, and how many of them fail at 5 %; that many do by chance alone. */
export interface ResidualSummary {
  series: number;
  biased: number;
  autocorrelated: number;
  not_normal: number;
}

/** By model, for those that know their one-step errors. */
export function residualSummaries(
  names: readonly string[],
  checks: Worked["checks"],
): Record<string, ResidualSummary> {
  const summaries: Record<string, ResidualSummary> = {};
  for (const name of names) {
    const summary = { series: 0, biased: 0, autocorrelated: 0, not_normal: 0 };
    for (let at = 0; at < checks[name].length; at += checkNames.length) {
      const [, biasP, , ljungBoxP, normalP] = checks[name].subarray(at, at + checkNames.length);
      if (Number.isNaN(biasP)) continue;
      summary.series++;
      if (biasP < 0.05) summary.biased++;
      if (ljungBoxP < 0.05) summary.autocorrelated++;
      if (normalP < 0.05) summary.not_normal++;
    }
    if (summary.series > 0) summaries[name] = summary;
  }
  return summaries;
}

/** How many events there are, and in how many series. */
export function foundIn(events: readonly (readonly SeriesEvent[])[]): {
  anomalies: number;
  changes: number;
  series: number;
} {
  const all = events.flat();
  const anomalies = all.filter(({ kind }) => kind === "anomaly").length;
  return {
    anomalies,
    changes: all.length - anomalies,
    series: events.filter(({ length }) => length > 0).length,
  };
}

const metricNames = ["smape", "mase", "rmsse", "wape", "bias"];
const aboutNames = ["model", "used", "leader", "demand", "values", "windows"];
/** Columns that stand beside the series columns. */
export const seriesTableNames = [...aboutNames, ...metricNames, ...checkNames, "anomalies", "changes"];
export const eventNames = ["kind", "value", "expected", "score"];

/**
 * A row per series and model: `series…, model, used, leader, demand, values, windows, smape, …, coverage_80, …`, the checks of
 * the residuals, `anomalies` and `changes`. Undefined figures are null.
 */
export async function seriesTable(
  relation: Relation,
  set: SeriesSet,
  of: {
    names: readonly string[];
    levels: readonly number[];
    worked: Worked;
    windows: Windows;
    fallbacks: readonly SeriesFallback[];
    judge(among: readonly number[]): Record<string, ForecastMetrics>;
  },
): Promise<Relation> {
  const { names, levels, worked, windows, fallbacks, judge } = of;
  const rows = set.count * names.length;
  const figures = [...metricNames, ...levels.map((level) => `coverage_${level}`)];
  const values = new Map([...figures, ...checkNames].map((name) => [name, new Float64Array(rows).fill(NaN)]));
  const texts = {
    model: names,
    used: [...new Set([...names, ...fallbacks.map(({ used }) => used)])],
    leader: [...new Set(worked.chosen)],
    demand: ["smooth", "erratic", "intermittent", "lumpy"],
  };
  const codes = Object.fromEntries(Object.keys(texts).map((name) => [name, new Int32Array(rows).fill(-1)]));
  const counts = Object.fromEntries(
    ["_sid", "values", "windows", "anomalies", "changes"].map((name) => [name, new Int32Array(rows)]),
  );
  const instead = new Map(fallbacks.map(({ series, model, used }) => [`${series} ${model}`, used]));
  let row = 0;
  for (let s = 0; s < set.count; s++) {
    const judged = windows.starts[s + 1] > windows.starts[s] ? judge([s]) : {};
    const own = set.values.subarray(set.starts[s], set.starts[s + 1]);
    const demand = demandClass(own);
    const events = worked.events[s] ?? [];
    for (const [m, name] of names.entries()) {
      counts._sid[row] = s;
      counts.values[row] = own.length;
      counts.windows[row] = windows.starts[s + 1] - windows.starts[s];
      counts.anomalies[row] = events.filter(({ kind }) => kind === "anomaly").length;
      counts.changes[row] = events.length - counts.anomalies[row];
      codes.model[row] = m;
      codes.used[row] = texts.used.indexOf(instead.get(`${s} ${name}`) ?? name);
      if (name === "auto") codes.leader[row] = texts.leader.indexOf(worked.chosen[s]);
      codes.demand[row] = texts.demand.indexOf(demand);
      for (const figure of figures) values.get(figure)![row] = judged[name]?.[figure] ?? NaN;
      checkNames.forEach((check, i) => {
        values.get(check)![row] = worked.checks[name][s * checkNames.length + i];
      });
      row++;
    }
  }
  const { engine } = relation;
  const table = engine.fresh("series_metrics");
  await engine.load(table, {
    rows,
    columns: new Map<string, Column>([
      ...Object.entries(counts).map(([name, own]): [string, Column] => [name, { kind: "i32", values: own }]),
      ...Object.entries(texts).map(([name, levelsOf]): [string, Column] => [
        name,
        { kind: "code", values: codes[name], levels: [...levelsOf] },
      ]),
      ...[...values].map(([name, own]): [string, Column] => [name, { kind: "f64", values: own }]),
    ]),
  });
  const keys = set.columns.map(({ name }) => name);
  const shown = [
    ...keys.map((name) => `s.${ident(name)}`),
    ...aboutNames.map((name) => `f.${ident(name)}`),
    ...[...figures, ...checkNames].map((name) => `f.${ident(name)}`),
    ...(worked.events.length > 0 ? ["f.anomalies", "f.changes"] : []),
  ];
  return relationOf(
    engine,
    `SELECT ${shown.join(", ")} FROM ${ident(table)} f JOIN ${ident(set.table)} s ON s._sid = f._sid`,
    { key: [...keys, "model"], inputs: relation.inputs, name: "metrics by series" },
  );
}

/** A row per event: `series…, time, kind, value, expected, score`, ordered by series and time. */
export async function eventsTable(
  relation: Relation,
  set: SeriesSet,
  events: readonly (readonly SeriesEvent[])[],
): Promise<Relation> {
  const { engine } = relation;
  const all = events.flatMap((own, sid) => own.map((event) => ({ ...event, sid })));
  const lasts = await lastPeriods(relation, set);
  const table = engine.fresh("events");
  const f64 = (of: (event: SeriesEvent) => number): Column => ({
    kind: "f64",
    values: Float64Array.from(all, of),
  });
  await engine.load(table, {
    rows: all.length,
    columns: new Map<string, Column>([
      ["sid", { kind: "i32", values: Int32Array.from(all, ({ sid }) => sid) }],
      // Steps count from the last period.
      [
        "step",
        {
          kind: "i32",
          values: Int32Array.from(
            all,
            ({ sid, index }) => index + 1 - (set.starts[sid + 1] - set.starts[sid]),
          ),
        },
      ],
      [
        "kind",
        {
          kind: "code",
          values: Int32Array.from(all, ({ kind }) => (kind === "anomaly" ? 0 : 1)),
          levels: ["anomaly", "change"],
        },
      ],
      ["value", f64(({ value }) => value)],
      ["expected", f64(({ expected }) => expected)],
      ["score", f64(({ score }) => score)],
    ]),
  });
  return relationOf(engine, namedSql(set, table, lasts, eventNames), {
    key: [...set.columns.map(({ name }) => name), rowColumn, "kind"],
    inputs: relation.inputs,
    name: "anomalies and changes",
  });
}

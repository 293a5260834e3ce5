import type { Column } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { relationOf, rowColumn, type Relation } from "../table/relation.js";
import type { Calibration } from "./intervals.js";
import type { SamplePaths } from "./paths.js";
import type { SeriesSet } from "./series.js";
import type { Projections } from "./series-work.js";

/** Forecasts as typed columns, in the order of series and steps. */
export class ForecastColumns {
  rows = 0;
  readonly sid: Int32Array;
  readonly step: Int32Array;
  readonly model: Int32Array;
  readonly mean: Float64Array;
  readonly bounds: { level: number; low: Float64Array; high: Float64Array }[];
  readonly quantiles: { p: number; values: Float64Array }[];

  constructor(
    capacity: number,
    readonly models: readonly string[],
    levels: readonly number[],
    quantiles: readonly number[],
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
    this.quantiles = quantiles.map((p) => ({ p, values: new Float64Array(capacity) }));
  }

  add(
    sid: number,
    model: number,
    { mean, spread, floor }: Projections & { floor: number },
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
      let before = -Infinity;
      for (const { p, values } of this.quantiles) {
        // Where errors are few a step and all steps may disagree on the order.
        before = Math.max(before, floor, mean[h] + calibration.quantile(h + 1, p) * spread[h]);
        values[this.rows] = before;
      }
    }
  }
}

/** The forecasts as a relation: `series…, time, model, mean, lo_80, hi_80, …`, ordered by series, time and model. */
export async function outputTable(
  relation: Relation,
  set: SeriesSet,
  output: ForecastColumns,
  value: string,
): Promise<Relation> {
  const { engine } = relation;
  const lasts = await lastPeriods(relation, set);
  const forecasts = engine.fresh("forecasts");
  const bounds = output.bounds.flatMap(({ level, low, high }): [string, Float64Array][] => [
    [`lo_${level}`, low],
    [`hi_${level}`, high],
  ]);
  for (const { p, values } of output.quantiles) bounds.push([`q_${p}`, values]);
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
  const own = ["model", "mean", ...bounds.map(([name]) => name)];
  return relationOf(engine, namedSql(set, forecasts, lasts, own), {
    key: [...set.columns.map((column) => column.name), rowColumn, "model"],
    inputs: relation.inputs,
    name: `forecasts of ${value}`,
  });
}

/** A table of the engine with the last period of every series. */
export async function lastPeriods({ engine }: Relation, set: SeriesSet): Promise<string> {
  const lasts = engine.fresh("last_periods");
  await engine.load(lasts, {
    rows: set.count,
    columns: new Map([
      ["sid", { kind: "i32", values: Int32Array.from({ length: set.count }, (_, s) => s) }],
      ["last", { kind: "i32", values: set.last }],
    ]),
  });
  return lasts;
}

/** A SELECT of the columns of a table with `sid` and `step`, which become series columns and time; the hidden row column has the order in time, also of "Jan 1990". */
export function namedSql(set: SeriesSet, table: string, lasts: string, own: readonly string[]): string {
  const period = `(${set.base}::BIGINT + l.last + f.step)`;
  const columns = [
    ...set.columns.map((column) => `s.${ident(column.name)}`),
    `${set.axis.fromPeriod(period)} AS ${ident(set.time.name)}`,
    ...own.map((name) => `f.${ident(name)}`),
    `f.step AS ${rowColumn}`,
  ];
  return `SELECT ${columns.join(", ")} FROM ${ident(table)} f JOIN ${ident(lasts)} l ON f.sid = l.sid JOIN ${ident(set.table)} s ON s._sid = f.sid`;
}

/** Sample paths as a relation: `series…, time, model, path, value`, ordered by series, model, path and time. */
export async function pathsTable(relation: Relation, set: SeriesSet, paths: SamplePaths): Promise<Relation> {
  const { engine } = relation;
  const lasts = await lastPeriods(relation, set);
  const table = engine.fresh("paths");
  await engine.load(table, {
    rows: paths.values.length,
    columns: new Map<string, Column>([
      ["sid", { kind: "i32", values: paths.sid }],
      ["step", { kind: "i32", values: paths.step }],
      ["model", { kind: "code", values: paths.model, levels: [...paths.models] }],
      ["path", { kind: "i32", values: paths.path }],
      ["value", { kind: "f64", values: paths.values }],
    ]),
  });
  return relationOf(engine, namedSql(set, table, lasts, ["model", "path", "value"]), {
    key: [...set.columns.map((column) => column.name), "model", "path", rowColumn],
    inputs: relation.inputs,
    name: "sample paths",
  });
}

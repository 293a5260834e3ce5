import type { Column } from "../engine/frame.js";
import { ident } from "../engine/sql.js";
import { relationOf, type Relation } from "../table/relation.js";
import type { Calibration } from "./intervals.js";
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
      name: `forecasts of ${value}`,
    },
  );
}

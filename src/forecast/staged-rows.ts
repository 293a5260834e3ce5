import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../engine/engine.js";
import { floats, integers } from "../engine/frame.js";
import { literal, pathLiteral } from "../engine/sql.js";

/** Rows that are added up and sorted at once; a longer series comes whole. */
const rowsAtOnce = 2_000_000;

/** Aggregates of some series in order of series and period. */
export interface Periods {
  sid: Int32Array;
  /** Relative to the base. */
  period: Int32Array;
  /** NaN where it is unknown. */
  value: Float64Array;
  /** Of every regressor, NaN where there is none. */
  known: Float64Array[];
}

/** Rows of all series in a scratch file, and where in time each series lies. */
export interface StagedRows {
  count: number;
  /** The first period of all. */
  base: number;
  /** Periods from the first to the last of all. */
  span: number;
  /** By series, relative to the base; `last` is below `first` for a series without anything. */
  first: Int32Array;
  last: Int32Array;
  rows: Float64Array;
  /**
   * Aggregates over each period, a few series at a time.
   *
   * @param select expressions named value, x0, x1, ...
   */
  periods(select: readonly string[], regressors: number): AsyncIterable<Periods>;
  /** The longest time without a row of any series, by the period before it, and how many periods have one. */
  widestGap(): Promise<{ after: number; gap: number; periods: number }>;
  drop(): void;
}

/**
 * Writes rows to a scratch file, so that the memory of adding up and sorting does not grow with the number of series: many rows are worked
 * on series range by series range, and the file is pruned by its statistics where the source was in that order.
 *
 * @param select  sid (0 and up), period (BIGINT), value, x0, ...
 * @param future  whether rows after a series' last value are its future
 */
export async function stagedRows(engine: Engine, select: string, future: boolean): Promise<StagedRows> {
  const file = join(engine.scratch, `${engine.fresh("periods")}.parquet`);
  await engine.run(`COPY (${select}) TO ${literal(file)} (FORMAT parquet, COMPRESSION snappy)`);
  const from = `read_parquet(${pathLiteral(file)})`;
  const frame = await engine.frame(
    `SELECT sid, min(period) AS first, ${future ? "max(period) FILTER (value IS NOT NULL)" : "max(period)"} AS last, count(*) AS rows FROM ${from} GROUP BY sid ORDER BY sid`,
    [{ name: "sid", as: "i32" }, ...["first", "last", "rows"].map((name) => ({ name, as: "f64" }) as const)],
  );
  const first = floats(frame, "first");
  const last = floats(frame, "last");
  const rows = floats(frame, "rows");
  let base = Infinity;
  let end = -Infinity;
  for (let s = 0; s < first.length; s++) {
    // Of a series without a value, where rows after the last one are the future, nothing is left.
    if (Number.isNaN(last[s])) continue;
    base = Math.min(base, first[s]);
    end = Math.max(end, last[s]);
  }
  const count = first.length;
  if (base > end) [base, end] = [0, 0];
  return {
    count,
    base,
    span: end - base,
    first: Int32Array.from(first, (period, s) => (Number.isNaN(last[s]) ? 0 : period - base)),
    last: Int32Array.from(last, (period) => (Number.isNaN(period) ? -1 : period - base)),
    rows,
    async *periods(aggregates, regressors) {
      for (let begin = 0; begin < count;) {
        let to = begin + 1;
        for (let sum = rows[begin]; to < count && sum + rows[to] <= rowsAtOnce; to++) sum += rows[to];
        const found = await engine.frame(
          `SELECT sid, (period - ${base})::INTEGER AS period, ${aggregates.join(", ")} FROM ${from}
            WHERE sid BETWEEN ${begin} AND ${to - 1} GROUP BY sid, period ORDER BY sid, period`,
          [
            { name: "sid", as: "i32" },
            { name: "period", as: "i32" },
            ...["value", ...Array.from({ length: regressors }, (_, i) => `x${i}`)].map(
              (name) => ({ name, as: "f64" }) as const,
            ),
          ],
        );
        yield {
          sid: integers(found, "sid"),
          period: integers(found, "period"),
          value: floats(found, "value"),
          known: Array.from({ length: regressors }, (_, i) => floats(found, `x${i}`)),
        };
        begin = to;
      }
    },
    async widestGap() {
      const [widest] = await engine.rows<{ after: number; gap: number; periods: number }>(
        `SELECT after::DOUBLE AS after, gap::DOUBLE AS gap, (count(*) OVER ())::DOUBLE AS periods
           FROM (SELECT period AS after, lead(period, 1, period + 1) OVER (ORDER BY period) - period - 1 AS gap FROM (SELECT DISTINCT period FROM ${from}))
          ORDER BY gap DESC, after LIMIT 1`,
      );
      return widest;
    },
    drop: () => rmSync(file, { force: true }),
  };
}

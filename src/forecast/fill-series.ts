import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Periods, StagedRows } from "./staged-rows.js";
import type { FillRule } from "./series.js";

/** Most values after filling: a stray date of 1900 must not ask for all memory. */
const mostValues = 200_000_000;

/** Where the values of every series go. */
export interface Laid {
  starts: Int32Array;
  values: Float64Array;
  /** Period of the last value of every series. */
  last: Int32Array;
}

/** Numbers that threads read without a copy. */
export const shared = (length: number): Float64Array<ArrayBufferLike> =>
  new Float64Array(new SharedArrayBuffer(8 * length));

/**
 * Room for all series, one after the other, gaps filled by a rule. Series without anything have length 0. Where gaps are
 * closed up, starts are settled while values come in.
 *
 * @throws ShopaiError "data" for more values than memory is asked for
 */
export function laidOut({ count, first, last, span, rows }: StagedRows, rule: FillRule, where: string): Laid {
  const starts = new Int32Array(count + 1);
  const ends = new Int32Array(count);
  let total = 0;
  for (let s = 0; s < count; s++) {
    ends[s] = rule === "zero" ? span : last[s];
    const most = last[s] < first[s] ? 0 : ends[s] - first[s] + 1;
    total += rule === "none" ? Math.min(most, rows[s]) : most;
    if (total > mostValues)
      throw new ShopaiError(
        "data",
        `the series would have more than ${grouped(mostValues)} values once gaps are filled`,
        {
          where,
          try: "--freq with a longer period, --where without stray times, or --fill none",
        },
      );
    starts[s + 1] = total;
  }
  return { starts, values: shared(total), last: ends };
}

/** Fills the room with the periods that come in, series after series. */
export function filling({ starts, values }: Laid, { last }: StagedRows, rule: FillRule) {
  const filled = { rule, gaps: 0, tail: 0, missing: 0, ended: 0 };
  const closed = rule === "none";
  let place = 0;
  return {
    take({ sid, period, value }: Periods): void {
      for (let row = 0; row < sid.length;) {
        const series = sid[row];
        if (closed) starts[series] = place;
        else place = starts[series];
        const from = row;
        const first = place;
        let known = NaN;
        for (; row < sid.length && sid[row] === series && period[row] <= last[series]; row++) {
          const gap = row === from || closed ? 0 : period[row] - period[row - 1] - 1;
          for (let i = 0; i < gap; i++) values[place++] = rule === "zero" ? 0 : known;
          filled.gaps += gap;
          if (gap > 0 && rule === "zero") known = 0;
          if (Number.isNaN(value[row])) filled.missing++;
          else known = value[row];
          values[place++] = known;
        }
        // What lies after the last value tells of regressors alone.
        while (row < sid.length && sid[row] === series) row++;
        if (!closed) filled.tail += starts[series + 1] - place;
        backFill(values.subarray(first, place));
      }
    },
    done() {
      if (closed) starts[starts.length - 1] = place;
      return filled;
    },
  };
}

/** In a table with a smaller share of gaps than this every period has its row: a series that ends early has ended, it is not zero since. */
const sparse = 0.01;

/**
 * Lets series end with their own last row, where hardly a period between first and last rows is without one. Moves values and regressors
 * together.
 *
 * @returns how many series end before the last period of the table; nothing is changed where gaps are usual
 */
export function endWhereRowsEnd(
  laid: Laid,
  { count, first, last, span }: StagedRows,
  gaps: number,
  known: readonly { values: Float64Array }[],
  horizon: number,
): number {
  let inner = 0;
  for (let s = 0; s < count; s++) inner += last[s] - first[s] + 1;
  if (gaps > sparse * inner) return 0;
  const { starts, values } = laid;
  let to = 0;
  let ended = 0;
  let from = 0;
  for (let s = 0; s < count; s++) {
    const next = starts[s + 1];
    const length = last[s] - first[s] + 1;
    values.copyWithin(to, from, from + length);
    for (const column of known)
      column.values.copyWithin(to + s * horizon, from + s * horizon, from + s * horizon + length + horizon);
    if (last[s] < span) ended++;
    laid.last[s] = last[s];
    to += length;
    starts[s + 1] = to;
    from = next;
  }
  return ended;
}

/** Unknown values at the start take the first known one; 0 when there is none. */
export function backFill(values: Float64Array): void {
  const first = values.findIndex((value) => !Number.isNaN(value));
  for (let i = 0; i < values.length && Number.isNaN(values[i]); i++)
    values[i] = first < 0 ? 0 : values[first];
}

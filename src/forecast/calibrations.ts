import { power } from "../core/power.js";
import type { Windows } from "./backtest.js";
import {
  calibrate,
  countBelow,
  countUpTo,
  errorPool,
  type Calibration,
  type ErrorPool,
} from "./intervals.js";
import { mostSeen, type Projections } from "./series-work.js";
import type { SeriesSet } from "./series.js";

/** Calibrations by the length of the history that is forecast from. */
export type CalibrationFor = (length: number) => Calibration;

/** Errors over the deviation that the model expected, each array in order, by length of the history (`cellOf`), origin and step. */
type ErrorCells = Map<number, Float64Array[][]>;

/** Half octaves: lengths of one are within a factor of 1.42. In whole numbers, which no machine rounds. */
export function cellOf(length: number): number {
  const seen = Math.min(length, mostSeen);
  const octave = 31 - Math.clz32(seen);
  return 2 * octave + (seen * seen >= 2 << (2 * octave) ? 1 : 0);
}

function standardised(set: SeriesSet, windows: Windows, { mean, spread }: Projections): ErrorCells {
  const { horizon, series, cut, origin, origins } = windows;
  const counts = new Map<number, Int32Array>();
  const each = (visit: (w: number, h: number, cell: number) => void): void => {
    for (let w = 0; w < series.length; w++) {
      const cell = cellOf(cut[w]);
      for (let h = 0; h < horizon; h++) if (spread[w * horizon + h] > 0) visit(w, h, cell);
    }
  };
  each((w, h, cell) => {
    const own = counts.get(cell) ?? new Int32Array(origins * horizon);
    counts.set(cell, own);
    own[origin[w] * horizon + h]++;
  });
  const cells: ErrorCells = new Map();
  for (const [cell, own] of counts)
    cells.set(
      cell,
      Array.from({ length: origins }, (_, o) =>
        Array.from({ length: horizon }, (_, h) => new Float64Array(own[o * horizon + h])),
      ),
    );
  each((w, h, cell) => {
    const value = set.values[set.starts[series[w]] + cut[w] + h] - mean[w * horizon + h];
    const left = --counts.get(cell)![origin[w] * horizon + h];
    cells.get(cell)![origin[w]][h][left] = value / spread[w * horizon + h];
  });
  for (const byOrigin of cells.values())
    for (const steps of byOrigin) for (const values of steps) values.sort();
  return cells;
}

/** Half octaves on either side whose windows tell of a length: from half of it to twice. */
const usualReach = 2;
/** With fewer windows than this in reach it is widened. */
const enoughWindows = 200;
/** Origins from which on it can be told how wide intervals must be for an origin that none of them has seen. */
const fewestOrigins = 3;
/** Narrower intervals say where the middle is, not how wide errors spread: they stay as they are. */
const leastWidened = 50;
/** Intervals are not widened by more than this. */
const widest = 3;
/** With so many windows half of the widening (as a power) is believed. */
const doubtfulWindows = 30;

/**
 * The calibration of a model by all its windows, and for every origin the one by the windows of the
 * other origins: what an honest coverage is measured with.
 *
 * A model that has seen little errs by more of the deviation that it expects, and to another side, so that a history is told of by
 * windows with histories of like length (localised conformal prediction: Guan 2023, Biometrika 110:33-50).
 *
 * Errors of one origin go together (a holiday, a bad quarter hits all series), so that an origin that nobody has seen errs by more than
 * the pool of the others says. Every origin is therefore held against the pool of the others, and intervals are widened by
 * the factor that lets these hold the level: cross-conformal prediction by groups (Vovk 2015, Annals of Mathematics
 * and Artificial Intelligence 74:9-28). The calibration without an origin learns its factor without it as well.
 */
export function calibrations(
  set: SeriesSet,
  windows: Windows,
  forecasts: Projections,
  levels: readonly number[],
): { whole: CalibrationFor; without: CalibrationFor[] } {
  const cells = standardised(set, windows, forecasts);
  const origins = Array.from({ length: windows.origins }, (_, o) => o);
  const poolOf = remembered((cell: number, among: readonly number[]) =>
    poolNear(cells, cell, among, windows),
  );
  const calibratedBy = (among: readonly number[]): CalibrationFor => {
    const factors = new Map<number, number>();
    const factor = (level: number): number => {
      if (level < leastWidened || among.length < fewestOrigins) return 1;
      const found = factors.get(level) ?? wideningOf(cells, among, poolOf, level);
      factors.set(level, found);
      return found;
    };
    const of = remembered((cell: number) => calibrate(poolOf(cell, among), levels, factor));
    return (length) => of(cellOf(length), among);
  };
  return {
    whole: calibratedBy(origins),
    without: origins.map((o) => calibratedBy(origins.filter((one) => one !== o))),
  };
}

/** Makes what belongs to a cell and some origins once. */
function remembered<T>(
  make: (cell: number, among: readonly number[]) => T,
): (cell: number, among: readonly number[]) => T {
  const known = new Map<string, T>();
  return (cell, among) => {
    const key = `${cell} ${among.join()}`;
    const found = known.get(key) ?? make(cell, among);
    known.set(key, found);
    return found;
  };
}

/**
 * The cells whose windows tell of a length: those in reach, or so many more that there are enough windows.
 *
 * @param windows how many windows there are, by cell
 */
export function cellsNear(cell: number, windows: ReadonlyMap<number, number>): Set<number> {
  const known = [...windows].filter(([, count]) => count > 0);
  const furthest = known.reduce((most, [one]) => Math.max(most, Math.abs(one - cell)), usualReach);
  for (let reach = usualReach; ; reach++) {
    const near = known.filter(([one]) => Math.abs(one - cell) <= reach);
    const count = near.reduce((sum, [, own]) => sum + own, 0);
    if (count >= enoughWindows || reach >= furthest) return new Set(near.map(([one]) => one));
  }
}

/** Errors of some origins with histories of about the length of a cell. */
function poolNear(cells: ErrorCells, cell: number, among: readonly number[], windows: Windows): ErrorPool {
  const counts = new Map([...cells].map(([one, byOrigin]) => [one, windowsOf([byOrigin], among)]));
  const known = cellsNear(cell, counts);
  const near = [...known].map((one) => cells.get(one)!);
  const heard = among.filter((o) => near.some((byOrigin) => byOrigin[o].every(({ length }) => length > 0)));
  return errorPool(
    Array.from({ length: windows.horizon }, (_, h) =>
      heard.map((o) => near.map((byOrigin) => byOrigin[o][h])),
    ),
    apartIn(windows, known),
  );
}

/** Mean distance of neighbouring origins over the horizon, of series with windows of some cells. */
function apartIn({ series, cut, horizon }: Windows, cells: ReadonlySet<number>): number {
  let [distance, count] = [0, 0];
  for (let w = 1; w < series.length; w++)
    if (series[w] === series[w - 1] && cells.has(cellOf(cut[w]))) {
      distance += cut[w - 1] - cut[w];
      count++;
    }
  return count > 0 ? Math.min(1, distance / count / horizon) : 1;
}

function windowsOf(cells: readonly Float64Array[][][], among: readonly number[]): number {
  return cells.reduce((sum, byOrigin) => sum + among.reduce((own, o) => own + byOrigin[o][0].length, 0), 0);
}

/** What intervals from the other origins must be widened by so that the windows of each origin lie inside as often as the level says. */
function wideningOf(
  cells: ErrorCells,
  among: readonly number[],
  poolOf: (cell: number, among: readonly number[]) => ErrorPool,
  level: number,
): number {
  const bounded = among.flatMap((o) => {
    const others = among.filter((one) => one !== o);
    return [...cells].flatMap(([cell, byOrigin]) => {
      if (byOrigin[o][0].length === 0) return [];
      const calibration = calibrate(poolOf(cell, others), [level]);
      return byOrigin[o].map((sorted, h) => ({ sorted, ...calibration.multiples(h + 1, level) }));
    });
  });
  const count = bounded.reduce((sum, { sorted }) => sum + sorted.length, 0);
  const rank = Math.ceil(((count + 1) * level) / 100);
  if (rank > count) return 1;
  const holds = (factor: number): boolean => {
    let inside = 0;
    for (const { sorted, low, high } of bounded)
      inside += countUpTo(sorted, factor * high) - countBelow(sorted, factor * low);
    return inside >= rank;
  };
  const seen = windowsOf([...cells.values()], among);
  return power(leastThat(holds), seen / (seen + doubtfulWindows));
}

/** The least factor from 1 on that holds. */
function leastThat(holds: (factor: number) => boolean): number {
  let [low, high] = [1, widest];
  if (holds(low)) return low;
  if (!holds(high)) return high;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

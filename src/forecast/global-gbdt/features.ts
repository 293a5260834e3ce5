import type { TimeAxis } from "../frequency.js";
import type { Track } from "./track.js";

/** What trees may know of the panel beside the values. */
export interface PanelAbout {
  season: number;
  /** All seasons, the shortest first. */
  seasons: readonly number[];
  axis: TimeAxis;
  /** Period of index 0 of the calendar. */
  base: number;
  regressors: number;
}

/** What of one series is asked: its track, the calendar period of its first value, its regressors over history and future. */
export interface Asked {
  track: Track;
  first: number;
  known: readonly Float64Array[];
}

/** By what a target is measured, so that series of any size can be learned from together. */
export interface Measure {
  /** The level that is taken off. */
  level: number;
  /** The unit, above zero: about the size of its changes over a season. */
  unit: number;
  /** How far values lie from their mean, above zero. */
  deviation: number;
}

/** What a forecast may be told from: the same place of the last season, the mean of the last season, the last value. */
export const anchors = ["season ago", "level", "last value"] as const;
export type Anchor = (typeof anchors)[number];

const lastValues = 6;
const sameSeason = 3;
const manySeasons = 8;
/** Zeros at the end of a series that are counted. */
const longestWait = 64;
/** Periods that a level is taken over where there is no season. */
const usualWindow = 8;

/**
 * What a forecast `step` periods after the first `known` values of a series can go by; nothing later is looked at but
 * the calendar and regressors. All values are in units of the series (`Measure`), so that what is learned from one series holds
 * for others.
 */
export class Features {
  readonly names: string[];
  private readonly window: number;
  private readonly longer: readonly number[];

  constructor(private readonly about: PanelAbout) {
    const { season, seasons, axis } = about;
    this.window = season > 1 ? season : usualWindow;
    this.longer = seasons.filter((one) => one > season);
    const lags = (label: string): string[] => [
      ...Array.from({ length: sameSeason }, (_, i) => `${label} ${i + 1} ago`),
      `${label} before`,
      `${label} after`,
      `${label} mean`,
    ];
    this.names = [
      "step",
      "age",
      "height",
      ...Array.from({ length: lastValues }, (_, i) => `last ${i + 1}`),
      ...(season > 1 ? lags("season") : []),
      ...this.longer.flatMap((one) => lags(`season of ${one}`)),
      "half window",
      "two windows",
      "four windows",
      "eight windows",
      "window before",
      "deviation",
      "long deviation",
      "zeros",
      "since last",
      ...(season > 1 ? ["place in season"] : []),
      ...this.longer.map((one) => `place in season of ${one}`),
      ...(axis.firstDay ? ["weekday", "day of month", "month", "day of year"] : []),
      ...Array.from({ length: about.regressors }, (_, i) => [
        `regressor ${i + 1}`,
        `regressor ${i + 1} to its mean`,
        `regressor ${i + 1} to last season`,
      ]).flat(),
    ];
  }

  /** Level and unit of a series after its first `known` values, 1 or more. */
  measure(track: Track, known: number): Measure {
    const level = track.mean(known, this.window);
    const change = Math.max(track.change(known, 4 * this.window) || 0, (track.change(known, known) || 0) / 2);
    const deviation = Math.max(track.deviation(known, 4 * this.window), track.deviation(known, known) / 2);
    const size = Math.abs(track.mean(known, 4 * this.window));
    const unit = Math.max(change, deviation / 4, size / 1000);
    return { level, unit: unit || 1, deviation: Math.max(deviation, size / 1000) || 1 };
  }

  /** What targets are told from, one of `anchors`; for a history shorter than a season the level stands for it. */
  anchor(which: Anchor, track: Track, known: number, step: number, { level }: Measure): number {
    if (which === "last value") return track.values[known - 1];
    const { season } = this.about;
    if (which === "level" || season === 1 || season > known) return level;
    return track.values[known - 1 + step - season * Math.ceil(step / season)];
  }

  /**
   * Writes the features of one target into a row of the columns.
   *
   * @param known values that are known, 1 or more
   * @param step  periods ahead, from 1
   */
  write(
    columns: readonly { [index: number]: number }[],
    row: number,
    { track, first, known: regressors }: Asked,
    known: number,
    step: number,
    { level, unit }: Measure,
  ): void {
    const { season, axis, base } = this.about;
    const { values } = track;
    const target = known - 1 + step;
    let c = 0;
    const put = (value: number): void => {
      columns[c++][row] = value;
    };
    const scaled = (t: number): number => (t >= 0 && t < known ? (values[t] - level) / unit : NaN);
    const windows = (count: number): number => (track.mean(known, count) - level) / unit;
    put(step);
    put(Math.min(known, 4096));
    put(level / unit);
    for (let i = 0; i < lastValues; i++) put(scaled(known - 1 - i));
    const lags = (length: number): void => {
      const back = length * Math.ceil(step / length);
      for (let i = 0; i < sameSeason; i++) put(scaled(target - back - i * length));
      put(scaled(target - back - 1));
      put(scaled(target - back + 1));
      let sum = 0;
      let seen = 0;
      for (let t = target - back; t >= 0 && seen < manySeasons; t -= length, seen++) sum += values[t];
      put(seen > 0 ? (sum / seen - level) / unit : NaN);
    };
    if (season > 1) lags(season);
    for (const one of this.longer) lags(one);
    const w = this.window;
    put(windows(Math.max(2, w >> 1)));
    put(windows(2 * w));
    put(windows(4 * w));
    put(windows(8 * w));
    put(known > w ? (track.mean(known - w, w) - level) / unit : NaN);
    put(track.deviation(known, w) / unit);
    put(track.deviation(known, 8 * w) / unit);
    put(track.zeroShare(known, 4 * w));
    let last = known - 1;
    while (last >= 0 && last > known - 1 - longestWait && values[last] === 0) last--;
    put(known - 1 - last);
    const period = base + first + target;
    if (season > 1) put(((period % season) + season) % season);
    for (const one of this.longer) put(((period % one) + one) % one);
    if (axis.firstDay) {
      const day = axis.firstDay(period);
      const date = new Date(day * 86_400_000);
      put((((day + 4) % 7) + 7) % 7);
      put(date.getUTCDate());
      put(date.getUTCMonth());
      put(day - Date.UTC(date.getUTCFullYear(), 0, 1) / 86_400_000);
    }
    for (const column of regressors) {
      const value = column[target];
      put(value);
      let sum = 0;
      const from = Math.max(0, known - 4 * w);
      for (let t = from; t < known; t++) sum += column[t];
      put(value - sum / (known - from));
      const back = target - w * Math.ceil(step / w);
      put(back >= 0 ? value - column[back] : NaN);
    }
  }
}

import { demandClass } from "./intermittent/demands.js";

export const outlierRules = ["keep", "clip"] as const;
export type OutlierRule = (typeof outlierRules)[number];

/** Something in a history that a reader should look at. */
export interface SeriesEvent {
  kind: "anomaly" | "change";
  /** Place in the history, from 0. */
  index: number;
  /** Anomaly: the value. Change: the mean of the stretch that begins here. */
  value: number;
  /** Anomaly: what season and trend let expect. Change: the mean of the stretch before. */
  expected: number;
  /** Size of the difference, in deviations of what is usual. */
  score: number;
}

/** Interquartile ranges beyond the quartiles at which a remainder stands out. */
const fence = 3;
/** Shortest stretch that a level is taken over. */
const shortestStretch = 8;

/** Whole seasons that a level is taken over. */
const stretchOf = (season: number): number => season * Math.ceil(shortestStretch / season);

/** Fewest values that are looked at. */
const fewest = 12;

interface Parted {
  /** What season and trend let expect. */
  expected: Float64Array;
  /** Bounds of the usual remainder. */
  low: number;
  high: number;
  /** Its deviation, were it normal, by its quartiles. */
  deviation: number;
}

/**
 * Level and season by medians, which neither values that stand out nor jumps of the level pull along (the level over whole seasons,
 * the season as the median of what is left at each of its places), and the bounds of what is left of both: three interquartile
 * ranges beyond the quartiles (Tukey 1977, Exploratory Data Analysis; the rule of R's `tsoutliers`).
 */
function parted(values: Float64Array, season: number): Parted {
  const seasonal = season > 1 && values.length > 3 * season;
  const stretch = stretchOf(seasonal ? season : 1);
  const level = runningMedian(values, stretch);
  if (!seasonal) return { expected: level, ...bounds(values, level) };
  const places = Array.from({ length: season }, (_, place) => {
    const rests: number[] = [];
    for (let t = place; t < values.length; t += season) rests.push(values[t] - level[t]);
    return median(Float64Array.from(rests));
  });
  const expected = level.map((value, t) => value + places[t % season]);
  return { expected, ...bounds(values, expected) };
}

const standsOut = (rest: number, { low, high }: Pick<Parted, "low" | "high">): boolean =>
  low < high && (rest < low || rest > high);

function bounds(values: Float64Array, expected: Float64Array): Omit<Parted, "expected"> {
  const [lower, upper] = quartiles(values.map((value, t) => value - expected[t]));
  const reach = fence * (upper - lower);
  return { low: lower - reach, high: upper + reach, deviation: (upper - lower) / normalRange };
}

/** Interquartile range of the standard normal distribution. */
const normalRange = 1.349;

function quartiles(values: Float64Array): [number, number] {
  const sorted = values.slice().sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))];
  return [at(0.25), at(0.75)];
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** The median of the `stretch` values around each one; at the ends that of the outermost, led on by the slope to the ones before. */
function runningMedian(values: Float64Array, stretch: number): Float64Array {
  const last = values.length - stretch;
  if (last < stretch) return values.map(() => median(values));
  const at = (from: number): number => median(values.subarray(from, from + stretch));
  const half = stretch >> 1;
  const [first, final] = [at(0), at(last)];
  const rise = (at(stretch) - first) / stretch;
  const finalRise = (final - at(last - stretch)) / stretch;
  return values.map((_, t) => {
    if (t < half) return first + rise * (t - half);
    if (t - half > last) return final + finalRise * (t - half - last);
    return at(t - half);
  });
}

/** Whether a history is long enough, and demand steady enough, that something can stand out of it. */
function steady(values: Float64Array): boolean {
  if (values.length < fewest) return false;
  const demand = demandClass(values);
  return demand === "smooth" || demand === "erratic";
}

/** The history with what stands out moved to the nearest value that would not; rare demand as it is. */
export function clipped(values: Float64Array, season: number): Float64Array {
  if (!steady(values)) return values;
  const { expected, low, high } = parted(values, season);
  if (!(low < high)) return values;
  return values.map((value, t) => Math.min(expected[t] + high, Math.max(expected[t] + low, value)));
}

/** Anomalies and changes of level of a history, in the order of time; none in rare demand, and no anomaly next to a change. */
export function eventsOf(values: Float64Array, season: number): SeriesEvent[] {
  if (!steady(values)) return [];
  const parts = parted(values, season);
  const events: SeriesEvent[] = [];
  const calmed = values.map((value, t) => {
    const expected = parts.expected[t];
    if (!standsOut(value - expected, parts)) return value;
    const score = Math.abs(value - expected) / parts.deviation;
    events.push({ kind: "anomaly", index: t, value, expected, score });
    return expected;
  });
  const changes = changesOf(calmed, season);
  // Where the level jumps, a level over whole seasons is off on either side.
  const own = events.filter(({ index }) =>
    changes.every((change) => Math.abs(change.index - index) > stretchOf(season)),
  );
  return [...own, ...changes].sort((a, b) => a.index - b.index);
}

/** How many stretches a history must hold for changes to be told from its usual ones. */
const fewestStretches = 6;
/** Deviations of the usual differences between neighbouring stretches that a change must exceed. */
const changeScore = 4;

/**
 * Places where the mean of the next whole seasons differs from that of the last by more than neighbouring stretches of the series
 * usually do (moving sums, Eichinger & Kirch 2018, Bernoulli 24:526-564, scaled by the interquartile range of the differences, so that
 * a series that always wanders has no change).
 */
function changesOf(values: Float64Array, season: number): SeriesEvent[] {
  const n = values.length;
  const stretch = stretchOf(season);
  if (n < fewestStretches * stretch) return [];
  const sums = new Float64Array(n + 1);
  for (let t = 0; t < n; t++) sums[t + 1] = sums[t] + values[t];
  const mean = (from: number): number => (sums[from + stretch] - sums[from]) / stretch;
  // The difference at place i belongs to the value at i + stretch.
  const steps = Float64Array.from({ length: n - 2 * stretch + 1 }, (_, i) => mean(i + stretch) - mean(i));
  const [lower, upper] = quartiles(steps);
  const deviation = (upper - lower) / normalRange;
  const usual = (lower + upper) / 2;
  const sizes = steps.map((step) => Math.abs(step - usual));
  const events: SeriesEvent[] = [];
  sizes.forEach((size, i) => {
    if (!(size > changeScore * deviation) || !(deviation > 0)) return;
    const near = sizes.subarray(Math.max(0, i - stretch), i + stretch + 1);
    if (near.some((other, k) => other > size || (other === size && k < i - Math.max(0, i - stretch)))) return;
    events.push({
      ...{ kind: "change", index: i + stretch, value: mean(i + stretch), expected: mean(i) },
      score: size / deviation,
    });
  });
  return events;
}

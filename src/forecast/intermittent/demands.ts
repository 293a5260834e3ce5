/** Demand that is zero in many periods, as sizes and the intervals between them. */
export interface Demands {
  /** Values that are not zero, oldest first. */
  sizes: Float64Array;
  /** Periods from one demand to the next; the first counts from the start of the series. */
  intervals: Float64Array;
}

export function demandsOf(values: Float64Array): Demands {
  const places: number[] = [];
  values.forEach((value, t) => {
    if (value !== 0) places.push(t);
  });
  return {
    sizes: Float64Array.from(places, (t) => values[t]),
    intervals: Float64Array.from(places, (t, i) => (i === 0 ? t + 1 : t - places[i - 1])),
  };
}

/** Smooth, erratic, intermittent or lumpy demand. */
export type DemandClass = "smooth" | "erratic" | "intermittent" | "lumpy";

/**
 * The class of a demand, by the mean interval between demands (cut at 1.32) and the squared coefficient of variation
 * of their sizes (cut at 0.49).
 *
 * Syntetos, Boylan & Croston (2005), J. Operational Research Society 56:495-503.
 */
export function demandClass(values: Float64Array): DemandClass {
  const { sizes } = demandsOf(values);
  if (sizes.length === 0) return "intermittent";
  const often = values.length / sizes.length < 1.32;
  let mean = 0;
  for (const size of sizes) mean += size / sizes.length;
  let squares = 0;
  for (const size of sizes) squares += (size - mean) ** 2 / sizes.length;
  const even = squares / (mean * mean) < 0.49;
  return often ? (even ? "smooth" : "erratic") : even ? "intermittent" : "lumpy";
}

/** The weighted mean of values by simple exponential smoothing from the first one on. */
export function smoothedFrom(values: Float64Array, alpha: number): number {
  let level = values[0];
  for (let i = 1; i < values.length; i++) level += alpha * (values[i] - level);
  return level;
}

import { bestAlpha, smoothed } from "../ses.js";

/**
 * Demand per period by simple exponential smoothing of sums over blocks of `length` periods; the oldest values that
 * fill no block are left out.
 */
export function aggregatedRate(values: Float64Array, length: number): number {
  const blocks = Math.floor(values.length / length);
  const offset = values.length - blocks * length;
  const sums = new Float64Array(blocks);
  for (let b = 0; b < blocks; b++)
    for (let t = 0; t < length; t++) sums[b] += values[offset + b * length + t];
  if (blocks < 3) {
    let mean = 0;
    for (const sum of sums) mean += sum / blocks;
    return mean / length;
  }
  return smoothed(sums, bestAlpha(sums)).level / length;
}

/** The mean interval between demands, rounded; 1 where there is none. */
export function meanInterval(values: Float64Array): number {
  let demands = 0;
  for (const value of values) if (value !== 0) demands++;
  return demands === 0 ? 1 : Math.max(1, Math.round(values.length / demands));
}

/** Sum of squared differences from a constant rate. */
export function squaresAround(values: Float64Array, rate: number): number {
  let squares = 0;
  for (const value of values) squares += (value - rate) ** 2;
  return squares;
}

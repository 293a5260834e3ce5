import type { Rng } from "../core/rng.js";

/** Points as rows, row-major. */
export interface Points {
  rows: number;
  width: number;
  values: Float64Array;
}

export interface Clustering {
  /** k x width, row-major. */
  centers: Float64Array;
  /** Number of the nearest center of every point. */
  labels: Int32Array;
  /** Squared distance of every point to that center. */
  squared: Float64Array;
  /** Sum of `squared`. */
  inertia: number;
  iterations: number;
}

/** Finds the nearest center of every point; equal distances go to the first. @returns the sum of squared distances */
export function assign(
  points: Points,
  centers: Float64Array,
  labels: Int32Array,
  squared: Float64Array,
): number {
  const { rows, width, values } = points;
  let inertia = 0;
  for (let r = 0; r < rows; r++) {
    let least = Infinity;
    let label = 0;
    for (let at = 0, c = 0; at < centers.length; at += width, c++) {
      let sum = 0;
      for (let p = r * width, q = at; q < at + width; p++, q++) {
        const gap = values[p] - centers[q];
        sum += gap * gap;
      }
      if (sum < least) {
        least = sum;
        label = c;
      }
    }
    labels[r] = label;
    squared[r] = least;
    inertia += least;
  }
  return inertia;
}

/**
 * Lloyd's algorithm from given centers (Lloyd 1982). A center that loses all its points moves to the
 * point that is farthest from its own, as in scikit-learn.
 *
 * @param centers    k x width, row-major; not changed
 * @param tolerance  stop when the centers move less: sum of squares, times the mean variance of the columns
 * @param tick       called before every pass; may wait, may throw
 */
export async function lloyd(
  points: Points,
  centers: Float64Array,
  iterations: number,
  tolerance: number,
  tick?: (pass: number) => Promise<void>,
): Promise<Clustering> {
  const { rows, width, values } = points;
  const count = centers.length / width;
  const enough = tolerance * meanVariance(points);
  const labels = new Int32Array(rows).fill(-1);
  const squared = new Float64Array(rows);
  let now = centers.slice();
  let iteration = 0;
  for (; iteration < iterations; iteration++) {
    await tick?.(iteration);
    const before = labels.slice();
    assign(points, now, labels, squared);
    const next = new Float64Array(centers.length);
    const sizes = new Int32Array(count);
    for (let r = 0; r < rows; r++) {
      sizes[labels[r]]++;
      for (let p = r * width, q = labels[r] * width, end = p + width; p < end; p++, q++) next[q] += values[p];
    }
    fillEmpty(points, next, sizes, labels, squared);
    let moved = 0;
    for (let c = 0; c < count; c++)
      for (let q = c * width; q < (c + 1) * width; q++) {
        next[q] /= sizes[c];
        moved += (next[q] - now[q]) ** 2;
      }
    now = next;
    if (moved <= enough || labels.every((label, r) => label === before[r])) {
      iteration++;
      break;
    }
  }
  const inertia = assign(points, now, labels, squared);
  return { centers: now, labels, squared, inertia, iterations: iteration };
}

/** Gives every empty center the farthest point that is left, taken from the center it belonged to. */
function fillEmpty(
  { rows, width, values }: Points,
  sums: Float64Array,
  sizes: Int32Array,
  labels: Int32Array,
  squared: Float64Array,
): void {
  const taken = new Set<number>();
  for (let c = 0; c < sizes.length; c++) {
    if (sizes[c] > 0) continue;
    let farthest = -1;
    for (let r = 0; r < rows; r++)
      if (!taken.has(r) && sizes[labels[r]] > 1 && (farthest < 0 || squared[r] > squared[farthest]))
        farthest = r;
    taken.add(farthest);
    const from = labels[farthest];
    sizes[from]--;
    sizes[c] = 1;
    for (let q = 0; q < width; q++) {
      sums[from * width + q] -= values[farthest * width + q];
      sums[c * width + q] = values[farthest * width + q];
    }
  }
}

function meanVariance({ rows, width, values }: Points): number {
  let total = 0;
  for (let c = 0; c < width; c++) {
    let mean = 0;
    for (let r = 0; r < rows; r++) mean += values[r * width + c];
    mean /= rows;
    for (let r = 0; r < rows; r++) total += (values[r * width + c] - mean) ** 2;
  }
  return total / (rows * width);
}

/**
 * Starting centers by greedy k-means++: each is drawn with probability proportional to the squared
 * distance from those already chosen; of 2 + ln k draws the one that lowers the sum most is kept.
 *
 * Arthur & Vassilvitskii (2007), k-means++: The Advantages of Careful Seeding, SODA, section 2.2.
 */
export function plusPlus(points: Points, count: number, rng: Rng): Float64Array {
  const { rows, width, values } = points;
  const trials = 2 + Math.floor(Math.log(count));
  const centers = new Float64Array(count * width);
  const place = (center: number, row: number): void =>
    centers.set(values.subarray(row * width, (row + 1) * width), center * width);
  const distances = (row: number, least: Float64Array): { squared: Float64Array; sum: number } => {
    const squared = new Float64Array(rows);
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      let gap = 0;
      for (let p = r * width, q = row * width, end = p + width; p < end; p++, q++)
        gap += (values[p] - values[q]) ** 2;
      squared[r] = Math.min(least[r], gap);
      sum += squared[r];
    }
    return { squared, sum };
  };
  const first = rng.integer(rows);
  place(0, first);
  let now = distances(first, new Float64Array(rows).fill(Infinity));
  for (let c = 1; c < count; c++) {
    let best: { row: number; squared: Float64Array; sum: number } | undefined;
    for (let trial = 0; trial < trials; trial++) {
      const row = drawn(now.squared, now.sum, rng);
      const then = distances(row, now.squared);
      if (!best || then.sum < best.sum) best = { row, ...then };
    }
    place(c, best!.row);
    now = best!;
  }
  return centers;
}

/** An index with probability proportional to its weight. */
function drawn(weights: Float64Array, sum: number, rng: Rng): number {
  let left = rng.uniform() * sum;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.length - 1;
}

import type { Rng } from "../core/rng.js";
import { ratio, taken, type Measure, type MetricInfo } from "./metric.js";

export const clusteringMetrics: MetricInfo[] = [
  {
    name: "silhouette",
    summary: "how much nearer rows are to their own cluster than to the next, -1..1, Euclidean",
    source: "scikit-learn, sklearn.metrics.silhouette_score; Rousseeuw (1987), J. Comp. Appl. Math. 20:53-65",
    better: "higher",
    undefinedWhen: "there are fewer than two clusters, or as many as rows",
  },
  {
    name: "davies_bouldin",
    summary: "mean likeness of every cluster to its most like one, 0 is best, Euclidean",
    source:
      "scikit-learn, sklearn.metrics.davies_bouldin_score; Davies & Bouldin (1979), IEEE PAMI 1:224-227",
    better: "lower",
    undefinedWhen: "there are fewer than two clusters",
  },
];

export interface ClusterRows {
  /** The space that the model clusters in, row-major, rows x dimensions. */
  points: Float64Array;
  dimensions: number;
  /** Cluster of every row, 0..clusters-1. */
  cluster: Int32Array;
  clusters: number;
}

/** Most rows for which the silhouette is exact: it takes all pairs. */
export const silhouetteRows = 8000;

/** The rows that the silhouette is worked out on: all, or a sample by the seed, in ascending order. */
export function silhouetteSample(rows: number, rng: Rng): Uint32Array {
  const all = Uint32Array.from({ length: rows }, (_, i) => i);
  if (rows <= silhouetteRows) return all;
  for (let i = 0; i < silhouetteRows; i++) {
    const j = i + rng.integer(rows - i);
    const kept = all[i];
    all[i] = all[j];
    all[j] = kept;
  }
  return all.slice(0, silhouetteRows).sort();
}

/** The same for some of the rows; clusters keep their numbers. */
export function clusterSubset(data: ClusterRows, rows: Uint32Array): ClusterRows {
  const { points, dimensions } = data;
  const kept = new Float64Array(rows.length * dimensions);
  rows.forEach((row, i) =>
    kept.set(points.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions),
  );
  return { ...data, points: kept, cluster: taken(data.cluster, rows) };
}

/**
 * `silhouette` and `davies_bouldin`. Weights re-weigh the silhouettes of rows as worked out on all rows
 * of `sample`; the Davies-Bouldin index is worked out anew, centres and all.
 *
 * @param sample rows for the silhouette, from `silhouetteSample`
 */
export function measureClustering(data: ClusterRows, sample: Uint32Array): Measure {
  const values = silhouettes(clusterSubset(data, sample));
  return {
    family: clusteringMetrics,
    names: ["silhouette", "davies_bouldin"],
    units: data.cluster.length,
    cost: 1 + 2 * data.dimensions,
    at(weights) {
      let total = 0;
      let sum = 0;
      sample.forEach((row, i) => {
        total += weights[row];
        sum += weights[row] * values[i];
      });
      return Float64Array.of(ratio(sum, total), daviesBouldin(data, weights));
    },
  };
}

/** Silhouette of every row, Rousseeuw (1987) eq. 2; 0 for the only row of a cluster; NaN when undefined. */
export function silhouettes({ points, dimensions, cluster, clusters }: ClusterRows): Float64Array {
  const rows = cluster.length;
  const sizes = new Float64Array(clusters);
  for (const own of cluster) sizes[own]++;
  const present = sizes.filter((size) => size > 0).length;
  const result = new Float64Array(rows);
  if (present < 2 || present >= rows) return result.fill(NaN);
  // Sums of distances from every row to every cluster; pairs are visited once.
  const sums = new Float64Array(rows * clusters);
  for (let a = 0; a < rows; a++) {
    for (let b = a + 1; b < rows; b++) {
      let square = 0;
      for (let d = 0; d < dimensions; d++) {
        const gap = points[a * dimensions + d] - points[b * dimensions + d];
        square += gap * gap;
      }
      const distance = Math.sqrt(square);
      sums[a * clusters + cluster[b]] += distance;
      sums[b * clusters + cluster[a]] += distance;
    }
  }
  for (let row = 0; row < rows; row++) {
    const own = cluster[row];
    if (sizes[own] === 1) continue;
    const within = sums[row * clusters + own] / (sizes[own] - 1);
    let next = Infinity;
    for (let k = 0; k < clusters; k++)
      if (k !== own && sizes[k] > 0) next = Math.min(next, sums[row * clusters + k] / sizes[k]);
    const larger = Math.max(within, next);
    result[row] = larger === 0 ? 0 : (next - within) / larger;
  }
  return result;
}

function daviesBouldin(
  { points, dimensions, cluster, clusters }: ClusterRows,
  weights: Float64Array,
): number {
  const sizes = new Float64Array(clusters);
  const centers = new Float64Array(clusters * dimensions);
  for (let row = 0; row < cluster.length; row++) {
    const weight = weights[row];
    sizes[cluster[row]] += weight;
    for (let d = 0; d < dimensions; d++)
      centers[cluster[row] * dimensions + d] += weight * points[row * dimensions + d];
  }
  for (let k = 0; k < clusters; k++)
    for (let d = 0; d < dimensions; d++) centers[k * dimensions + d] /= sizes[k] || 1;
  const scatter = new Float64Array(clusters);
  for (let row = 0; row < cluster.length; row++)
    scatter[cluster[row]] += weights[row] * distanceBetween(points, row, centers, cluster[row], dimensions);
  let present = 0;
  let sum = 0;
  for (let a = 0; a < clusters; a++) {
    if (sizes[a] === 0) continue;
    present++;
    let worst = 0;
    for (let b = 0; b < clusters; b++) {
      if (b === a || sizes[b] === 0) continue;
      const apart = distanceBetween(centers, a, centers, b, dimensions);
      const likeness = scatter[a] / sizes[a] + scatter[b] / sizes[b];
      // Clusters with one centre are told apart by nothing: scikit-learn leaves such a pair out.
      if (apart > 0) worst = Math.max(worst, likeness / apart);
    }
    sum += worst;
  }
  return present < 2 ? NaN : sum / present;
}

function distanceBetween(
  a: Float64Array,
  rowA: number,
  b: Float64Array,
  rowB: number,
  dimensions: number,
): number {
  let square = 0;
  for (let d = 0; d < dimensions; d++) {
    const gap = a[rowA * dimensions + d] - b[rowB * dimensions + d];
    square += gap * gap;
  }
  return Math.sqrt(square);
}

import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import type { Points } from "../kernels/lloyd.js";
import { neighbourIndex } from "../kernels/neighbours.js";
import { frameOf } from "../table/relation.js";
import { anomalyColumns, anomalyTypes, contamination, standOutFrom } from "./anomaly.js";
import { breathe } from "./breathe.js";
import { featureAsks, fitEncoding, type Encoding } from "./design-matrix.js";
import { defineLearner, int, type Fitted, type Signature } from "./learner.js";
import { loadPoints, nearbyParams, pointsOf, savePoints } from "./nearby.js";
import { predictRows } from "./row-predictions.js";

/** Rows between two breaths. */
const stride = 1024;

/**
 * Local outlier factor: how much thinner the rows lie around a row than around its k neighbours; about 1
 * for rows like their neighbours, larger for those that stand out.
 *
 * Breunig, Kriegel, Ng & Sander (2000), definitions 5 to 7, as scikit-learn's LocalOutlierFactor with
 * novelty: a row to predict on is measured against the rows of training, itself not among them.
 */
export default defineLearner({
  name: "lof",
  task: "anomaly",
  summary: "rows in thinner surroundings than their neighbours: anomalies of clustered data",
  source: "Breunig et al. (2000), LOF: Identifying Density-Based Local Outliers, SIGMOD",
  roles: { target: "optional" },
  features: true,
  params: {
    k: int({ default: 20, min: 1, max: 10_000, help: "neighbours", search: [5, 100], log: true }),
    contamination,
    ...nearbyParams,
  },
  async fit(data, params, run) {
    run.progress.stage("lof: reading");
    const frame = await frameOf(data.relation, featureAsks(data.features));
    if (params.k >= frame.rows)
      throw new ShopaiError("data", `${frame.rows} rows have no ${params.k} neighbours beside themselves`, {
        where: data.relation.name,
        try: `--param k=${Math.max(1, frame.rows - 1)}`,
      });
    const encoding = fitEncoding(frame, data.features, params, run);
    const points = pointsOf(frame, data.features, encoding);
    run.progress.stage("lof: fitting");
    const { reach, density, scores } = await densities(points, params.k, run);
    run.progress.done(`${points.rows} rows`);
    const threshold = standOutFrom(scores, params.contamination);
    return fitted(data, { encoding, points, reach, density }, params.k, threshold, { threshold });
  },
  load(folder) {
    const { encoding, points } = loadPoints(folder);
    const surroundings: Surroundings = {
      encoding,
      points,
      reach: folder.array("reach", "f64", [points.rows]),
      density: folder.array("density", "f64", [points.rows]),
    };
    const { params, about } = folder.card;
    return fitted(folder.card, surroundings, params.k as number, about.threshold as number, about);
  },
});

interface Surroundings {
  encoding: Encoding;
  points: Points;
  /** Distance to the k-th neighbour of every row. */
  reach: Float64Array;
  /** Local reachability density of every row. */
  density: Float64Array;
}

/** Of every row of training, itself left out of its neighbours. */
async function densities(
  points: Points,
  k: number,
  run: Run,
): Promise<{ reach: Float64Array; density: Float64Array; scores: Float64Array }> {
  const { rows, width, values } = points;
  const index = neighbourIndex(points);
  const near = new Int32Array(rows * k);
  const distances = new Float64Array(rows * k);
  for (let r = 0; r < rows; r++) {
    const squared = distances.subarray(r * k, (r + 1) * k);
    index.nearest(values, r * width, r, near.subarray(r * k, (r + 1) * k), squared);
    for (let i = 0; i < k; i++) squared[i] = Math.sqrt(squared[i]);
    if (r % stride === 0) {
      run.progress.update(r, rows);
      await breathe(run);
    }
  }
  const reach = Float64Array.from({ length: rows }, (_, r) => distances[(r + 1) * k - 1]);
  const density = new Float64Array(rows);
  for (let r = 0; r < rows; r++)
    density[r] = densityAt(near.subarray(r * k, (r + 1) * k), distances.subarray(r * k, (r + 1) * k), reach);
  const scores = Float64Array.from({ length: rows }, (_, r) =>
    factorAt(near.subarray(r * k, (r + 1) * k), density[r], density),
  );
  return { reach, density, scores };
}

/** Definition 6, with scikit-learn's 1e-10 for rows that are all equal. */
function densityAt(near: Int32Array, distances: Float64Array, reach: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < near.length; i++) sum += Math.max(distances[i], reach[near[i]]);
  return 1 / (sum / near.length + 1e-10);
}

/** Definition 7. */
function factorAt(near: Int32Array, own: number, density: Float64Array): number {
  let sum = 0;
  for (const neighbour of near) sum += density[neighbour];
  return sum / near.length / own;
}

function fitted(
  { features }: Signature,
  { encoding, points, reach, density }: Surroundings,
  k: number,
  threshold: number,
  about: Record<string, unknown>,
): Fitted {
  const index = neighbourIndex(points);
  return {
    about,
    predict: (rows, ask, run) =>
      predictRows(
        rows!,
        features,
        ask,
        run,
        (frame) => {
          const asked = pointsOf(frame, features, encoding);
          const near = new Int32Array(k);
          const distances = new Float64Array(k);
          const scores = Float64Array.from({ length: asked.rows }, (_, r) => {
            index.nearest(asked.values, r * asked.width, -1, near, distances);
            for (let i = 0; i < k; i++) distances[i] = Math.sqrt(distances[i]);
            return factorAt(near, densityAt(near, distances, reach), density);
          });
          return anomalyColumns(scores, threshold);
        },
        anomalyTypes,
      ),
    save(folder) {
      savePoints(folder, encoding, points);
      folder.array("reach", reach);
      folder.array("density", density);
    },
  };
}

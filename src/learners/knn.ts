import { ShopaiError } from "../core/errors.js";
import { floats, type Column, type Frame } from "../engine/frame.js";
import type { Points } from "../kernels/lloyd.js";
import { neighbourIndex } from "../kernels/neighbours.js";
import { frameOf } from "../table/relation.js";
import { classFrame, classScores } from "./classes.js";
import { featureAsks, fitEncoding, type Encoding } from "./design-matrix.js";
import { choice, defineLearner, int, type Fitted, type Signature } from "./learner.js";
import { loadPoints, nearbyParams, pointsOf, savePoints } from "./nearby.js";
import { predictRows } from "./row-predictions.js";

/**
 * The k nearest rows of training: shares of their classes, or the mean of their targets.
 *
 * Euclidean distances of scaled numbers and one-hot texts; of equally distant rows the first. Equals
 * scikit-learn's KNeighborsClassifier and KNeighborsRegressor. Rows of training have themselves for neighbours.
 */
export default defineLearner({
  name: "knn",
  task: "classification",
  tasks: ["classification", "regression"],
  summary: "what happened to the k most similar rows: classes by their shares, numbers by their mean",
  source: "Cover & Hart (1967), Nearest Neighbor Pattern Classification, IEEE Trans. Inf. Theory 13(1):21-27",
  roles: { target: "required", weight: "optional" },
  features: true,
  params: {
    k: int({ default: 20, min: 1, max: 100_000, help: "neighbours", search: [1, 200], log: true }),
    weights: choice({
      default: "uniform",
      choices: ["uniform", "distance"],
      help: "uniform: neighbours count the same; distance: by 1 / distance, an equal row alone",
      search: ["uniform", "distance"],
    }),
    ...nearbyParams,
  },
  async fit(data, params, run) {
    run.progress.stage("knn: reading");
    const asks = featureAsks(data.features);
    const { weight } = data.roles;
    let frame: Frame;
    let targets: Float64Array;
    let weights: Float64Array | undefined;
    if (data.task === "classification") {
      const read = await classFrame(data, asks);
      [frame, targets, weights] = [read.frame, Float64Array.from(read.classOf), read.weights];
    } else {
      const target = data.target!.name;
      frame = await frameOf(data.relation, [
        ...asks,
        { name: target, as: "f64" },
        ...(weight === undefined ? [] : [{ name: weight, as: "f64" } as const]),
      ]);
      [targets, weights] = [floats(frame, target), weight === undefined ? undefined : floats(frame, weight)];
    }
    if (params.k > frame.rows)
      throw new ShopaiError("data", `${frame.rows} rows have no ${params.k} neighbours`, {
        where: data.relation.name,
        try: `--param k=${frame.rows}`,
      });
    const encoding = fitEncoding(frame, data.features, params, run);
    const points = pointsOf(frame, data.features, encoding);
    run.progress.done();
    const neighbours: Neighbours = { encoding, points, targets, rowWeights: weights };
    return fitted(data, neighbours, params.k, params.weights);
  },
  load(folder) {
    const { encoding, points } = loadPoints(folder);
    const { roles, params } = folder.card;
    const neighbours: Neighbours = {
      encoding,
      points,
      targets: folder.array("targets", "f64", [points.rows]),
      rowWeights: roles.weight === undefined ? undefined : folder.array("row-weights", "f64", [points.rows]),
    };
    return fitted(folder.card, neighbours, params.k as number, String(params.weights));
  },
});

interface Neighbours {
  encoding: Encoding;
  points: Points;
  /** Codes of the classes, or numbers. */
  targets: Float64Array;
  rowWeights?: Float64Array;
}

function fitted(
  { features, classes, positive, target }: Signature,
  { encoding, points, targets, rowWeights }: Neighbours,
  k: number,
  by: string,
): Fitted {
  const index = neighbourIndex(points);
  return {
    predict: (rows, ask, run) =>
      predictRows(
        rows!,
        features,
        ask,
        run,
        (frame): Map<string, Column> =>
          classes
            ? classScores(shares(pointsOf(frame, features, encoding)), classes, positive)
            : new Map([["prediction", { kind: "f64", values: means(pointsOf(frame, features, encoding)) }]]),
        classes ? { prediction: target!.type } : {},
      ),
    save(folder) {
      savePoints(folder, encoding, points);
      folder.array("targets", targets);
      if (rowWeights) folder.array("row-weights", rowWeights);
    },
  };

  /** Calls back for every neighbour of every row, with its share of the row's answer. */
  function eachNeighbour(
    asked: Points,
    heard: (row: number, neighbour: number, share: number) => void,
  ): void {
    const near = new Int32Array(k);
    const squared = new Float64Array(k);
    for (let r = 0; r < asked.rows; r++) {
      const found = index.nearest(asked.values, r * asked.width, -1, near, squared);
      const equal = squared[0] === 0;
      const pulls = Array.from({ length: found }, (_, i) => {
        const own = by === "uniform" ? 1 : equal ? Number(squared[i] === 0) : 1 / Math.sqrt(squared[i]);
        return own * (rowWeights ? rowWeights[near[i]] : 1);
      });
      const total = pulls.reduce((sum, pull) => sum + pull, 0);
      pulls.forEach((pull, i) => heard(r, near[i], total > 0 ? pull / total : 1 / found));
    }
  }

  function means(asked: Points): Float64Array {
    const values = new Float64Array(asked.rows);
    eachNeighbour(asked, (r, neighbour, share) => (values[r] += share * targets[neighbour]));
    return values;
  }

  /** Of the positive class, or rows x classes. */
  function shares(asked: Points): Float64Array {
    const count = positive === undefined ? classes!.length : 1;
    const yes = positive === undefined ? -1 : classes!.indexOf(positive);
    const values = new Float64Array(asked.rows * count);
    eachNeighbour(asked, (r, neighbour, share) => {
      if (positive === undefined) values[r * count + targets[neighbour]] += share;
      else if (targets[neighbour] === yes) values[r] += share;
    });
    return values;
  }
}

import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Column } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { dense } from "../kernels/design.js";
import { assign, lloyd, plusPlus, type Clustering, type Points } from "../kernels/lloyd.js";
import { frameOf } from "../table/relation.js";
import { breathe } from "./breathe.js";
import { columnNames, encode, featureAsks, fitEncoding, type Encoding } from "./design-matrix.js";
import { defineLearner, flag, int, real, type Fitted, type Signature } from "./learner.js";
import { predictRows } from "./row-predictions.js";

/**
 * K-means: k centers that minimise the sum of squared distances of every row to its nearest.
 *
 * Lloyd (1982) from several starts by k-means++ (Arthur & Vassilvitskii 2007); the best is kept.
 * Segments are numbered from the largest down.
 */
export default defineLearner({
  name: "kmeans",
  task: "clustering",
  summary: "segments of customers, products or sessions that are alike",
  source:
    "Lloyd (1982), Least Squares Quantization in PCM, IEEE Trans. Inf. Theory 28(2):129-137; Arthur & Vassilvitskii (2007), k-means++, SODA",
  roles: {},
  features: true,
  params: {
    k: int({ default: 8, min: 1, max: 10_000, help: "segments", search: [2, 20] }),
    starts: int({ default: 3, min: 1, max: 1000, help: "times to start anew; the best is kept" }),
    iterations: int({ default: 300, min: 1, help: "most passes of one start" }),
    tolerance: real({
      default: 1e-4,
      min: 0,
      help: "stop when the centers move less, as a share of the mean variance",
    }),
    scale: flag({
      default: true,
      help: "divide numbers by their standard deviation, so that each counts alike",
    }),
    levels: int({
      default: 50,
      min: 1,
      max: 10_000,
      help: "most levels kept of one text column, the most frequent",
    }),
  },
  async fit(data, params, run) {
    run.progress.stage("kmeans: reading");
    const frame = await frameOf(data.relation, featureAsks(data.features));
    if (frame.rows < params.k)
      throw new ShopaiError("data", `${params.k} segments cannot be made of ${frame.rows} rows`, {
        where: data.relation.name,
        try: `--param k=${frame.rows}`,
      });
    const encoding = fitEncoding(frame, data.features, params, run);
    const points = dense(encode(frame, data.features, encoding));
    const best = bySize(await bestOf(points, params, run), points.width);
    const sizes = new Array<number>(params.k).fill(0);
    for (const label of best.labels) sizes[label]++;
    return fitted(data, encoding, best.centers, {
      inertia: best.inertia,
      iterations: best.iterations,
      segments: sizes.map((rows, segment) => ({
        segment,
        rows,
        center: named(encoding, best.centers, segment),
      })),
    });
  },
  load(folder) {
    const encoding = folder.json<Encoding>("encoding");
    const centers = folder.array("centers", "f64", [undefined, encoding.width]);
    return fitted(folder.card, encoding, centers, folder.card.about);
  },
});

function fitted(
  { features }: Signature,
  encoding: Encoding,
  centers: Float64Array,
  about: Record<string, unknown>,
): Fitted {
  return {
    about,
    predict: (rows, ask, run) =>
      predictRows(rows!, features, ask, run, (frame) => {
        const points = dense(encode(frame, features, encoding));
        const labels = new Int32Array(points.rows);
        const squared = new Float64Array(points.rows);
        assign(points, centers, labels, squared);
        return new Map<string, Column>([
          ["prediction", { kind: "i32", values: labels }],
          ["distance", { kind: "f64", values: squared.map(Math.sqrt) }],
        ]);
      }),
    space: async (rows) => dense(encode(await frameOf(rows, featureAsks(features)), features, encoding)),
    save(folder) {
      folder.json("encoding", encoding);
      folder.array("centers", centers, [centers.length / encoding.width, encoding.width]);
    },
  };
}

async function bestOf(
  points: Points,
  { k, starts, iterations, tolerance }: { k: number; starts: number; iterations: number; tolerance: number },
  run: Run,
): Promise<Clustering> {
  const rng = run.rng("kmeans");
  run.progress.stage("kmeans: fitting");
  let best: Clustering | undefined;
  for (let start = 0; start < starts; start++) {
    const found = await lloyd(points, plusPlus(points, k, rng), iterations, tolerance, async (pass) => {
      if (pass === 0) run.progress.update(start, starts, "starts");
      await breathe(run);
    });
    if (!best || found.inertia < best.inertia) best = found;
  }
  run.progress.done(`${grouped(points.rows)} rows, ${k} segments`);
  return best!;
}

/** The same clustering, its largest segment first. */
function bySize(clustering: Clustering, width: number): Clustering {
  const count = clustering.centers.length / width;
  const sizes = new Array<number>(count).fill(0);
  for (const label of clustering.labels) sizes[label]++;
  const order = sizes.map((_, c) => c).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const placeOf = new Int32Array(count);
  order.forEach((c, place) => (placeOf[c] = place));
  const centers = new Float64Array(clustering.centers.length);
  order.forEach((c, place) =>
    centers.set(clustering.centers.subarray(c * width, (c + 1) * width), place * width),
  );
  return { ...clustering, centers, labels: clustering.labels.map((label) => placeOf[label]) };
}

/** A center in the units of the table; of texts the share of every level. */
function named(encoding: Encoding, centers: Float64Array, segment: number): Record<string, number> {
  const names = columnNames(encoding);
  return Object.fromEntries(
    names.map((name, c) => {
      const value = centers[segment * names.length + c];
      const number = encoding.numbers[c];
      return [name, number ? value * number.scale + number.mean : value];
    }),
  );
}

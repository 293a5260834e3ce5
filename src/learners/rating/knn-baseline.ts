import { ShopaiError } from "../../core/errors.js";
import { grouped } from "../../core/quantity.js";
import type { Run } from "../../engine/run.js";
import { topK } from "../../kernels/top-k.js";
import { breathe } from "../breathe.js";
import { choice, defineLearner, int, real, type Fitted } from "../learner.js";
import type { FolderReader } from "../model-folder.js";
import { baselineAt, baselineOf, baselineParams, type Biases } from "./baseline.js";
import { loadProfiles, profilesOf, saveProfiles, type Profiles } from "./profiles.js";
import { loadRaters, ratersOf, ratingModel, type Raters } from "./rating-model.js";
import { ratingsBy, readRatings, type Ratings } from "./ratings.js";

/** More users (or items) than this would need more than 3 GB for their pairs. */
const most = 20_000;

/**
 * The baseline, plus what the nearest users (or items) add to theirs.
 *
 * Koren (2010), eq. 3: b_ui + Σ s (r - b) / Σ s over the `k` nearest that rated, similarities above 0 only.
 * Similarities as in Surprise: msd is 1 / (mean squared difference + 1) over what both rated,
 * pearson-baseline the correlation of what goes beyond the baseline, shrunk by (n - 1) / (n - 1 + shrink).
 */
export default defineLearner({
  name: "knn-baseline",
  task: "rating",
  summary: "ratings from those of the nearest users or items, beside their baselines; up to 20,000 of them",
  source:
    "Koren (2010), Factor in the Neighbors: Scalable and Accurate Collaborative Filtering, ACM TKDD 4(1), eq. 3",
  roles: { user: "required", item: "required", rating: "required" },
  features: false,
  params: {
    by: choice({
      default: "user",
      choices: ["user", "item"],
      help: "whose neighbours speak",
      search: ["user", "item"],
    }),
    similarity: choice({
      default: "msd",
      choices: ["msd", "pearson-baseline"],
      help: "what makes two alike",
      search: ["msd", "pearson-baseline"],
    }),
    k: int({ default: 40, min: 1, help: "most neighbours that speak for one rating", search: [10, 100] }),
    shrink: real({ default: 100, min: 0, help: "of pearson-baseline, in common ratings", search: [10, 500] }),
    ...baselineParams,
  },
  async fit(data, params, run) {
    const ratings = await readRatings(data);
    const biases = baselineOf(ratings, params);
    const similarity = await similaritiesOf(ratings, biases, params, run);
    return fitted(ratersOf(data, ratings), profilesOf(ratings), biases, similarity, params);
  },
  load(folder) {
    const raters = loadRaters(folder);
    const params = folder.card.params as unknown as Neighbourhood;
    return fitted(
      raters,
      loadProfiles(folder, raters.users.length),
      {
        user: folder.array("user-biases", "f64", [raters.users.length]),
        item: folder.array("item-biases", "f64", [raters.items.length]),
      },
      loadSimilarities(folder, raters, params),
      params,
    );
  },
});

interface Neighbourhood {
  by: "user" | "item";
  k: number;
}

function loadSimilarities(folder: FolderReader, raters: Raters, { by }: Neighbourhood): Float32Array {
  const size = (by === "user" ? raters.users : raters.items).length;
  return folder.array("similarities", "f32", [size, size]);
}

/** Similarity of every pair of users or items; 0 where nothing was rated by both. */
async function similaritiesOf(
  ratings: Ratings,
  biases: Biases,
  { by, similarity, shrink }: { by: "user" | "item"; similarity: "msd" | "pearson-baseline"; shrink: number },
  run: Run,
): Promise<Float32Array> {
  const across = ratingsBy(by === "user" ? "item" : "user", ratings);
  const size = across.cols;
  if (size > most)
    throw new ShopaiError("data", `knn-baseline compares all pairs of ${grouped(size)} ${by}s`, {
      try: `svd, or --param by=${by === "user" ? "item" : "user"}`,
    });
  const counts = new Float32Array(size * size);
  const products = new Float64Array(size * size);
  const squares = similarity === "msd" ? undefined : new Float64Array(size * size);
  run.progress.stage(`knn-baseline: pairs of ${by}s`);
  const rest = new Float64Array(
    Math.max(0, ...across.starts.subarray(1).map((end, row) => end - across.starts[row])),
  );
  for (let row = 0; row < across.rows; row++) {
    if (row % 64 === 0) {
      run.progress.update(row, across.rows);
      await breathe(run);
    }
    const from = across.starts[row];
    const to = across.starts[row + 1];
    for (let p = from; p < to; p++) {
      const [user, item] = by === "user" ? [across.columns[p], row] : [row, across.columns[p]];
      rest[p - from] = across.values[p] - (squares ? baselineAt(ratings.mean, biases, user, item) : 0);
    }
    for (let p = from; p < to; p++)
      for (let q = from; q < p; q++) {
        const a = Math.max(across.columns[p], across.columns[q]);
        const b = Math.min(across.columns[p], across.columns[q]);
        const [x, y] =
          a === across.columns[p] ? [rest[p - from], rest[q - from]] : [rest[q - from], rest[p - from]];
        counts[a * size + b]++;
        if (squares) {
          products[a * size + b] += x * y;
          squares[a * size + b] += x * x;
          squares[b * size + a] += y * y;
        } else products[a * size + b] += (x - y) * (x - y);
      }
  }
  const result = new Float32Array(size * size);
  for (let a = 0; a < size; a++)
    for (let b = 0; b < a; b++) {
      const count = counts[a * size + b];
      if (count === 0) continue;
      const at = a * size + b;
      const alike = squares
        ? (products[at] / (Math.sqrt(squares[at] * squares[b * size + a]) || Infinity)) *
          (count < 2 ? 0 : (count - 1) / (count - 1 + shrink))
        : 1 / (products[at] / count + 1);
      result[at] = result[b * size + a] = alike;
    }
  run.progress.done();
  return result;
}

function fitted(
  raters: Raters,
  profiles: Profiles,
  biases: Biases,
  similarity: Float32Array,
  { by, k }: Neighbourhood,
): Fitted {
  const size = (by === "user" ? raters.users : raters.items).length;
  const rated = by === "item" ? profiles : byItem(profiles, raters.items.length);
  const scores = new Float64Array(size);
  const tie = Int32Array.from({ length: size }, (_, code) => code);
  const best = new Int32Array(k);
  return ratingModel(
    raters,
    () => (user, item) => {
      const estimate = baselineAt(raters.mean, biases, user, item);
      if (user < 0 || item < 0) return estimate;
      const [own, row] = by === "user" ? [user, item] : [item, user];
      const from = rated.starts[row];
      const others = rated.item.subarray(from, rated.starts[row + 1]);
      others.forEach((other, p) => (scores[p] = similarity[own * size + other]));
      const found = topK(scores.subarray(0, others.length), tie, best);
      let above = 0;
      let below = 0;
      for (let i = 0; i < found; i++) {
        const p = best[i];
        if (scores[p] <= 0) break;
        const [u, v] = by === "user" ? [others[p], item] : [user, others[p]];
        below += scores[p];
        above += scores[p] * (rated.value[from + p] - baselineAt(raters.mean, biases, u, v));
      }
      return below === 0 ? estimate : estimate + above / below;
    },
    (folder) => {
      saveProfiles(folder, profiles);
      folder.array("user-biases", biases.user);
      folder.array("item-biases", biases.item);
      folder.array("similarities", similarity, [size, size]);
    },
  );
}

/** The same entries by item; `item` then holds users. */
function byItem({ starts, item, value }: Profiles, items: number): Profiles {
  const next = new Int32Array(items + 1);
  for (const code of item) next[code + 1]++;
  for (let code = 0; code < items; code++) next[code + 1] += next[code];
  const result = {
    starts: next.slice(),
    item: new Int32Array(item.length),
    value: new Float32Array(item.length),
  };
  for (let user = 0; user + 1 < starts.length; user++)
    for (let p = starts[user]; p < starts[user + 1]; p++) {
      const to = next[item[p]]++;
      result.item[to] = user;
      result.value[to] = value[p];
    }
  return result;
}

import { power } from "../core/power.js";
import type { Run } from "../engine/run.js";
import { placeOf, transposed, type Csr } from "../kernels/csr.js";
import { topK } from "../kernels/top-k.js";
import { breathe } from "./breathe.js";
import { defineLearner, int, real, type Fitted } from "./learner.js";
import { loadNeighbours } from "./neighbour-model.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import { fromProfiles } from "./scorer.js";
import {
  eventsOf,
  lastEvents,
  loadSequences,
  readSequences,
  saveSequences,
  type Sequences,
} from "./sequences.js";

/**
 * What comes after what: items follow items within a window, near ones count more, and the last items of
 * a user speak loudest.
 *
 * Sequential rules with distance weights, Ludewig & Jannach (2018), section 3.1 (SR); the weight of a pair
 * is divided by (n_i n_j)^0.5 + shrink, as of a cosine, and the score is the sum over the user's items,
 * each times recency to the power of its age in items.
 */
export default defineLearner({
  name: "sequence",
  task: "recommendation",
  summary: "what comes next: items that followed a user's last items; for sessions and repeat buyers",
  source:
    "Ludewig & Jannach (2018), Evaluation of Session-based Recommendation Algorithms, UMUAI 28:331-390, section 3.1 (SR)",
  roles: { user: "required", item: "required", time: "optional" },
  features: false,
  params: {
    window: int({ default: 10, min: 1, max: 1000, help: "items after an item that count", search: [1, 20] }),
    decay: real({
      default: 0.5,
      min: 0,
      max: 10,
      help: "a pair at distance d counts d^-decay",
      search: [0, 2],
    }),
    backward: real({
      default: 0.5,
      min: 0,
      max: 1,
      help: "what an item counts for the items before it, beside 1 for those after it",
      search: [0, 1],
    }),
    recency: real({
      default: 0.6,
      min: 0,
      max: 1,
      help: "what a user's item counts beside the next: the last 1, the one before this, then its square…",
      search: [0.3, 1],
    }),
    shrink: real({
      default: 20,
      min: 0,
      help: "added to the denominator: larger trusts rare pairs less",
      search: [0, 100],
    }),
    k: int({ default: 500, min: 1, help: "followers kept for every item", search: [50, 1000], log: true }),
  },
  async fit(data, params, run) {
    const { interactions, sequences } = await readSequences(data, run);
    const followers = await followersOf(sequences, interactions.items.length, params, run);
    return fitted(catalogueOf(data, interactions), followers, lastEvents(sequences), params.recency);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    return fitted(
      catalogue,
      loadNeighbours(folder, catalogue.items.length),
      loadSequences(folder, catalogue.users.length),
      folder.card.params.recency as number,
    );
  },
});

interface Following {
  window: number;
  decay: number;
  backward: number;
  shrink: number;
  k: number;
}

/** Row i holds the k items that follow i most. */
async function followersOf(
  { starts, items }: Sequences,
  count: number,
  { window, decay, backward, shrink, k }: Following,
  run: Run,
): Promise<Csr> {
  // Places of every item in the sequences, and the ends of the sequence that a place belongs to.
  const users = starts.length - 1;
  const userOf = new Int32Array(items.length);
  for (let u = 0; u < users; u++) userOf.fill(u, starts[u], starts[u + 1]);
  const places = transposed({
    rows: items.length,
    cols: count,
    starts: Int32Array.from({ length: items.length + 1 }, (_, p) => p),
    columns: items,
  });
  const weight = Float64Array.from({ length: window + 1 }, (_, d) => (d === 0 ? 0 : power(d, -decay)));
  const sums = new Float64Array(count);
  const touched = new Int32Array(count);
  const scores = new Float64Array(count);
  const best = new Int32Array(Math.min(k, count));
  const rows: { columns: Int32Array; values: Float32Array }[] = [];
  const occurrences = (item: number): number => places.starts[item + 1] - places.starts[item];
  run.progress.stage("sequence: what follows what");
  for (let item = 0; item < count; item++) {
    if (item % 256 === 0) {
      run.progress.update(item, count, "items");
      await breathe(run);
    }
    let found = 0;
    const add = (other: number, value: number): void => {
      if (other === item || value === 0) return;
      if (sums[other] === 0) touched[found++] = other;
      sums[other] += value;
    };
    for (let q = places.starts[item]; q < places.starts[item + 1]; q++) {
      const place = places.columns[q];
      const user = userOf[place];
      for (let d = 1; d <= window && place + d < starts[user + 1]; d++) add(items[place + d], weight[d]);
      for (let d = 1; d <= window && place - d >= starts[user]; d++)
        add(items[place - d], backward * weight[d]);
    }
    const others = touched.subarray(0, found);
    for (let i = 0; i < found; i++) {
      const other = others[i];
      scores[i] = sums[other] / (Math.sqrt(occurrences(item) * occurrences(other)) + shrink);
      sums[other] = 0;
    }
    const kept = best.slice(0, topK(scores.subarray(0, found), others, best));
    kept.sort((a, b) => others[a] - others[b]);
    rows.push({
      columns: Int32Array.from(kept, (i) => others[i]),
      values: Float32Array.from(kept, (i) => scores[i]),
    });
  }
  run.progress.done();
  const ends = new Int32Array(count + 1);
  rows.forEach((row, item) => (ends[item + 1] = ends[item] + row.columns.length));
  const columns = new Int32Array(ends[count]);
  const values = new Float32Array(ends[count]);
  rows.forEach((row, item) => {
    columns.set(row.columns, ends[item]);
    values.set(row.values, ends[item]);
  });
  return { rows: count, cols: count, starts: ends, columns, values };
}

/** Ages beyond this count nothing that a sum in floating point would notice. */
const least = 1e-9;

function fitted(catalogue: Catalogue, followers: Csr, sequences: Sequences, recency: number): Fitted {
  const { starts, columns } = followers;
  const values = followers.values!;
  const scorer = fromProfiles(catalogue, {
    profile(profile, into) {
      into.fill(0);
      const events = eventsOf(sequences, profile);
      let weight = 1;
      for (let p = events.length - 1; p >= 0 && weight > least; p--, weight *= recency)
        for (let q = starts[events[p]]; q < starts[events[p] + 1]; q++)
          into[columns[q]] += weight * values[q];
    },
    similar(item, into) {
      into.fill(0);
      for (let q = starts[item]; q < starts[item + 1]; q++) into[columns[q]] = values[q];
    },
    shares(profile, item, into) {
      into.fill(0, 0, profile.items.length);
      const placeIn = new Map(Array.from(profile.items, (had, p) => [had, p]));
      const events = eventsOf(sequences, profile);
      let weight = 1;
      for (let p = events.length - 1; p >= 0 && weight > least; p--, weight *= recency) {
        const q = placeOf(columns, item, starts[events[p]], starts[events[p] + 1]);
        if (q >= 0) into[placeIn.get(events[p])!] += weight * values[q];
      }
    },
  });
  return recommender(catalogue, scorer, (folder) => {
    folder.array("neighbour-starts", starts);
    folder.array("neighbour-columns", columns);
    folder.array("neighbour-values", values);
    saveSequences(folder, sequences);
  });
}

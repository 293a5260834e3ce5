import { placeOf, type Csr } from "../kernels/csr.js";
import { defineLearner, real, type Fitted } from "./learner.js";
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
 * First-order Markov chain over items: the probability of the next item given the last one, mixed with
 * how popular the item is at all (Jelinek-Mercer smoothing).
 *
 *     P(j | i) = (1 - smooth) n_ij / n_i + smooth n_j / n
 *
 * Shani, Heckerman & Brafman (2005), section 4.2, with chains of length 1; smoothing: Chen & Goodman (1999).
 */
export default defineLearner({
  name: "markov",
  task: "recommendation",
  summary: "the next item by the last one alone, as a probability; the plain standard for sequences",
  source: "Shani, Heckerman & Brafman (2005), An MDP-Based Recommender System, JMLR 6:1265-1295, section 4.2",
  roles: { user: "required", item: "required", time: "optional" },
  features: false,
  params: {
    smooth: real({
      default: 0.1,
      min: 0,
      max: 1,
      help: "share of plain popularity in every probability",
      search: [0, 0.5],
    }),
  },
  async fit(data, { smooth }, run) {
    const { interactions, sequences } = await readSequences(data, run);
    const transitions = transitionsOf(sequences, interactions.items.length);
    const counts = new Float64Array(interactions.items.length);
    for (const item of sequences.items) counts[item]++;
    return fitted(catalogueOf(data, interactions, counts), transitions, lastEvents(sequences), smooth);
  },
  load(folder) {
    const catalogue = loadCatalogue(folder);
    return fitted(
      catalogue,
      loadNeighbours(folder, catalogue.items.length),
      loadSequences(folder, catalogue.users.length),
      folder.card.params.smooth as number,
    );
  },
});

/** Row i holds P(j | i) for every j that came right after i. */
function transitionsOf({ starts, items }: Sequences, count: number): Csr {
  const pairs: number[] = [];
  for (let u = 0; u + 1 < starts.length; u++)
    for (let p = starts[u]; p + 1 < starts[u + 1]; p++) pairs.push(items[p] * count + items[p + 1]);
  const sorted = Float64Array.from(pairs).sort();
  const rowStarts = new Int32Array(count + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (let p = 0; p < sorted.length;) {
    let next = p;
    while (next < sorted.length && sorted[next] === sorted[p]) next++;
    rowStarts[Math.floor(sorted[p] / count) + 1]++;
    columns.push(sorted[p] % count);
    values.push(next - p);
    p = next;
  }
  for (let item = 0; item < count; item++) rowStarts[item + 1] += rowStarts[item];
  const shares = Float32Array.from(values);
  for (let item = 0; item < count; item++) {
    const row = shares.subarray(rowStarts[item], rowStarts[item + 1]);
    const sum = row.reduce((total, value) => total + value, 0);
    for (let q = 0; q < row.length; q++) row[q] /= sum;
  }
  return { rows: count, cols: count, starts: rowStarts, columns: Int32Array.from(columns), values: shares };
}

function fitted(catalogue: Catalogue, transitions: Csr, sequences: Sequences, smooth: number): Fitted {
  const { starts, columns } = transitions;
  const values = transitions.values!;
  const total = catalogue.popularity.reduce((sum, count) => sum + count, 0);
  const plain = catalogue.popularity.map((count) => count / total);
  const scorer = fromProfiles(catalogue, {
    profile(profile, into) {
      const events = eventsOf(sequences, profile);
      const last = events.length > 0 ? events[events.length - 1] : -1;
      // After an item that nothing ever followed, popularity is all that is known.
      const known = last >= 0 && starts[last] < starts[last + 1];
      const share = known ? smooth : 1;
      for (let item = 0; item < into.length; item++) into[item] = share * plain[item];
      if (known)
        for (let q = starts[last]; q < starts[last + 1]; q++) into[columns[q]] += (1 - smooth) * values[q];
    },
    similar(item, into) {
      into.fill(0);
      for (let q = starts[item]; q < starts[item + 1]; q++) into[columns[q]] = values[q];
    },
    shares(profile, item, into) {
      into.fill(0, 0, profile.items.length);
      const events = eventsOf(sequences, profile);
      if (events.length === 0) return;
      const last = events[events.length - 1];
      const q = placeOf(columns, item, starts[last], starts[last + 1]);
      if (q >= 0) into[profile.items.indexOf(last)] = values[q];
    },
  });
  return recommender(catalogue, scorer, (folder) => {
    folder.array("neighbour-starts", starts);
    folder.array("neighbour-columns", columns);
    folder.array("neighbour-values", values);
    saveSequences(folder, sequences);
  });
}

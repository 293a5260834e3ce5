import type { Rng } from "../core/rng.js";
import type { Pool, SharedKernel } from "../engine/pool.js";
import { placeOf, rowStarts, type Csr } from "./csr.js";
import { topK } from "./top-k.js";
import {
  exactly,
  factorTop,
  factorTopBytes,
  finished,
  laidOut,
  lengthOf,
  lengthsOf,
  memberFactors,
  memberRoom,
  mostMembers,
  roomBytes,
  rounding,
  type FactorScores,
  type TopProblem,
  type TopRows,
} from "./top-rows.js";

/**
 * Finds nearly all of the items with the largest products without looking at every item: items lie in lists of
 * neighbours (k-means), and a user looks into the lists whose best item is likely to be largest for it.
 *
 * An inverted file, Jégou, Douze & Schmid (2011), Product Quantization for Nearest Neighbor Search, IEEE TPAMI 33(1),
 * section IV, without quantization: scores of what is looked at are exact. Of n vectors around m with deviation s in every
 * direction the largest product with x is about x·m + |x| s sqrt(2 ln n): by that lists are chosen.
 */
export interface ItemIndex {
  /** Floats to a representative: those of a (biased) item, and the reach of its list, s sqrt(2 ln n). */
  width: number;
  /** A representative per list. */
  representatives: Float32Array;
  /** Lists x items: what lies where. */
  lists: Csr;
  /** Lists that a user looks into. */
  probes: number;
}

/** Rounds of k-means. */
const rounds = 4;
/** Items per list that the rounds look at, at most. */
const sampled = 24;

/** How many lists that many items get: four times the root, so that choosing lists costs about what looking into them does. */
const listsFor = (items: number): number => Math.max(1, Math.round(4 * Math.sqrt(items)));

/**
 * Deals the items into lists, `probes` still 1. The same for any number of threads, and with and without kernels.
 *
 * @param tick called between steps with the share that is done
 */
export async function dealtIndex(
  factors: Pick<FactorScores, "width" | "items" | "biases">,
  pool: Pool,
  rng: Rng,
  tick: (done: number) => Promise<void>,
): Promise<ItemIndex> {
  const vectors = biased(factors);
  const width = factors.width + (factors.biases ? 1 : 0);
  const items = vectors.length / width;
  const count = listsFor(items);
  const chosen = rng
    .shuffle(Int32Array.from({ length: items }, (_, item) => item))
    .slice(0, Math.min(items, sampled * count));
  const centres = new Float32Array(count * width);
  for (let list = 0; list < count; list++)
    centres.set(vectors.subarray(chosen[list] * width, (chosen[list] + 1) * width), list * width);
  chosen.sort();
  const steps = rounds * chosen.length + items;
  let all: Int32Array = new Int32Array();
  for (let round = 0; round <= rounds; round++) {
    const members = round < rounds ? chosen : Int32Array.from({ length: items }, (_, item) => item);
    all = await nearestCentres(vectors, width, centres, members, pool, (done) =>
      tick((round * chosen.length + done * members.length) / steps),
    );
    meansOf(vectors, width, members, all, centres);
  }
  return withReach(vectors, width, centres, all);
}

/** Factors with their biases as one more. */
function biased({ width, items, biases }: Pick<FactorScores, "width" | "items" | "biases">): Float32Array {
  if (!biases) return items;
  const wide = new Float32Array(biases.length * (width + 1));
  for (let item = 0; item < biases.length; item++) {
    wide.set(items.subarray(item * width, (item + 1) * width), item * (width + 1));
    wide[item * (width + 1) + width] = biases[item];
  }
  return wide;
}

/** The centre nearest to every member: |x - c|² is least where x·c - |c|² / 2 is largest. */
async function nearestCentres(
  vectors: Float32Array,
  width: number,
  centres: Float32Array,
  members: Int32Array,
  pool: Pool,
  tick: (done: number) => Promise<void>,
): Promise<Int32Array> {
  const count = centres.length / width;
  const lengths = lengthsOf(centres, width);
  const scores: FactorScores = {
    width,
    users: vectors,
    items: centres,
    biases: Float32Array.from(lengths, (length) => (-length * length) / 2),
  };
  const problem: TopProblem = {
    seen: { rows: 0, cols: count, starts: new Int32Array(1), columns: new Int32Array() },
    includeSeen: true,
    k: 1,
    tie: Int32Array.from({ length: count }, (_, list) => list),
  };
  const kernel = await pool.kernel("top-rows", factorTopBytes(scores, problem, pool.threads));
  const top = kernel && factorTop(kernel, scores, problem);
  const found = new Int32Array(members.length);
  for (let from = 0; from < members.length; from += mostMembers) {
    await tick(from / members.length);
    const part = members.subarray(from, from + mostMembers);
    const best = top?.of(part);
    const exact = exactly(scores, part);
    for (let row = 0; row < part.length; row++) {
      if (best && best.counts[row] > 0) {
        found[from + row] = best.items[row];
        continue;
      }
      let most = -Infinity;
      for (let list = 0; list < count; list++) {
        const score = exact(row, list, 0);
        if (score > most) [most, found[from + row]] = [score, list];
      }
    }
  }
  top?.close();
  return found;
}

/** Moves every centre to the mean of its members; one without members stays. */
function meansOf(
  vectors: Float32Array,
  width: number,
  members: Int32Array,
  listOf: Int32Array,
  centres: Float32Array,
): void {
  const sums = new Float64Array(centres.length);
  const sizes = new Int32Array(centres.length / width);
  members.forEach((item, m) => {
    const to = listOf[m] * width;
    for (let f = 0; f < width; f++) sums[to + f] += vectors[item * width + f];
    sizes[listOf[m]]++;
  });
  sizes.forEach((size, list) => {
    if (size > 0) for (let f = list * width; f < (list + 1) * width; f++) centres[f] = sums[f] / size;
  });
}

function withReach(
  vectors: Float32Array,
  width: number,
  centres: Float32Array,
  listOf: Int32Array,
): ItemIndex {
  const count = centres.length / width;
  const order = Int32Array.from(listOf, (_, item) => item).sort((a, b) => listOf[a] - listOf[b] || a - b);
  const starts = rowStarts(
    Int32Array.from(order, (item) => listOf[item]),
    count,
  );
  const representatives = new Float32Array(count * (width + 1));
  for (let list = 0; list < count; list++) {
    const size = starts[list + 1] - starts[list];
    let squares = 0;
    for (let p = starts[list]; p < starts[list + 1]; p++)
      for (let f = 0; f < width; f++) {
        const apart = vectors[order[p] * width + f] - centres[list * width + f];
        squares += apart * apart;
      }
    const to = list * (width + 1);
    representatives.set(centres.subarray(list * width, (list + 1) * width), to);
    if (size > 1) representatives[to + width] = Math.sqrt((2 * Math.log(size) * squares) / (size * width));
  }
  return {
    width: width + 1,
    representatives,
    lists: { rows: count, cols: order.length, starts, columns: order },
    probes: 1,
  };
}

/** What a user asks the representatives: its factors, 1 for a bias, and how long these are together. */
function fillQuery(row: Float32Array, factors: ArrayLike<number>, width: number): void {
  const own = factors.length;
  for (let f = 0; f < own; f++) row[f] = factors[f];
  if (own < width - 1) row[own] = 1;
  row[width - 1] = lengthOf(row, 0, width - 1);
}

/** Chooses lists: those whose representatives' products are largest, equal ones by number. */
function listChooser({ width, representatives, lists: { rows } }: ItemIndex): {
  scores: FactorScores;
  problem(k: number): TopProblem;
} {
  return {
    scores: { width, users: new Float32Array(mostMembers * width), items: representatives },
    problem: (k) => ({
      seen: { rows: 0, cols: rows, starts: new Int32Array(1), columns: new Int32Array() },
      includeSeen: true,
      k,
      tie: Int32Array.from({ length: rows }, (_, list) => list),
    }),
  };
}

/** The lists that factors look into, without a kernel. */
export function plainProbes(index: ItemIndex): (factors: ArrayLike<number>, probes?: number) => Int32Array {
  const { width, representatives, lists } = index;
  const query = new Float32Array(width);
  const scores = new Float64Array(lists.rows);
  return (factors, probes = index.probes) => {
    fillQuery(query, factors, width);
    for (let list = 0; list < lists.rows; list++) {
      let sum = 0;
      for (let f = 0, at = list * width; f < width; f++) sum += query[f] * representatives[at + f];
      scores[list] = sum;
    }
    return Int32Array.from({ length: lists.rows }, (_, list) => list)
      .sort((a, b) => scores[b] - scores[a] || a - b)
      .subarray(0, probes);
  };
}

/**
 * The same as `indexedTop` for one member after another, without a kernel: undefined where the lists that it looks into
 * hold fewer than k new items.
 */
export function plainIndexedTop(
  factors: FactorScores,
  { seen, includeSeen, k, tie }: TopProblem,
  index: ItemIndex,
): (member: number) => { items: Int32Array; scores: Float64Array } | undefined {
  const probesOf = plainProbes(index);
  const { starts, columns } = index.lists;
  const wanted = Math.min(k, seen.cols);
  return (member) => {
    const own = factors.users.subarray(member * factors.width, (member + 1) * factors.width);
    const exact = exactly(factors, Int32Array.of(member));
    const candidates: number[] = [];
    for (const list of probesOf(own))
      for (let p = starts[list]; p < starts[list + 1]; p++) {
        const had =
          !includeSeen &&
          placeOf(seen.columns, columns[p], seen.starts[member], seen.starts[member + 1]) >= 0;
        if (!had) candidates.push(columns[p]);
      }
    if (candidates.length < wanted) return undefined;
    const scores = Float64Array.from(candidates, (item) => exact(0, item, 0));
    const places = new Int32Array(wanted);
    topK(
      scores,
      Int32Array.from(candidates, (item) => tie[item]),
      places,
    );
    return {
      items: Int32Array.from(places, (place) => candidates[place]),
      scores: Float64Array.from(places, (place) => scores[place]),
    };
  };
}

/** Bytes of shared memory that `indexedTop` takes, without what choosing lists takes. */
export const indexedTopBytes = (
  { items, width }: FactorScores,
  { lists, probes }: ItemIndex,
  problem: TopProblem,
  threads: number,
): number =>
  4 * (items.length / width + 8 * lists.rows + 8) * (width + 2) +
  roomBytes(problem) +
  4 * (mostMembers + 1) * (width + 2) +
  4 * mostMembers * (probes + 1) +
  4 * lists.rows * (mostMembers / 256 + 4) +
  threads * 16 * (width + 8) +
  8192;

/**
 * The best by products of factors among the items of the lists that a user looks into, for kernels of `top-rows.as.ts`;
 * users with fewer than k new items there are left to the plain way.
 *
 * @param choosing a second instance of the kernel
 */
export function indexedTop(
  kernel: SharedKernel,
  choosing: SharedKernel,
  factors: FactorScores,
  problem: TopProblem,
  index: ItemIndex,
): TopRows {
  const { lists, probes, width } = index;
  const chooser = listChooser(index);
  const lanes = factorTop(choosing, chooser.scores, chooser.problem(probes));
  const plain = plainProbes(index);
  const { firsts, order } = padded(lists);
  const panels = laidOut(kernel, factors, order);
  const i32 = (values: Int32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const places = i32(firsts);
  const sizes = i32(Int32Array.from(firsts, (_, list) => lists.starts[list + 1] - lists.starts[list]));
  const room = memberRoom(kernel, problem);
  const rows = memberFactors(kernel, factors);
  const chunk = kernel.exports.listedChunkRows();
  const asked = kernel.alloc(4 * (lists.rows * Math.ceil(mostMembers / chunk) + 1));
  const askers = kernel.alloc(4 * mostMembers * probes);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.listedScratchBytes(rows.width));
  const longest = lengthsOf(factors.items, factors.width, factors.biases).reduce(
    (most, length) => Math.max(most, length),
    0,
  );
  const error = rounding(rows.width) * longest;
  const none = mostMembers;
  const local = Int32Array.from({ length: mostMembers }, (_, row) => row);
  const top = finished(
    kernel,
    problem,
    room,
    (members) => {
      const lengths = rows.set(members);
      for (let row = 0; row < members.length; row++)
        fillQuery(
          chooser.scores.users.subarray(row * width, (row + 1) * width),
          factors.users.subarray(members[row] * factors.width, (members[row] + 1) * factors.width),
          width,
        );
      const { counts, items } = lanes.of(local.subarray(0, members.length));
      groupAskers(
        members.length,
        (row) =>
          counts[row] >= 0
            ? items.subarray(row * probes, row * probes + counts[row])
            : plain(factors.users.subarray(members[row] * factors.width, (members[row] + 1) * factors.width)),
        { chunk, lists: lists.rows },
        kernel.i32(asked, lists.rows * Math.ceil(members.length / chunk) + 1),
        kernel.i32(askers, members.length * probes),
      );
      room.start(members);
      kernel.each(
        "listedTop",
        rows.at,
        members.length,
        panels.at,
        panels.order,
        places,
        sizes,
        lists.rows,
        asked,
        askers,
        none,
        rows.width,
        room.members,
        problem.includeSeen ? 0 : room.starts,
        room.columns,
        room.leasts,
        room.k,
        room.ids,
        room.best,
        room.counts,
        room.counter,
        scratch,
      );
      return { error: (row) => error * lengths[row], exact: exactly(factors, members) };
    },
    Math.min(problem.k, problem.seen.cols),
  );
  return {
    of: (members) => top.of(members),
    close() {
      lanes.close();
      top.close();
    },
  };
}

/** The items list by list, every list from a multiple of eight on; -1 where nothing is. */
function padded({ rows, starts, columns }: Csr): { firsts: Int32Array; order: Int32Array } {
  const firsts = new Int32Array(rows + 1);
  for (let list = 0; list < rows; list++)
    firsts[list + 1] = firsts[list] + 8 * Math.ceil((starts[list + 1] - starts[list]) / 8);
  const order = new Int32Array(firsts[rows]).fill(-1);
  for (let list = 0; list < rows; list++)
    order.set(columns.subarray(starts[list], starts[list + 1]), firsts[list]);
  return { firsts: firsts.subarray(0, rows), order };
}

/** Sorts rows by chunk and by the lists that they look into: offsets, and the rows. */
function groupAskers(
  rows: number,
  probed: (row: number) => Int32Array,
  { chunk, lists }: { chunk: number; lists: number },
  offsets: Int32Array,
  askers: Int32Array,
): void {
  const all = Array.from({ length: rows }, (_, row) => probed(row).slice());
  offsets.fill(0);
  all.forEach((own, row) => {
    for (const list of own) offsets[Math.floor(row / chunk) * lists + list + 1]++;
  });
  for (let at = 1; at < offsets.length; at++) offsets[at] += offsets[at - 1];
  const next = offsets.slice();
  all.forEach((own, row) => {
    for (const list of own) askers[next[Math.floor(row / chunk) * lists + list]++] = row;
  });
}

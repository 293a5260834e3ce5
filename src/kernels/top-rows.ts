import type { SharedKernel } from "../engine/pool.js";
import type { Csr } from "./csr.js";

/**
 * The best items of many users at once, on shared memory. The kernel of `top-rows.as.ts` sums in 32 bits and keeps
 * some more than are asked for; their scores are then taken in 64 bits and in the order of the plain sums, and a user
 * whose last place is not clear of what was left out by more than rounding can do is left to the plain way. Lists are
 * therefore those of the plain way (`topK` over all scores), bit by bit.
 */
export interface TopRows {
  /**
   * The lists of users by code, `k` places to each: items by score, equal scores by `tie`.
   *
   * @returns how many places of every user are filled, -1 for users that are left to the plain way; the arrays are
   *   used again by the next call
   */
  of(members: Int32Array): { counts: Int32Array; items: Int32Array; scores: Float64Array };
  close(): void;
}

export interface TopProblem {
  /** What every user had: sorted items, and their strengths where scores are sums over them. */
  seen: Csr;
  /** Whether these can be among the best. */
  includeSeen: boolean;
  k: number;
  /** Order of equal scores. */
  tie: Int32Array;
}

/** Candidates beside those that are asked for. */
const spare = 16;
/** Users of one call at most. */
export const mostMembers = 4096;

/** Rows of factors, f32, `width` to a row; a score is the item's bias and the products in their order. */
export interface FactorScores {
  width: number;
  users: Float32Array;
  items: Float32Array;
  biases?: Float32Array;
  /** The plain score, where it is not the sum of the products in their order but differs from it by rounding alone. */
  exact?(user: number, item: number): number;
}

/** Bytes of shared memory that `factorTop` takes. */
export const factorTopBytes = (
  { items, width }: FactorScores,
  problem: TopProblem,
  threads: number,
): number =>
  4 * (items.length / width + 8) * (width + 2) +
  roomBytes(problem) +
  4 * (mostMembers + 1) * (width + 2) +
  threads * 4 * 32 * (width + 3) +
  4096;

/** The best by products of factors, for `kernel` of `top-rows.as.ts`. */
export function factorTop(kernel: SharedKernel, factors: FactorScores, problem: TopProblem): TopRows {
  const { width, items, biases } = factors;
  const count = items.length / width;
  const lengths = lengthsOf(items, width, biases);
  const order = Int32Array.from({ length: count }, (_, item) => item).sort(
    (a, b) => lengths[b] - lengths[a] || a - b,
  );
  const size = kernel.exports.blockItems();
  const panels = laidOut(kernel, factors, order);
  const blocks = Math.ceil(count / size);
  const longest = kernel.alloc(4 * blocks);
  const bounds = kernel.f32(longest, blocks);
  for (let block = 0; block < blocks; block++) bounds[block] = above(lengths[order[block * size]]);
  const room = memberRoom(kernel, problem);
  const rows = memberFactors(kernel, factors);
  const userLengths = kernel.alloc(4 * mostMembers);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.factorScratchBytes(rows.width));
  const error = rounding(rows.width) * (count === 0 ? 0 : lengths[order[0]]);
  return finished(kernel, problem, room, (members) => {
    const long = kernel.f32(userLengths, members.length);
    long.set(rows.set(members));
    room.start(members);
    kernel.each(
      "factorTop",
      rows.at,
      userLengths,
      members.length,
      panels.at,
      longest,
      panels.order,
      count,
      rows.width,
      room.members,
      problem.includeSeen ? 0 : room.starts,
      room.columns,
      room.rows,
      room.leasts,
      room.k,
      room.ids,
      room.best,
      room.counts,
      room.counter,
      scratch,
    );
    return { error: (row) => error * long[row], exact: exactly(factors, members) };
  });
}

/** The plain score of an item for the member of a row. */
export function exactly(
  { width, users, items, biases, exact }: FactorScores,
  members: Int32Array,
): Finish["exact"] {
  if (exact) return (row, item) => exact(members[row], item);
  return (row, item) => {
    const user = members[row] * width;
    let sum = biases ? biases[item] : 0;
    for (let f = 0, at = item * width; f < width; f++) sum += users[user + f] * items[at + f];
    return sum;
  };
}

/** Where a call finds the factors of its members; a bias of items is one more product, with 1. */
export function memberFactors(kernel: SharedKernel, { width, users, biases }: FactorScores) {
  const wide = width + (biases ? 1 : 0);
  const at = kernel.alloc(4 * wide * (mostMembers + 1));
  const into = kernel.f32(at, wide * (mostMembers + 1)).fill(0);
  return {
    at,
    /** Floats to a row. */
    width: wide,
    /** The rows, and one of zeros after the last. */
    values: into,
    /** Takes the members of a call; gives how long their factors are, at least. */
    set(members: Int32Array): Float64Array {
      members.forEach((user, row) => {
        into.set(users.subarray(user * width, (user + 1) * width), row * wide);
        if (biases) into[row * wide + width] = 1;
      });
      return Float64Array.from(members, (_, row) => above(lengthOf(into, row * wide, wide)));
    },
  };
}

/** Lays the factors of the items down in this order, eight side by side; -1 leaves a place empty. */
export function laidOut(
  kernel: SharedKernel,
  { width, items, biases }: FactorScores,
  order: Int32Array,
): { at: number; order: number } {
  const wide = width + (biases ? 1 : 0);
  const size = 8 * wide * Math.ceil(order.length / 8);
  const at = kernel.alloc(4 * size);
  const panels = kernel.f32(at, size).fill(0);
  order.forEach((item, place) => {
    if (item < 0) return;
    let to = Math.floor(place / 8) * 8 * wide + (place % 8);
    for (let f = 0; f < width; f++, to += 8) panels[to] = items[item * width + f];
    if (biases) panels[to] = biases[item];
  });
  const orderAt = kernel.alloc(4 * order.length);
  kernel.i32(orderAt, order.length).set(order);
  return { at, order: orderAt };
}

/** Largest share of the product of two lengths that a 32-bit sum of so many terms can be wrong by. */
export const rounding = (terms: number): number => (terms + 6) * 2 ** -24 * 1.01;
/** A 32-bit number that is not below. */
const above = (value: number): number => Math.fround(value * (1 + 2 ** -20));

export function lengthOf(values: Float32Array, from: number, count: number, more = 0): number {
  let sum = more * more;
  for (let f = from; f < from + count; f++) sum += values[f] * values[f];
  return Math.sqrt(sum);
}

export function lengthsOf(items: Float32Array, width: number, biases?: Float32Array): Float64Array {
  return Float64Array.from({ length: items.length / width }, (_, item) =>
    lengthOf(items, item * width, width, biases?.[item]),
  );
}

/** Sparse weights, or dense ones (items x items, row-major): a user's score is the sum of the rows of what they had. */
export type WeightScores = Csr | Float32Array;

/** Bytes of shared memory that `weightTop` takes. */
export const weightTopBytes = (weights: WeightScores, problem: TopProblem, threads: number): number =>
  (weights instanceof Float32Array ? 4 * weights.length : 8 * weights.columns.length + 4 * weights.rows) +
  roomBytes(problem) +
  (problem.seen.values ? 4 * problem.seen.columns.length : 0) +
  8 * mostMembers * (problem.k + spare) +
  threads * 8 * (problem.seen.cols + 8) +
  4096;

export const roomBytes = ({ seen, k }: TopProblem): number =>
  4 * (seen.columns.length + seen.rows) + 8 * mostMembers * (k + spare + 2);

/** The best by sums of rows of weights. */
export function weightTop(kernel: SharedKernel, weights: WeightScores, problem: TopProblem): TopRows {
  const items = problem.seen.cols;
  const sparse = weights instanceof Float32Array ? undefined : weights;
  const i32 = (values: Int32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const f32 = (values: Float32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.f32(at, values.length).set(values);
    return at;
  };
  const rows = sparse ? i32(sparse.starts) : 0;
  const others = sparse ? i32(sparse.columns) : 0;
  const values = f32(sparse ? sparse.values! : (weights as Float32Array));
  const room = memberRoom(kernel, problem);
  const strengths = problem.seen.values ? f32(problem.seen.values) : 0;
  const exactAt = kernel.alloc(8 * mostMembers * room.k);
  const scratch = kernel.alloc(kernel.threads * kernel.exports.weightScratchBytes(items));
  return finished(kernel, problem, room, (members) => {
    room.start(members);
    kernel.each(
      "weightTop",
      members.length,
      items,
      room.members,
      room.starts,
      room.columns,
      strengths,
      rows,
      others,
      values,
      problem.includeSeen ? 0 : 1,
      room.k,
      room.ids,
      room.best,
      exactAt,
      room.counts,
      room.counter,
      scratch,
    );
    const exact = kernel.f64(exactAt, members.length * room.k);
    return {
      error: (_, least) => Math.abs(least) * 2 ** -23,
      exact: (row, _, place) => exact[row * room.k + place],
    };
  });
}

/** Where a call finds users and what they had, and leaves what it found. */
export function memberRoom(kernel: SharedKernel, { seen, k }: TopProblem) {
  const wanted = Math.min(k + spare, seen.cols);
  const members = kernel.alloc(4 * mostMembers);
  const starts = kernel.alloc(4 * (seen.rows + 1));
  kernel.i32(starts, seen.rows + 1).set(seen.starts);
  const columns = kernel.alloc(4 * seen.columns.length);
  kernel.i32(columns, seen.columns.length).set(seen.columns);
  const counter = kernel.alloc(64);
  const rows = kernel.alloc(4 * (mostMembers + 32));
  kernel.i32(rows, mostMembers + 32).forEach((_, row, into) => (into[row] = row));
  const leasts = kernel.alloc(4 * (mostMembers + 32));
  kernel.f32(leasts, mostMembers + 32).fill(Infinity);
  return {
    members,
    starts,
    columns,
    counter,
    /** 0, 1, 2…. */
    rows,
    /** A number per row, and Infinity after the last. */
    leasts,
    k: wanted,
    ids: kernel.alloc(4 * mostMembers * wanted),
    best: kernel.alloc(4 * mostMembers * wanted),
    counts: kernel.alloc(4 * mostMembers),
    start(users: Int32Array): void {
      kernel.i32(members, users.length).set(users);
      kernel.i32(counter, 1)[0] = 0;
    },
  };
}

/** How the candidates of one call are judged. */
export interface Finish {
  /** How far a 32-bit score near `least` can be from the plain one. */
  error(row: number, least: number): number;
  /** The plain score of a candidate. */
  exact(row: number, item: number, place: number): number;
}

/** @param fewest users with fewer candidates are left to the plain way */
export function finished(
  kernel: SharedKernel,
  { k, tie }: TopProblem,
  room: ReturnType<typeof memberRoom>,
  run: (members: Int32Array) => Finish,
  fewest = 0,
): TopRows {
  const counts = new Int32Array(mostMembers);
  const items = new Int32Array(mostMembers * k);
  const scores = new Float64Array(mostMembers * k);
  const code = new Int32Array(room.k);
  const score = new Float64Array(room.k);
  return {
    of(members) {
      const { error, exact } = run(members);
      const found = kernel.i32(room.counts, members.length);
      const ids = kernel.i32(room.ids, members.length * room.k);
      const best = kernel.f32(room.best, members.length * room.k);
      for (let row = 0; row < members.length; row++) {
        const count = found[row];
        for (let place = 0; place < count; place++) {
          const item = ids[row * room.k + place];
          insert(code, score, place, item, exact(row, item, place), tie);
        }
        const kept = Math.min(k, count);
        // With room to spare nothing was left out; the root of a full heap is the least that was kept.
        const least = count < room.k ? -Infinity : best[row * room.k];
        const clear = count >= fewest && (count < room.k || score[kept - 1] > least + 2 * error(row, least));
        counts[row] = clear ? kept : -1;
        items.set(code.subarray(0, kept), row * k);
        scores.set(score.subarray(0, kept), row * k);
      }
      return { counts, items, scores };
    },
    close: () => kernel.close(),
  };
}

/** Puts an item in its place among those so far, best first. */
function insert(
  code: Int32Array,
  score: Float64Array,
  size: number,
  item: number,
  value: number,
  tie: Int32Array,
): void {
  let at = size;
  for (; at > 0; at--) {
    const other = score[at - 1];
    if (other > value || (other === value && tie[code[at - 1]] < tie[item])) break;
    code[at] = code[at - 1];
    score[at] = other;
  }
  code[at] = item;
  score[at] = value;
}

import type { Rng } from "../core/rng.js";
import type { SharedKernel } from "../engine/pool.js";
import { paddedWidth } from "./als.js";
import { placeOf, type Csr } from "./csr.js";

/**
 * Bayesian personalised ranking: stochastic gradient ascent of ln σ(x_u·(y_i - y_j) + b_i - b_j) over
 * triples of a user, an item it had and one it had not. Rendle et al. (2009), section 4.2.
 *
 * The same numbers for any number of threads: users are dealt to blocks once and items anew in every
 * epoch; a phase works on cells (block of users, block of items) that share neither, each with its own
 * stream of draws, and as many phases make an epoch. Gemulla et al. (2011), stratified SGD, for triples
 * whose two items lie in one block.
 */
export interface BprTrainer {
  width: number;
  users: Float32Array;
  items: Float32Array;
  biases: Float32Array;
  /** One epoch: about as many steps as the matrix has entries. Gives the share of pairs that were in the right order. */
  epoch(): number;
  close(): void;
}

export interface BprProblem {
  matrix: Csr;
  factors: number;
  /** Length of a step. */
  rate: number;
  /** L2 penalty of factors and biases. */
  penalty: number;
  rng: Rng;
}

/** Blocks of users and of items: more than most machines have cores, and each fits into a second-level cache. */
const mostBlocks = 16;
/** Items of a block at least: negatives are drawn among them. */
const leastMembers = 32;

const blocksFor = ({ cols }: Csr): number =>
  Math.max(1, Math.min(mostBlocks, Math.floor(cols / leastMembers)));

/** First entries of the blocks of users, each with about as many; a user is never cut. */
function userEdges({ starts, rows }: Csr, blocks: number): Int32Array {
  const edges = new Int32Array(blocks + 1);
  for (let block = 1, row = 0; block <= blocks; block++) {
    const end = (starts[rows] * block) / blocks;
    while (row < rows && starts[row] < end) row++;
    edges[block] = starts[row];
  }
  return edges;
}

/** Deals items to blocks of equal size: the members of every block, and the block of every item. */
function dealtItems(
  items: number,
  blocks: number,
  rng: Rng,
): { members: Int32Array; starts: Int32Array; blockOf: Uint8Array } {
  const members = rng.shuffle(Int32Array.from({ length: items }, (_, item) => item));
  const starts = Int32Array.from({ length: blocks + 1 }, (_, block) => Math.round((items * block) / blocks));
  const blockOf = new Uint8Array(items);
  for (let block = 0; block < blocks; block++)
    for (let place = starts[block]; place < starts[block + 1]; place++) {
      blockOf[members[place]] = block;
    }
  return { members, starts, blockOf };
}

function startingFactors(count: number, factors: number, rng: Rng, into: Float32Array): void {
  const width = paddedWidth(factors);
  for (let row = 0; row < count; row++)
    for (let f = 0; f < factors; f++) into[row * width + f] = (rng.uniform() - 0.5) / factors;
}

/** The row of every entry. */
export function userOfEntries({ starts, rows, columns }: Csr): Int32Array {
  const users = new Int32Array(columns.length);
  for (let row = 0; row < rows; row++) users.fill(row, starts[row], starts[row + 1]);
  return users;
}

/** The trainer on shared memory; `kernel` is that of `bpr.as.ts`. */
export function sharedBpr(
  kernel: SharedKernel,
  { matrix, factors, rate, penalty, rng }: BprProblem,
): BprTrainer {
  const width = paddedWidth(factors);
  const blocks = blocksFor(matrix);
  const { rows, cols } = matrix;
  const entries = matrix.columns.length;
  const i32 = (values: Int32Array): number => {
    const at = kernel.alloc(4 * values.length);
    kernel.i32(at, values.length).set(values);
    return at;
  };
  const starts = i32(matrix.starts);
  const columns = i32(matrix.columns);
  const userOf = i32(userOfEntries(matrix));
  const edges = i32(userEdges(matrix, blocks));
  const blockOf = kernel.alloc(cols);
  const members = kernel.alloc(4 * cols);
  const memberStarts = kernel.alloc(4 * (blocks + 1));
  const grouped = kernel.alloc(4 * entries);
  const cells = kernel.alloc(4 * blocks * (blocks + 1));
  const tallies = kernel.alloc(8 * blocks);
  const users = kernel.alloc(4 * width * rows);
  const items = kernel.alloc(4 * width * cols);
  const biases = kernel.alloc(4 * cols);
  kernel.f32(biases, cols).fill(0);
  startingFactors(rows, factors, rng, kernel.f32(users, width * rows).fill(0));
  startingFactors(cols, factors, rng, kernel.f32(items, width * cols).fill(0));
  return {
    width,
    users: kernel.f32(users, width * rows),
    items: kernel.f32(items, width * cols),
    biases: kernel.f32(biases, cols),
    epoch() {
      const dealt = dealtItems(cols, blocks, rng);
      kernel.i32(members, cols).set(dealt.members);
      kernel.i32(memberStarts, blocks + 1).set(dealt.starts);
      kernel.u8(blockOf, cols).set(dealt.blockOf);
      kernel.i32(tallies, 2 * blocks).fill(0);
      const seed = rng.integer(2 ** 32) | 0;
      kernel.each("groupEntries", columns, edges, blocks, blockOf, grouped, cells);
      for (let shift = 0; shift < blocks; shift++)
        kernel.each(
          "phase",
          starts,
          columns,
          userOf,
          grouped,
          cells,
          blocks,
          shift,
          members,
          memberStarts,
          users,
          items,
          biases,
          width,
          rate,
          penalty,
          seed,
          tallies,
        );
      return rightShare(kernel.i32(tallies, 2 * blocks));
    },
    close: () => kernel.close(),
  };
}

/** The same in plain arrays. */
export function plainBpr({ matrix, factors, rate, penalty, rng }: BprProblem): BprTrainer {
  const width = paddedWidth(factors);
  const blocks = blocksFor(matrix);
  const users = new Float32Array(width * matrix.rows);
  const items = new Float32Array(width * matrix.cols);
  const biases = new Float32Array(matrix.cols);
  startingFactors(matrix.rows, factors, rng, users);
  startingFactors(matrix.cols, factors, rng, items);
  const userOf = userOfEntries(matrix);
  const edges = userEdges(matrix, blocks);
  const { starts, columns } = matrix;
  const keep = 1 - rate * penalty;

  function step(entry: number, j: number): boolean | undefined {
    const u = userOf[entry];
    if (placeOf(columns, j, starts[u], starts[u + 1]) >= 0) return undefined;
    const i = columns[entry];
    let difference = biases[i] - biases[j];
    for (let f = 0; f < width; f++)
      difference += users[u * width + f] * (items[i * width + f] - items[j * width + f]);
    const push = rate / (1 + Math.exp(difference));
    for (let f = 0; f < width; f++) {
      const x = users[u * width + f];
      const p = items[i * width + f];
      const n = items[j * width + f];
      users[u * width + f] = keep * x + push * (p - n);
      items[i * width + f] = keep * p + push * x;
      items[j * width + f] = keep * n - push * x;
    }
    biases[i] = keep * biases[i] + push;
    biases[j] = keep * biases[j] - push;
    return difference > 0;
  }

  return {
    width,
    users,
    items,
    biases,
    epoch() {
      const dealt = dealtItems(matrix.cols, blocks, rng);
      const tallies = new Int32Array(2 * blocks);
      const seed = rng.integer(2 ** 32) | 0;
      const cell: number[][] = Array.from({ length: blocks * blocks }, () => []);
      for (let block = 0; block < blocks; block++)
        for (let p = edges[block]; p < edges[block + 1]; p++)
          cell[block * blocks + dealt.blockOf[columns[p]]].push(p);
      for (let shift = 0; shift < blocks; shift++)
        for (let block = 0; block < blocks; block++) {
          const other = (block + shift) % blocks;
          const entries = cell[block * blocks + other];
          const first = dealt.starts[other];
          const size = dealt.starts[other + 1] - first;
          const draw = drawer((seed + Math.imul(block * blocks + other, 0x9e3779b9)) | 0);
          for (let n = 0; n < entries.length; n++) {
            const entry = entries[draw(entries.length)];
            const right = step(entry, dealt.members[first + draw(size)]);
            if (right === undefined) continue;
            tallies[2 * block]++;
            if (right) tallies[2 * block + 1]++;
          }
        }
      return rightShare(tallies);
    },
    close: () => undefined,
  };
}

/** Times that every item of somebody is stepped along to find their factors. */
const foldSteps = 40;

/**
 * Factors of somebody from what they had, those of items fixed: stochastic gradient steps as in training over each of
 * their items in turn, against items drawn from a stream that the items themselves seed.
 *
 * @param start factors to begin with; zeros by default
 */
export function foldInPairs(
  { width, items, biases }: { width: number; items: Float32Array; biases?: Float32Array },
  had: Int32Array,
  { rate, penalty }: Pick<BprProblem, "rate" | "penalty">,
  start?: Float32Array,
): Float64Array {
  const x = new Float64Array(width);
  if (start) x.set(start);
  const count = items.length / width;
  const known = new Set(had);
  if (known.size === 0 || known.size >= count) return x;
  const draw = drawer(
    [...known].sort((a, b) => a - b).reduce((seed, item) => Math.imul(seed ^ item, 0x9e3779b1), 1),
  );
  const keep = 1 - rate * penalty;
  for (let pass = 0; pass < foldSteps; pass++)
    for (const i of known) {
      const j = draw(count);
      if (known.has(j)) continue;
      let difference = biases ? biases[i] - biases[j] : 0;
      for (let f = 0; f < width; f++) difference += x[f] * (items[i * width + f] - items[j * width + f]);
      const push = rate / (1 + Math.exp(difference));
      for (let f = 0; f < width; f++)
        x[f] = keep * x[f] + push * (items[i * width + f] - items[j * width + f]);
    }
  return x;
}

/** mulberry32, as the kernels draw. */
export function drawer(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

function rightShare(tallies: Int32Array): number {
  let taken = 0;
  let right = 0;
  for (let t = 0; t < tallies.length; t += 2) {
    taken += tallies[t];
    right += tallies[t + 1];
  }
  return taken === 0 ? NaN : right / taken;
}

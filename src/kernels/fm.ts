import type { Rng } from "../core/rng.js";
import type { SharedKernel } from "../engine/pool.js";
import { paddedWidth } from "./als.js";
import { drawer, userOfEntries } from "./bpr.js";
import { placeOf, type Csr } from "./csr.js";

/**
 * Second-order factorisation machine that ranks: what a user had above what they had not.
 *
 * Rendle (2010), eq. 1 with d = 2: every term a of users and items has factors v_a, those of items a weight w_a, and
 *
 *     score(user, item) = Σ w_a x_a + Σ over pairs a < b of terms of both <v_a, v_b> x_a x_b
 *
 * Pairs of two terms of the user are the same for all items and are left out. With p = Σ x_a v_a of the user and q of
 * the item the score is b + p·q, where b = Σ w_a x_a + (|q|² - Σ x_a² |v_a|²) / 2 (lemma 3.1 there): a bias and a
 * product of factors. Learned by steps of BPR-Opt, Rendle et al. (2009), each term with a rate of its own, AdaGrad,
 * Duchi, Hazan & Singer (2011).
 */
export interface FmProblem {
  /** Users x items. */
  matrix: Csr;
  /** Users x terms of users, and items x terms of items, with values. */
  userTerms: Csr;
  itemTerms: Csr;
  factors: number;
  rate: number;
  /** L2 penalty of every step. */
  penalty: number;
  rng: Rng;
}

export interface FmTrainer {
  /** Factors of the terms of users, `factors` to a row. */
  userTerms(): Float32Array;
  /** As many steps as there are interactions. Gives the share of pairs that were in the right order. */
  epoch(): number;
  /** What scores are products of: p by user, q and b by item. */
  vectors(): { users: Float32Array; items: Float32Array; biases: Float32Array };
  close(): void;
}

/** Factors of the terms of both sides, `width` floats to a row, and the weights of those of items. */
interface Tables {
  width: number;
  users: Float32Array;
  items: Float32Array;
  weights: Float32Array;
}

/** Bytes of shared memory that `sharedFm` takes. */
export const sharedFmBytes = ({ matrix, userTerms, itemTerms, factors }: FmProblem): number =>
  8 * matrix.columns.length +
  8 * (userTerms.columns.length + itemTerms.columns.length) +
  4 * (2 * matrix.rows + 2 * matrix.cols) +
  (4 * paddedWidth(factors) + 24) * (userTerms.cols + itemTerms.cols) +
  16 * paddedWidth(factors) +
  4096;

/** The trainer on shared memory; `kernel` is that of `fm.as.ts`. */
export function sharedFm(kernel: SharedKernel, problem: FmProblem): FmTrainer {
  const { matrix, userTerms, itemTerms, factors, rate, penalty, rng } = problem;
  const width = paddedWidth(factors);
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
  const ones = (count: number): number => {
    const at = kernel.alloc(8 * count);
    kernel.f64(at, count).fill(1);
    return at;
  };
  const start = startOf(problem, width);
  const [users, items, weights] = [f32(start.users), f32(start.items), f32(start.weights)];
  const { exports } = kernel;
  const side = (terms: Csr): [number, number, number] => [
    i32(terms.starts),
    i32(terms.columns),
    f32(terms.values!),
  ];
  exports.users(...side(userTerms), users, ones(userTerms.cols));
  exports.items(...side(itemTerms), items, ones(itemTerms.cols), weights, ones(itemTerms.cols));
  exports.stepping(factors, width, rate, penalty);
  const entries = matrix.columns.length;
  const drawn = itemsHad(matrix);
  const given = [
    i32(matrix.starts),
    i32(matrix.columns),
    i32(userOfEntries(matrix)),
    entries,
    i32(drawn),
    drawn.length,
    kernel.alloc(exports.scratchBytes(width)),
  ];
  const tally = kernel.alloc(8);
  const tables: Tables = {
    width,
    users: kernel.f32(users, width * userTerms.cols),
    items: kernel.f32(items, width * itemTerms.cols),
    weights: kernel.f32(weights, itemTerms.cols),
  };
  return {
    userTerms: () => unpadded(tables.users, width, factors),
    epoch() {
      kernel.i32(tally, 2).fill(0);
      exports.steps(entries, rng.integer(2 ** 32) | 0, ...given, tally);
      const [taken, right] = kernel.i32(tally, 2);
      return taken === 0 ? NaN : right / taken;
    },
    vectors: () => vectorsOf(problem, tables),
    close: () => kernel.close(),
  };
}

/** The same in plain arrays. */
export function plainFm(problem: FmProblem): FmTrainer {
  const { matrix, userTerms, itemTerms, factors, rate, penalty, rng } = problem;
  const { starts, columns } = matrix;
  const tables = startOf(problem, factors);
  const { weights } = tables;
  const userSquares = new Float64Array(userTerms.cols).fill(1);
  const itemSquares = new Float64Array(itemTerms.cols).fill(1);
  const weightSquares = new Float64Array(itemTerms.cols).fill(1);
  const userOf = userOfEntries(matrix);
  const drawn = itemsHad(matrix);
  const p = new Float64Array(factors);
  const qi = new Float64Array(factors);
  const qj = new Float64Array(factors);
  const toward = new Float64Array(factors);

  /** Moves a term along push (toward - own v). */
  function move(table: Float32Array, squares: Float64Array, term: number, push: number, own: number): void {
    const at = term * factors;
    let square = 0;
    for (let f = 0; f < factors; f++) square += (toward[f] - own * table[at + f]) ** 2;
    squares[term] += (push * push * square) / factors;
    const length = rate / Math.sqrt(squares[term]);
    for (let f = 0; f < factors; f++) {
      const v = table[at + f];
      table[at + f] = v + length * (push * (toward[f] - own * v) - penalty * v);
    }
  }

  /** Moves the terms of an item along `push` times its gradient. */
  function moveItem(item: number, q: Float64Array, push: number): void {
    for (let f = 0; f < factors; f++) toward[f] = p[f] + q[f];
    for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++) {
      const term = itemTerms.columns[t];
      const x = itemTerms.values![t];
      const slope = push * x;
      move(tables.items, itemSquares, term, slope, x);
      weightSquares[term] += slope * slope;
      weights[term] += (rate / Math.sqrt(weightSquares[term])) * (slope - penalty * weights[term]);
    }
  }

  function step(user: number, i: number, j: number): boolean {
    addUp(userTerms, tables.users, factors, user, p);
    addUp(itemTerms, tables.items, factors, i, qi);
    addUp(itemTerms, tables.items, factors, j, qj);
    let difference = biasOf(itemTerms, tables, i, qi) - biasOf(itemTerms, tables, j, qj);
    for (let f = 0; f < factors; f++) difference += p[f] * (qi[f] - qj[f]);
    const push = 1 / (1 + Math.exp(difference));
    moveItem(i, qi, push);
    moveItem(j, qj, -push);
    for (let f = 0; f < factors; f++) toward[f] = qi[f] - qj[f];
    for (let t = userTerms.starts[user]; t < userTerms.starts[user + 1]; t++)
      move(tables.users, userSquares, userTerms.columns[t], push * userTerms.values![t], 0);
    return difference > 0;
  }

  return {
    userTerms: () => tables.users,
    epoch() {
      let taken = 0;
      let right = 0;
      const draw = drawer(rng.integer(2 ** 32) | 0);
      for (let n = 0; n < columns.length; n++) {
        const entry = draw(columns.length);
        const j = drawn[draw(drawn.length)];
        const user = userOf[entry];
        if (placeOf(columns, j, starts[user], starts[user + 1]) >= 0) continue;
        taken++;
        if (step(user, columns[entry], j)) right++;
      }
      return taken === 0 ? NaN : right / taken;
    },
    vectors: () => vectorsOf(problem, tables),
    close: () => undefined,
  };
}

/** Items that somebody had: the others are no sign of dislike, and are left to their terms. */
function itemsHad({ cols, columns }: Csr): Int32Array {
  const had = new Uint8Array(cols);
  for (const item of columns) had[item] = 1;
  return Int32Array.from({ length: cols }, (_, item) => item).filter((item) => had[item]);
}

/** Small factors by chance; zeros for terms of items that nobody had. */
function startOf({ matrix, userTerms, itemTerms, factors, rng }: FmProblem, width: number): Tables {
  const drawn = (count: number): Float32Array => {
    const table = new Float32Array(count * width);
    for (let term = 0; term < count; term++)
      for (let f = 0; f < factors; f++) table[term * width + f] = (0.1 * rng.normal()) / Math.sqrt(factors);
    return table;
  };
  const users = drawn(userTerms.cols);
  const items = drawn(itemTerms.cols);
  const used = new Uint8Array(itemTerms.cols);
  for (const item of itemsHad(matrix))
    for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++) used[itemTerms.columns[t]] = 1;
  used.forEach((is, term) => {
    if (!is) items.fill(0, term * width, (term + 1) * width);
  });
  return { width, users, items, weights: new Float32Array(itemTerms.cols) };
}

/** Fills `into` with the sum of the factors of a row's terms. */
function addUp(terms: Csr, table: Float32Array, width: number, row: number, into: Float64Array): void {
  into.fill(0);
  for (let t = terms.starts[row]; t < terms.starts[row + 1]; t++) {
    const at = terms.columns[t] * width;
    const x = terms.values![t];
    for (let f = 0; f < into.length; f++) into[f] += x * table[at + f];
  }
}

/** b of an item, from its q. */
function biasOf(itemTerms: Csr, { width, items, weights }: Tables, item: number, q: Float64Array): number {
  let bias = 0;
  for (const value of q) bias += (value * value) / 2;
  for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++) {
    const x = itemTerms.values![t];
    const at = itemTerms.columns[t] * width;
    bias += weights[itemTerms.columns[t]] * x;
    for (let f = 0; f < q.length; f++) bias -= (x * items[at + f]) ** 2 / 2;
  }
  return bias;
}

function vectorsOf(
  { matrix: { rows, cols }, userTerms, itemTerms, factors }: FmProblem,
  tables: Tables,
): ReturnType<FmTrainer["vectors"]> {
  const users = new Float32Array(rows * factors);
  const items = new Float32Array(cols * factors);
  const biases = new Float32Array(cols);
  const own = new Float64Array(factors);
  for (let user = 0; user < rows; user++) {
    addUp(userTerms, tables.users, tables.width, user, own);
    users.set(own, user * factors);
  }
  for (let item = 0; item < cols; item++) {
    addUp(itemTerms, tables.items, tables.width, item, own);
    items.set(own, item * factors);
    biases[item] = biasOf(itemTerms, tables, item, own);
  }
  return { users, items, biases };
}

function unpadded(table: Float32Array, width: number, factors: number): Float32Array {
  const found = new Float32Array((table.length / width) * factors);
  for (let row = 0; row * width < table.length; row++)
    found.set(table.subarray(row * width, row * width + factors), row * factors);
  return found;
}

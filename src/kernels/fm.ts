import type { Rng } from "../core/rng.js";
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
  userTerms: Float32Array;
  /** As many steps as there are interactions. Gives the share of pairs that were in the right order. */
  epoch(): number;
  /** What scores are products of: p by user, q and b by item. */
  vectors(): { users: Float32Array; items: Float32Array; biases: Float32Array };
}

export function fmTrainer({
  matrix,
  userTerms,
  itemTerms,
  factors,
  rate,
  penalty,
  rng,
}: FmProblem): FmTrainer {
  const { rows, cols, starts, columns } = matrix;
  const userSide = side(userTerms, factors, rng);
  const itemSide = side(itemTerms, factors, rng);
  const weights = new Float32Array(itemTerms.cols);
  const weightSquares = new Float64Array(itemTerms.cols).fill(1);
  const userOf = new Int32Array(columns.length);
  for (let u = 0; u < rows; u++) userOf.fill(u, starts[u], starts[u + 1]);
  const had = new Uint8Array(cols);
  for (const item of columns) had[item] = 1;
  // Items that nobody had are no sign of dislike: they are left to their terms.
  const drawn = Int32Array.from({ length: cols }, (_, item) => item).filter((item) => had[item]);
  const itself = new Uint8Array(itemTerms.cols);
  for (const item of drawn)
    for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++)
      itself[itemTerms.columns[t]] = 1;
  itself.forEach((is, term) => {
    if (!is) itemSide.table.fill(0, term * factors, (term + 1) * factors);
  });
  const p = new Float64Array(factors);
  const qi = new Float64Array(factors);
  const qj = new Float64Array(factors);
  const toward = new Float64Array(factors);

  function biasOf(item: number, q: Float64Array): number {
    let bias = 0;
    for (const value of q) bias += (value * value) / 2;
    for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++) {
      const x = itemTerms.values![t];
      const at = itemTerms.columns[t] * factors;
      bias += weights[itemTerms.columns[t]] * x;
      for (let f = 0; f < factors; f++) bias -= (x * itemSide.table[at + f]) ** 2 / 2;
    }
    return bias;
  }

  /** Moves the terms of an item along `sign` times its gradient. */
  function moveItem(item: number, q: Float64Array, push: number): void {
    for (let f = 0; f < factors; f++) toward[f] = p[f] + q[f];
    for (let t = itemTerms.starts[item]; t < itemTerms.starts[item + 1]; t++) {
      const term = itemTerms.columns[t];
      const x = itemTerms.values![t];
      itemSide.move(term, push * x, toward, x);
      const slope = push * x;
      weightSquares[term] += slope * slope;
      weights[term] += (rate / Math.sqrt(weightSquares[term])) * (slope - penalty * weights[term]);
    }
  }

  function step(user: number, i: number, j: number): boolean {
    userSide.sum(user, p);
    itemSide.sum(i, qi);
    itemSide.sum(j, qj);
    let difference = biasOf(i, qi) - biasOf(j, qj);
    for (let f = 0; f < factors; f++) difference += p[f] * (qi[f] - qj[f]);
    const push = 1 / (1 + Math.exp(difference));
    moveItem(i, qi, push);
    moveItem(j, qj, -push);
    for (let f = 0; f < factors; f++) toward[f] = qi[f] - qj[f];
    for (let t = userTerms.starts[user]; t < userTerms.starts[user + 1]; t++)
      userSide.move(userTerms.columns[t], push * userTerms.values![t], toward, 0);
    return difference > 0;
  }

  /** The factors of the terms of one side. */
  function side(terms: Csr, factors: number, rng: Rng) {
    const table = Float32Array.from(
      { length: terms.cols * factors },
      () => (0.1 * rng.normal()) / Math.sqrt(factors),
    );
    const squares = new Float64Array(terms.cols).fill(1);
    return {
      table,
      sum(row: number, into: Float64Array): void {
        into.fill(0);
        for (let t = terms.starts[row]; t < terms.starts[row + 1]; t++) {
          const at = terms.columns[t] * factors;
          const x = terms.values![t];
          for (let f = 0; f < factors; f++) into[f] += x * table[at + f];
        }
      },
      /** Along push (direction - own v). */
      move(term: number, push: number, direction: Float64Array, own: number): void {
        const at = term * factors;
        let square = 0;
        for (let f = 0; f < factors; f++) square += (direction[f] - own * table[at + f]) ** 2;
        squares[term] += (push * push * square) / factors;
        const length = rate / Math.sqrt(squares[term]);
        for (let f = 0; f < factors; f++) {
          const v = table[at + f];
          table[at + f] = v + length * (push * (direction[f] - own * v) - penalty * v);
        }
      },
    };
  }

  return {
    userTerms: userSide.table,
    epoch() {
      let taken = 0;
      let right = 0;
      for (let n = 0; n < columns.length; n++) {
        const entry = rng.integer(columns.length);
        const user = userOf[entry];
        const j = drawn[rng.integer(drawn.length)];
        if (placeOf(columns, j, starts[user], starts[user + 1]) >= 0) continue;
        taken++;
        if (step(user, columns[entry], j)) right++;
      }
      return taken === 0 ? NaN : right / taken;
    },
    vectors() {
      const users = new Float32Array(rows * factors);
      const items = new Float32Array(cols * factors);
      const biases = new Float32Array(cols);
      for (let user = 0; user < rows; user++) {
        userSide.sum(user, p);
        users.set(p, user * factors);
      }
      for (let item = 0; item < cols; item++) {
        itemSide.sum(item, qi);
        items.set(qi, item * factors);
        biases[item] = biasOf(item, qi);
      }
      return { users, items, biases };
    },
  };
}

/*
 * Steps of a factorisation machine over drawn pairs, f32 and SIMD; fm.ts is the plain twin and explains the terms. Items
 * share terms, so that one thread takes all steps.
 */
import { below, exponential, has, increment, next } from "./sampled-steps.as";

/** Bytes of scratch. */
export function scratchBytes(width: i32): i32 {
  return 16 * width + 64;
}

/** Rows of terms with their values, factors by term, and AdaGrad's sum of squares of every term. */
let userStarts: usize = 0;
let userTerms: usize = 0;
let userValues: usize = 0;
let userTable: usize = 0;
let userSquares: usize = 0;
let itemStarts: usize = 0;
let itemTerms: usize = 0;
let itemValues: usize = 0;
let itemTable: usize = 0;
let itemSquares: usize = 0;
let weights: usize = 0;
let weightSquares: usize = 0;
let width: i32 = 0;
let bytes: usize = 0;
let factors: f64 = 1;
let rate: f64 = 0;
let penalty: f32 = 0;

export function users(starts: usize, terms: usize, values: usize, table: usize, squares: usize): void {
  userStarts = starts;
  userTerms = terms;
  userValues = values;
  userTable = table;
  userSquares = squares;
}

/** @param own weights of the terms, f32, and their sums of squares, f64 */
export function items(
  starts: usize,
  terms: usize,
  values: usize,
  table: usize,
  squares: usize,
  own: usize,
  ownSquares: usize,
): void {
  itemStarts = starts;
  itemTerms = terms;
  itemValues = values;
  itemTable = table;
  itemSquares = squares;
  weights = own;
  weightSquares = ownSquares;
}

/** @param count of factors; `padded` that many and zeros up to a multiple of four */
export function stepping(count: i32, padded: i32, length: f64, decay: f32): void {
  factors = count;
  width = padded;
  bytes = (<usize>padded) << 2;
  rate = length;
  penalty = decay;
}

/**
 * Steps over entries and items that are drawn from `seed`.
 *
 * @param drawn items that can be drawn
 * @param tally two i32: steps taken, and those whose pair was in the right order
 */
export function steps(
  count: i32,
  seed: u32,
  starts: usize,
  columns: usize,
  userOf: usize,
  entries: i32,
  drawn: usize,
  size: i32,
  scratch: usize,
  tally: usize,
): u32 {
  const p = scratch;
  const qi = p + bytes;
  const qj = qi + bytes;
  const toward = qj + bytes;
  let state = seed;
  for (let n = 0; n < count; n++) {
    state += increment;
    const entry = below(next(state), entries);
    state += increment;
    const j = load<i32>(drawn + ((<usize>below(next(state), size)) << 2));
    const user = load<i32>(userOf + ((<usize>entry) << 2));
    const row = starts + ((<usize>user) << 2);
    if (has(columns, load<i32>(row), load<i32>(row, 4), j)) continue;
    const i = load<i32>(columns + ((<usize>entry) << 2));
    sum(userStarts, userTerms, userValues, userTable, user, p);
    sum(itemStarts, itemTerms, itemValues, itemTable, i, qi);
    sum(itemStarts, itemTerms, itemValues, itemTable, j, qj);
    let product = f32x4.splat(0);
    for (let b: usize = 0; b < bytes; b += 16)
      product = f32x4.add(
        product,
        f32x4.mul(v128.load(p + b), f32x4.sub(v128.load(qi + b), v128.load(qj + b))),
      );
    const difference = biasOf(i, qi) - biasOf(j, qj) + lanes(product);
    const push: f32 = 1 / (<f32>1 + exponential(difference));
    moveItem(i, p, qi, push, toward);
    moveItem(j, p, qj, -push, toward);
    for (let b: usize = 0; b < bytes; b += 16)
      v128.store(toward + b, f32x4.sub(v128.load(qi + b), v128.load(qj + b)));
    const at = userStarts + ((<usize>user) << 2);
    for (let t = load<i32>(at), end = load<i32>(at, 4); t < end; t++) {
      const x = load<f32>(userValues + ((<usize>t) << 2));
      move(userTable, userSquares, load<i32>(userTerms + ((<usize>t) << 2)), push * x, toward, 0);
    }
    store<i32>(tally, load<i32>(tally) + 1);
    if (difference > 0) store<i32>(tally, load<i32>(tally, 4) + 1, 4);
  }
  return state;
}

function lanes(sum: v128): f32 {
  return (
    f32x4.extract_lane(sum, 0) +
    f32x4.extract_lane(sum, 1) +
    (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
  );
}

export function sum(starts: usize, terms: usize, values: usize, table: usize, row: i32, into: usize): void {
  const at = starts + ((<usize>row) << 2);
  memory.fill(into, 0, bytes);
  for (let t = load<i32>(at), end = load<i32>(at, 4); t < end; t++) {
    const own = table + <usize>load<i32>(terms + ((<usize>t) << 2)) * bytes;
    const x = v128.load32_splat(values + ((<usize>t) << 2));
    for (let b: usize = 0; b < bytes; b += 16)
      v128.store(into + b, f32x4.add(v128.load(into + b), f32x4.mul(x, v128.load(own + b))));
  }
}

export function biasOf(item: i32, q: usize): f32 {
  let product = f32x4.splat(0);
  for (let b: usize = 0; b < bytes; b += 16) {
    const value = v128.load(q + b);
    product = f32x4.add(product, f32x4.mul(value, value));
  }
  let bias: f32 = 0;
  const at = itemStarts + ((<usize>item) << 2);
  for (let t = load<i32>(at), end = load<i32>(at, 4); t < end; t++) {
    const term = load<i32>(itemTerms + ((<usize>t) << 2));
    const x = v128.load32_splat(itemValues + ((<usize>t) << 2));
    const own = itemTable + <usize>term * bytes;
    bias += load<f32>(weights + ((<usize>term) << 2)) * f32x4.extract_lane(x, 0);
    for (let b: usize = 0; b < bytes; b += 16) {
      const value = f32x4.mul(x, v128.load(own + b));
      product = f32x4.sub(product, f32x4.mul(value, value));
    }
  }
  return bias + lanes(product) / 2;
}

export function moveItem(item: i32, p: usize, q: usize, push: f32, toward: usize): void {
  for (let b: usize = 0; b < bytes; b += 16)
    v128.store(toward + b, f32x4.add(v128.load(p + b), v128.load(q + b)));
  const at = itemStarts + ((<usize>item) << 2);
  for (let t = load<i32>(at), end = load<i32>(at, 4); t < end; t++) {
    const term = load<i32>(itemTerms + ((<usize>t) << 2));
    const x = load<f32>(itemValues + ((<usize>t) << 2));
    const slope = push * x;
    move(itemTable, itemSquares, term, slope, toward, x);
    const square = weightSquares + ((<usize>term) << 3);
    const squares = load<f64>(square) + <f64>slope * <f64>slope;
    store<f64>(square, squares);
    const weight = weights + ((<usize>term) << 2);
    const value = load<f32>(weight);
    store<f32>(weight, value + <f32>(rate / Math.sqrt(squares)) * (slope - penalty * value));
  }
}

/** Moves a term along push (toward - own v). */
export function move(table: usize, squares: usize, term: i32, push: f32, toward: usize, own: f32): void {
  const v = table + <usize>term * bytes;
  const o = f32x4.splat(own);
  let product = f32x4.splat(0);
  for (let b: usize = 0; b < bytes; b += 16) {
    const apart = f32x4.sub(v128.load(toward + b), f32x4.mul(o, v128.load(v + b)));
    product = f32x4.add(product, f32x4.mul(apart, apart));
  }
  const at = squares + ((<usize>term) << 3);
  const total = load<f64>(at) + (<f64>push * <f64>push * <f64>lanes(product)) / factors;
  store<f64>(at, total);
  const length = <f32>(rate / Math.sqrt(total));
  const s = f32x4.splat(length * push);
  const keep = f32x4.splat(1 - length * (push * own + penalty));
  for (let b: usize = 0; b < bytes; b += 16)
    v128.store(v + b, f32x4.add(f32x4.mul(keep, v128.load(v + b)), f32x4.mul(s, v128.load(toward + b))));
}

/*
 * Sparse linear weights of every item, f32 and SIMD; slim.ts is the plain twin and explains the terms. Every item is
 * worked out alone, so that it does not matter which thread takes it.
 */
import { offer } from "./heap.as";
export { gramRows } from "./gram.as";

/** Items that a thread takes at a time. */
const chunk: i32 = 4;

/** Floats of a row of a small matrix in memory. */
function padded(k: i32): i32 {
  return (k + 3) & ~3;
}

/** Bytes of scratch that a thread needs: products among k items, what is left to explain, weights. */
export function scratchBytes(k: i32): i32 {
  return 4 * padded(k) * (k + 2);
}

/**
 * @param gram   products of all items, n x n, both triangles
 * @param ids    k candidates for every item; `best` receives their weights, 0 for those without
 * @param counts candidates of every item
 */
export function solveItems(
  thread: i32,
  _threads: i32,
  gram: usize,
  n: i32,
  k: i32,
  l2: f32,
  l1: f32,
  tolerance: f32,
  epochs: i32,
  ids: usize,
  best: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const scratch = scratches + <usize>thread * <usize>scratchBytes(k);
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= n) return;
    for (let item = from, to = min(n, from + chunk); item < to; item++) {
      const at = (<usize>item * <usize>k) << 2;
      const count = candidates(gram, n, item, k, l1, ids + at, best + at);
      gather(gram, n, item, ids + at, count, scratch);
      const goal = tolerance * load<f32>(gram + ((<usize>item * <usize>(n + 1)) << 2));
      descend(scratch, count, l2, l1, goal, epochs, best + at);
      store<i32>(counts + ((<usize>item) << 2), count);
    }
  }
}

/** The k items most like one, by the cosine, of those whose weight can be above 0. */
export function candidates(gram: usize, n: i32, item: i32, k: i32, l1: f32, ids: usize, best: usize): i32 {
  const row = gram + ((<usize>item * <usize>n) << 2);
  let size = 0;
  for (let other = 0; other < n; other++) {
    const product = load<f32>(row + ((<usize>other) << 2));
    if (product <= l1 || other == item) continue;
    const square = load<f32>(gram + ((<usize>other * <usize>(n + 1)) << 2));
    size = offer(ids, best, size, k, other, product / sqrt<f32>(square));
  }
  return size;
}

/** Products among the candidates, then those with the item, then weights of 0. */
export function gather(gram: usize, n: i32, item: i32, ids: usize, count: i32, into: usize): void {
  const stride = (<usize>padded(count)) << 2;
  for (let a = 0; a <= count; a++) {
    const whose = a < count ? load<i32>(ids + ((<usize>a) << 2)) : item;
    const row = gram + ((<usize>whose * <usize>n) << 2);
    const to = into + <usize>a * stride;
    for (let b = 0; b < count; b++)
      store<f32>(to + ((<usize>b) << 2), load<f32>(row + ((<usize>load<i32>(ids + ((<usize>b) << 2))) << 2)));
    for (let b: usize = (<usize>count) << 2; b < stride; b += 4) store<f32>(to + b, 0);
  }
  memory.fill(into + <usize>(count + 1) * stride, 0, stride);
}

/** Coordinate descent over all candidates, and between over those with a weight. */
export function descend(
  products: usize,
  count: i32,
  l2: f32,
  l1: f32,
  goal: f32,
  epochs: i32,
  into: usize,
): void {
  const stride = (<usize>padded(count)) << 2;
  const left = products + <usize>count * stride;
  const weights = left + stride;
  let whole = true;
  for (let epoch = 0; epoch < epochs; epoch++) {
    let most: f32 = 0;
    for (let c = 0; c < count; c++) {
      const at = (<usize>c) << 2;
      const before = load<f32>(weights + at);
      if (!whole && before == 0) continue;
      const row = products + <usize>c * stride;
      const square = load<f32>(row + at);
      const now = max<f32>(0, (load<f32>(left + at) + square * before - l1) / (square + l2));
      const change = before - now;
      if (change == 0) continue;
      store<f32>(weights + at, now);
      const t = f32x4.splat(change);
      for (let b: usize = 0; b < stride; b += 16)
        v128.store(left + b, f32x4.add(v128.load(left + b), f32x4.mul(t, v128.load(row + b))));
      most = max<f32>(most, square * change * change);
    }
    if (most <= goal) {
      if (whole) break;
      whole = true;
    } else whole = false;
  }
  memory.copy(into, weights, (<usize>count) << 2);
}

/*
 * The k nearest of every row by the products of sparse rows; similarity.ts is the plain twin and explains the terms.
 * Every row is worked out alone and its sums have one order, so that it does not matter which thread takes it.
 */
import { offer } from "./heap.as";

/** Rows that a thread takes at a time. */
const chunk: i32 = 16;

/** Bytes of scratch that a thread needs. */
export function scratchBytes(rows: i32): i32 {
  return 8 * rows + 128;
}

export function nearestRows(
  thread: i32,
  _threads: i32,
  starts: usize,
  columns: usize,
  values: usize,
  otherStarts: usize,
  otherColumns: usize,
  otherValues: usize,
  rows: i32,
  left: usize,
  right: usize,
  form: i32,
  shared: f32,
  shrink: f32,
  k: i32,
  nearest: usize,
  similarity: usize,
  counts: usize,
  counter: usize,
  scratches: usize,
): void {
  const sums = scratches + <usize>thread * <usize>scratchBytes(rows);
  const touched = sums + ((<usize>rows + 16) << 2);
  memory.fill(sums, 0, (<usize>rows) << 2);
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= rows) return;
    for (let row = from, to = min(rows, from + chunk); row < to; row++) {
      const found = values
        ? addProducts(row, starts, columns, values, otherStarts, otherColumns, otherValues, sums, touched)
        : countShared(row, starts, columns, otherStarts, otherColumns, sums, touched);
      store<i32>(
        counts + ((<usize>row) << 2),
        keepBest(
          row,
          found,
          sums,
          touched,
          load<f32>(left + ((<usize>row) << 2)),
          right,
          form,
          shared,
          shrink,
          k,
          nearest + ((<usize>row * k) << 2),
          similarity + ((<usize>row * k) << 2),
        ),
      );
    }
  }
}

export function addProducts(
  row: i32,
  starts: usize,
  columns: usize,
  values: usize,
  otherStarts: usize,
  otherColumns: usize,
  otherValues: usize,
  sums: usize,
  touched: usize,
): i32 {
  let count: i32 = 0;
  const to = load<i32>(starts + ((<usize>(row + 1)) << 2));
  for (let p = load<i32>(starts + ((<usize>row) << 2)); p < to; p++) {
    const column = load<i32>(columns + ((<usize>p) << 2));
    const value = load<f32>(values + ((<usize>p) << 2));
    const begin = load<i32>(otherStarts + ((<usize>column) << 2));
    const end = load<i32>(otherStarts + ((<usize>(column + 1)) << 2));
    for (let q = begin; q < end; q++) {
      const other = load<i32>(otherColumns + ((<usize>q) << 2));
      const at = sums + ((<usize>other) << 2);
      const sum = load<f32>(at);
      store<i32>(touched + ((<usize>count) << 2), other);
      count += <i32>(sum == 0);
      store<f32>(at, sum + value * load<f32>(otherValues + ((<usize>q) << 2)));
    }
  }
  return count;
}

export function countShared(
  row: i32,
  starts: usize,
  columns: usize,
  otherStarts: usize,
  otherColumns: usize,
  sums: usize,
  touched: usize,
): i32 {
  let count: i32 = 0;
  const to = load<i32>(starts + ((<usize>(row + 1)) << 2));
  for (let p = load<i32>(starts + ((<usize>row) << 2)); p < to; p++) {
    const column = load<i32>(columns + ((<usize>p) << 2));
    const begin = load<i32>(otherStarts + ((<usize>column) << 2));
    const end = load<i32>(otherStarts + ((<usize>(column + 1)) << 2));
    for (let q = begin; q < end; q++) {
      const other = load<i32>(otherColumns + ((<usize>q) << 2));
      const at = sums + ((<usize>other) << 2);
      const sum = load<f32>(at);
      store<i32>(touched + ((<usize>count) << 2), other);
      count += <i32>(sum == 0);
      store<f32>(at, sum + 1);
    }
  }
  return count;
}

/** Turns sums into similarities and keeps the k largest in a heap, the worst at its root; clears the sums. */
export function keepBest(
  row: i32,
  found: i32,
  sums: usize,
  touched: usize,
  own: f32,
  right: usize,
  form: i32,
  shared: f32,
  shrink: f32,
  k: i32,
  ids: usize,
  best: usize,
): i32 {
  let size: i32 = 0;
  let least: f32 = -Infinity;
  for (let i = 0; i < found; i++) {
    const other = load<i32>(touched + ((<usize>i) << 2));
    const at = sums + ((<usize>other) << 2);
    const product = load<f32>(at);
    store<f32>(at, 0);
    if (other == row) continue;
    const theirs = load<f32>(right + ((<usize>other) << 2));
    const below = form == 0 ? own * theirs + shrink : own + theirs + shared * product + shrink;
    const score = product / below;
    if (size < k || score >= least) {
      size = offer(ids, best, size, k, other, score);
      if (size == k) least = load<f32>(best);
    }
  }
  return size;
}

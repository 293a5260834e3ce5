// part of other kernels
import { meta, own, privateBytes, quads, scratch, stride } from "./memory.as";

/*
 * The loops below take what they work on as arguments: values that are loaded before a loop are kept less well in
 * registers than those that a function was called with.
 */

function offset(column: u32): u32 {
  return load<u32>(meta + column * 16);
}

function add(hist: u32, bin: u32, g: i64): void {
  const at = hist + (bin << 3);
  store<i64>(at, load<i64>(at) + g);
}

/** Adds rows that lie one after the other, their 64-bit gradients in `scratch`, to this thread's first histogram. */
export function addDense(row: u32, count: u32): void {
  const end = scratch + count * 8;
  let f: u32 = 0;
  for (; f + 8 <= stride; f += 8)
    denseEight(
      row + f,
      end,
      own + offset(f),
      own + offset(f + 1),
      own + offset(f + 2),
      own + offset(f + 3),
      own + offset(f + 4),
      own + offset(f + 5),
      own + offset(f + 6),
      own + offset(f + 7),
      stride,
    );
  if (f < stride)
    denseFour(
      row + f,
      end,
      own + offset(f),
      own + offset(f + 1),
      own + offset(f + 2),
      own + offset(f + 3),
      stride,
    );
}

export function denseEight(
  row: u32,
  end: u32,
  h0: u32,
  h1: u32,
  h2: u32,
  h3: u32,
  h4: u32,
  h5: u32,
  h6: u32,
  h7: u32,
  step: u32,
): void {
  for (let p = scratch; p < end; p += 8) {
    const g = load<i64>(p);
    add(h0, load<u8>(row), g);
    add(h1, load<u8>(row, 1), g);
    add(h2, load<u8>(row, 2), g);
    add(h3, load<u8>(row, 3), g);
    add(h4, load<u8>(row, 4), g);
    add(h5, load<u8>(row, 5), g);
    add(h6, load<u8>(row, 6), g);
    add(h7, load<u8>(row, 7), g);
    row += step;
  }
}

export function denseFour(row: u32, end: u32, h0: u32, h1: u32, h2: u32, h3: u32, step: u32): void {
  for (let p = scratch; p < end; p += 8) {
    const g = load<i64>(p);
    add(h0, load<u8>(row), g);
    add(h1, load<u8>(row, 1), g);
    add(h2, load<u8>(row, 2), g);
    add(h3, load<u8>(row, 3), g);
    row += step;
  }
}

/** Adds the rows of a list from `p` to `end` (16 bytes each: address of the bins, 64-bit gradient) to a histogram. */
export function addListed(p: u32, end: u32, hist: u32): void {
  let f: u32 = 0;
  for (; f + 8 <= stride; f += 8)
    listedEight(
      p,
      end,
      f,
      hist + offset(f),
      hist + offset(f + 1),
      hist + offset(f + 2),
      hist + offset(f + 3),
      hist + offset(f + 4),
      hist + offset(f + 5),
      hist + offset(f + 6),
      hist + offset(f + 7),
    );
  if (f < stride)
    listedFour(p, end, f, hist + offset(f), hist + offset(f + 1), hist + offset(f + 2), hist + offset(f + 3));
}

export function listedEight(
  p: u32,
  end: u32,
  f: u32,
  h0: u32,
  h1: u32,
  h2: u32,
  h3: u32,
  h4: u32,
  h5: u32,
  h6: u32,
  h7: u32,
): void {
  for (; p < end; p += 16) {
    const row = load<u32>(p) + f;
    const g = load<i64>(p, 8);
    add(h0, load<u8>(row), g);
    add(h1, load<u8>(row, 1), g);
    add(h2, load<u8>(row, 2), g);
    add(h3, load<u8>(row, 3), g);
    add(h4, load<u8>(row, 4), g);
    add(h5, load<u8>(row, 5), g);
    add(h6, load<u8>(row, 6), g);
    add(h7, load<u8>(row, 7), g);
  }
}

export function listedFour(p: u32, end: u32, f: u32, h0: u32, h1: u32, h2: u32, h3: u32): void {
  for (; p < end; p += 16) {
    const row = load<u32>(p) + f;
    const g = load<i64>(p, 8);
    add(h0, load<u8>(row), g);
    add(h1, load<u8>(row, 1), g);
    add(h2, load<u8>(row, 2), g);
    add(h3, load<u8>(row, 3), g);
  }
}

export function mergeFeature(threads: u32, hist: u32, parent: u32, from: u32, size: u32): void {
  const end = size * 8;
  const zero = i64x2.splat(0);
  let i: u32 = 0;
  for (; i + 16 <= end; i += 16) {
    let sum = v128.load(from + i);
    v128.store(from + i, zero);
    for (let t: u32 = 1; t < threads; t++) {
      const at = from + t * privateBytes + i;
      sum = i64x2.add(sum, v128.load(at));
      v128.store(at, zero);
    }
    v128.store(hist + i, sum);
    if (parent) v128.store(parent + i, i64x2.sub(v128.load(parent + i), sum));
  }
  if (i == end) return;
  let sum = load<i64>(from + i);
  store<i64>(from + i, 0);
  for (let t: u32 = 1; t < threads; t++) {
    const at = from + t * privateBytes + i;
    sum += load<i64>(at);
    store<i64>(at, 0);
  }
  store<i64>(hist + i, sum);
  if (parent) store<i64>(parent + i, load<i64>(parent + i) - sum);
}

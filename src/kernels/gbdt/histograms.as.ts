// part of other kernels
import { meta, own, privateBytes, quads, scratch, stride } from "./memory.as";

/** Adds rows that lie one after the other, their 64-bit gradients in `scratch`, to this thread's first histogram. */
export function addDense(row: u32, count: u32, q: u32): void {
  const info = meta + q * 64;
  const step = stride;
  const h0 = own + load<u32>(info);
  const h1 = own + load<u32>(info, 16);
  const h2 = own + load<u32>(info, 32);
  const h3 = own + load<u32>(info, 48);
  const end = scratch + count * 8;
  for (let p = scratch; p < end; p += 8) {
    const g = load<i64>(p);
    const w = load<u32>(row);
    const a0 = h0 + ((w & 255) << 3);
    store<i64>(a0, load<i64>(a0) + g);
    const a1 = h1 + ((w >>> 5) & 2040);
    store<i64>(a1, load<i64>(a1) + g);
    const a2 = h2 + ((w >>> 13) & 2040);
    store<i64>(a2, load<i64>(a2) + g);
    const a3 = h3 + ((w >>> 21) & 2040);
    store<i64>(a3, load<i64>(a3) + g);
    row += step;
  }
}

/**
 * Adds the rows of a list (address of the bins, address of the histogram, 64-bit gradient) to their histograms,
 * eight columns at a time while there are as many.
 */
export function addListed(count: u32): void {
  let q: u32 = 0;
  for (; q + 2 <= quads; q += 2) addEight(count, q);
  if (q < quads) addFour(count, q);
}

export function addEight(count: u32, q: u32): void {
  const info = meta + q * 64;
  const o0 = load<u32>(info);
  const o1 = load<u32>(info, 16);
  const o2 = load<u32>(info, 32);
  const o3 = load<u32>(info, 48);
  const o4 = load<u32>(info, 64);
  const o5 = load<u32>(info, 80);
  const o6 = load<u32>(info, 96);
  const o7 = load<u32>(info, 112);
  const byte = q * 4;
  const end = scratch + count * 16;
  for (let p = scratch; p < end; p += 16) {
    const row = load<u32>(p) + byte;
    const hist = load<u32>(p, 4);
    const g = load<i64>(p, 8);
    const v = load<u32>(row);
    const a0 = hist + o0 + ((v & 255) << 3);
    store<i64>(a0, load<i64>(a0) + g);
    const a1 = hist + o1 + ((v >>> 5) & 2040);
    store<i64>(a1, load<i64>(a1) + g);
    const a2 = hist + o2 + ((v >>> 13) & 2040);
    store<i64>(a2, load<i64>(a2) + g);
    const a3 = hist + o3 + ((v >>> 21) & 2040);
    store<i64>(a3, load<i64>(a3) + g);
    const w = load<u32>(row, 4);
    const a4 = hist + o4 + ((w & 255) << 3);
    store<i64>(a4, load<i64>(a4) + g);
    const a5 = hist + o5 + ((w >>> 5) & 2040);
    store<i64>(a5, load<i64>(a5) + g);
    const a6 = hist + o6 + ((w >>> 13) & 2040);
    store<i64>(a6, load<i64>(a6) + g);
    const a7 = hist + o7 + ((w >>> 21) & 2040);
    store<i64>(a7, load<i64>(a7) + g);
  }
}

export function addFour(count: u32, q: u32): void {
  const info = meta + q * 64;
  const o0 = load<u32>(info);
  const o1 = load<u32>(info, 16);
  const o2 = load<u32>(info, 32);
  const o3 = load<u32>(info, 48);
  const byte = q * 4;
  const end = scratch + count * 16;
  for (let p = scratch; p < end; p += 16) {
    const w = load<u32>(load<u32>(p) + byte);
    const hist = load<u32>(p, 4);
    const g = load<i64>(p, 8);
    const a0 = hist + o0 + ((w & 255) << 3);
    store<i64>(a0, load<i64>(a0) + g);
    const a1 = hist + o1 + ((w >>> 5) & 2040);
    store<i64>(a1, load<i64>(a1) + g);
    const a2 = hist + o2 + ((w >>> 13) & 2040);
    store<i64>(a2, load<i64>(a2) + g);
    const a3 = hist + o3 + ((w >>> 21) & 2040);
    store<i64>(a3, load<i64>(a3) + g);
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

/*
 * Least squares for the factors of many rows, f32 and SIMD; als.ts is the plain twin and explains the terms.
 * Every row is worked out from the same inputs alone, so that it does not matter which thread takes it.
 */

/** Rows that a thread takes at a time. */
const chunk: i32 = 64;
/** Rows of factors that are copied side by side before they are read again and again. */
const staged: i32 = 1024;

/** Bytes of scratch that a thread needs. */
export function scratchBytes(width: i32): i32 {
  return (staged * width + width * width + 4 * width + 64) * 4;
}

/** Adds up the products of rows `part * rows / parts` and on: YᵀY of a part, for every part of this thread. */
export function gramParts(
  thread: i32,
  threads: i32,
  y: usize,
  rows: i32,
  width: i32,
  parts: i32,
  partial: usize,
): void {
  for (let part = thread; part < parts; part += threads) {
    const into = partial + ((<usize>part * width * width) << 2);
    memory.fill(into, 0, (<usize>width * width) << 2);
    const from = <i32>((<i64>rows * part) / parts);
    const to = <i32>((<i64>rows * (part + 1)) / parts);
    for (let row = from; row < to; row += chunk) addGram(y, row, min(to, row + chunk), width, into);
  }
}

export function addGram(y: usize, from: i32, to: i32, width: i32, into: usize): void {
  const stride = (<usize>width) << 2;
  let row = from;
  for (; row + 4 <= to; row += 4) {
    const y0 = y + <usize>row * stride;
    addOuter4(y0, y0 + stride, y0 + 2 * stride, y0 + 3 * stride, f32x4.splat(1), width, into);
  }
  for (; row < to; row++) addOuter(y + <usize>row * stride, 1, width, into);
}

/** Lower triangle (whole vectors of it) of into += Σ w_k y_k y_kᵀ. */
function addOuter4(y0: usize, y1: usize, y2: usize, y3: usize, weights: v128, width: i32, into: usize): void {
  const w0 = f32x4.extract_lane(weights, 0);
  const w1 = f32x4.extract_lane(weights, 1);
  const w2 = f32x4.extract_lane(weights, 2);
  const w3 = f32x4.extract_lane(weights, 3);
  for (let a = 0; a < width; a++) {
    const at = (<usize>a) << 2;
    const s0 = f32x4.splat(w0 * load<f32>(y0 + at));
    const s1 = f32x4.splat(w1 * load<f32>(y1 + at));
    const s2 = f32x4.splat(w2 * load<f32>(y2 + at));
    const s3 = f32x4.splat(w3 * load<f32>(y3 + at));
    const row = into + ((<usize>a * width) << 2);
    for (let b: usize = 0; b <= at; b += 16) {
      const one = f32x4.add(f32x4.mul(s0, v128.load(y0 + b)), f32x4.mul(s1, v128.load(y1 + b)));
      const two = f32x4.add(f32x4.mul(s2, v128.load(y2 + b)), f32x4.mul(s3, v128.load(y3 + b)));
      v128.store(row + b, f32x4.add(v128.load(row + b), f32x4.add(one, two)));
    }
  }
}

function addOuter(y: usize, weight: f32, width: i32, into: usize): void {
  for (let a = 0; a < width; a++) {
    const at = (<usize>a) << 2;
    const s = f32x4.splat(weight * load<f32>(y + at));
    const row = into + ((<usize>a * width) << 2);
    for (let b: usize = 0; b <= at; b += 16)
      v128.store(row + b, f32x4.add(v128.load(row + b), f32x4.mul(s, v128.load(y + b))));
  }
}

/** Adds the parts in their order and fills the upper triangle. */
export function sumGram(partial: usize, parts: i32, width: i32, gram: usize): void {
  const size = <usize>width * width;
  for (let i: usize = 0; i < size; i++) {
    let sum: f32 = 0;
    for (let part = 0; part < parts; part++) sum += load<f32>(partial + ((<usize>part * size + i) << 2));
    store<f32>(gram + (i << 2), sum);
  }
  for (let a = 0; a < width; a++)
    for (let b = a + 1; b < width; b++)
      store<f32>(gram + ((<usize>a * width + b) << 2), load<f32>(gram + ((<usize>b * width + a) << 2)));
}

/**
 * New factors x of all rows, given y.
 *
 * @param counter word that holds the next row, 0 at first
 * @param steps   steps of conjugate gradient; 0 solves exactly
 */
export function solveRows(
  thread: i32,
  _threads: i32,
  starts: usize,
  columns: usize,
  weights: usize,
  rows: i32,
  y: usize,
  x: usize,
  gram: usize,
  penalties: usize,
  width: i32,
  steps: i32,
  counter: usize,
  scratches: usize,
): void {
  const scratch = scratches + <usize>thread * scratchBytes(width);
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= rows) return;
    const to = min(rows, from + chunk);
    if (steps > 0) cgRows(from, to, starts, columns, weights, y, x, gram, penalties, width, steps, scratch);
    else exactRows(from, to, starts, columns, weights, y, x, gram, penalties, width, scratch);
  }
}

export function cgRows(
  from: i32,
  to: i32,
  starts: usize,
  columns: usize,
  weights: usize,
  y: usize,
  x: usize,
  gram: usize,
  penalties: usize,
  width: i32,
  steps: i32,
  scratch: usize,
): void {
  const bytes = (<usize>width) << 2;
  const r = scratch;
  const p = r + bytes;
  const ap = p + bytes;
  const rows = ap + bytes;
  for (let row = from; row < to; row++) {
    const begin = load<i32>(starts + ((<usize>row) << 2));
    const count = load<i32>(starts + ((<usize>(row + 1)) << 2)) - begin;
    const xr = x + <usize>row * bytes;
    if (count == 0) {
      memory.fill(xr, 0, bytes);
      continue;
    }
    const penalty = load<f32>(penalties + ((<usize>row) << 2));
    const c = columns + ((<usize>begin) << 2);
    const w = weights + ((<usize>begin) << 2);
    const near = count <= staged;
    if (near) stage(c, count, y, bytes, rows);
    const z = near ? rows : y;
    // r = b - A x
    timesGram(gram, xr, penalty, width, ap);
    for (let i: usize = 0; i < bytes; i += 16) v128.store(r + i, f32x4.neg(v128.load(ap + i)));
    addRows(z, c, w, near, count, xr, bytes, r, true);
    memory.copy(p, r, bytes);
    let before = dot(r, r, bytes);
    for (let step = 0; step < steps && before > 1e-20; step++) {
      timesGram(gram, p, penalty, width, ap);
      addRows(z, c, w, near, count, p, bytes, ap, false);
      const along = before / dot(p, ap, bytes);
      axpy(along, p, bytes, xr);
      axpy(-along, ap, bytes, r);
      const now = dot(r, r, bytes);
      const share = f32x4.splat(now / before);
      for (let i: usize = 0; i < bytes; i += 16)
        v128.store(p + i, f32x4.add(v128.load(r + i), f32x4.mul(share, v128.load(p + i))));
      before = now;
    }
  }
}

function stage(columns: usize, count: i32, y: usize, bytes: usize, into: usize): void {
  for (let i = 0; i < count; i++)
    memory.copy(into + <usize>i * bytes, y + <usize>load<i32>(columns + ((<usize>i) << 2)) * bytes, bytes);
}

/** into = (gram + penalty I) v */
export function timesGram(gram: usize, v: usize, penalty: f32, width: i32, into: usize): void {
  const bytes = (<usize>width) << 2;
  const more = f32x4.splat(penalty);
  let b: usize = 0;
  for (; b + 128 <= bytes; b += 128) {
    let s0 = f32x4.mul(more, v128.load(v + b));
    let s1 = f32x4.mul(more, v128.load(v + b, 16));
    let s2 = f32x4.mul(more, v128.load(v + b, 32));
    let s3 = f32x4.mul(more, v128.load(v + b, 48));
    let s4 = f32x4.mul(more, v128.load(v + b, 64));
    let s5 = f32x4.mul(more, v128.load(v + b, 80));
    let s6 = f32x4.mul(more, v128.load(v + b, 96));
    let s7 = f32x4.mul(more, v128.load(v + b, 112));
    let g = gram + b;
    for (let a: usize = 0; a < bytes; a += 4, g += bytes) {
      const t = v128.load32_splat(v + a);
      s0 = f32x4.add(s0, f32x4.mul(t, v128.load(g)));
      s1 = f32x4.add(s1, f32x4.mul(t, v128.load(g, 16)));
      s2 = f32x4.add(s2, f32x4.mul(t, v128.load(g, 32)));
      s3 = f32x4.add(s3, f32x4.mul(t, v128.load(g, 48)));
      s4 = f32x4.add(s4, f32x4.mul(t, v128.load(g, 64)));
      s5 = f32x4.add(s5, f32x4.mul(t, v128.load(g, 80)));
      s6 = f32x4.add(s6, f32x4.mul(t, v128.load(g, 96)));
      s7 = f32x4.add(s7, f32x4.mul(t, v128.load(g, 112)));
    }
    v128.store(into + b, s0);
    v128.store(into + b, s1, 16);
    v128.store(into + b, s2, 32);
    v128.store(into + b, s3, 48);
    v128.store(into + b, s4, 64);
    v128.store(into + b, s5, 80);
    v128.store(into + b, s6, 96);
    v128.store(into + b, s7, 112);
  }
  for (; b < bytes; b += 16) {
    let s = f32x4.mul(more, v128.load(v + b));
    let g = gram + b;
    for (let a: usize = 0; a < bytes; a += 4, g += bytes)
      s = f32x4.add(s, f32x4.mul(v128.load32_splat(v + a), v128.load(g)));
    v128.store(into + b, s);
  }
}

/**
 * into += Σ s_i y_i, with s_i = w_i (y_i·v), or 1 + w_i - w_i (y_i·v) for a residual: four rows at a time.
 *
 * @param near whether rows lie side by side at z; else z holds all of y
 */
export function addRows(
  z: usize,
  columns: usize,
  weights: usize,
  near: bool,
  count: i32,
  v: usize,
  bytes: usize,
  into: usize,
  residual: bool,
): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    let y0 = z + <usize>i * bytes;
    let y1 = y0 + bytes;
    let y2 = y1 + bytes;
    let y3 = y2 + bytes;
    if (!near) {
      const c = columns + ((<usize>i) << 2);
      y0 = z + <usize>load<i32>(c) * bytes;
      y1 = z + <usize>load<i32>(c, 4) * bytes;
      y2 = z + <usize>load<i32>(c, 8) * bytes;
      y3 = z + <usize>load<i32>(c, 12) * bytes;
    }
    let d0 = f32x4.splat(0);
    let d1 = d0;
    let d2 = d0;
    let d3 = d0;
    for (let b: usize = 0; b < bytes; b += 16) {
      const t = v128.load(v + b);
      d0 = f32x4.add(d0, f32x4.mul(t, v128.load(y0 + b)));
      d1 = f32x4.add(d1, f32x4.mul(t, v128.load(y1 + b)));
      d2 = f32x4.add(d2, f32x4.mul(t, v128.load(y2 + b)));
      d3 = f32x4.add(d3, f32x4.mul(t, v128.load(y3 + b)));
    }
    const w = v128.load(weights + ((<usize>i) << 2));
    let s = f32x4.mul(w, sums(d0, d1, d2, d3));
    if (residual) s = f32x4.sub(f32x4.add(f32x4.splat(1), w), s);
    const s0 = v128.shuffle<f32>(s, s, 0, 0, 0, 0);
    const s1 = v128.shuffle<f32>(s, s, 1, 1, 1, 1);
    const s2 = v128.shuffle<f32>(s, s, 2, 2, 2, 2);
    const s3 = v128.shuffle<f32>(s, s, 3, 3, 3, 3);
    for (let b: usize = 0; b < bytes; b += 16) {
      const one = f32x4.add(f32x4.mul(s0, v128.load(y0 + b)), f32x4.mul(s1, v128.load(y1 + b)));
      const two = f32x4.add(f32x4.mul(s2, v128.load(y2 + b)), f32x4.mul(s3, v128.load(y3 + b)));
      v128.store(into + b, f32x4.add(v128.load(into + b), f32x4.add(one, two)));
    }
  }
  for (; i < count; i++) {
    const at = (<usize>i) << 2;
    const yi = z + (near ? <usize>i : <usize>load<i32>(columns + at)) * bytes;
    const w = load<f32>(weights + at);
    const d = w * dot(yi, v, bytes);
    axpy(residual ? 1 + w - d : d, yi, bytes, into);
  }
}

/** The sums of four vectors, as one. */
function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

function dot(a: usize, b: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16)
    sum = f32x4.add(sum, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  return total(sum);
}

function total(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** into += s v */
function axpy(s: f32, v: usize, bytes: usize, into: usize): void {
  const t = f32x4.splat(s);
  for (let i: usize = 0; i < bytes; i += 16)
    v128.store(into + i, f32x4.add(v128.load(into + i), f32x4.mul(t, v128.load(v + i))));
}

export function exactRows(
  from: i32,
  to: i32,
  starts: usize,
  columns: usize,
  weights: usize,
  y: usize,
  x: usize,
  gram: usize,
  penalties: usize,
  width: i32,
  scratch: usize,
): void {
  const bytes = (<usize>width) << 2;
  const b = scratch;
  const a = scratch + bytes;
  for (let row = from; row < to; row++) {
    const begin = load<i32>(starts + ((<usize>row) << 2));
    const end = load<i32>(starts + ((<usize>(row + 1)) << 2));
    const xr = x + <usize>row * bytes;
    if (begin == end) {
      memory.fill(xr, 0, bytes);
      continue;
    }
    const penalty = load<f32>(penalties + ((<usize>row) << 2));
    memory.copy(a, gram, <usize>width * bytes);
    for (let i = 0; i < width; i++) {
      const at = a + <usize>i * (bytes + 4);
      store<f32>(at, load<f32>(at) + penalty);
    }
    memory.fill(b, 0, bytes);
    let p = begin;
    for (; p + 4 <= end; p += 4) {
      const c = columns + ((<usize>p) << 2);
      const y0 = y + <usize>load<i32>(c) * bytes;
      const y1 = y + <usize>load<i32>(c, 4) * bytes;
      const y2 = y + <usize>load<i32>(c, 8) * bytes;
      const y3 = y + <usize>load<i32>(c, 12) * bytes;
      const w = v128.load(weights + ((<usize>p) << 2));
      addOuter4(y0, y1, y2, y3, w, width, a);
      axpy(1 + f32x4.extract_lane(w, 0), y0, bytes, b);
      axpy(1 + f32x4.extract_lane(w, 1), y1, bytes, b);
      axpy(1 + f32x4.extract_lane(w, 2), y2, bytes, b);
      axpy(1 + f32x4.extract_lane(w, 3), y3, bytes, b);
    }
    for (; p < end; p++) {
      const yp = y + <usize>load<i32>(columns + ((<usize>p) << 2)) * bytes;
      const w = load<f32>(weights + ((<usize>p) << 2));
      addOuter(yp, w, width, a);
      axpy(1 + w, yp, bytes, b);
    }
    factor(a, width);
    substitute(a, b, width);
    memory.copy(xr, b, bytes);
  }
}

/** Cholesky factor in the lower triangle, the diagonal inverted; a pivot that is nothing gives 0 in solutions. */
export function factor(a: usize, n: i32): void {
  const bytes = (<usize>n) << 2;
  for (let i = 0; i < n; i++) {
    const ri = a + <usize>i * bytes;
    const diagonal = load<f32>(ri + ((<usize>i) << 2));
    for (let j = 0; j <= i; j++) {
      const rj = a + <usize>j * bytes;
      const at = ri + ((<usize>j) << 2);
      const left = load<f32>(at) - dotTo(ri, rj, j);
      if (j < i) store<f32>(at, left * load<f32>(rj + ((<usize>j) << 2)));
      else store<f32>(at, left > diagonal * 1e-6 ? 1 / sqrt<f32>(left) : 0);
    }
  }
}

function substitute(a: usize, b: usize, n: i32): void {
  const bytes = (<usize>n) << 2;
  for (let i = 0; i < n; i++) {
    const ri = a + <usize>i * bytes;
    const at = (<usize>i) << 2;
    store<f32>(b + at, (load<f32>(b + at) - dotTo(ri, b, i)) * load<f32>(ri + at));
  }
  for (let i = n - 1; i >= 0; i--) {
    const at = (<usize>i) << 2;
    let left = load<f32>(b + at);
    for (let j = i + 1; j < n; j++)
      left -= load<f32>(a + <usize>j * bytes + at) * load<f32>(b + ((<usize>j) << 2));
    store<f32>(b + at, left * load<f32>(a + <usize>i * bytes + at));
  }
}

function dotTo(a: usize, b: usize, count: i32): f32 {
  const bytes = (<usize>count) << 2;
  let sum = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  let rest = total(sum);
  for (; i < bytes; i += 4) rest += load<f32>(a + i) * load<f32>(b + i);
  return rest;
}

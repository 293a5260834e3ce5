// part of other kernels
import { bins, next, scratch, stride, tile, touch } from "./memory.as";
import { addDense } from "./histograms.as";

/** 1.5 times 2^23: a small number added to it is rounded, and stands as a whole number in the last bits. */
const WHOLE: f32 = 12582912.0;

function exp4(x0: v128): v128 {
  const x = f32x4.pmax(f32x4.pmin(x0, f32x4.splat(87.0)), f32x4.splat(-87.0));
  const whole = f32x4.add(f32x4.mul(x, f32x4.splat(1.4426950408889634)), f32x4.splat(WHOLE));
  const n = f32x4.sub(whole, f32x4.splat(WHOLE));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let y = f32x4.splat(1.98756915e-4);
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  const power = i32x4.shl(i32x4.add(whole, i32x4.splat(127)), 23);
  return f32x4.mul(y, power);
}

function mix4(x0: v128): v128 {
  let x = v128.xor(x0, i32x4.shr_u(x0, 16));
  x = i32x4.mul(x, i32x4.splat(0x21f0aaad));
  x = v128.xor(x, i32x4.shr_u(x, 15));
  x = i32x4.mul(x, i32x4.splat(0x735a2d97));
  return v128.xor(x, i32x4.shr_u(x, 15));
}

/** After the gradients of a tile were packed: its rows go to node 0, and to the histogram of the root. */
function finishTile(from: u32, count: u32, nodes: u32, histogram: u32): void {
  if (nodes) memory.fill(nodes + from, 0, count);
  if (!histogram) return;
  const row = bins + from * stride;
  touch(row, count * stride);
  addDense(row, count);
}

export function quantise(
  thread: u32,
  threads: u32,
  rows: u32,
  g: u32,
  h: u32,
  scaleG: f32,
  scaleH: f32,
  seed: u32,
  keep: u32,
  nodes: u32,
  histogram: u32,
  sums: u32,
): void {
  const tiles = (rows + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = t * tile;
    const count = min(tile, rows - from);
    quantiseTile(from, count, g, h, g, scaleG, scaleH, seed, keep, sums + t * 8);
    finishTile(from, count, nodes, histogram);
  }
}

/**
 * Packs rounded gradients: the gradient in the upper half, the hessian in the lower. `g`, `h` and `to` are where row 0
 * has or would have its own.
 */
export function quantiseTile(
  from: u32,
  count: u32,
  g: u32,
  h: u32,
  to: u32,
  scaleG: f32,
  scaleH: f32,
  seed: u32,
  keep: u32,
  sums: u32,
): void {
  let sumG = i32x4.splat(0);
  let sumH = i32x4.splat(0);
  const sg = f32x4.splat(scaleG);
  const sh = f32x4.splat(scaleH);
  const unit = f32x4.splat(1.0 / 65536.0);
  const low = i32x4.splat(0xffff);
  const whole = f32x4.splat(WHOLE);
  const bound = i32x4.splat(keep >>> 1);
  let row = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3));
  const end = (from + count) * 4;
  let out = scratch;
  for (let i = from * 4; i < end; i += 16) {
    const noise = mix4(v128.xor(i32x4.mul(row, i32x4.splat(0x9e3779b1)), i32x4.splat(seed)));
    const upG = f32x4.mul(f32x4.convert_i32x4_s(v128.and(noise, low)), unit);
    const upH = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(noise, 16)), unit);
    const qg = f32x4.add(f32x4.floor(f32x4.add(f32x4.mul(v128.load(g + i), sg), upG)), whole);
    const qh = f32x4.add(f32x4.floor(f32x4.add(f32x4.mul(v128.load(h + i), sh), upH)), whole);
    let packed = v128.or(i32x4.shl(qg, 16), v128.and(qh, low));
    if (keep != 0xffffffff) {
      const draw = i32x4.shr_u(mix4(i32x4.add(noise, i32x4.splat(0x5bd1e995))), 1);
      packed = v128.and(packed, i32x4.lt_s(draw, bound));
    }
    sumG = i32x4.add(sumG, i32x4.shr_s(packed, 16));
    sumH = i32x4.add(sumH, v128.and(packed, low));
    v128.store(to + i, packed);
    v128.store(out, expand(packed, 0));
    v128.store(out, expand(packed, 1), 16);
    out += 32;
    row = i32x4.add(row, i32x4.splat(4));
  }
  store<i32>(sums, laneSum(sumG));
  store<i32>(sums, laneSum(sumH), 4);
}

export function packBinary(
  thread: u32,
  threads: u32,
  rows: u32,
  scores: u32,
  labels: u32,
  weights: u32,
  packed: u32,
  scaleG: f32,
  scaleH: f32,
  seed: u32,
  keep: u32,
  nodes: u32,
  histogram: u32,
  sums: u32,
  partials: u32,
): void {
  const tiles = (rows + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = t * tile;
    const count = min(tile, rows - from);
    const g = scratch + tile * 8 - from * 4;
    const h = g + tile * 4;
    binaryTile(from, count, scores, labels, weights, g, h, partials + t * 32);
    quantiseTile(from, count, g, h, packed, scaleG, scaleH, seed, keep, sums + t * 8);
    finishTile(from, count, nodes, histogram);
  }
}

/** Gradients of the logistic loss; `partial` takes lanes of sums of |gradient| and hessian. */
export function binaryTile(
  from: u32,
  count: u32,
  scores: u32,
  labels: u32,
  weights: u32,
  g: u32,
  h: u32,
  partial: u32,
): void {
  const one = f32x4.splat(1);
  let sumG = f32x4.splat(0);
  let sumH = f32x4.splat(0);
  const end = (from + count) * 4;
  for (let i = from * 4; i < end; i += 16) {
    const p = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(v128.load(scores + i)))));
    let gradient = f32x4.sub(p, v128.load(labels + i));
    let hessian = f32x4.pmax(f32x4.mul(p, f32x4.sub(one, p)), f32x4.splat(1e-16));
    if (weights) {
      const weight = v128.load(weights + i);
      gradient = f32x4.mul(gradient, weight);
      hessian = f32x4.mul(hessian, weight);
    }
    if (i + 16 > end) {
      const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>((end - i) >> 2)));
      gradient = v128.and(gradient, inside);
      hessian = v128.and(hessian, inside);
    }
    v128.store(g + i, gradient);
    v128.store(h + i, hessian);
    sumG = f32x4.add(sumG, f32x4.abs(gradient));
    sumH = f32x4.add(sumH, hessian);
  }
  v128.store(partial, sumG);
  v128.store(partial, sumH, 16);
}

function laneSum(x: v128): i32 {
  return (
    i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3)
  );
}

/** Two packed gradients as 64-bit pairs: gradient above, hessian below. */
function expand(packed: v128, upper: i32): v128 {
  const high = i32x4.shr_s(packed, 16);
  const lows = v128.and(packed, i32x4.splat(0xffff));
  return upper ? v128.shuffle<i32>(lows, high, 2, 6, 3, 7) : v128.shuffle<i32>(lows, high, 0, 4, 1, 5);
}

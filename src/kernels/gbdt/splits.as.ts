// part of other kernels
import { mergeFeature } from "./histograms.as";
import { columnEntry, meta, next, privates, scratch, tile } from "./memory.as";
import { gatherList } from "./rows.as";

let invG: f64 = 0;
let invH: f64 = 0;
let lambda: f64 = 0;
let alpha: f64 = 0;
let childWeight: f64 = 0;
let catLambda: f64 = 0;
let catSmooth: f64 = 0;
let mostStep: f64 = 0;
let extra: u32 = 0;
/** The least quantised hessian of a child. */
let least: f64 = 0;

/**
 * Every job of 64 bytes is a node whose rows were added, and, with it or not, its sibling:
 * where its histogram goes, the parent's histogram (0: none) which becomes the sibling's, the place in the
 * private histograms, and the two nodes to look for splits in (0: none). `blocks` are what one thread takes: the first and the
 * last but one byte of a row.
 */
export function findSplits(
  thread: u32,
  threads: u32,
  jobs: u32,
  jobCount: u32,
  blocks: u32,
  blockCount: u32,
  inverseG: f64,
  inverseH: f64,
  l2: f64,
  l1: f64,
  minChild: f64,
  categoryL2: f64,
  smooth: f64,
  maxStep: f64,
  extraSeed: u32,
  list: u32,
  spare: u32,
  start: u32,
  count: u32,
  counts: u32,
): void {
  invG = inverseG;
  invH = inverseH;
  lambda = l2;
  alpha = l1;
  childWeight = minChild;
  catLambda = categoryL2;
  catSmooth = smooth;
  mostStep = maxStep;
  extra = extraSeed;
  // Without a penalty a child needs some hessian; rounding of the scale is not to cost a row.
  least = max(ceil(childWeight / invH - 0.001), lambda / invH > 0 ? 0 : 1);
  const tasks = jobCount * blockCount;
  // Rows of the split leaf are gathered by whoever has the time.
  const tiles = list ? (count + tile - 1) / tile : 0;
  let lefts: u32 = 0;
  for (let t: u32 = 0; t < tiles; t++) lefts += load<u32>(counts + t * 4);
  let done: u32 = 0;
  let before: u32 = 0;
  for (let task = next(); task < tasks + tiles; task = next()) {
    if (task < tasks) {
      const block = blocks + (task % blockCount) * 8;
      const end = load<u32>(block, 4);
      for (let byte = load<u32>(block); byte < end; byte++)
        findInByte(threads, jobs + (task / blockCount) * 64, byte);
    } else {
      const t = task - tasks;
      for (; done < t; done++) before += load<u32>(counts + done * 4);
      gatherList(list, spare, start, count, counts, lefts, t, before);
    }
  }
}

export function findInByte(threads: u32, job: u32, byte: u32): void {
  const info = meta + byte * 16;
  const offset = load<u32>(info);
  const size = load<u32>(info, 4);
  const hist = load<u32>(job);
  const parent = load<u32>(job, 4);
  mergeFeature(
    threads,
    hist + offset,
    parent ? parent + offset : 0,
    privates + load<u32>(job, 8) + offset,
    size,
  );
  const first = load<u32>(job, 12);
  const second = load<u32>(job, 16);
  const end = load<u32>(info, 12);
  for (let entry = load<u32>(info, 8); entry < end; entry++) {
    if (first) findInNode(hist, columnEntry(entry), first);
    if (second) findInNode(parent, columnEntry(entry), second);
  }
}

/*
 * A node: f64 gradient, hessian, lowest and highest value; then the address of the answers (64 bytes a
 * column), of the mask of columns (0: all), a number that seeds random thresholds, the address of the gains (8 bytes a column),
 * and, at 48, the quantised sums.
 */
export function findInNode(histogram: u32, info: u32, node: u32): void {
  const f = load<u32>(info, 28);
  const answer = load<u32>(node, 32) + f * 64;
  const gain = load<u32>(node, 44) + f * 8;
  store<f64>(gain, -1);
  const mask = load<u32>(node, 36);
  if (mask && !load<u8>(mask + f)) return;
  const at = histogram + load<u32>(info);
  const size = load<u32>(info, 4);
  const kind = load<u32>(info, 8);
  const sign = load<i32>(info, 12);
  const shared = load<i32>(info, 16) >= 0;
  const free =
    !kind &&
    !extra &&
    !sign &&
    alpha == 0 &&
    mostStep == 0 &&
    load<f64>(node, 16) == -Infinity &&
    load<f64>(node, 24) == Infinity;
  if (shared && free && size == 3 && !load<u32>(info, 20)) {
    if (!findOnly(load<i64>(at), load<u32>(info, 16), node)) return;
    store<u32>(answer, 0, 24);
  } else {
    const hist = shared ? spreadOut(at, info, load<i64>(node, 48)) : at;
    store<u32>(answer, u32(load<i64>(hist) != 0), 24);
    if (kind == 1) findCategories(hist, size, node, answer);
    else if (kind == 3) findCategory(hist, size, node, answer);
    else if (extra) findRandom(hist, size, node, sign, f);
    else if (free) findThreshold(hist, size, node);
    else findConstrained(hist, size, node, sign);
  }
  store<f64>(gain, foundGain);
  store<u32>(answer, foundAt, 8);
  store<u32>(answer, foundMissing, 12);
  store<i64>(answer, foundLeft, 16);
}

/** Room of a thread for the histogram of one column, after that of the search. */
const SPREAD: u32 = 4096;

/** The whole histogram of a column that shares its byte: what the stored bins lack of the node's sums is in the usual one. */
export function spreadOut(stored: u32, info: u32, total: i64): u32 {
  const hist = scratch + SPREAD;
  const size = load<u32>(info, 4);
  const usual = load<u32>(info, 16);
  let bin: u32 = 0;
  if (!load<u32>(info, 20)) {
    store<i64>(hist, 0);
    bin = 1;
  }
  let rest = total;
  for (; bin < size; bin++) {
    if (bin == usual) continue;
    const sum = load<i64>(stored);
    stored += 8;
    rest -= sum;
    store<i64>(hist + bin * 8, sum);
  }
  store<i64>(hist + usual * 8, rest);
  return hist;
}

function gradientOf(sum: i64): f64 {
  return <f64>(<i32>(sum >> 32)) * invG;
}

function hessianOf(sum: i64): f64 {
  return <f64>(<u32>sum) * invH;
}

/** Room of a thread for sums up to every bin that holds rows, then for the numbers of those bins. */
const SUMS: u32 = 2048;

let foundNum: f64 = 0;
let foundDen: f64 = 0;

/** The best threshold without constraints, L1 or a bound of the step. */
export function findThreshold(hist: u32, size: u32, node: u32): void {
  const missing = load<i64>(hist);
  const count = stageSums(hist, missing ? size : size - 1);
  foundNum = -1;
  foundDen = 1;
  foundGain = -1;
  foundMissing = 0;
  scanSums(count, 0, load<i64>(node, 48), 0);
  if (missing) scanSums(count, missing, load<i64>(node, 48), 1);
  if (foundNum >= 0) foundGain = gainOf(foundLeft, node);
}

/** What a split saves without constraints, L1 or a bound of the step. */
function gainOf(left: i64, node: u32): f64 {
  const gl = gradientOf(left);
  const hl = hessianOf(left);
  const gr = load<f64>(node) - gl;
  const hr = load<f64>(node, 8) - hl;
  return (gl * gl) / (hl + lambda) + (gr * gr) / (hr + lambda);
}

/** The only threshold of a column of two bins that shares its byte, none of whose values is missing. */
export function findOnly(other: i64, usual: u32, node: u32): bool {
  const total = load<i64>(node, 48);
  const left = usual == 1 ? total - other : other;
  const h = <f64>(<u32>left);
  if (left == 0 || h < least || <f64>(<u32>total) - h < least) return false;
  foundGain = gainOf(left, node);
  foundAt = 1;
  foundLeft = left;
  foundMissing = 0;
  return true;
}

/** Sums up to every bin that holds rows, with the number of the bin. */
export function stageSums(hist: u32, last: u32): u32 {
  let to = scratch;
  let id = scratch + SUMS;
  let sum: i64 = 0;
  for (let b: u32 = 1; b < last; b++) {
    const bin = load<i64>(hist + b * 8);
    sum += bin;
    store<i64>(to, sum);
    store<u32>(id, b);
    const holds = <u32>(bin != 0);
    to += holds << 3;
    id += holds << 2;
  }
  return (to - scratch) >> 3;
}

/**
 * The best of the sums, two at a time. With d = h + lambda and D = H + 2 lambda what a split saves is
 * (g D - G d)^2 / (d (D - d) D), which is compared by multiplying crosswise.
 */
export function scanSums(count: u32, extra: i64, total: i64, missingLeft: u32): void {
  const H = <f64>(<u32>total);
  const G = <f64>(<i32>(total >> 32));
  const l2 = lambda / invH;
  let from = scratch;
  let end = scratch + count * 8;
  while (from < end && <f64>(<u32>(load<i64>(from) + extra)) < least) from += 8;
  while (end > from && H - <f64>(<u32>(load<i64>(end - 8) + extra)) < least) end -= 8;
  if (from == end) return;
  const D = f64x2.splat(H + 2 * l2);
  const G2 = f64x2.splat(G);
  const L = f64x2.splat(l2);
  const shift = i64x2.splat(extra);
  let num = f64x2.splat(-1);
  let den = f64x2.splat(1);
  let at = i64x2.splat(0);
  for (let p = from; p < end; p += 16) {
    const sums = i64x2.add(p + 8 < end ? v128.load(p) : v128.load64_splat(p), shift);
    const d = f64x2.add(f64x2.convert_low_i32x4_u(v128.shuffle<i32>(sums, sums, 0, 2, 0, 2)), L);
    const g = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(sums, sums, 1, 3, 1, 3));
    const t = f64x2.sub(f64x2.mul(g, D), f64x2.mul(G2, d));
    const n = f64x2.mul(t, t);
    const m = f64x2.mul(d, f64x2.sub(D, d));
    const better = f64x2.gt(f64x2.mul(n, den), f64x2.mul(num, m));
    if (!v128.any_true(better)) continue;
    num = v128.bitselect(n, num, better);
    den = v128.bitselect(m, den, better);
    at = v128.bitselect(i64x2(p, p + 8), at, better);
  }
  const n0 = f64x2.extract_lane(num, 0);
  const n1 = f64x2.extract_lane(num, 1);
  const d0 = f64x2.extract_lane(den, 0);
  const d1 = f64x2.extract_lane(den, 1);
  const p0 = <u32>i64x2.extract_lane(at, 0);
  const p1 = <u32>i64x2.extract_lane(at, 1);
  const second = n1 * d0 > n0 * d1 || (n1 * d0 == n0 * d1 && p1 < p0);
  const n = second ? n1 : n0;
  const m = second ? d1 : d0;
  if (n < 0 || n * foundDen <= foundNum * m) return;
  const p = second ? p1 : p0;
  foundNum = n;
  foundDen = m;
  foundAt = load<u32>(scratch + SUMS + ((p - scratch) >> 1));
  foundLeft = load<i64>(p) + extra;
  foundMissing = missingLeft;
}

function shrunk(g: f64): f64 {
  return g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
}

function stepOf(g: f64, h: f64, l2: f64, lo: f64, hi: f64): f64 {
  const den = h + l2;
  let w = den > 0 ? -shrunk(g) / den : 0;
  if (mostStep > 0) w = w > mostStep ? mostStep : w < -mostStep ? -mostStep : w;
  return w < lo ? lo : w > hi ? hi : w;
}

function saved(g: f64, h: f64, l2: f64, w: f64): f64 {
  return -(2 * g * w + (h + l2) * w * w + 2 * alpha * Math.abs(w));
}

let foundGain: f64 = 0;
let foundAt: u32 = 0;
let foundLeft: i64 = 0;
let foundMissing: u32 = 0;

function tryConstrained(left: i64, b: u32, missingLeft: u32, node: u32, sign: i32, l2: f64): void {
  const gl = gradientOf(left);
  const hl = hessianOf(left);
  const gr = load<f64>(node) - gl;
  const hr = load<f64>(node, 8) - hl;
  if (hl < childWeight || hr < childWeight) return;
  const lo = load<f64>(node, 16);
  const hi = load<f64>(node, 24);
  const wl = stepOf(gl, hl, l2, lo, hi);
  const wr = stepOf(gr, hr, l2, lo, hi);
  if ((sign > 0 && wl > wr) || (sign < 0 && wl < wr)) return;
  const gain = saved(gl, hl, l2, wl) + saved(gr, hr, l2, wr);
  if (gain > foundGain) {
    foundGain = gain;
    foundAt = b;
    foundLeft = left;
    foundMissing = missingLeft;
  }
}

export function findConstrained(hist: u32, size: u32, node: u32, sign: i32): void {
  foundGain = -1;
  const missing = load<i64>(hist);
  let sum: i64 = 0;
  const last = missing ? size : size - 1;
  for (let b: u32 = 1; b < last; b++) {
    const bin = load<i64>(hist + b * 8);
    if (bin == 0) continue;
    sum += bin;
    tryConstrained(sum, b, 0, node, sign, lambda);
    if (missing) tryConstrained(sum + missing, b, 1, node, sign, lambda);
  }
}

/** One threshold, drawn evenly among the bins between the lowest and the highest value of the node. */
export function findRandom(hist: u32, size: u32, node: u32, sign: i32, f: u32): void {
  foundGain = -1;
  const missing = load<i64>(hist);
  let low: u32 = 1;
  while (low < size && load<i64>(hist + low * 8) == 0) low++;
  let high: u32 = size - 1;
  while (high > low && load<i64>(hist + high * 8) == 0) high--;
  if (low < high) {
    const cut = low + (draw(load<u32>(node, 40) ^ (extra * 0x9e3779b1) ^ (f * 0x85ebca6b)) % (high - low));
    let sum: i64 = 0;
    for (let b: u32 = 1; b <= cut; b++) sum += load<i64>(hist + b * 8);
    tryConstrained(sum, cut, 0, node, sign, lambda);
    if (missing) tryConstrained(sum + missing, cut, 1, node, sign, lambda);
  } else if (missing && low < size) {
    tryConstrained(load<i64>(hist + low * 8), low, 0, node, sign, lambda);
  }
}

function draw(x: u32): u32 {
  x ^= x >>> 16;
  x *= 0x21f0aaad;
  x ^= x >>> 15;
  x *= 0x735a2d97;
  return x ^ (x >>> 15);
}

/** The best single category against all others. */
export function findCategory(hist: u32, size: u32, node: u32, answer: u32): void {
  foundGain = -1;
  for (let b: u32 = 0; b < size; b++) {
    const bin = load<i64>(hist + b * 8);
    if (bin != 0) tryConstrained(bin, b, b == 0 ? 1 : 0, node, 0, lambda + catLambda);
  }
  if (foundGain >= 0) {
    memory.fill(answer + 32, 0, 32);
    const bit: u32 = 1 << (foundAt & 7);
    store<u8>(answer + 32 + (foundAt >>> 3), <u8>bit);
  }
}

/** The best set of categories: those up to some place in the order of their gradient over smoothed hessian. */
export function findCategories(hist: u32, size: u32, node: u32, answer: u32): void {
  foundGain = -1;
  // In scratch: f64 keys, then u32 bins.
  const keys = scratch;
  const order = scratch + 2048;
  let count: u32 = 0;
  for (let b: u32 = 0; b < size; b++) {
    const bin = load<i64>(hist + b * 8);
    if (bin == 0) continue;
    const key = gradientOf(bin) / (hessianOf(bin) + catSmooth);
    // Insertion sort; categories of a node are few, and equal keys keep the order of the bins.
    let i = count++;
    while (i > 0 && load<f64>(keys + (i - 1) * 8) > key) {
      store<f64>(keys + i * 8, load<f64>(keys + (i - 1) * 8));
      store<u32>(order + i * 4, load<u32>(order + (i - 1) * 4));
      i--;
    }
    store<f64>(keys + i * 8, key);
    store<u32>(order + i * 4, b);
  }
  let sum: i64 = 0;
  for (let i: u32 = 0; i + 1 < count; i++) {
    sum += load<i64>(hist + load<u32>(order + i * 4) * 8);
    tryConstrained(sum, i, 0, node, 0, lambda + catLambda);
  }
  if (foundGain >= 0) {
    memory.fill(answer + 32, 0, 32);
    for (let i: u32 = 0; i <= foundAt; i++) {
      const b = load<u32>(order + i * 4);
      const at = answer + 32 + (b >>> 3);
      const bit: u32 = 1 << (b & 7);
      store<u8>(at, load<u8>(at) | (<u8>bit));
    }
    foundMissing = load<u8>(answer + 32) & 1;
  }
}

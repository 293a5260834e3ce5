/**
 * Gradient boosting over binned rows: the fast twin of gbdt.ts, which says what each function does. Sums are
 * integers, so that the trees do not depend on which thread added what. Functions that work on one tile
 * are exported so that they stay functions: V8 takes over faster code between calls, never inside one.
 */

/** Rows of a block: partial sums of gradients are kept per block. */
const BLOCK: u32 = 4096;

let bins: u32 = 0;
let stride: u32 = 0;
let quads: u32 = 0;
let meta: u32 = 0;
let histBytes: u32 = 0;
let privates: u32 = 0;
let privateBytes: u32 = 0;
let own: u32 = 0;
let scratch: u32 = 0;
let counter: u32 = 0;
let tile: u32 = BLOCK;

export function setup(
  thread: u32,
  threads: u32,
  binsAt: u32,
  strideBytes: u32,
  metaAt: u32,
  bytesPerHist: u32,
  privatesAt: u32,
  bytesPerThread: u32,
  scratchAt: u32,
  scratchBytes: u32,
  counterAt: u32,
  tileRows: u32,
): void {
  bins = binsAt;
  stride = strideBytes;
  quads = strideBytes >> 2;
  meta = metaAt;
  histBytes = bytesPerHist;
  privates = privatesAt;
  privateBytes = bytesPerThread;
  own = privatesAt + thread * bytesPerThread;
  scratch = scratchAt + thread * scratchBytes;
  counter = counterAt;
  tile = tileRows;
}

function next(): u32 {
  return atomic.add<u32>(counter, 1);
}

// --- binning ---

export function sortColumns(
  thread: u32,
  threads: u32,
  at: u32,
  length: u32,
  columns: u32,
  counts: u32,
  spare: u32,
): void {
  const mine = spare + thread * (length * 8 + 8192 * 2);
  for (let c = next(); c < columns; c = next())
    store<u32>(counts + 4 * c, sortColumn(at + c * length * 8, length, mine));
}

/** Radix sort by eleven bits at a time; digits in which all keys agree are skipped. NaN is left out. */
export function sortColumn(at: u32, length: u32, spare: u32): u32 {
  const counts = spare + length * 8;
  let kept: u32 = 0;
  let all: u64 = ~0;
  let any: u64 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const value = load<f64>(at + i * 8);
    if (value != value) continue;
    const bits = reinterpret<u64>(value + 0.0);
    const key = bits ^ ((<u64>((<i64>bits) >> 63)) | 0x8000000000000000);
    store<u64>(at + kept * 8, key);
    all &= key;
    any |= key;
    kept++;
  }
  const varying = all ^ any;
  let from = at;
  let to = spare;
  for (let shift: u64 = 0; shift < 64; shift += 11) {
    if (((varying >> shift) & 2047) == 0) continue;
    memory.fill(counts, 0, 8192);
    for (let i: u32 = 0; i < kept; i++) {
      const slot = counts + <u32>((load<u64>(from + i * 8) >> shift) & 2047) * 4;
      store<u32>(slot, load<u32>(slot) + 1);
    }
    let sum: u32 = 0;
    for (let d: u32 = 0; d < 8192; d += 4) {
      const count = load<u32>(counts + d);
      store<u32>(counts + d, sum);
      sum += count;
    }
    for (let i: u32 = 0; i < kept; i++) {
      const key = load<u64>(from + i * 8);
      const slot = counts + <u32>((key >> shift) & 2047) * 4;
      const place = load<u32>(slot);
      store<u32>(slot, place + 1);
      store<u64>(to + place * 8, key);
    }
    const kept_ = from;
    from = to;
    to = kept_;
  }
  for (let i: u32 = 0; i < kept; i++) {
    const key = load<u64>(from + i * 8);
    store<u64>(at + i * 8, key ^ ((<u64>((<i64>~key) >> 63)) | 0x8000000000000000));
  }
  return kept;
}

export function encode(
  thread: u32,
  threads: u32,
  values: u32,
  room: u32,
  count: u32,
  rowsAt: u32,
  edges: u32,
): void {
  for (let q = next(); q < quads; q = next()) encodeQuad(values, room, count, rowsAt, edges, q);
}

export function encodeQuad(values: u32, room: u32, count: u32, rowsAt: u32, edges: u32, q: u32): void {
  for (let j: u32 = 0; j < 4; j++) {
    const f = q * 4 + j;
    const info = meta + f * 16;
    const kind = load<u32>(info, 8);
    if (kind == 2) continue;
    const column = values + f * room * 8;
    const to = rowsAt + f;
    if (kind & 1) encodeCodes(column, count, to, load<u32>(info, 4));
    else encodeNumbers(column, count, to, edges + f * 2048);
  }
}

export function encodeCodes(column: u32, count: u32, to: u32, bound: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const code = load<f64>(column + i * 8);
    const bin: u32 = code >= 0 ? <u32>code + 1 : 0;
    store<u8>(to + i * stride, bin < bound ? bin : 0);
  }
}

/** The bin is 1 plus the number of edges that are not above the value: eight halvings of 255 edges. */
export function encodeNumbers(column: u32, count: u32, to: u32, edges: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const x = load<f64>(column + i * 8);
    let p: u32 = edges;
    p += (<u32>(load<f64>(p, 127 * 8) <= x)) << 10;
    p += (<u32>(load<f64>(p, 63 * 8) <= x)) << 9;
    p += (<u32>(load<f64>(p, 31 * 8) <= x)) << 8;
    p += (<u32>(load<f64>(p, 15 * 8) <= x)) << 7;
    p += (<u32>(load<f64>(p, 7 * 8) <= x)) << 6;
    p += (<u32>(load<f64>(p, 3 * 8) <= x)) << 5;
    p += (<u32>(load<f64>(p, 1 * 8) <= x)) << 4;
    p += (<u32>(load<f64>(p) <= x)) << 3;
    const bin = <u32>((p - edges) >> 3) + 1;
    store<u8>(to + i * stride, x == x ? bin : 0);
  }
}

// --- gradients ---

function exp4(x0: v128): v128 {
  const x = f32x4.max(f32x4.min(x0, f32x4.splat(87.0)), f32x4.splat(-87.0));
  const n = f32x4.floor(f32x4.add(f32x4.mul(x, f32x4.splat(1.4426950408889634)), f32x4.splat(0.5)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let y = f32x4.splat(1.98756915e-4);
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(y, power);
}

export function binaryGradients(
  thread: u32,
  threads: u32,
  rows: u32,
  scores: u32,
  labels: u32,
  weights: u32,
  g: u32,
  h: u32,
  partials: u32,
): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next()) {
    const at = b * BLOCK * 4;
    const count = min(BLOCK, rows - b * BLOCK);
    binaryBlock(
      scores + at,
      labels + at,
      weights ? weights + at : 0,
      g + at,
      h + at,
      count,
      partials + b * 64,
    );
  }
}

/** Arrays have room for rows up to a multiple of four; what is beyond has weight 0 in `labels`' block. */
export function binaryBlock(
  scores: u32,
  labels: u32,
  weights: u32,
  g: u32,
  h: u32,
  count: u32,
  partial: u32,
): void {
  const one = f32x4.splat(1);
  let sumG = f32x4.splat(0);
  let sumH = f32x4.splat(0);
  let mostG = f32x4.splat(0);
  let mostH = f32x4.splat(0);
  const bytes = count * 4;
  for (let i: u32 = 0; i < bytes; i += 16) {
    const p = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(v128.load(scores + i)))));
    let gradient = f32x4.sub(p, v128.load(labels + i));
    let hessian = f32x4.max(f32x4.mul(p, f32x4.sub(one, p)), f32x4.splat(1e-16));
    if (weights) {
      const weight = v128.load(weights + i);
      gradient = f32x4.mul(gradient, weight);
      hessian = f32x4.mul(hessian, weight);
    }
    if (i + 16 > bytes) {
      const inside = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>((bytes - i) >> 2)));
      gradient = v128.and(gradient, inside);
      hessian = v128.and(hessian, inside);
    }
    v128.store(g + i, gradient);
    v128.store(h + i, hessian);
    const size = f32x4.abs(gradient);
    sumG = f32x4.add(sumG, size);
    sumH = f32x4.add(sumH, hessian);
    mostG = f32x4.max(mostG, size);
    mostH = f32x4.max(mostH, hessian);
  }
  v128.store(partial, sumG);
  v128.store(partial, sumH, 16);
  v128.store(partial, mostG, 32);
  v128.store(partial, mostH, 48);
}

// --- quantising, the histogram of the root ---

function mix4(x0: v128): v128 {
  let x = v128.xor(x0, i32x4.shr_u(x0, 16));
  x = i32x4.mul(x, i32x4.splat(0x21f0aaad));
  x = v128.xor(x, i32x4.shr_u(x, 15));
  x = i32x4.mul(x, i32x4.splat(0x735a2d97));
  return v128.xor(x, i32x4.shr_u(x, 15));
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
    quantiseTile(from, count, g, h, scaleG, scaleH, seed, keep, sums + t * 8);
    if (nodes) memory.fill(nodes + from, 0, count);
    if (histogram) {
      for (let q: u32 = 0; q < quads; q++) addDense(bins + from * stride + q * 4, count, q);
    }
  }
}

/** Packs rounded gradients over `g`: the gradient in the upper half, the hessian in the lower. */
export function quantiseTile(
  from: u32,
  count: u32,
  g: u32,
  h: u32,
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
  const bound = i32x4.splat(keep >>> 1);
  let row = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3));
  const end = (from + count) * 4;
  let out = scratch;
  for (let i = from * 4; i < end; i += 16) {
    const noise = mix4(v128.xor(i32x4.mul(row, i32x4.splat(0x9e3779b1)), i32x4.splat(seed)));
    const upG = f32x4.mul(f32x4.convert_i32x4_s(v128.and(noise, low)), unit);
    const upH = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(noise, 16)), unit);
    const qg = i32x4.trunc_sat_f32x4_s(f32x4.floor(f32x4.add(f32x4.mul(v128.load(g + i), sg), upG)));
    const qh = i32x4.trunc_sat_f32x4_s(f32x4.floor(f32x4.add(f32x4.mul(v128.load(h + i), sh), upH)));
    let packed = v128.or(i32x4.shl(qg, 16), v128.and(qh, low));
    if (keep != 0xffffffff) {
      const draw = i32x4.shr_u(mix4(i32x4.add(noise, i32x4.splat(0x5bd1e995))), 1);
      packed = v128.and(packed, i32x4.lt_s(draw, bound));
    }
    sumG = i32x4.add(sumG, i32x4.shr_s(packed, 16));
    sumH = i32x4.add(sumH, v128.and(packed, low));
    v128.store(g + i, packed);
    v128.store(out, expand(packed, 0));
    v128.store(out, expand(packed, 1), 16);
    out += 32;
    row = i32x4.add(row, i32x4.splat(4));
  }
  store<i32>(sums, laneSum(sumG));
  store<i32>(sums, laneSum(sumH), 4);
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

// --- levels: all rows stream by, each with the number of its node ---

export function routeLevel(
  thread: u32,
  threads: u32,
  rows: u32,
  nodes: u32,
  packed: u32,
  features: u32,
  tables: u32,
  slots: u32,
): void {
  const tiles = (rows + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = t * tile;
    const count = routeTile(from, min(tile, rows - from), nodes, packed, features, tables, slots);
    if (count) addListed(count);
  }
}

export function routeTile(
  from: u32,
  count: u32,
  nodes: u32,
  packed: u32,
  features: u32,
  tables: u32,
  slots: u32,
): u32 {
  const base = own;
  const step = stride;
  let list = scratch;
  let row = bins + from * step;
  let p = packed + from * 4;
  const end = nodes + from + count;
  for (let n = nodes + from; n < end; n++) {
    const node: u32 = load<u8>(n);
    const bin: u32 = load<u8>(row + load<u32>(features + node * 4));
    const child: u32 = load<u8>(tables + ((node << 8) | bin));
    store<u8>(n, <u8>child);
    const slot = load<u32>(slots + child * 4);
    const q = load<i32>(p);
    store<u32>(list, <u32>row);
    store<u32>(list, base + slot, 4);
    store<i64>(list, ((<i64>(q >> 16)) << 32) | (<i64>(q & 0xffff)), 8);
    list += ((<u32>(slot != 0xffffffff)) & (<u32>(q != 0))) << 4;
    row += step;
    p += 4;
  }
  return <u32>((list - scratch) >> 4);
}

export function addByNode(thread: u32, threads: u32, rows: u32, nodes: u32, values: u32, scores: u32): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    addBlock(nodes + b * BLOCK, min(BLOCK, rows - b * BLOCK), values, scores + b * BLOCK * 4);
}

export function addBlock(nodes: u32, count: u32, values: u32, scores: u32): void {
  const end = nodes + count;
  for (let n = nodes; n < end; n++) {
    store<f32>(scores, load<f32>(scores) + load<f32>(values + load<u8>(n) * 4));
    scores += 4;
  }
}

// --- lists: every leaf has its rows, as pairs of row and packed gradient ---

export function listRows(thread: u32, threads: u32, rows: u32, packed: u32, list: u32): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    listBlock(b * BLOCK, min(BLOCK, rows - b * BLOCK), packed, list);
}

export function listBlock(from: u32, count: u32, packed: u32, list: u32): void {
  for (let r = from; r < from + count; r++)
    store<u64>(list + r * 8, (<u64>r) | ((<u64>load<u32>(packed + r * 4)) << 32));
}

/**
 * Parts the rows of one leaf, tile by tile, into `spare`: those that go left from the front of the tile, the
 * others from its back; adds the child that gets a histogram. `counts` takes how many went left.
 */
export function partList(
  thread: u32,
  threads: u32,
  list: u32,
  spare: u32,
  start: u32,
  count: u32,
  feature: u32,
  table: u32,
  counts: u32,
  side: u32,
): void {
  const tiles = (count + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = start + t * tile;
    const size = min(tile, count - t * tile);
    const lefts = partTile(list + from * 8, spare + from * 8, size, feature, table);
    store<u32>(counts + t * 4, lefts);
    if (side == 2) continue;
    const added = stageTile(spare + from * 8, size, lefts, side);
    addListed(added);
  }
}

export function partTile(from: u32, to: u32, count: u32, feature: u32, table: u32): u32 {
  const column = bins + feature;
  const step = stride;
  let left = to;
  let right = to + count * 8 - 8;
  const end = from + count * 8;
  for (let p = from; p < end; p += 8) {
    const entry = load<u64>(p);
    const bin: u32 = load<u8>(column + <u32>entry * step);
    const goesLeft: u32 = load<u8>(table + bin);
    store<u64>(left, entry);
    // The right end is written second: when both meet in the last free place, the entry is the same.
    store<u64>(right, entry);
    left += goesLeft << 3;
    right -= (1 - goesLeft) << 3;
  }
  return <u32>((left - to) >> 3);
}

export function stageTile(from: u32, count: u32, lefts: u32, side: u32): u32 {
  let p = side == 0 ? from : from + lefts * 8;
  const end = side == 0 ? from + lefts * 8 : from + count * 8;
  const base = bins;
  const step = stride;
  const hist = own;
  let list = scratch;
  for (; p < end; p += 8) {
    const entry = load<u64>(p);
    const q = <i32>(entry >> 32);
    store<u32>(list, base + <u32>entry * step);
    store<u32>(list, hist, 4);
    store<i64>(list, ((<i64>(q >> 16)) << 32) | (<i64>(q & 0xffff)), 8);
    list += 16;
  }
  return <u32>((list - scratch) >> 4);
}

/** Adds all rows of a list to this thread's first histogram. */
export function addList(thread: u32, threads: u32, list: u32, start: u32, count: u32): void {
  const tiles = (count + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const size = min(tile, count - t * tile);
    const added = stageTile(list + (start + t * tile) * 8, size, size, 0);
    addListed(added);
  }
}

/** Brings what `partList` left in `spare` back in order: left rows, then right rows, each in their old order. */
export function gatherList(
  list: u32,
  spare: u32,
  start: u32,
  count: u32,
  counts: u32,
  lefts: u32,
  t: u32,
  leftBefore: u32,
): void {
  const from = spare + (start + t * tile) * 8;
  const size = min(tile, count - t * tile);
  const left = load<u32>(counts + t * 4);
  const rightBefore = t * tile - leftBefore;
  memory.copy(list + (start + leftBefore) * 8, from, left * 8);
  let to = list + (start + lefts + rightBefore) * 8;
  for (let p = from + size * 8; p > from + left * 8;) {
    p -= 8;
    store<u64>(to, load<u64>(p));
    to += 8;
  }
}

export function addByList(
  thread: u32,
  threads: u32,
  list: u32,
  leaves: u32,
  leafCount: u32,
  scores: u32,
): void {
  for (let leaf = next(); leaf < leafCount; leaf = next()) {
    const info = leaves + leaf * 16;
    addLeaf(list + load<u32>(info) * 8, load<u32>(info, 4), load<f32>(info, 8), scores);
  }
}

export function addLeaf(list: u32, count: u32, value: f32, scores: u32): void {
  const end = list + count * 8;
  for (let p = list; p < end; p += 8) {
    const at = scores + load<u32>(p) * 4;
    store<f32>(at, load<f32>(at) + value);
  }
}

/** Walks binned rows down a finished tree: nodes of 16 bytes (feature or -1, left, right, value). */
export function addByWalk(
  thread: u32,
  threads: u32,
  rowsAt: u32,
  rows: u32,
  tree: u32,
  tables: u32,
  scores: u32,
): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    walkBlock(
      rowsAt + b * BLOCK * stride,
      min(BLOCK, rows - b * BLOCK),
      tree,
      tables,
      scores + b * BLOCK * 4,
    );
}

export function walkBlock(row: u32, count: u32, tree: u32, tables: u32, scores: u32): void {
  const end = row + count * stride;
  for (; row < end; row += stride) {
    let node: u32 = 0;
    for (;;) {
      const info = tree + (node << 4);
      const feature = load<i32>(info);
      if (feature < 0) {
        store<f32>(scores, load<f32>(scores) + load<f32>(info, 12));
        break;
      }
      const left: u32 = load<u8>(tables + ((node << 8) | load<u8>(row + feature)));
      node = left ? load<u32>(info, 4) : load<u32>(info, 8);
    }
    scores += 4;
  }
}

// --- histograms of a level or a split, and the best split of every feature ---

let invG: f64 = 0;
let invH: f64 = 0;
let lambda: f64 = 0;
let alpha: f64 = 0;
let childWeight: f64 = 0;
let catLambda: f64 = 0;
let catSmooth: f64 = 0;
let mostStep: f64 = 0;
let extra: u32 = 0;

/**
 * Every job of 64 bytes is a node whose rows were added, and, with it or not, its sibling:
 * where its histogram goes, the parent's histogram (0: none) which becomes the sibling's, the place in the
 * private histograms, the two nodes to look for splits in (0: none), and the features to look at (0: all).
 */
export function findSplits(
  thread: u32,
  threads: u32,
  jobs: u32,
  jobCount: u32,
  features: u32,
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
  const blocks = (features + 3) / 4;
  const tasks = jobCount * blocks;
  // Rows of the split leaf are gathered by whoever has the time.
  const tiles = list ? (count + tile - 1) / tile : 0;
  let lefts: u32 = 0;
  for (let t: u32 = 0; t < tiles; t++) lefts += load<u32>(counts + t * 4);
  let done: u32 = 0;
  let before: u32 = 0;
  for (let task = next(); task < tasks + tiles; task = next()) {
    if (task < tasks) {
      const job = jobs + (task / blocks) * 64;
      const first = (task % blocks) * 4;
      for (let f = first; f < min(first + 4, features); f++) findInFeature(threads, job, f);
    } else {
      const t = task - tasks;
      for (; done < t; done++) before += load<u32>(counts + done * 4);
      gatherList(list, spare, start, count, counts, lefts, t, before);
    }
  }
}

export function findInFeature(threads: u32, job: u32, f: u32): void {
  const info = meta + f * 16;
  const offset = load<u32>(info);
  const size = load<u32>(info, 4);
  const hist = load<u32>(job) + offset;
  const parent = load<u32>(job, 4);
  mergeFeature(threads, hist, parent ? parent + offset : 0, privates + load<u32>(job, 8) + offset, size);
  const first = load<u32>(job, 12);
  const second = load<u32>(job, 16);
  if (first) findInNode(hist, info, first, f);
  if (second) findInNode(parent + offset, info, second, f);
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

/*
 * A node: f64 gradient, hessian, lowest and highest value; then the address of the answers (64 bytes a
 * feature), of the mask of features (0: all), and a number that seeds random thresholds.
 */
export function findInNode(hist: u32, info: u32, node: u32, f: u32): void {
  const answer = load<u32>(node, 32) + f * 64;
  store<f64>(answer, -1);
  const mask = load<u32>(node, 36);
  if (mask && !load<u8>(mask + f)) return;
  const kind = load<u32>(info, 8);
  if (kind == 1) return findCategories(hist, load<u32>(info, 4), node, answer);
  if (kind == 3) return findCategory(hist, load<u32>(info, 4), node, answer);
  const sign = load<i32>(info, 12);
  const free = load<f64>(node, 16) == -Infinity && load<f64>(node, 24) == Infinity;
  if (extra) findRandom(hist, load<u32>(info, 4), node, answer, sign, f);
  else if (sign == 0 && free && alpha == 0 && mostStep == 0)
    findThreshold(hist, load<u32>(info, 4), node, answer);
  else findConstrained(hist, load<u32>(info, 4), node, answer, sign);
}

function gradientOf(sum: i64): f64 {
  return <f64>(<i32>(sum >> 32)) * invG;
}

function hessianOf(sum: i64): f64 {
  return <f64>(<u32>sum) * invH;
}

/** The best threshold without constraints, L1 or a bound of the step. */
export function findThreshold(hist: u32, size: u32, node: u32, answer: u32): void {
  const G = load<f64>(node);
  const H = load<f64>(node, 8);
  const l2 = lambda;
  const least = childWeight;
  const missing = load<i64>(hist);
  let best: f64 = -1;
  let bestAt: u32 = 0;
  let bestLeft: i64 = 0;
  let missingLeft: u32 = 0;
  let sum: i64 = 0;
  const last = missing ? size : size - 1;
  for (let b: u32 = 1; b < last; b++) {
    const bin = load<i64>(hist + b * 8);
    if (bin == 0) continue;
    sum += bin;
    const gl = gradientOf(sum);
    const hl = hessianOf(sum);
    const hr = H - hl;
    if (hl >= least && hr >= least) {
      const gr = G - gl;
      const gain = (gl * gl) / (hl + l2) + (gr * gr) / (hr + l2);
      if (gain > best) {
        best = gain;
        bestAt = b;
        bestLeft = sum;
        missingLeft = 0;
      }
    }
    if (missing) {
      const gm = gradientOf(sum + missing);
      const hm = hessianOf(sum + missing);
      const rest = H - hm;
      if (hm >= least && rest >= least) {
        const gr = G - gm;
        const gain = (gm * gm) / (hm + l2) + (gr * gr) / (rest + l2);
        if (gain > best) {
          best = gain;
          bestAt = b;
          bestLeft = sum + missing;
          missingLeft = 1;
        }
      }
    }
  }
  store<f64>(answer, best);
  store<u32>(answer, bestAt, 8);
  store<u32>(answer, missingLeft, 12);
  store<i64>(answer, bestLeft, 16);
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

function writeFound(answer: u32): void {
  store<f64>(answer, foundGain);
  store<u32>(answer, foundAt, 8);
  store<u32>(answer, foundMissing, 12);
  store<i64>(answer, foundLeft, 16);
}

export function findConstrained(hist: u32, size: u32, node: u32, answer: u32, sign: i32): void {
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
  writeFound(answer);
}

/** One threshold, drawn evenly among the bins between the lowest and the highest value of the node. */
export function findRandom(hist: u32, size: u32, node: u32, answer: u32, sign: i32, f: u32): void {
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
  writeFound(answer);
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
  writeFound(answer);
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
  writeFound(answer);
}

import { mix } from "../../core/rng.js";
import { columnEntry, type PlainMemory } from "./memory.js";

/** What the best split of a column was, while it is sought. */
interface Found {
  gain: number;
  at: number;
  leftH: number;
  leftG: number;
  missingLeft: number;
}

/**
 * Finishes histograms and finds the best split of every column. A job of 64 bytes: where the histogram goes, the
 * parent's (0: none) which becomes the sibling's, the place among those just added, the node that it belongs
 * to and the sibling (0: not sought). `blocks` are what one thread takes: the first and the last but one byte of a row. On the way,
 * the parts that `partList` left are put in order.
 */
export function findSplits(
  m: PlainMemory,
  jobs: number,
  jobCount: number,
  blocks: number,
  blockCount: number,
  invG: number,
  invH: number,
  lambda: number,
  alpha: number,
  childWeight: number,
  catLambda: number,
  catSmooth: number,
  maxStep: number,
  extra: number,
  list: number,
  spare: number,
  start: number,
  count: number,
  counts: number,
): void {
  Object.assign(m, { invG, invH, lambda, alpha, childWeight, catLambda, catSmooth, maxStep, extra });
  for (let job = jobs / 4; job < jobs / 4 + jobCount * 16; job += 16)
    for (let block = blocks / 4; block < blocks / 4 + blockCount * 2; block += 2)
      for (let byte = m.u32[block]; byte < m.u32[block + 1]; byte++) findInByte(m, job, byte);
  if (list) gather(m, list, spare, start, count, counts);
}

function gather(
  m: PlainMemory,
  list: number,
  spare: number,
  start: number,
  count: number,
  counts: number,
): void {
  const { u32, tile } = m;
  const move = (to: number, from: number): void => {
    u32[list / 4 + 2 * to] = u32[spare / 4 + 2 * from];
    u32[list / 4 + 2 * to + 1] = u32[spare / 4 + 2 * from + 1];
  };
  let to = start;
  for (let t = 0; t * tile < count; t++)
    for (let i = 0; i < u32[counts / 4 + t]; i++) move(to++, start + t * tile + i);
  for (let t = 0; t * tile < count; t++) {
    const size = Math.min(tile, count - t * tile);
    for (let i = size - 1; i >= u32[counts / 4 + t]; i--) move(to++, start + t * tile + i);
  }
}

function findInByte(m: PlainMemory, job: number, byte: number): void {
  const { i32, u32 } = m;
  const meta = m.meta / 4 + byte * 4;
  const offset = i32[meta];
  const hist = (u32[job] + offset) / 4;
  const parent = u32[job + 1] ? (u32[job + 1] + offset) / 4 : 0;
  const added = (m.privates + u32[job + 2] + offset) / 4;
  for (let i = 0; i < 2 * i32[meta + 1]; i++) {
    i32[hist + i] = i32[added + i];
    i32[added + i] = 0;
    if (parent) i32[parent + i] -= i32[hist + i];
  }
  for (let entry = i32[meta + 2]; entry < i32[meta + 3]; entry++) {
    if (u32[job + 3]) findInNode(m, u32[job], columnEntry(m, entry), u32[job + 3]);
    if (u32[job + 4]) findInNode(m, u32[job + 1], columnEntry(m, entry), u32[job + 4]);
  }
}

function findInNode(m: PlainMemory, histogram: number, info: number, node: number): void {
  const { i32, u32, f64 } = m;
  const f = i32[info + 7];
  const answer = u32[node / 4 + 8] + f * 64;
  const gain = u32[node / 4 + 11] / 8 + f;
  f64[gain] = -1;
  const mask = u32[node / 4 + 9];
  if (mask && !m.u8[mask + f]) return;
  const size = i32[info + 1];
  const found: Found = { gain: -1, at: 0, leftH: 0, leftG: 0, missingLeft: 0 };
  const sign = i32[info + 3];
  const at = (histogram + i32[info]) / 4;
  const hist = i32[info + 4] < 0 ? at : spreadOut(m, at, info, node);
  u32[answer / 4 + 6] = i32[hist] !== 0 || i32[hist + 1] !== 0 ? 1 : 0;
  if (i32[info + 2] === 1) findCategories(m, hist, size, node, found, answer);
  else if (i32[info + 2] === 3) findCategory(m, hist, size, node, found, answer);
  else if (m.extra) findRandom(m, hist, size, node, found, sign, f);
  else findThreshold(m, hist, size, node, found, sign);
  f64[gain] = found.gain;
  u32[answer / 4 + 2] = found.at;
  u32[answer / 4 + 3] = found.missingLeft;
  i32[answer / 4 + 4] = found.leftH;
  i32[answer / 4 + 5] = found.leftG;
}

/** The whole histogram of a column that shares its byte: what the stored bins lack of the node's sums is in the usual one. */
function spreadOut(m: PlainMemory, stored: number, info: number, node: number): number {
  const { i32 } = m;
  const [size, , , usual, missing] = i32.subarray(info + 1, info + 6);
  const hist = m.spread / 4;
  let H = i32[node / 4 + 12];
  let G = i32[node / 4 + 13];
  let from = stored;
  i32.fill(0, hist, hist + 2);
  for (let bin = missing ? 0 : 1; bin < size; bin++) {
    if (bin === usual) continue;
    H -= i32[hist + 2 * bin] = i32[from];
    G -= i32[hist + 2 * bin + 1] = i32[from + 1];
    from += 2;
  }
  i32.set([H, G], hist + 2 * usual);
  return hist;
}

function findThreshold(
  m: PlainMemory,
  hist: number,
  size: number,
  node: number,
  found: Found,
  sign: number,
): void {
  const { i32 } = m;
  const missing = i32[hist] !== 0 || i32[hist + 1] !== 0;
  const free =
    sign === 0 &&
    m.f64[node / 8 + 2] === -Infinity &&
    m.f64[node / 8 + 3] === Infinity &&
    m.alpha === 0 &&
    m.maxStep === 0;
  const sums: Sum[] = [];
  let H = 0;
  let G = 0;
  for (let b = 1; b < (missing ? size : size - 1); b++) {
    if (i32[hist + 2 * b] === 0 && i32[hist + 2 * b + 1] === 0) continue;
    H += i32[hist + 2 * b];
    G += i32[hist + 2 * b + 1];
    sums.push({ H, G, b });
  }
  if (free) return findFree(m, sums, { H: i32[hist], G: i32[hist + 1] }, missing, node, found);
  for (const { H, G, b } of sums) {
    tryLeft(m, H, G, b, 0, node, found, sign, m.lambda);
    if (missing) tryLeft(m, H + i32[hist], G + i32[hist + 1], b, 1, node, found, sign, m.lambda);
  }
}

/** Quantised sums of the bins up to one. */
interface Sum {
  H: number;
  G: number;
  b: number;
}

/**
 * The best threshold without constraints. With d = h + lambda and D = H + 2 lambda what a split saves is
 * (g D - G d)^2 / (d (D - d) D), which is compared by multiplying crosswise, two sums at a time.
 */
function findFree(
  m: PlainMemory,
  sums: readonly Sum[],
  missing: { H: number; G: number },
  some: boolean,
  node: number,
  found: Found,
): void {
  const total = { H: m.u32[node / 4 + 12], G: m.i32[node / 4 + 13] };
  const l2 = m.lambda / m.invH;
  const least = Math.max(Math.ceil(m.childWeight / m.invH - 0.001), l2 > 0 ? 0 : 1);
  const D = total.H + 2 * l2;
  let best = { num: -1, den: 1, H: 0, G: 0, at: 0, missingLeft: 0 };
  for (let missingLeft = 0; missingLeft < (some ? 2 : 1); missingLeft++) {
    const h = ({ H }: Sum): number => (H + missingLeft * missing.H) >>> 0;
    const able = sums.filter((sum) => h(sum) >= least && total.H - h(sum) >= least);
    const lanes = [0, 1].map(() => ({ num: -1, den: 1, i: 0 }));
    for (let i = 0; i < able.length + (able.length & 1); i++) {
      const sum = able[Math.min(i, able.length - 1)];
      const d = h(sum) + l2;
      const t = ((sum.G + missingLeft * missing.G) | 0) * D - total.G * d;
      const num = t * t;
      const den = d * (D - d);
      const lane = lanes[i & 1];
      if (num * lane.den > lane.num * den) Object.assign(lane, { num, den, i });
    }
    if (able.length === 0) continue;
    const [a, b] = lanes;
    const second = b.num * a.den > a.num * b.den || (b.num * a.den === a.num * b.den && b.i < a.i);
    const { num, den, i } = second ? b : a;
    if (num < 0 || num * best.den <= best.num * den) continue;
    const sum = able[Math.min(i, able.length - 1)];
    best = { num, den, H: h(sum) | 0, G: (sum.G + missingLeft * missing.G) | 0, at: sum.b, missingLeft };
  }
  if (best.num < 0) return;
  const gl = best.G * m.invG;
  const hl = (best.H >>> 0) * m.invH;
  const gr = m.f64[node / 8] - gl;
  const hr = m.f64[node / 8 + 1] - hl;
  const gain = (gl * gl) / (hl + m.lambda) + (gr * gr) / (hr + m.lambda);
  Object.assign(found, { gain, at: best.at, leftH: best.H, leftG: best.G, missingLeft: best.missingLeft });
}

function tryLeft(
  m: PlainMemory,
  H: number,
  G: number,
  at: number,
  missingLeft: number,
  node: number,
  found: Found,
  sign: number,
  lambda: number,
): void {
  const { f64 } = m;
  const gl = (G | 0) * m.invG;
  const hl = (H >>> 0) * m.invH;
  const gr = f64[node / 8] - gl;
  const hr = f64[node / 8 + 1] - hl;
  if (!(hl >= m.childWeight && hr >= m.childWeight)) return;
  const low = f64[node / 8 + 2];
  const high = f64[node / 8 + 3];
  const wl = stepOf(m, gl, hl, lambda, low, high);
  const wr = stepOf(m, gr, hr, lambda, low, high);
  if ((sign > 0 && wl > wr) || (sign < 0 && wl < wr)) return;
  const gain = saved(m, gl, hl, lambda, wl) + saved(m, gr, hr, lambda, wr);
  if (gain > found.gain) Object.assign(found, { gain, at, leftH: H | 0, leftG: G | 0, missingLeft });
}

function stepOf(m: PlainMemory, g: number, h: number, lambda: number, low: number, high: number): number {
  const { alpha, maxStep } = m;
  const den = h + lambda;
  const shrunk = g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
  let w = den > 0 ? -shrunk / den : 0;
  if (maxStep > 0) w = w > maxStep ? maxStep : w < -maxStep ? -maxStep : w;
  return w < low ? low : w > high ? high : w;
}

function saved(m: PlainMemory, g: number, h: number, lambda: number, w: number): number {
  return -(2 * g * w + (h + lambda) * w * w + 2 * m.alpha * Math.abs(w));
}

/** One threshold, drawn evenly among the bins between the lowest and the highest value of the node. */
function findRandom(
  m: PlainMemory,
  hist: number,
  size: number,
  node: number,
  found: Found,
  sign: number,
  f: number,
): void {
  const { i32 } = m;
  const empty = (b: number): boolean => i32[hist + 2 * b] === 0 && i32[hist + 2 * b + 1] === 0;
  const missing = !empty(0);
  let low = 1;
  while (low < size && empty(low)) low++;
  let high = size - 1;
  while (high > low && empty(high)) high--;
  if (low < high) {
    const salt = m.u32[node / 4 + 10] ^ Math.imul(m.extra, 0x9e3779b1) ^ Math.imul(f, 0x85ebca6b);
    const cut = low + ((mix(salt) >>> 0) % (high - low));
    let H = 0;
    let G = 0;
    for (let b = 1; b <= cut; b++) {
      H += i32[hist + 2 * b];
      G += i32[hist + 2 * b + 1];
    }
    tryLeft(m, H, G, cut, 0, node, found, sign, m.lambda);
    if (missing) tryLeft(m, H + i32[hist], G + i32[hist + 1], cut, 1, node, found, sign, m.lambda);
  } else if (missing && low < size)
    tryLeft(m, i32[hist + 2 * low], i32[hist + 2 * low + 1], low, 0, node, found, sign, m.lambda);
}

/** The best single category against all others. */
function findCategory(
  m: PlainMemory,
  hist: number,
  size: number,
  node: number,
  found: Found,
  answer: number,
): void {
  const { i32, u8 } = m;
  for (let b = 0; b < size; b++) {
    const H = i32[hist + 2 * b];
    const G = i32[hist + 2 * b + 1];
    if (H !== 0 || G !== 0) tryLeft(m, H, G, b, b === 0 ? 1 : 0, node, found, 0, m.lambda + m.catLambda);
  }
  if (found.gain < 0) return;
  u8.fill(0, answer + 32, answer + 64);
  u8[answer + 32 + (found.at >> 3)] = 1 << (found.at & 7);
}

/** The best set of categories: those up to some place in the order of their gradient over smoothed hessian. */
function findCategories(
  m: PlainMemory,
  hist: number,
  size: number,
  node: number,
  found: Found,
  answer: number,
): void {
  const { i32, u8 } = m;
  const present: { key: number; bin: number }[] = [];
  for (let bin = 0; bin < size; bin++) {
    const H = i32[hist + 2 * bin];
    const G = i32[hist + 2 * bin + 1];
    if (H === 0 && G === 0) continue;
    present.push({ key: (G * m.invG) / ((H >>> 0) * m.invH + m.catSmooth), bin });
  }
  present.sort((a, b) => a.key - b.key);
  let H = 0;
  let G = 0;
  for (let i = 0; i + 1 < present.length; i++) {
    H += i32[hist + 2 * present[i].bin];
    G += i32[hist + 2 * present[i].bin + 1];
    tryLeft(m, H, G, i, 0, node, found, 0, m.lambda + m.catLambda);
  }
  if (found.gain < 0) return;
  u8.fill(0, answer + 32, answer + 64);
  for (let i = 0; i <= found.at; i++) u8[answer + 32 + (present[i].bin >> 3)] |= 1 << (present[i].bin & 7);
  found.missingLeft = u8[answer + 32] & 1;
}

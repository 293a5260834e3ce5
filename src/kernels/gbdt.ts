import { mix } from "../core/rng.js";
import type { SharedKernel } from "../engine/pool.js";

/*
 * The plain twin of gbdt.as.ts: the same functions over the same layout of memory, with the same results to the
 * last bit. Float32 steps are rounded one by one, and a 64-bit bin of a histogram is two 32-bit words, the
 * hessian first, which never carry into each other.
 */

const block = 4096;
const firstFree = 65536;
const page = 65536;
const { fround, imul } = Math;

/** The kernel in plain JavaScript, on this thread alone. */
export function plainGbdt(): SharedKernel {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
  const plain = new PlainGbdt(memory);
  let top = firstFree;
  const exports = Object.fromEntries(
    phases.map((fn) => [
      fn,
      (_thread: number, _threads: number, ...args: number[]) => {
        plain.look();
        (plain[fn] as (...args: number[]) => void)(...args);
        return 0;
      },
    ]),
  );
  return {
    threads: 1,
    memory,
    exports,
    alloc(bytes) {
      const at = Math.ceil(top / 64) * 64;
      top = at + bytes;
      if (top > memory.buffer.byteLength) memory.grow(Math.ceil((top - memory.buffer.byteLength) / page));
      return at;
    },
    mark: () => top,
    release: (mark) => void (top = mark),
    u8: (at, length) => new Uint8Array(memory.buffer, at, length),
    u16: (at, length) => new Uint16Array(memory.buffer, at, length),
    i32: (at, length) => new Int32Array(memory.buffer, at, length),
    u32: (at, length) => new Uint32Array(memory.buffer, at, length),
    f32: (at, length) => new Float32Array(memory.buffer, at, length),
    f64: (at, length) => new Float64Array(memory.buffer, at, length),
    each: (fn, ...args) => void exports[fn](0, 1, ...args),
    close: () => undefined,
  };
}

const phases = [
  "setup",
  "sortColumns",
  "encode",
  "binaryGradients",
  "quantise",
  "routeLevel",
  "addByNode",
  "listRows",
  "partList",
  "addList",
  "addByList",
  "addByWalk",
  "findSplits",
] as const;

/** What the best split of a column was, while it is sought. */
interface Found {
  gain: number;
  at: number;
  leftH: number;
  leftG: number;
  missingLeft: number;
}

class PlainGbdt {
  private u8 = new Uint8Array();
  private i32 = new Int32Array();
  private u32 = new Uint32Array();
  private f32 = new Float32Array();
  private f64 = new Float64Array();
  private bins = 0;
  private stride = 0;
  private meta = 0;
  private privates = 0;
  private tile = block;
  private invG = 0;
  private invH = 0;
  private lambda = 0;
  private alpha = 0;
  private childWeight = 0;
  private catLambda = 0;
  private catSmooth = 0;
  private maxStep = 0;
  private extra = 0;

  constructor(private readonly memory: WebAssembly.Memory) {}

  /** Views of the whole memory, anew after it has grown. */
  look(): void {
    const { buffer } = this.memory;
    if (this.u8.buffer === buffer && this.u8.length === buffer.byteLength) return;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /** Where rows, the table of columns (offset, bins, kind, sign each) and histograms lie; rows of a tile. */
  setup(
    bins: number,
    stride: number,
    meta: number,
    _histBytes: number,
    privates: number,
    _privateBytes: number,
    _scratch: number,
    _scratchBytes: number,
    _counter: number,
    tile: number,
  ): void {
    this.bins = bins;
    this.stride = stride;
    this.meta = meta;
    this.privates = privates;
    this.tile = tile;
  }

  /** Sorts columns of float64 in place, leaves out NaN, writes how many values each has. */
  sortColumns(at: number, length: number, columns: number, counts: number): void {
    for (let c = 0; c < columns; c++) {
      const column = this.f64.subarray(at / 8 + c * length, at / 8 + (c + 1) * length);
      // -0 would sort before 0.
      const kept = Float64Array.from(
        column.filter((value) => !Number.isNaN(value)),
        (value) => value + 0,
      ).sort();
      column.set(kept);
      this.u32[counts / 4 + c] = kept.length;
    }
  }

  /** Bins of rows: `values` holds the columns, `room` float64 each; every column has 256 edges, padded with NaN. */
  encode(values: number, room: number, count: number, rowsAt: number, edges: number): void {
    for (let f = 0; f < this.stride; f++) {
      const [, size, kind] = this.i32.subarray(this.meta / 4 + f * 4, this.meta / 4 + f * 4 + 3);
      if (kind === 2) continue;
      const column = values / 8 + f * room;
      const own = this.f64.subarray(edges / 8 + f * 256, edges / 8 + f * 256 + 255);
      for (let i = 0; i < count; i++) {
        const x = this.f64[column + i];
        let bin = 0;
        if (kind & 1) bin = x >= 0 && x + 1 < size ? Math.floor(x) + 1 : 0;
        else if (!Number.isNaN(x)) bin = edgesBelow(own, x) + 1;
        this.u8[rowsAt + i * this.stride + f] = bin;
      }
    }
  }

  /** Gradients p - y and hessians p (1 - p) of the logistic loss; per block and lane of four sums and largest. */
  binaryGradients(
    rows: number,
    scores: number,
    labels: number,
    weights: number,
    g: number,
    h: number,
    partials: number,
  ): void {
    const { f32 } = this;
    for (let from = 0, partial = partials / 4; from < rows; from += block, partial += 16) {
      f32.fill(0, partial, partial + 16);
      const end = Math.min(rows, from + block);
      for (let r = from; r < end; r++) {
        const p = fround(1 / fround(1 + exp(-f32[scores / 4 + r])));
        let gradient = fround(p - f32[labels / 4 + r]);
        let hessian = Math.max(fround(p * fround(1 - p)), fround(1e-16));
        if (weights) {
          gradient = fround(gradient * f32[weights / 4 + r]);
          hessian = fround(hessian * f32[weights / 4 + r]);
        }
        f32[g / 4 + r] = gradient;
        f32[h / 4 + r] = hessian;
        const lane = partial + (r & 3);
        f32[lane] += Math.abs(gradient);
        f32[lane + 4] += hessian;
        f32[lane + 8] = Math.max(f32[lane + 8], Math.abs(gradient));
        f32[lane + 12] = Math.max(f32[lane + 12], hessian);
      }
    }
  }

  /**
   * Rounds gradients to 16 bits, up or down at random so that sums keep their mean, and packs them over `g`;
   * rows that `keep` of 2^32 does not draw get zeros. `sums` takes those of every tile. All rows go to node 0; on demand the root's histogram is added.
   */
  quantise(
    rows: number,
    g: number,
    h: number,
    scaleG: number,
    scaleH: number,
    seed: number,
    keep: number,
    nodes: number,
    histogram: number,
    sums: number,
  ): void {
    const { f32, i32 } = this;
    i32.fill(0, sums / 4, sums / 4 + 2 * Math.ceil(rows / this.tile));
    for (let r = 0; r < rows; r++) {
      const noise = mix(imul(r, 0x9e3779b1) ^ seed);
      const up = (half: number): number => fround(half * fround(1 / 65536));
      const qg = Math.floor(fround(fround(f32[g / 4 + r] * scaleG) + up(noise & 0xffff)));
      const qh = Math.floor(fround(fround(f32[h / 4 + r] * scaleH) + up(noise >>> 16)));
      let packed = (qg << 16) | (qh & 0xffff);
      if (keep !== 0xffffffff && !(mix(noise + 0x5bd1e995) >>> 1 < keep >>> 1)) packed = 0;
      i32[g / 4 + r] = packed;
      const sum = sums / 4 + 2 * Math.floor(r / this.tile);
      i32[sum] += packed >> 16;
      i32[sum + 1] += packed & 0xffff;
      if (histogram) this.addRow(this.bins + r * this.stride, this.privates, packed);
    }
    if (nodes) this.u8.fill(0, nodes, nodes + rows);
  }

  private addRow(row: number, hist: number, packed: number): void {
    const { u8, i32, stride, meta } = this;
    for (let f = 0; f < stride; f++) {
      const bin = (hist + i32[meta / 4 + f * 4]) / 4 + 2 * u8[row + f];
      i32[bin] += packed & 0xffff;
      i32[bin + 1] += packed >> 16;
    }
  }

  /** Moves every row on to its child, and adds it there where the child has a slot (an offset; 2^32 - 1: none). */
  routeLevel(
    rows: number,
    nodes: number,
    packed: number,
    features: number,
    tables: number,
    slots: number,
  ): void {
    const { u8, u32 } = this;
    for (let r = 0; r < rows; r++) {
      const node = u8[nodes + r];
      const row = this.bins + r * this.stride;
      const child = u8[tables + node * 256 + u8[row + u32[features / 4 + node]]];
      u8[nodes + r] = child;
      const slot = u32[slots / 4 + child];
      const q = this.i32[packed / 4 + r];
      if (slot !== 0xffffffff && q !== 0) this.addRow(row, this.privates + slot, q);
    }
  }

  /** Adds the value of every row's node to its score. */
  addByNode(rows: number, nodes: number, values: number, scores: number): void {
    for (let r = 0; r < rows; r++) this.f32[scores / 4 + r] += this.f32[values / 4 + this.u8[nodes + r]];
  }

  /** Pairs of row and packed gradient. */
  listRows(rows: number, packed: number, list: number): void {
    for (let r = 0; r < rows; r++) {
      this.u32[list / 4 + 2 * r] = r;
      this.u32[list / 4 + 2 * r + 1] = this.u32[packed / 4 + r];
    }
  }

  /** Parts the rows of one leaf tile by tile: the left ones from the front of a tile of `spare`, the others from its back. */
  partList(
    list: number,
    spare: number,
    start: number,
    count: number,
    feature: number,
    table: number,
    counts: number,
    side: number,
  ): void {
    const { u8, u32, i32, tile } = this;
    for (let t = 0; t * tile < count; t++) {
      const from = start + t * tile;
      const size = Math.min(tile, count - t * tile);
      let left = from;
      let right = from + size - 1;
      for (let i = from; i < from + size; i++) {
        const row = this.bins + u32[list / 4 + 2 * i] * this.stride;
        const goesLeft = u8[table + u8[row + feature]];
        const to = spare / 4 + 2 * (goesLeft ? left++ : right--);
        u32[to] = u32[list / 4 + 2 * i];
        u32[to + 1] = u32[list / 4 + 2 * i + 1];
        if (side < 2 && goesLeft !== side) this.addRow(row, this.privates, i32[list / 4 + 2 * i + 1]);
      }
      u32[counts / 4 + t] = left - from;
    }
  }

  /** Adds all rows of a list to the first histogram. */
  addList(list: number, start: number, count: number): void {
    for (let i = start; i < start + count; i++)
      this.addRow(
        this.bins + this.u32[list / 4 + 2 * i] * this.stride,
        this.privates,
        this.i32[list / 4 + 2 * i + 1],
      );
  }

  /** Adds the value of every leaf (start, count, value) to the scores of its rows. */
  addByList(list: number, leaves: number, leafCount: number, scores: number): void {
    for (let leaf = leaves / 4; leaf < leaves / 4 + leafCount * 4; leaf += 4) {
      const value = this.f32[leaf + 2];
      const end = this.u32[leaf] + this.u32[leaf + 1];
      for (let i = this.u32[leaf]; i < end; i++) this.f32[scores / 4 + this.u32[list / 4 + 2 * i]] += value;
    }
  }

  /** Walks rows down a tree of nodes (column or -1, left, right, value) by a table of 256 bytes each. */
  addByWalk(rowsAt: number, rows: number, tree: number, tables: number, scores: number): void {
    const { u8, i32, f32, stride } = this;
    for (let r = 0; r < rows; r++) {
      let node = 0;
      while (i32[tree / 4 + node * 4] >= 0) {
        const at = tree / 4 + node * 4;
        node = u8[tables + node * 256 + u8[rowsAt + r * stride + i32[at]]] ? i32[at + 1] : i32[at + 2];
      }
      f32[scores / 4 + r] += f32[tree / 4 + node * 4 + 3];
    }
  }

  /**
   * Finishes histograms and finds the best split of every column. A job of 64 bytes: where the histogram goes, the
   * parent's (0: none) which becomes the sibling's, the place among those just added, the node that it belongs
   * to and the sibling (0: not sought). On the way, the parts that `partList` left are put in order.
   */
  findSplits(
    jobs: number,
    jobCount: number,
    columns: number,
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
    Object.assign(this, { invG, invH, lambda, alpha, childWeight, catLambda, catSmooth, maxStep, extra });
    for (let job = jobs / 4; job < jobs / 4 + jobCount * 16; job += 16)
      for (let f = 0; f < columns; f++) this.findInColumn(job, f);
    if (list) this.gather(list, spare, start, count, counts);
  }

  private gather(list: number, spare: number, start: number, count: number, counts: number): void {
    const { u32, tile } = this;
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

  private findInColumn(job: number, f: number): void {
    const { i32, u32 } = this;
    const meta = this.meta / 4 + f * 4;
    const offset = i32[meta];
    const hist = (u32[job] + offset) / 4;
    const parent = u32[job + 1] ? (u32[job + 1] + offset) / 4 : 0;
    const added = (this.privates + u32[job + 2] + offset) / 4;
    for (let i = 0; i < 2 * i32[meta + 1]; i++) {
      i32[hist + i] = i32[added + i];
      i32[added + i] = 0;
      if (parent) i32[parent + i] -= i32[hist + i];
    }
    if (u32[job + 3]) this.findInNode(hist, meta, u32[job + 3], f);
    if (u32[job + 4]) this.findInNode(parent, meta, u32[job + 4], f);
  }

  private findInNode(hist: number, meta: number, node: number, f: number): void {
    const { i32, u32, f64 } = this;
    const answer = u32[node / 4 + 8] + f * 64;
    f64[answer / 8] = -1;
    const mask = u32[node / 4 + 9];
    if (mask && !this.u8[mask + f]) return;
    const size = i32[meta + 1];
    const found: Found = { gain: -1, at: 0, leftH: 0, leftG: 0, missingLeft: 0 };
    const sign = i32[meta + 3];
    if (i32[meta + 2] === 1) this.findCategories(hist, size, node, found, answer);
    else if (i32[meta + 2] === 3) this.findCategory(hist, size, node, found, answer);
    else if (this.extra) this.findRandom(hist, size, node, found, sign, f);
    else this.findThreshold(hist, size, node, found, sign);
    f64[answer / 8] = found.gain;
    u32[answer / 4 + 2] = found.at;
    u32[answer / 4 + 3] = found.missingLeft;
    i32[answer / 4 + 4] = found.leftH;
    i32[answer / 4 + 5] = found.leftG;
  }

  private findThreshold(hist: number, size: number, node: number, found: Found, sign: number): void {
    const { i32 } = this;
    const free =
      sign === 0 &&
      this.f64[node / 8 + 2] === -Infinity &&
      this.f64[node / 8 + 3] === Infinity &&
      this.alpha === 0 &&
      this.maxStep === 0;
    const missing = i32[hist] !== 0 || i32[hist + 1] !== 0;
    let H = 0;
    let G = 0;
    for (let b = 1; b < (missing ? size : size - 1); b++) {
      if (i32[hist + 2 * b] === 0 && i32[hist + 2 * b + 1] === 0) continue;
      H += i32[hist + 2 * b];
      G += i32[hist + 2 * b + 1];
      this.tryLeft(H, G, b, 0, node, found, sign, this.lambda, free);
      if (missing) this.tryLeft(H + i32[hist], G + i32[hist + 1], b, 1, node, found, sign, this.lambda, free);
    }
  }

  private tryLeft(
    H: number,
    G: number,
    at: number,
    missingLeft: number,
    node: number,
    found: Found,
    sign: number,
    lambda: number,
    free = false,
  ): void {
    const { f64 } = this;
    const gl = (G | 0) * this.invG;
    const hl = (H >>> 0) * this.invH;
    const gr = f64[node / 8] - gl;
    const hr = f64[node / 8 + 1] - hl;
    if (!(hl >= this.childWeight && hr >= this.childWeight)) return;
    let gain: number;
    if (free) gain = (gl * gl) / (hl + lambda) + (gr * gr) / (hr + lambda);
    else {
      const low = f64[node / 8 + 2];
      const high = f64[node / 8 + 3];
      const wl = this.stepOf(gl, hl, lambda, low, high);
      const wr = this.stepOf(gr, hr, lambda, low, high);
      if ((sign > 0 && wl > wr) || (sign < 0 && wl < wr)) return;
      gain = this.saved(gl, hl, lambda, wl) + this.saved(gr, hr, lambda, wr);
    }
    if (gain > found.gain) Object.assign(found, { gain, at, leftH: H | 0, leftG: G | 0, missingLeft });
  }

  private stepOf(g: number, h: number, lambda: number, low: number, high: number): number {
    const { alpha, maxStep } = this;
    const den = h + lambda;
    const shrunk = g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
    let w = den > 0 ? -shrunk / den : 0;
    if (maxStep > 0) w = w > maxStep ? maxStep : w < -maxStep ? -maxStep : w;
    return w < low ? low : w > high ? high : w;
  }

  private saved(g: number, h: number, lambda: number, w: number): number {
    return -(2 * g * w + (h + lambda) * w * w + 2 * this.alpha * Math.abs(w));
  }

  /** One threshold, drawn evenly among the bins between the lowest and the highest value of the node. */
  private findRandom(hist: number, size: number, node: number, found: Found, sign: number, f: number): void {
    const { i32 } = this;
    const empty = (b: number): boolean => i32[hist + 2 * b] === 0 && i32[hist + 2 * b + 1] === 0;
    const missing = !empty(0);
    let low = 1;
    while (low < size && empty(low)) low++;
    let high = size - 1;
    while (high > low && empty(high)) high--;
    if (low < high) {
      const salt = this.u32[node / 4 + 10] ^ imul(this.extra, 0x9e3779b1) ^ imul(f, 0x85ebca6b);
      const cut = low + ((mix(salt) >>> 0) % (high - low));
      let H = 0;
      let G = 0;
      for (let b = 1; b <= cut; b++) {
        H += i32[hist + 2 * b];
        G += i32[hist + 2 * b + 1];
      }
      this.tryLeft(H, G, cut, 0, node, found, sign, this.lambda);
      if (missing) this.tryLeft(H + i32[hist], G + i32[hist + 1], cut, 1, node, found, sign, this.lambda);
    } else if (missing && low < size)
      this.tryLeft(i32[hist + 2 * low], i32[hist + 2 * low + 1], low, 0, node, found, sign, this.lambda);
  }

  /** The best single category against all others. */
  private findCategory(hist: number, size: number, node: number, found: Found, answer: number): void {
    const { i32, u8 } = this;
    for (let b = 0; b < size; b++) {
      const H = i32[hist + 2 * b];
      const G = i32[hist + 2 * b + 1];
      if (H !== 0 || G !== 0)
        this.tryLeft(H, G, b, b === 0 ? 1 : 0, node, found, 0, this.lambda + this.catLambda);
    }
    if (found.gain < 0) return;
    u8.fill(0, answer + 32, answer + 64);
    u8[answer + 32 + (found.at >> 3)] = 1 << (found.at & 7);
  }

  /** The best set of categories: those up to some place in the order of their gradient over smoothed hessian. */
  private findCategories(hist: number, size: number, node: number, found: Found, answer: number): void {
    const { i32, u8 } = this;
    const present: { key: number; bin: number }[] = [];
    for (let bin = 0; bin < size; bin++) {
      const H = i32[hist + 2 * bin];
      const G = i32[hist + 2 * bin + 1];
      if (H === 0 && G === 0) continue;
      present.push({ key: (G * this.invG) / ((H >>> 0) * this.invH + this.catSmooth), bin });
    }
    present.sort((a, b) => a.key - b.key);
    let H = 0;
    let G = 0;
    for (let i = 0; i + 1 < present.length; i++) {
      H += i32[hist + 2 * present[i].bin];
      G += i32[hist + 2 * present[i].bin + 1];
      this.tryLeft(H, G, i, 0, node, found, 0, this.lambda + this.catLambda);
    }
    if (found.gain < 0) return;
    u8.fill(0, answer + 32, answer + 64);
    for (let i = 0; i <= found.at; i++) u8[answer + 32 + (present[i].bin >> 3)] |= 1 << (present[i].bin & 7);
    found.missingLeft = u8[answer + 32] & 1;
  }
}

/** How many of ascending edges are not above a value. */
function edgesBelow(edges: Float64Array, x: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

const [c0, c1, c2, c3, c4, c5] = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
].map(fround);
const log2e = fround(1.4426950408889634);
const ln2High = fround(0.693359375);
const ln2Low = fround(-2.1219444e-4);
const bits = new DataView(new ArrayBuffer(4));

/** exp in float32 steps (Cephes, expf). */
function exp(x0: number): number {
  const x = Math.max(Math.min(x0, 87), -87);
  const n = Math.floor(fround(fround(x * log2e) + 0.5));
  let r = fround(x - fround(n * ln2High));
  r = fround(r - fround(n * ln2Low));
  let y = c0;
  for (const c of [c1, c2, c3, c4, c5]) y = fround(fround(y * r) + c);
  y = fround(fround(fround(y * fround(r * r)) + r) + 1);
  bits.setInt32(0, (n + 127) << 23);
  return fround(y * bits.getFloat32(0));
}

// memory: own
// Kernels on the heap of the tfjs WASM backend: they read and write its tensors in place. The memory is
// tfjs's own, so nothing here may need static data; scratch space comes from the caller.

/** Columns of a panel of B, and rows of a strip of A: 4 x 8 accumulators fit the registers. */
const NR: i32 = 8;
const MR: i32 = 4;
/** Depth and width of the packed block of B: 512 KiB, in the second cache. */
const KB: i32 = 256;
const NB: i32 = 512;

/** Bytes of scratch space that `gemm` needs. */
export function gemmScratch(): i32 {
  return (KB * NB + KB * MR + MR * NR) * 4;
}

function packB(k: i32, n: i32, b: usize, bRow: i32, bCol: i32, to: usize): void {
  for (let j = 0; j < n; j += NR) {
    const wide = min(NR, n - j);
    if (wide == NR && bCol == 1) {
      for (let p = 0; p < k; p++) {
        const from = b + ((<usize>p * bRow + j) << 2);
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
        to += NR * 4;
      }
      continue;
    }
    for (let p = 0; p < k; p++) {
      for (let c = 0; c < NR; c++) {
        const value = c < wide ? load<f32>(b + ((<usize>p * bRow + <usize>(j + c) * bCol) << 2)) : 0;
        store<f32>(to + (c << 2), value);
      }
      to += NR * 4;
    }
  }
}

function packA(m: i32, k: i32, a: usize, aRow: i32, aCol: i32, to: usize): void {
  if (m == MR && aRow == 1) {
    for (let p = 0; p < k; p++) v128.store(to + (p << 4), v128.load(a + ((<usize>p * aCol) << 2)));
    return;
  }
  for (let r = 0; r < MR; r++) {
    if (r >= m) {
      for (let p = 0; p < k; p++) store<f32>(to + (p << 4) + (r << 2), 0);
      continue;
    }
    const row = a + ((<usize>r * aRow) << 2);
    for (let p = 0; p < k; p++)
      store<f32>(to + (p << 4) + (r << 2), load<f32>(row + ((<usize>p * aCol) << 2)));
  }
}

/** c[4, 8] (+)= strip of A times panel of B; `cRow` in bytes. */
function tile(k: i32, pa: usize, pb: usize, c: usize, cRow: usize, add: bool): void {
  let a0 = f32x4.splat(0),
    a1 = f32x4.splat(0),
    b0 = f32x4.splat(0),
    b1 = f32x4.splat(0);
  let c0 = f32x4.splat(0),
    c1 = f32x4.splat(0),
    d0 = f32x4.splat(0),
    d1 = f32x4.splat(0);
  if (add) {
    a0 = v128.load(c);
    a1 = v128.load(c, 16);
    b0 = v128.load(c + cRow);
    b1 = v128.load(c + cRow, 16);
    c0 = v128.load(c + 2 * cRow);
    c1 = v128.load(c + 2 * cRow, 16);
    d0 = v128.load(c + 3 * cRow);
    d1 = v128.load(c + 3 * cRow, 16);
  }
  for (let p = 0; p < k; p++) {
    const left = v128.load(pb);
    const right = v128.load(pb, 16);
    let s = v128.load32_splat(pa);
    a0 = f32x4.add(a0, f32x4.mul(s, left));
    a1 = f32x4.add(a1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 4);
    b0 = f32x4.add(b0, f32x4.mul(s, left));
    b1 = f32x4.add(b1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 8);
    c0 = f32x4.add(c0, f32x4.mul(s, left));
    c1 = f32x4.add(c1, f32x4.mul(s, right));
    s = v128.load32_splat(pa, 12);
    d0 = f32x4.add(d0, f32x4.mul(s, left));
    d1 = f32x4.add(d1, f32x4.mul(s, right));
    pa += 16;
    pb += 32;
  }
  v128.store(c, a0);
  v128.store(c, a1, 16);
  v128.store(c + cRow, b0);
  v128.store(c + cRow, b1, 16);
  v128.store(c + 2 * cRow, c0);
  v128.store(c + 2 * cRow, c1, 16);
  v128.store(c + 3 * cRow, d0);
  v128.store(c + 3 * cRow, d1, 16);
}

/**
 * C[m, n] = A[m, k] B[k, n], or C += A B. Strides in elements: a transposed matrix is one with its
 * strides exchanged; C is row-major with stride n.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aCol: i32,
  b: usize,
  bRow: i32,
  bCol: i32,
  c: usize,
  add: bool,
  scratch: usize,
): void {
  const packedB = scratch;
  const packedA = packedB + KB * NB * 4;
  const edge = packedA + KB * MR * 4;
  if (k == 0 && !add) memory.fill(c, 0, (<usize>m * n) << 2);
  for (let j0 = 0; j0 < n; j0 += NB) {
    const nb = min(NB, n - j0);
    for (let p0 = 0; p0 < k; p0 += KB) {
      const kb = min(KB, k - p0);
      packB(kb, nb, b + ((<usize>p0 * bRow + <usize>j0 * bCol) << 2), bRow, bCol, packedB);
      const adding = add || p0 > 0;
      for (let i = 0; i < m; i += MR) {
        const high = min(MR, m - i);
        packA(high, kb, a + ((<usize>i * aRow + <usize>p0 * aCol) << 2), aRow, aCol, packedA);
        for (let j = 0; j < nb; j += NR) {
          const wide = min(NR, nb - j);
          const panel = packedB + ((<usize>j * kb) << 2);
          const to = c + ((<usize>i * n + j0 + j) << 2);
          if (high == MR && wide == NR) {
            tile(kb, packedA, panel, to, (<usize>n) << 2, adding);
            continue;
          }
          tile(kb, packedA, panel, edge, NR * 4, false);
          for (let r = 0; r < high; r++)
            for (let q = 0; q < wide; q++) {
              const at = to + ((<usize>r * n + q) << 2);
              const value = load<f32>(edge + ((r * NR + q) << 2));
              store<f32>(at, adding ? load<f32>(at) + value : value);
            }
        }
      }
    }
  }
}

/** Many products of one shape, `aBatch`, `bBatch` elements apart; 0 repeats the same matrix. */
export function gemmBatch(
  batches: i32,
  aBatch: i32,
  bBatch: i32,
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aCol: i32,
  b: usize,
  bRow: i32,
  bCol: i32,
  c: usize,
  scratch: usize,
): void {
  for (let i = 0; i < batches; i++)
    gemm(
      m,
      n,
      k,
      a + ((<usize>i * aBatch) << 2),
      aRow,
      aCol,
      b + ((<usize>i * bBatch) << 2),
      bRow,
      bCol,
      c + ((<usize>i * m * n) << 2),
      false,
      scratch,
    );
}

/** out[r] = table[ids[r]], rows of `d` floats. Returns the first place whose id is out of range, else -1. */
export function gather(n: i32, d: i32, rows: i32, table: usize, ids: usize, out: usize): i32 {
  const bytes = (<usize>d) << 2;
  for (let r = 0; r < n; r++) {
    const id = load<i32>(ids + ((<usize>r) << 2));
    if (<u32>id >= <u32>rows) return r;
    memory.copy(out + <usize>r * bytes, table + <usize>id * bytes, bytes);
  }
  return -1;
}

/** out[ids[r]] += x[r]; out is zeroed first. Ids that are out of range are left out, as tfjs does. */
export function segmentSum(n: i32, d: i32, segments: i32, x: usize, ids: usize, out: usize): void {
  const bytes = (<usize>d) << 2;
  memory.fill(out, 0, <usize>segments * bytes);
  for (let r = 0; r < n; r++) {
    const id = load<i32>(ids + ((<usize>r) << 2));
    if (<u32>id < <u32>segments) addRow(d, out + <usize>id * bytes, x + <usize>r * bytes);
  }
}

function addRow(d: i32, to: usize, from: usize): void {
  let i = 0;
  for (; i + 4 <= d; i += 4) {
    const at = (<usize>i) << 2;
    v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  }
  for (; i < d; i++) {
    const at = (<usize>i) << 2;
    store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
  }
}

/** out[c] = sum over rows of x[r, c]. */
export function columnSums(rows: i32, d: i32, x: usize, out: usize): void {
  memory.fill(out, 0, (<usize>d) << 2);
  for (let r = 0; r < rows; r++) addRow(d, out, x + ((<usize>r * d) << 2));
}

/** Sum of squares, in double precision between blocks of 256. */
export function squares(n: i32, x: usize): f64 {
  let total: f64 = 0;
  for (let from = 0; from < n; from += 256) {
    const to = min(n, from + 256);
    let part = f32x4.splat(0);
    let i = from;
    for (; i + 4 <= to; i += 4) {
      const v = v128.load(x + ((<usize>i) << 2));
      part = f32x4.add(part, f32x4.mul(v, v));
    }
    let sum: f64 =
      <f64>f32x4.extract_lane(part, 0) +
      <f64>f32x4.extract_lane(part, 1) +
      <f64>f32x4.extract_lane(part, 2) +
      <f64>f32x4.extract_lane(part, 3);
    for (; i < to; i++) {
      const v = <f64>load<f32>(x + ((<usize>i) << 2));
      sum += v * v;
    }
    total += sum;
  }
  return total;
}

/**
 * One step of Adam with decoupled decay (Loshchilov & Hutter 2019) over w, in one pass.
 * c1, c2: 1 / (1 - beta^t); factor multiplies the gradient (clipping); decay: rate x weight decay.
 */
export function adam(
  n: i32,
  w: usize,
  g: usize,
  m: usize,
  v: usize,
  rate: f32,
  beta1: f32,
  beta2: f32,
  eps: f32,
  c1: f32,
  c2: f32,
  factor: f32,
  decay: f32,
): void {
  const vb1 = f32x4.splat(beta1),
    vb2 = f32x4.splat(beta2);
  const vo1 = f32x4.splat(1 - beta1),
    vo2 = f32x4.splat(1 - beta2);
  const vc1 = f32x4.splat(c1 * rate),
    vc2 = f32x4.splat(c2);
  const veps = f32x4.splat(eps),
    vf = f32x4.splat(factor),
    keep = f32x4.splat(1 - decay);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const at = (<usize>i) << 2;
    const grad = f32x4.mul(v128.load(g + at), vf);
    const first = f32x4.add(f32x4.mul(vb1, v128.load(m + at)), f32x4.mul(vo1, grad));
    const second = f32x4.add(f32x4.mul(vb2, v128.load(v + at)), f32x4.mul(vo2, f32x4.mul(grad, grad)));
    v128.store(m + at, first);
    v128.store(v + at, second);
    const step = f32x4.div(f32x4.mul(first, vc1), f32x4.add(f32x4.sqrt(f32x4.mul(second, vc2)), veps));
    v128.store(w + at, f32x4.sub(f32x4.mul(v128.load(w + at), keep), step));
  }
  for (; i < n; i++) {
    const at = (<usize>i) << 2;
    const grad = load<f32>(g + at) * factor;
    const first = beta1 * load<f32>(m + at) + (1 - beta1) * grad;
    const second = beta2 * load<f32>(v + at) + (1 - beta2) * (grad * grad);
    store<f32>(m + at, first);
    store<f32>(v + at, second);
    const step = (first * (c1 * rate)) / (sqrt<f32>(second * c2) + eps);
    store<f32>(w + at, load<f32>(w + at) * (1 - decay) - step);
  }
}

function hashed(index: v128, seed: v128): v128 {
  let h = v128.xor(i32x4.mul(index, i32x4.splat(0x9e3779b1)), seed);
  h = v128.xor(h, i32x4.shr_u(h, 16));
  h = i32x4.mul(h, i32x4.splat(0x85ebca6b));
  h = v128.xor(h, i32x4.shr_u(h, 13));
  h = i32x4.mul(h, i32x4.splat(0xc2b2ae35));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** out = x * scale where the hash of seed and index, 31 bits, is `dropped` or more, else 0. Works in place. */
export function dropout(n: i32, x: usize, out: usize, seed: i32, dropped: i32, scale: f32): void {
  const vseed = i32x4.splat(seed),
    vdropped = i32x4.splat(dropped),
    vscale = f32x4.splat(scale);
  let index = i32x4(0, 1, 2, 3);
  const four = i32x4.splat(4);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const kept = i32x4.ge_s(i32x4.shr_u(hashed(index, vseed), 1), vdropped);
    const at = (<usize>i) << 2;
    v128.store(out + at, v128.and(f32x4.mul(v128.load(x + at), vscale), kept));
    index = i32x4.add(index, four);
  }
  if (i == n) return;
  const kept = i32x4.ge_s(i32x4.shr_u(hashed(index, vseed), 1), vdropped);
  for (let r = 0; i < n; i++, r++) {
    const at = (<usize>i) << 2;
    const keep =
      r == 0
        ? i32x4.extract_lane(kept, 0)
        : r == 1
          ? i32x4.extract_lane(kept, 1)
          : i32x4.extract_lane(kept, 2);
    store<f32>(out + at, keep != 0 ? load<f32>(x + at) * scale : 0);
  }
}

function lanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** Sum of x[i] * y[i]. */
function dot(d: i32, x: usize, y: usize): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= d; i += 4) {
    const at = (<usize>i) << 2;
    sum = f32x4.add(sum, f32x4.mul(v128.load(x + at), v128.load(y + at)));
  }
  let total = lanes(sum);
  for (; i < d; i++) total += load<f32>(x + ((<usize>i) << 2)) * load<f32>(y + ((<usize>i) << 2));
  return total;
}

/** out = (x - mean) / sqrt(var + eps) * gamma + beta by row; `normal` receives the normalised x, `spread` 1 / sqrt(var + eps). */
export function layerNorm(
  rows: i32,
  d: i32,
  x: usize,
  gamma: usize,
  beta: usize,
  eps: f32,
  out: usize,
  normal: usize,
  spread: usize,
): void {
  for (let r = 0; r < rows; r++) {
    const row = x + ((<usize>r * d) << 2);
    let sum: f32 = 0;
    for (let i = 0; i < d; i++) sum += load<f32>(row + ((<usize>i) << 2));
    const mean = sum / <f32>d;
    let squared: f32 = 0;
    for (let i = 0; i < d; i++) {
      const off = load<f32>(row + ((<usize>i) << 2)) - mean;
      squared += off * off;
    }
    const inverse = <f32>1 / sqrt<f32>(squared / <f32>d + eps);
    store<f32>(spread + ((<usize>r) << 2), inverse);
    for (let i = 0; i < d; i++) {
      const at = (<usize>i) << 2;
      const unit = (load<f32>(row + at) - mean) * inverse;
      store<f32>(normal + ((<usize>r * d) << 2) + at, unit);
      store<f32>(out + ((<usize>r * d) << 2) + at, unit * load<f32>(gamma + at) + load<f32>(beta + at));
    }
  }
}

/** The three gradients of `layerNorm`. */
export function layerNormBack(
  rows: i32,
  d: i32,
  dy: usize,
  normal: usize,
  spread: usize,
  gamma: usize,
  dx: usize,
  dgamma: usize,
  dbeta: usize,
): void {
  memory.fill(dgamma, 0, (<usize>d) << 2);
  memory.fill(dbeta, 0, (<usize>d) << 2);
  for (let r = 0; r < rows; r++) {
    const up = dy + ((<usize>r * d) << 2);
    const unit = normal + ((<usize>r * d) << 2);
    let sum: f32 = 0,
      along: f32 = 0;
    for (let i = 0; i < d; i++) {
      const at = (<usize>i) << 2;
      const g = load<f32>(up + at);
      const u = load<f32>(unit + at);
      const scaled = g * load<f32>(gamma + at);
      sum += scaled;
      along += scaled * u;
      store<f32>(dgamma + at, load<f32>(dgamma + at) + g * u);
      store<f32>(dbeta + at, load<f32>(dbeta + at) + g);
    }
    sum /= <f32>d;
    along /= <f32>d;
    const inverse = load<f32>(spread + ((<usize>r) << 2));
    for (let i = 0; i < d; i++) {
      const at = (<usize>i) << 2;
      const scaled = load<f32>(up + at) * load<f32>(gamma + at);
      store<f32>(dx + ((<usize>r * d) << 2) + at, (scaled - sum - load<f32>(unit + at) * along) * inverse);
    }
  }
}

/** e^x to 2 units in the last place, 0 below -87 (Cephes expf: Moshier 1992). */
function exp4(x: v128): v128 {
  const low = f32x4.lt(x, f32x4.splat(-87));
  x = f32x4.max(f32x4.splat(-87), f32x4.min(f32x4.splat(88), x));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504)));
  x = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  x = f32x4.add(x, f32x4.mul(n, f32x4.splat(2.1219444e-4)));
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, x), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(x, x), p), x), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, power), low);
}

function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** Replaces x[0, n) by e^(x - max); returns their sum, and leaves the maximum at `top`. */
function exponentials(n: i32, x: usize, top: usize): f32 {
  let most: f32 = -f32.MAX_VALUE;
  for (let i = 0; i < n; i++) most = max(most, load<f32>(x + ((<usize>i) << 2)));
  store<f32>(top, most);
  const vmost = f32x4.splat(most);
  let sums = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const e = exp4(f32x4.sub(v128.load(x + ((<usize>i) << 2)), vmost));
    v128.store(x + ((<usize>i) << 2), e);
    sums = f32x4.add(sums, e);
  }
  let sum = lanes(sums);
  for (; i < n; i++) {
    const e = exp1(load<f32>(x + ((<usize>i) << 2)) - most);
    store<f32>(x + ((<usize>i) << 2), e);
    sum += e;
  }
  return sum;
}

function scaleRow(n: i32, x: usize, by: f32): void {
  const vby = f32x4.splat(by);
  let i = 0;
  for (; i + 4 <= n; i += 4)
    v128.store(x + ((<usize>i) << 2), f32x4.mul(v128.load(x + ((<usize>i) << 2)), vby));
  for (; i < n; i++) store<f32>(x + ((<usize>i) << 2), load<f32>(x + ((<usize>i) << 2)) * by);
}

/** Softmax of scale * x over the columns up to the row's own number (mod `length`), 0 beyond: causal attention. */
export function causalSoftmax(rows: i32, length: i32, scale: f32, x: usize, out: usize, top: usize): void {
  const bytes = (<usize>length) << 2;
  for (let r = 0; r < rows; r++) {
    const to = out + <usize>r * bytes;
    const open = (r % length) + 1;
    memory.copy(to, x + <usize>r * bytes, (<usize>open) << 2);
    memory.fill(to + ((<usize>open) << 2), 0, bytes - ((<usize>open) << 2));
    scaleRow(open, to, scale);
    const sum = exponentials(open, to, top);
    scaleRow(open, to, 1 / sum);
  }
}

/** dx = scale * y * (dy - sum(dy * y)) by row, 0 beyond the row's own number. */
export function causalSoftmaxBack(rows: i32, length: i32, scale: f32, y: usize, dy: usize, dx: usize): void {
  const bytes = (<usize>length) << 2;
  for (let r = 0; r < rows; r++) {
    const at = <usize>r * bytes;
    const open = (r % length) + 1;
    const along = dot(open, y + at, dy + at);
    for (let i = 0; i < open; i++) {
      const p = at + ((<usize>i) << 2);
      store<f32>(dx + p, scale * load<f32>(y + p) * (load<f32>(dy + p) - along));
    }
    memory.fill(dx + at + ((<usize>open) << 2), 0, bytes - ((<usize>open) << 2));
  }
}

/** Rows of a tile of the fused cross-entropy. */
const TILE: i32 = 64;

/** Bytes of scratch space that `softmaxLoss` needs for `m` candidates. */
export function lossScratch(m: i32): i32 {
  return gemmScratch() + TILE * m * 4 + 16;
}

/**
 * Cross-entropy of softmax(h rowsᵀ + shift) against the target of every row, with both gradients; the
 * n x m logits are never stored, only TILE rows of them. Row r counts weight[r]. `hits`, where not 0,
 * holds for every candidate an id, and `owner` the id of every row's target: other candidates with the
 * target's id are no negatives and are left out of the sum (in-batch negatives).
 *
 * @param losses receives per row: target's logit, maximum, sum of exponentials (3 n floats)
 */
export function softmaxLoss(
  n: i32,
  m: i32,
  d: i32,
  h: usize,
  rows: usize,
  shift: usize,
  target: usize,
  weight: usize,
  hits: usize,
  owner: usize,
  dh: usize,
  drows: usize,
  losses: usize,
  scratch: usize,
): void {
  const logits = scratch + <usize>gemmScratch();
  const top = logits + ((<usize>TILE * m) << 2);
  memory.fill(drows, 0, (<usize>m * d) << 2);
  for (let from = 0; from < n; from += TILE) {
    const high = min(TILE, n - from);
    const tileH = h + ((<usize>from * d) << 2);
    gemm(high, m, d, tileH, d, 1, rows, 1, d, logits, false, scratch);
    for (let r = 0; r < high; r++) {
      const row = logits + ((<usize>r * m) << 2);
      addRow(m, row, shift);
      const own = load<i32>(target + ((<usize>(from + r)) << 2));
      if (hits) {
        const id = load<i32>(owner + ((<usize>(from + r)) << 2));
        for (let j = 0; j < m; j++)
          if (j != own && load<i32>(hits + ((<usize>j) << 2)) == id)
            store<f32>(row + ((<usize>j) << 2), -1e30);
      }
      const at = losses + ((<usize>(from + r) * 3) << 2);
      store<f32>(at, load<f32>(row + ((<usize>own) << 2)));
      const sum = exponentials(m, row, top);
      store<f32>(at, load<f32>(top), 4);
      store<f32>(at, sum, 8);
      const counted = load<f32>(weight + ((<usize>(from + r)) << 2));
      scaleRow(m, row, counted / sum);
      store<f32>(row + ((<usize>own) << 2), load<f32>(row + ((<usize>own) << 2)) - counted);
    }
    gemm(high, d, m, logits, m, 1, rows, d, 1, dh + ((<usize>from * d) << 2), false, scratch);
    gemm(m, d, high, logits, 1, m, tileH, d, 1, drows, true, scratch);
  }
}

/**
 * Patches of images: cols[(b, oy, ox), (ky, kx, c)] = x[b, oy * stride + ky - top, ox * stride + kx - left, c],
 * 0 outside.
 */
export function patches(
  images: i32,
  high: i32,
  wide: i32,
  channels: i32,
  outHigh: i32,
  outWide: i32,
  kernelHigh: i32,
  kernelWide: i32,
  strideY: i32,
  strideX: i32,
  top: i32,
  left: i32,
  x: usize,
  cols: usize,
): void {
  const bytes = (<usize>channels) << 2;
  for (let b = 0; b < images; b++)
    for (let oy = 0; oy < outHigh; oy++)
      for (let ox = 0; ox < outWide; ox++)
        for (let ky = 0; ky < kernelHigh; ky++) {
          const y = oy * strideY + ky - top;
          for (let kx = 0; kx < kernelWide; kx++) {
            const at = ox * strideX + kx - left;
            if (y >= 0 && y < high && at >= 0 && at < wide)
              memory.copy(cols, x + <usize>((b * high + y) * wide + at) * bytes, bytes);
            else memory.fill(cols, 0, bytes);
            cols += bytes;
          }
        }
}

/** The gradient of `patches`: adds the columns back to where they came from. */
export function patchesBack(
  images: i32,
  high: i32,
  wide: i32,
  channels: i32,
  outHigh: i32,
  outWide: i32,
  kernelHigh: i32,
  kernelWide: i32,
  strideY: i32,
  strideX: i32,
  top: i32,
  left: i32,
  cols: usize,
  dx: usize,
): void {
  const bytes = (<usize>channels) << 2;
  memory.fill(dx, 0, <usize>(images * high * wide) * bytes);
  for (let b = 0; b < images; b++)
    for (let oy = 0; oy < outHigh; oy++)
      for (let ox = 0; ox < outWide; ox++)
        for (let ky = 0; ky < kernelHigh; ky++) {
          const y = oy * strideY + ky - top;
          for (let kx = 0; kx < kernelWide; kx++) {
            const at = ox * strideX + kx - left;
            if (y >= 0 && y < high && at >= 0 && at < wide)
              addRow(channels, dx + <usize>((b * high + y) * wide + at) * bytes, cols);
            cols += bytes;
          }
        }
}

// part of other kernels: Dropout, layer normalisation and the softmax of causal attention.
import { dot, exponentials, scaleRow } from "./rows.as";

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

import { mix } from "../../core/rng.js";
import { addRow } from "./histograms.js";
import type { PlainMemory } from "./memory.js";

const { fround, imul } = Math;

/**
 * Rounds gradients to 16 bits, up or down at random so that sums keep their mean, and packs them over `g`;
 * rows that `keep` of 2^32 does not draw get zeros. `sums` takes those of every tile. All rows go to node 0; on demand
 * the root's histogram is added.
 */
export function quantise(
  m: PlainMemory,
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
  const { f32, i32 } = m;
  i32.fill(0, sums / 4, sums / 4 + 2 * Math.ceil(rows / m.tile));
  for (let r = 0; r < rows; r++) {
    const packed = packedRow(r, f32[g / 4 + r], f32[h / 4 + r], scaleG, scaleH, seed, keep);
    i32[g / 4 + r] = packed;
    finishRow(m, r, packed, histogram, sums);
  }
  if (nodes) m.u8.fill(0, nodes, nodes + rows);
}

/**
 * Packed gradients p - y and hessians p (1 - p) of the logistic loss, as `quantise` makes them; `partials` takes, per
 * tile and lane of four, sums of |gradient| and hessian.
 */
export function packBinary(
  m: PlainMemory,
  rows: number,
  scores: number,
  labels: number,
  weights: number,
  to: number,
  scaleG: number,
  scaleH: number,
  seed: number,
  keep: number,
  nodes: number,
  histogram: number,
  sums: number,
  partials: number,
): void {
  const { f32, i32, tile } = m;
  const tiles = Math.ceil(rows / tile);
  i32.fill(0, sums / 4, sums / 4 + 2 * tiles);
  f32.fill(0, partials / 4, partials / 4 + 8 * tiles);
  for (let r = 0; r < rows; r++) {
    const p = fround(1 / fround(1 + exp(-f32[scores / 4 + r])));
    let g = fround(p - f32[labels / 4 + r]);
    let h = Math.max(fround(p * fround(1 - p)), fround(1e-16));
    if (weights) {
      g = fround(g * f32[weights / 4 + r]);
      h = fround(h * f32[weights / 4 + r]);
    }
    const lane = partials / 4 + 8 * Math.floor(r / tile) + (r & 3);
    f32[lane] += Math.abs(g);
    f32[lane + 4] += h;
    const packed = packedRow(r, g, h, scaleG, scaleH, seed, keep);
    i32[to / 4 + r] = packed;
    finishRow(m, r, packed, histogram, sums);
  }
  if (nodes) m.u8.fill(0, nodes, nodes + rows);
}

function packedRow(
  r: number,
  g: number,
  h: number,
  scaleG: number,
  scaleH: number,
  seed: number,
  keep: number,
): number {
  const noise = mix(imul(r, 0x9e3779b1) ^ seed);
  if (keep !== 0xffffffff && !(mix(noise + 0x5bd1e995) >>> 1 < keep >>> 1)) return 0;
  const up = (half: number): number => fround(half * fround(1 / 65536));
  const qg = Math.floor(fround(fround(g * scaleG) + up(noise & 0xffff)));
  const qh = Math.floor(fround(fround(h * scaleH) + up(noise >>> 16)));
  return (qg << 16) | (qh & 0xffff);
}

function finishRow(m: PlainMemory, r: number, packed: number, histogram: number, sums: number): void {
  const sum = sums / 4 + 2 * Math.floor(r / m.tile);
  m.i32[sum] += packed >> 16;
  m.i32[sum + 1] += packed & 0xffff;
  if (histogram) addRow(m, m.bins + r * m.stride, m.privates, packed);
}

const [c0, c1, c2, c3, c4, c5] = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
].map(fround);
const log2e = fround(1.4426950408889634);
const ln2High = fround(0.693359375);
const ln2Low = fround(-2.1219444e-4);
/** Numbers below 2^22 are rounded to whole ones by adding it. */
const whole = 12582912;
const bits = new DataView(new ArrayBuffer(4));

/** exp in float32 steps (Cephes, expf). */
function exp(x0: number): number {
  const x = Math.max(Math.min(x0, 87), -87);
  const n = fround(fround(fround(x * log2e) + whole) - whole);
  let r = fround(x - fround(n * ln2High));
  r = fround(r - fround(n * ln2Low));
  let y = c0;
  for (const c of [c1, c2, c3, c4, c5]) y = fround(fround(y * r) + c);
  y = fround(fround(fround(y * fround(r * r)) + r) + 1);
  bits.setInt32(0, (n + 127) << 23);
  return fround(y * bits.getFloat32(0));
}

import { mix } from "../../core/rng.js";
import type { SharedKernel } from "../../engine/pool.js";
import type { Scales } from "./workspace.js";

const block = 4096;

/**
 * Writes gradients and hessians of rows, times their weights, and per block of 4,096 rows in four lanes: sums of
 * |g| and h, largest |g| and h.
 */
export function writeGradients(
  kernel: SharedKernel,
  rows: number,
  g: number,
  h: number,
  partials: number,
  weights: Float32Array | undefined,
  gradient: (r: number) => number,
  hessian: (r: number) => number,
): void {
  const gs = kernel.f32(g, rows);
  const hs = kernel.f32(h, rows);
  const blocks = Math.ceil(rows / block);
  const sums = kernel.f32(partials, blocks * 16).fill(0);
  for (let b = 0; b < blocks; b++) {
    let sumG = 0;
    let sumH = 0;
    let mostG = 0;
    let mostH = 0;
    for (let r = b * block; r < Math.min(rows, (b + 1) * block); r++) {
      const weight = weights ? weights[r] : 1;
      gs[r] = gradient(r) * weight;
      hs[r] = hessian(r) * weight;
      const size = Math.abs(gs[r]);
      sumG += size;
      sumH += hs[r];
      if (size > mostG) mostG = size;
      if (hs[r] > mostH) mostH = hs[r];
    }
    sums[b * 16] = sumG;
    sums[b * 16 + 4] = sumH;
    sums[b * 16 + 8] = mostG;
    sums[b * 16 + 12] = mostH;
  }
}

/** How large the gradients and hessians of all rows are: sums of |g| and h, largest |g| and h. */
export interface GradientSize {
  sumG: number;
  sumH: number;
  mostG: number;
  mostH: number;
}

/** What `writeGradients` left in the partial sums. */
export function gradientSize(kernel: SharedKernel, partials: number, blocks: number): GradientSize {
  const values = kernel.f32(partials, blocks * 16);
  let sumG = 0;
  let sumH = 0;
  let mostG = 0;
  let mostH = 0;
  for (let b = 0; b < blocks * 16; b += 16)
    for (let lane = b; lane < b + 4; lane++) {
      sumG += values[lane];
      sumH += values[lane + 4];
      mostG = Math.max(mostG, values[lane + 8]);
      mostH = Math.max(mostH, values[lane + 12]);
    }
  return { sumG, sumH, mostG, mostH };
}

/**
 * The largest scales for which no rounded gradient leaves 16 bits and no sum of them 32 bits. Hessians are
 * scaled by whole numbers, so that constant ones are counted exactly.
 */
export function scalesFor({ sumG, sumH, mostG, mostH }: GradientSize, rows: number): Scales {
  const g = Math.min(32000 / mostG, (2 ** 31 - 2 - rows) / (sumG * 1.01));
  const h = Math.min(65000 / mostH, (2 ** 32 - 2 - rows) / (sumH * 1.01));
  return {
    g: Number.isFinite(g) ? Math.fround(g) : 1,
    h: Number.isFinite(h) ? Math.fround(h > 1 ? Math.floor(h) : h) : 1,
  };
}

/**
 * Gradient-based one-side sampling: keeps the rows with the largest gradients, draws of the others, which count the more,
 * and sets the rest to 0. Ke et al. (2017), "LightGBM", algorithm 2; the bound is found to one of 4,096 steps.
 *
 * @param top  share of the rows that is kept
 * @param rest share of the rows that is drawn of the others
 */
export function sampleOneSide(
  kernel: SharedKernel,
  rows: number,
  g: number,
  h: number,
  { top, rest }: { top: number; rest: number },
  seed: number,
): GradientSize {
  const gs = kernel.f32(g, rows);
  const hs = kernel.f32(h, rows);
  let most = 0;
  for (let r = 0; r < rows; r++) most = Math.max(most, Math.abs(gs[r]));
  const step = 4095 / (most || 1);
  const counts = new Uint32Array(4096);
  for (let r = 0; r < rows; r++) counts[Math.floor(Math.abs(gs[r]) * step)]++;
  let bound = 4096;
  let kept = 0;
  while (bound > 0 && kept < top * rows) kept += counts[--bound];
  const others = Math.max(1, rows - kept);
  const share = Math.min(1, (rest * rows) / others);
  const size: GradientSize = { sumG: 0, sumH: 0, mostG: 0, mostH: 0 };
  for (let r = 0; r < rows; r++) {
    if (Math.floor(Math.abs(gs[r]) * step) < bound) {
      const drawn = mix(Math.imul(r, 0x9e3779b1) ^ seed ^ 0x2c1b3c6d) >>> 0 < share * 4294967296;
      gs[r] = drawn ? gs[r] / share : 0;
      hs[r] = drawn ? hs[r] / share : 0;
    }
    size.sumG += Math.abs(gs[r]);
    size.sumH += hs[r];
    size.mostG = Math.max(size.mostG, Math.abs(gs[r]));
    size.mostH = Math.max(size.mostH, hs[r]);
  }
  return size;
}

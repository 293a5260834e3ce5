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

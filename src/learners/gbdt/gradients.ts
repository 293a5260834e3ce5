import type { SharedKernel } from "../../engine/pool.js";

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

// part of other kernels: Cross-entropy that never stores its logits.
import { gemm, gemmScratch } from "./products.as";
import { addRow, exponentials, scaleRow } from "./rows.as";

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

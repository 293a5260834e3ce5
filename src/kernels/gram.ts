import type { Csr } from "./csr.js";

/**
 * Adds XᵀX to the lower triangle of `into`, for rows `from` to `to - 1` of a sparse X.
 *
 * @param into cols x cols, row-major
 */
export function addGram(x: Csr, from: number, to: number, into: Float64Array): void {
  const { cols, starts, columns, values } = x;
  for (let r = from; r < to; r++)
    for (let p = starts[r]; p < starts[r + 1]; p++) {
      const row = columns[p] * cols;
      if (values) for (let q = starts[r]; q <= p; q++) into[row + columns[q]] += values[p] * values[q];
      else for (let q = starts[r]; q <= p; q++) into[row + columns[q]]++;
    }
}

import type { Points } from "./lloyd.js";

/**
 * Rows of numbers: few dense columns first, then columns that hold ones and zeros. Row r has
 * `numbers[r * numberWidth …]` in columns 0 to numberWidth - 1, and a 1 in each of the columns
 * `ones[starts[r]]` to `ones[starts[r + 1] - 1]`.
 */
export interface DesignMatrix {
  rows: number;
  width: number;
  numberWidth: number;
  numbers: Float64Array;
  starts: Int32Array;
  ones: Int32Array;
}

/** The matrix of some of the rows, in their order. */
export function someRows(x: DesignMatrix, rows: Uint32Array): DesignMatrix {
  const { numberWidth } = x;
  const numbers = new Float64Array(rows.length * numberWidth);
  const starts = new Int32Array(rows.length + 1);
  rows.forEach((r, i) => {
    numbers.set(x.numbers.subarray(r * numberWidth, (r + 1) * numberWidth), i * numberWidth);
    starts[i + 1] = starts[i] + x.starts[r + 1] - x.starts[r];
  });
  const ones = new Int32Array(starts[rows.length]);
  rows.forEach((r, i) => ones.set(x.ones.subarray(x.starts[r], x.starts[r + 1]), starts[i]));
  return { ...x, rows: rows.length, numbers, starts, ones };
}

/** The matrix with every entry written out. */
export function dense({ rows, width, numberWidth, numbers, starts, ones }: DesignMatrix): Points {
  if (width === numberWidth) return { rows, width, values: numbers };
  const values = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) {
    values.set(numbers.subarray(r * numberWidth, (r + 1) * numberWidth), r * width);
    for (let p = starts[r]; p < starts[r + 1]; p++) values[r * width + ones[p]] = 1;
  }
  return { rows, width, values };
}

/** Row r of x times `weights[at …]` (as many as x is wide). */
export function rowTimes(x: DesignMatrix, r: number, weights: Float64Array, at = 0): number {
  const { numberWidth, numbers, starts, ones } = x;
  let sum = 0;
  for (let c = 0, p = r * numberWidth; c < numberWidth; c++, p++) sum += numbers[p] * weights[at + c];
  for (let p = starts[r]; p < starts[r + 1]; p++) sum += weights[at + ones[p]];
  return sum;
}

/** Adds `factor` times row r of x to `into[at …]`. */
export function addRow(x: DesignMatrix, r: number, factor: number, into: Float64Array, at = 0): void {
  const { numberWidth, numbers, starts, ones } = x;
  for (let c = 0, p = r * numberWidth; c < numberWidth; c++, p++) into[at + c] += factor * numbers[p];
  for (let p = starts[r]; p < starts[r + 1]; p++) into[at + ones[p]] += factor;
}

/**
 * Adds Xᵀ diag(weights) X to the lower triangle of `into`, for rows `from` to `to - 1`.
 *
 * @param weights one per row; all 1 when absent
 * @param into    width x width, row-major
 */
export function addDesignGram(
  x: DesignMatrix,
  weights: Float64Array | undefined,
  from: number,
  to: number,
  into: Float64Array,
): void {
  const { width, numberWidth, numbers, starts, ones } = x;
  for (let r = from; r < to; r++) {
    const weight = weights ? weights[r] : 1;
    const row = r * numberWidth;
    for (let i = 0; i < numberWidth; i++) {
      const value = weight * numbers[row + i];
      for (let j = 0; j <= i; j++) into[i * width + j] += value * numbers[row + j];
    }
    for (let p = starts[r]; p < starts[r + 1]; p++) {
      const at = ones[p] * width;
      for (let j = 0; j < numberWidth; j++) into[at + j] += weight * numbers[row + j];
      for (let q = starts[r]; q < starts[r + 1]; q++) if (ones[q] <= ones[p]) into[at + ones[q]] += weight;
    }
  }
}

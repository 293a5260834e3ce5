import type { Csr } from "../../kernels/csr.js";
import type { EncodedRows, RowShape } from "../neural/encoded-rows.js";

/** A row per user or item: the terms that it is made of. */
export type Terms = Csr & { values: Float32Array };

/** Encoded columns as terms: a term per number, then one per code, each row brought to about length 1. */
export function termsOfColumns({ rows, numbers, codes }: EncodedRows, shape: RowShape): Terms {
  const { width, fields, levels } = shape;
  const scale = 1 / Math.sqrt(Math.max(1, width + fields));
  const starts = Int32Array.from({ length: rows + 1 }, (_, row) => row * (width + fields));
  const columns = new Int32Array(starts[rows]);
  const values = new Float32Array(starts[rows]);
  for (let row = 0; row < rows; row++) {
    let to = starts[row];
    for (let c = 0; c < width; c++, to++) {
      columns[to] = c;
      values[to] = scale * numbers[row * width + c];
    }
    for (let c = 0; c < fields; c++, to++) {
      columns[to] = width + codes[row * fields + c];
      values[to] = scale;
    }
  }
  return { rows, cols: width + levels, starts, columns, values };
}

/** Rows that are nothing but themselves: a term each. */
export function ownTerms(rows: number): Terms {
  return {
    rows,
    cols: rows,
    starts: Int32Array.from({ length: rows + 1 }, (_, row) => row),
    columns: Int32Array.from({ length: rows }, (_, row) => row),
    values: new Float32Array(rows).fill(1),
  };
}

/** The terms of several matrices side by side. */
export function beside(parts: readonly Terms[]): Terms {
  const { rows } = parts[0];
  const starts = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++)
    starts[row + 1] = parts.reduce((sum, part) => sum + part.starts[row + 1] - part.starts[row], starts[row]);
  const columns = new Int32Array(starts[rows]);
  const values = new Float32Array(starts[rows]);
  for (let row = 0; row < rows; row++) {
    let to = starts[row];
    let offset = 0;
    for (const part of parts) {
      for (let p = part.starts[row]; p < part.starts[row + 1]; p++, to++) {
        columns[to] = offset + part.columns[p];
        values[to] = part.values[p];
      }
      offset += part.cols;
    }
  }
  return { rows, cols: parts.reduce((sum, { cols }) => sum + cols, 0), starts, columns, values };
}

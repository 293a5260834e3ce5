/**
 * A sparse matrix by rows (compressed sparse row): the entries of row r are `columns[p]` with value
 * `values[p]`, for p from `starts[r]` to `starts[r + 1] - 1`, columns ascending. Without `values`
 * every entry is 1.
 */
export interface Csr {
  rows: number;
  cols: number;
  /** rows + 1 offsets. */
  starts: Int32Array;
  columns: Int32Array;
  values?: Float32Array;
}

/** Offsets of the rows, from the row number of every entry, ascending. */
export function rowStarts(rowOf: Int32Array, rows: number): Int32Array {
  const starts = new Int32Array(rows + 1);
  for (let p = 0; p < rowOf.length; p++) starts[rowOf[p] + 1]++;
  for (let r = 0; r < rows; r++) starts[r + 1] += starts[r];
  return starts;
}

/** The same matrix by columns. */
export function transposed(matrix: Csr): Csr {
  const { rows, cols, starts, columns, values } = matrix;
  const next = new Int32Array(cols + 1);
  for (let p = 0; p < columns.length; p++) next[columns[p] + 1]++;
  for (let c = 0; c < cols; c++) next[c + 1] += next[c];
  const outStarts = next.slice();
  const outColumns = new Int32Array(columns.length);
  const outValues = values && new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let p = starts[r]; p < starts[r + 1]; p++) {
      const to = next[columns[p]]++;
      outColumns[to] = r;
      if (outValues) outValues[to] = values![p];
    }
  return { rows: cols, cols: rows, starts: outStarts, columns: outColumns, values: outValues };
}

/** Some rows of a matrix, in the order they are named. */
export function someRows({ starts, columns, values, cols }: Csr, rows: Int32Array): Csr {
  const to = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => (to[i + 1] = to[i] + starts[row + 1] - starts[row]));
  const kept = new Int32Array(to[rows.length]);
  const weights = values && new Float32Array(kept.length);
  rows.forEach((row, i) => {
    kept.set(columns.subarray(starts[row], starts[row + 1]), to[i]);
    weights?.set(values!.subarray(starts[row], starts[row + 1]), to[i]);
  });
  return { rows: rows.length, cols, starts: to, columns: kept, values: weights };
}

/** The same matrix without entries of 0, which are no sign of anything. */
export function withoutZeros(matrix: Csr): Csr {
  const { rows, values } = matrix;
  if (!values || !values.includes(0)) return matrix;
  const kept = values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
  const starts = new Int32Array(rows + 1);
  const columns = new Int32Array(kept);
  const others = new Float32Array(kept);
  let to = 0;
  for (let r = 0; r < rows; r++) {
    for (let p = matrix.starts[r]; p < matrix.starts[r + 1]; p++)
      if (values[p] !== 0) {
        columns[to] = matrix.columns[p];
        others[to++] = values[p];
      }
    starts[r + 1] = to;
  }
  return { ...matrix, starts, columns, values: others };
}

/** Where a column stands in `columns[from..to)`, ascending, or -1: a binary search. */
export function placeOf(columns: Int32Array, column: number, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (columns[middle] < column) low = middle + 1;
    else high = middle;
  }
  return low < to && columns[low] === column ? low : -1;
}

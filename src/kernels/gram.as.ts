// part of other kernels
/*
 * Products of the columns of a sparse matrix with each other, f32; gram.ts is the plain twin. A row of the result is
 * added up by one thread in the order of the entries, so that threads change no bit.
 */

/** Rows that a thread takes at a time. */
const chunk: i32 = 16;

/**
 * Rows of XᵀX into cleared memory, `stride` floats apart.
 *
 * @param starts      the matrix by columns: rows of the result
 * @param otherStarts the same matrix by rows
 * @param lower       whether entries right of the diagonal are left out
 * @param counter     word that holds the next row, 0 at first
 */
export function gramRows(
  _thread: i32,
  _threads: i32,
  starts: usize,
  columns: usize,
  values: usize,
  otherStarts: usize,
  otherColumns: usize,
  otherValues: usize,
  rows: i32,
  stride: i32,
  lower: i32,
  into: usize,
  counter: usize,
): void {
  for (;;) {
    const from = atomic.add<i32>(counter, chunk);
    if (from >= rows) return;
    for (let row = from, to = min(rows, from + chunk); row < to; row++)
      addRow(
        load<i32>(starts + ((<usize>row) << 2)),
        load<i32>(starts + ((<usize>(row + 1)) << 2)),
        columns,
        values,
        otherStarts,
        otherColumns,
        otherValues,
        lower ? row : i32.MAX_VALUE,
        into + ((<usize>row * <usize>stride) << 2),
      );
  }
}

export function addRow(
  from: i32,
  to: i32,
  columns: usize,
  values: usize,
  otherStarts: usize,
  otherColumns: usize,
  otherValues: usize,
  last: i32,
  into: usize,
): void {
  for (let p = from; p < to; p++) {
    const other = (<usize>load<i32>(columns + ((<usize>p) << 2))) << 2;
    const value = load<f32>(values + ((<usize>p) << 2));
    const end = load<i32>(otherStarts + other, 4);
    for (let q = load<i32>(otherStarts + other); q < end; q++) {
      const column = load<i32>(otherColumns + ((<usize>q) << 2));
      if (column > last) break;
      const at = into + ((<usize>column) << 2);
      store<f32>(at, load<f32>(at) + value * load<f32>(otherValues + ((<usize>q) << 2)));
    }
  }
}

// part of other kernels: Rows taken out of a table by their number, and their gradients put back.
import { addRow } from "./rows.as";

/** out[r] = table[ids[r]], rows of `d` floats. Returns the first place whose id is out of range, else -1. */
export function gather(n: i32, d: i32, rows: i32, table: usize, ids: usize, out: usize): i32 {
  const bytes = (<usize>d) << 2;
  for (let r = 0; r < n; r++) {
    const id = load<i32>(ids + ((<usize>r) << 2));
    if (<u32>id >= <u32>rows) return r;
    memory.copy(out + <usize>r * bytes, table + <usize>id * bytes, bytes);
  }
  return -1;
}

/** out[ids[r]] += x[r]; out is zeroed first. Ids that are out of range are left out, as tfjs does. */
export function segmentSum(n: i32, d: i32, segments: i32, x: usize, ids: usize, out: usize): void {
  const bytes = (<usize>d) << 2;
  memory.fill(out, 0, <usize>segments * bytes);
  for (let r = 0; r < n; r++) {
    const id = load<i32>(ids + ((<usize>r) << 2));
    if (<u32>id < <u32>segments) addRow(d, out + <usize>id * bytes, x + <usize>r * bytes);
  }
}

/** out[c] = sum over rows of x[r, c]. */
export function columnSums(rows: i32, d: i32, x: usize, out: usize): void {
  memory.fill(out, 0, (<usize>d) << 2);
  for (let r = 0; r < rows; r++) addRow(d, out, x + ((<usize>r * d) << 2));
}

import { edgesBelow } from "./edges.js";
import type { PlainMemory } from "./memory.js";

/** Sorts columns of float64 in place, leaves out NaN, writes how many values each has. */
export function sortColumns(
  m: PlainMemory,
  at: number,
  length: number,
  columns: number,
  counts: number,
): void {
  for (let c = 0; c < columns; c++) {
    const column = m.f64.subarray(at / 8 + c * length, at / 8 + (c + 1) * length);
    // -0 would sort before 0.
    const kept = Float64Array.from(
      column.filter((value) => !Number.isNaN(value)),
      (value) => value + 0,
    ).sort();
    column.set(kept);
    m.u32[counts / 4 + c] = kept.length;
  }
}

/** Bins of rows: `columns` holds address and width (4 or 8 bytes) of values; a column has 256 edges, padded with NaN. */
export function encode(m: PlainMemory, columns: number, count: number, rowsAt: number, edges: number): void {
  for (let f = 0; f < m.stride; f++) {
    const [, size, kind] = m.i32.subarray(m.meta / 4 + f * 4, m.meta / 4 + f * 4 + 3);
    if (kind === 2) continue;
    const [at, width] = m.u32.subarray(columns / 4 + f * 2, columns / 4 + f * 2 + 2);
    const values = width === 4 ? m.f32 : m.f64;
    const own = m.f64.subarray(edges / 8 + f * 256, edges / 8 + f * 256 + 255);
    for (let i = 0; i < count; i++) {
      const x = values[at / width + i];
      let bin = 0;
      if (kind & 1) bin = x >= 0 && x + 1 < size ? Math.floor(x) + 1 : 0;
      else if (!Number.isNaN(x)) bin = edgesBelow(own, x) + 1;
      m.u8[rowsAt + i * m.stride + f] = bin;
    }
  }
}

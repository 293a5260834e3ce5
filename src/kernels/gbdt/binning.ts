import { binOfHash, edgesBelow, places, searchBytes } from "./edges.js";
import { columnEntry, type PlainMemory } from "./memory.js";

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

/**
 * Bins of rows: `columns` holds address and width (4 or 8 bytes) of values, of categories their hashes; a column has a search
 * (`writeSearch`, `writeLevels`). Of columns
 * that share a byte the bins other than the usual one are written. Where another column has been there, or a missing value has no
 * place, the address of the byte, the column and the bin are added to `clashes` (count, room, entries).
 */
export function encode(
  m: PlainMemory,
  columns: number,
  count: number,
  rowsAt: number,
  edges: number,
  clashes: number,
): void {
  const { u8, i32, u32, stride } = m;
  for (let byte = 0; byte < stride; byte++) {
    const [start, end] = i32.subarray(m.meta / 4 + byte * 4 + 2, m.meta / 4 + byte * 4 + 4);
    for (let entry = start; entry < end; entry++) {
      const info = columnEntry(m, entry);
      const [, , kind, , usual, missing, first, f] = i32.subarray(info, info + 8);
      const [at, width] = u32.subarray(columns / 4 + f * 2, columns / 4 + f * 2 + 2);
      const values = width === 4 ? m.f32 : m.f64;
      const search = (edges + f * searchBytes) / 8;
      const own = m.f64.subarray(search, search + 255);
      const hashes = u32.subarray(search * 2, (search + places) * 2);
      const bins = u8.subarray((search + places) * 8, (search + places) * 8 + places);
      for (let i = 0; i < count; i++) {
        const x = values[at / width + i];
        const to = rowsAt + i * stride + byte;
        let bin = 0;
        if (kind & 1) bin = binOfHash(hashes, bins, u32[at / 4 + i * 2], u32[at / 4 + i * 2 + 1]);
        else if (!Number.isNaN(x)) bin = edgesBelow(own, x) + 1;
        if (usual < 0) u8[to] = bin;
        else if (bin === usual) continue;
        else if (u8[to] !== 0 || (bin === 0 && !missing)) {
          const place = u32[clashes / 4]++;
          if (place < u32[clashes / 4 + 1]) u32.set([to, (f << 8) | bin], clashes / 4 + 2 + place * 2);
        } else u8[to] = first - (missing ? 0 : 1) + bin - (bin > usual ? 1 : 0);
      }
    }
  }
}

// part of other kernels
import { columnEntry, meta, next, quads, stride } from "./memory.as";

export function sortColumns(
  thread: u32,
  threads: u32,
  at: u32,
  length: u32,
  columns: u32,
  counts: u32,
  spare: u32,
): void {
  const mine = spare + thread * (length * 8 + 8192 * 2);
  for (let c = next(); c < columns; c = next())
    store<u32>(counts + 4 * c, sortColumn(at + c * length * 8, length, mine));
}

/** Sorts a column in place and gives how many values it has; NaN is left out. */
export function sortColumn(at: u32, length: u32, spare: u32): u32 {
  let kept: u32 = 0;
  let narrow = true;
  for (let i: u32 = 0; i < length; i++) {
    // -0 would sort before 0.
    const value = load<f64>(at + i * 8) + 0.0;
    if (value != value) continue;
    narrow = narrow && <f64>(<f32>value) == value;
    store<f64>(at + kept * 8, value);
    kept++;
  }
  if (narrow) sortFloats(at, kept, spare, spare + length * 4, spare + length * 8);
  else sortDoubles(at, kept, spare, spare + length * 8);
  return kept;
}

/** Radix sort of values that float32 holds, by eight bits at a time; digits in which all agree are skipped. */
function sortFloats(at: u32, length: u32, from: u32, to: u32, counts: u32): void {
  memory.fill(counts, 0, 4096);
  for (let i: u32 = 0; i < length; i++) {
    const bits = reinterpret<u32>(<f32>load<f64>(at + i * 8));
    const key = bits ^ ((<u32>((<i32>bits) >> 31)) | 0x80000000);
    store<u32>(from + i * 4, key);
    for (let digit: u32 = 0; digit < 4; digit++) {
      const slot = counts + digit * 1024 + ((key >> (digit * 8)) & 255) * 4;
      store<u32>(slot, load<u32>(slot) + 1);
    }
  }
  for (let digit: u32 = 0; digit < 4; digit++) {
    const own = counts + digit * 1024;
    const shift = digit * 8;
    if (length == 0 || load<u32>(own + ((load<u32>(from) >> shift) & 255) * 4) == length) continue;
    let sum: u32 = 0;
    for (let d: u32 = 0; d < 1024; d += 4) {
      const count = load<u32>(own + d);
      store<u32>(own + d, sum);
      sum += count;
    }
    for (let i: u32 = 0; i < length; i++) {
      const key = load<u32>(from + i * 4);
      const slot = own + ((key >> shift) & 255) * 4;
      const place = load<u32>(slot);
      store<u32>(slot, place + 1);
      store<u32>(to + place * 4, key);
    }
    const sorted = to;
    to = from;
    from = sorted;
  }
  for (let i: u32 = 0; i < length; i++) {
    const key = load<u32>(from + i * 4);
    store<f64>(at + i * 8, <f64>reinterpret<f32>(key ^ ((<u32>((<i32>~key) >> 31)) | 0x80000000)));
  }
}

/** The same of any values, by eleven bits. */
function sortDoubles(at: u32, length: u32, spare: u32, counts: u32): void {
  let all: u64 = ~0;
  let any: u64 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const bits = load<u64>(at + i * 8);
    const key = bits ^ ((<u64>((<i64>bits) >> 63)) | 0x8000000000000000);
    store<u64>(at + i * 8, key);
    all &= key;
    any |= key;
  }
  const varying = all ^ any;
  let from = at;
  let to = spare;
  for (let shift: u64 = 0; shift < 64; shift += 11) {
    if (((varying >> shift) & 2047) == 0) continue;
    memory.fill(counts, 0, 8192);
    for (let i: u32 = 0; i < length; i++) {
      const slot = counts + <u32>((load<u64>(from + i * 8) >> shift) & 2047) * 4;
      store<u32>(slot, load<u32>(slot) + 1);
    }
    let sum: u32 = 0;
    for (let d: u32 = 0; d < 8192; d += 4) {
      const count = load<u32>(counts + d);
      store<u32>(counts + d, sum);
      sum += count;
    }
    for (let i: u32 = 0; i < length; i++) {
      const key = load<u64>(from + i * 8);
      const slot = counts + <u32>((key >> shift) & 2047) * 4;
      const place = load<u32>(slot);
      store<u32>(slot, place + 1);
      store<u64>(to + place * 8, key);
    }
    const sorted = to;
    to = from;
    from = sorted;
  }
  for (let i: u32 = 0; i < length; i++) {
    const key = load<u64>(from + i * 8);
    store<u64>(at + i * 8, key ^ ((<u64>((<i64>~key) >> 63)) | 0x8000000000000000));
  }
}

/** `columns` holds the address and the width (4 or 8 bytes) of every column's values, which are hashes of categories. */
export function encode(
  thread: u32,
  threads: u32,
  columns: u32,
  count: u32,
  rowsAt: u32,
  edges: u32,
  clashes: u32,
): void {
  const pieces = (count + PIECE - 1) / PIECE;
  for (let task = next(); task < pieces * quads; task = next()) {
    const from = (task / quads) * PIECE;
    encodeQuad(columns, from, min(PIECE, count - from), rowsAt + from * stride, edges, clashes, task % quads);
  }
}

/** Rows that one thread takes at a time. */
const PIECE: u32 = 8192;

/** Bytes of a column's search: its edges, padded with NaN, and what narrows the search down to a few of them (`writeSearch`). */
const EDGES: u32 = 4608;
const LOW: u32 = 2304;
const SCALE: u32 = 2312;
const HALF: u32 = 2320;
const STARTS: u32 = 2368;
const LAST_CELL: u32 = 2047;
/** Of a category: places for hashes of levels, and their bins (`writeLevels`). */
const LAST_PLACE: u32 = 511;
const BINS: u32 = 4096;

export function encodeQuad(
  columns: u32,
  from: u32,
  count: u32,
  rowsAt: u32,
  edges: u32,
  clashes: u32,
  q: u32,
): void {
  for (let byte = q * 4; byte < q * 4 + 4; byte++) {
    const to = rowsAt + byte;
    const end = load<u32>(meta + byte * 16, 12);
    for (let entry = load<u32>(meta + byte * 16, 8); entry < end; entry++) {
      const info = columnEntry(entry);
      const f = load<u32>(info, 28);
      const width = load<u32>(columns + f * 8, 4);
      const column = load<u32>(columns + f * 8) + from * width;
      if (load<i32>(info, 16) >= 0) encodeShared(column, count, to, info, width, edges + f * EDGES, clashes);
      else if (load<u32>(info, 8) & 1) encodeHashes(column, count, to, edges + f * EDGES);
      else if (width == 4) encodeFloats(column, count, to, edges + f * EDGES);
      else encodeDoubles(column, count, to, edges + f * EDGES);
    }
  }
}

/**
 * A column that shares its byte with others: bins other than its usual one are written. Where another column has been there, or
 * a missing value has no place, the address of the byte, the column and the bin are added to `clashes` (count, room, entries).
 */
export function encodeShared(
  column: u32,
  count: u32,
  to: u32,
  info: u32,
  width: u32,
  edges: u32,
  clashes: u32,
): void {
  const usual = load<u32>(info, 16);
  const missing = load<u32>(info, 20);
  const first = load<u32>(info, 24) - (missing ? 0 : 1);
  // Between these is what is usual; nothing is at or above NaN.
  const low = usual > 1 ? load<f64>(edges + (usual - 2) * 8) : -Infinity;
  const high = usual > 0 ? load<f64>(edges + (usual - 1) * 8) : NaN;
  for (let i: u32 = 0; i < count; i++) {
    const x = width == 4 ? <f64>load<f32>(column + i * 4) : load<f64>(column + i * 8);
    if (usual ? x >= low && !(x >= high) : x != x) continue;
    const bin = binOf(x, edges);
    const at = to + i * stride;
    if (load<u8>(at) || (bin == 0 && !missing)) clash(clashes, at, load<u32>(info, 28), bin);
    else store<u8>(at, first + bin - u32(bin > usual));
  }
}

function clash(clashes: u32, at: u32, column: u32, bin: u32): void {
  const place = atomic.add<u32>(clashes, 1);
  if (place >= load<u32>(clashes, 4)) return;
  store<u32>(clashes + 8 + place * 8, at);
  store<u32>(clashes + 8 + place * 8, (column << 8) | bin, 4);
}

export function encodeHashes(column: u32, count: u32, to: u32, levels: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const hash = load<u64>(column + i * 8);
    let place = (<u32>hash) & LAST_PLACE;
    let bin: u32 = load<u8>(levels + place, BINS);
    while (bin && load<u64>(levels + place * 8) != hash) {
      place = (place + 1) & LAST_PLACE;
      bin = load<u8>(levels + place, BINS);
    }
    store<u8>(to + i * stride, bin);
  }
}

export function encodeDoubles(column: u32, count: u32, to: u32, edges: u32): void {
  for (let i: u32 = 0; i < count; i++) store<u8>(to + i * stride, binOf(load<f64>(column + i * 8), edges));
}

export function encodeFloats(column: u32, count: u32, to: u32, edges: u32): void {
  for (let i: u32 = 0; i < count; i++)
    store<u8>(to + i * stride, binOf(<f64>load<f32>(column + i * 4), edges));
}

/** 1 plus the number of edges that are not above the value, halving those of its cell; 0 for NaN. */
function binOf(x: f64, edges: u32): u32 {
  const cell = min(<u32>((x - load<f64>(edges, LOW)) * load<f64>(edges, SCALE)), LAST_CELL);
  let p: u32 = edges + ((<u32>load<u8>(edges + cell, STARTS)) << 3);
  for (let half = load<u32>(edges, HALF); half; half >>= 1) p += <u32>(load<f64>(p + half - 8) <= x) * half;
  return x == x ? ((p - edges) >> 3) + 1 : 0;
}

// part of other kernels
import { addListed } from "./histograms.as";
import { BLOCK, bins, histBytes, next, own, scratch, stride, tile, touch } from "./memory.as";

/** Rows that share cache lines: of wider ones most lines are not wanted. */
function touchRows(from: u32, count: u32): void {
  if (stride <= 64) touch(bins + from * stride, count * stride);
}

export function routeLevel(
  thread: u32,
  threads: u32,
  rows: u32,
  nodes: u32,
  packed: u32,
  features: u32,
  tables: u32,
  slots: u32,
  slotCount: u32,
): void {
  const tiles = (rows + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = t * tile;
    const size = min(tile, rows - from);
    touchRows(from, size);
    touch(packed + from * 4, size * 4);
    startLists(slotCount);
    routeTile(from, size, nodes, packed, features, tables, slots);
    for (let slot: u32 = 0; slot < slotCount; slot++)
      addListed(listOf(slot), load<u32>(scratch + 4 + slot * 4), own + slot * histBytes);
  }
}

/** Lists of the rows of a tile: the ends of all, that of rows without a slot before those of the slots, then the lists, theirs last. */
const LISTS: u32 = 1024;

function listOf(slot: u32): u32 {
  return scratch + LISTS + slot * tile * 16;
}

function startLists(count: u32): void {
  for (let slot: u32 = 0; slot <= count; slot++)
    store<u32>(scratch + ((slot < count ? slot + 1 : 0) << 2), listOf(slot));
}

export function routeTile(
  from: u32,
  count: u32,
  nodes: u32,
  packed: u32,
  features: u32,
  tables: u32,
  slots: u32,
): void {
  const ends = scratch + 4;
  const step = stride;
  let row = bins + from * step;
  let p = packed + from * 4;
  const end = nodes + from + count;
  for (let n = nodes + from; n < end; n++) {
    const node: u32 = load<u8>(n);
    const bin: u32 = load<u8>(row + load<u32>(features + node * 4));
    const child: u32 = load<u8>(tables + ((node << 8) | bin));
    store<u8>(n, <u8>child);
    const slot = load<u32>(slots + child * 4);
    const q = load<i32>(p);
    const end = load<u32>(ends + slot * 4);
    store<u32>(end, row);
    store<i64>(end, ((<i64>(q >> 16)) << 32) | (<i64>(q & 0xffff)), 8);
    store<u32>(ends + slot * 4, end + ((<u32>(q != 0)) << 4));
    row += step;
    p += 4;
  }
}

export function addByNode(thread: u32, threads: u32, rows: u32, nodes: u32, values: u32, scores: u32): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    addBlock(nodes + b * BLOCK, min(BLOCK, rows - b * BLOCK), values, scores + b * BLOCK * 4);
}

export function addBlock(nodes: u32, count: u32, values: u32, scores: u32): void {
  const end = nodes + count;
  for (let n = nodes; n < end; n++) {
    store<f32>(scores, load<f32>(scores) + load<f32>(values + load<u8>(n) * 4));
    scores += 4;
  }
}

/** The last step down: the value of the leaf that every row comes to is added to its score. */
export function addByRoute(
  thread: u32,
  threads: u32,
  rows: u32,
  nodes: u32,
  features: u32,
  tables: u32,
  values: u32,
  scores: u32,
): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next()) {
    const size = min(BLOCK, rows - b * BLOCK);
    touchRows(b * BLOCK, size);
    routeBlock(b * BLOCK, size, nodes, features, tables, values, scores);
  }
}

export function routeBlock(
  from: u32,
  count: u32,
  nodes: u32,
  features: u32,
  tables: u32,
  values: u32,
  scores: u32,
): void {
  const step = stride;
  let row = bins + from * step;
  let score = scores + from * 4;
  const end = nodes + from + count;
  for (let n = nodes + from; n < end; n++) {
    const node: u32 = load<u8>(n);
    const bin: u32 = load<u8>(row + load<u32>(features + node * 4));
    const leaf: u32 = load<u8>(tables + ((node << 8) | bin));
    store<f32>(score, load<f32>(score) + load<f32>(values + leaf * 4));
    row += step;
    score += 4;
  }
}

// --- lists: every leaf has its rows, as pairs of row and packed gradient ---

export function listRows(thread: u32, threads: u32, rows: u32, packed: u32, list: u32): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    listBlock(b * BLOCK, min(BLOCK, rows - b * BLOCK), packed, list);
}

export function listBlock(from: u32, count: u32, packed: u32, list: u32): void {
  for (let r = from; r < from + count; r++)
    store<u64>(list + r * 8, (<u64>r) | ((<u64>load<u32>(packed + r * 4)) << 32));
}

/**
 * Parts the rows of one leaf, tile by tile, into `spare`: those that go left from the front of the tile, the
 * others from its back; adds the child that gets a histogram. `counts` takes how many went left.
 */
export function partList(
  thread: u32,
  threads: u32,
  list: u32,
  spare: u32,
  start: u32,
  count: u32,
  feature: u32,
  table: u32,
  counts: u32,
  side: u32,
): void {
  const tiles = (count + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const from = start + t * tile;
    const size = min(tile, count - t * tile);
    const lefts = partTile(list + from * 8, spare + from * 8, size, feature, table);
    store<u32>(counts + t * 4, lefts);
    if (side == 2) continue;
    addListed(scratch, stageTile(spare + from * 8, size, lefts, side), own);
  }
}

export function partTile(from: u32, to: u32, count: u32, feature: u32, table: u32): u32 {
  const column = bins + feature;
  const step = stride;
  let left = to;
  let right = to + count * 8 - 8;
  const end = from + count * 8;
  for (let p = from; p < end; p += 8) {
    const entry = load<u64>(p);
    const bin: u32 = load<u8>(column + <u32>entry * step);
    const goesLeft: u32 = load<u8>(table + bin);
    store<u64>(left, entry);
    // The right end is written second: when both meet in the last free place, the entry is the same.
    store<u64>(right, entry);
    left += goesLeft << 3;
    right -= (1 - goesLeft) << 3;
  }
  return <u32>((left - to) >> 3);
}

/** Lists the rows of one side for `addListed`, which begin at `scratch`; gives their end. */
export function stageTile(from: u32, count: u32, lefts: u32, side: u32): u32 {
  let p = side == 0 ? from : from + lefts * 8;
  const end = side == 0 ? from + lefts * 8 : from + count * 8;
  const base = bins;
  const step = stride;
  let list = scratch;
  for (; p < end; p += 8) {
    const entry = load<u64>(p);
    const q = <i32>(entry >> 32);
    store<u32>(list, base + <u32>entry * step);
    store<i64>(list, ((<i64>(q >> 16)) << 32) | (<i64>(q & 0xffff)), 8);
    list += 16;
  }
  return list;
}

/** Adds all rows of a list to this thread's first histogram. */
export function addList(thread: u32, threads: u32, list: u32, start: u32, count: u32): void {
  const tiles = (count + tile - 1) / tile;
  for (let t = next(); t < tiles; t = next()) {
    const size = min(tile, count - t * tile);
    addListed(scratch, stageTile(list + (start + t * tile) * 8, size, size, 0), own);
  }
}

/** Brings what `partList` left in `spare` back in order: left rows, then right rows, each in their old order. */
export function gatherList(
  list: u32,
  spare: u32,
  start: u32,
  count: u32,
  counts: u32,
  lefts: u32,
  t: u32,
  leftBefore: u32,
): void {
  const from = spare + (start + t * tile) * 8;
  const size = min(tile, count - t * tile);
  const left = load<u32>(counts + t * 4);
  const rightBefore = t * tile - leftBefore;
  memory.copy(list + (start + leftBefore) * 8, from, left * 8);
  let to = list + (start + lefts + rightBefore) * 8;
  for (let p = from + size * 8; p > from + left * 8;) {
    p -= 8;
    store<u64>(to, load<u64>(p));
    to += 8;
  }
}

export function addByList(
  thread: u32,
  threads: u32,
  list: u32,
  leaves: u32,
  leafCount: u32,
  scores: u32,
): void {
  for (let leaf = next(); leaf < leafCount; leaf = next()) {
    const info = leaves + leaf * 16;
    addLeaf(list + load<u32>(info) * 8, load<u32>(info, 4), load<f32>(info, 8), scores);
  }
}

export function addLeaf(list: u32, count: u32, value: f32, scores: u32): void {
  const end = list + count * 8;
  for (let p = list; p < end; p += 8) {
    const at = scores + load<u32>(p) * 4;
    store<f32>(at, load<f32>(at) + value);
  }
}

/** Walks binned rows down a finished tree: nodes of 16 bytes (feature or -1, left, right, value). */
export function addByWalk(
  thread: u32,
  threads: u32,
  rowsAt: u32,
  rows: u32,
  step: u32,
  tree: u32,
  tables: u32,
  scores: u32,
): void {
  const blocks = (rows + BLOCK - 1) / BLOCK;
  for (let b = next(); b < blocks; b = next())
    walkBlock(
      rowsAt + b * BLOCK * step,
      min(BLOCK, rows - b * BLOCK),
      step,
      tree,
      tables,
      scores + b * BLOCK * 4,
    );
}

export function walkBlock(row: u32, count: u32, step: u32, tree: u32, tables: u32, scores: u32): void {
  const end = row + count * step;
  for (; row < end; row += step) {
    let node: u32 = 0;
    for (;;) {
      const info = tree + (node << 4);
      const feature = load<i32>(info);
      if (feature < 0) {
        store<f32>(scores, load<f32>(scores) + load<f32>(info, 12));
        break;
      }
      const left: u32 = load<u8>(tables + ((node << 8) | load<u8>(row + feature)));
      node = left ? load<u32>(info, 4) : load<u32>(info, 8);
    }
    scores += 4;
  }
}

import { addRow } from "./histograms.js";
import type { PlainMemory } from "./memory.js";

/** Moves every row on to its child, and adds it there where the child has a slot (the number of a histogram; 2^32 - 1: none). */
export function routeLevel(
  m: PlainMemory,
  rows: number,
  nodes: number,
  packed: number,
  features: number,
  tables: number,
  slots: number,
  _slotCount: number,
): void {
  const { u8, u32 } = m;
  for (let r = 0; r < rows; r++) {
    const node = u8[nodes + r];
    const row = m.bins + r * m.stride;
    const child = u8[tables + node * 256 + u8[row + u32[features / 4 + node]]];
    u8[nodes + r] = child;
    const slot = u32[slots / 4 + child];
    const q = m.i32[packed / 4 + r];
    if (slot !== 0xffffffff && q !== 0) addRow(m, row, m.privates + slot * m.histBytes, q);
  }
}

/** Adds the value of every row's node to its score. */
export function addByNode(m: PlainMemory, rows: number, nodes: number, values: number, scores: number): void {
  for (let r = 0; r < rows; r++) m.f32[scores / 4 + r] += m.f32[values / 4 + m.u8[nodes + r]];
}

/** The last step down: the value of the leaf that every row comes to is added to its score. */
export function addByRoute(
  m: PlainMemory,
  rows: number,
  nodes: number,
  features: number,
  tables: number,
  values: number,
  scores: number,
): void {
  const { u8, u32, f32 } = m;
  for (let r = 0; r < rows; r++) {
    const node = u8[nodes + r];
    const bin = u8[m.bins + r * m.stride + u32[features / 4 + node]];
    f32[scores / 4 + r] += f32[values / 4 + u8[tables + node * 256 + bin]];
  }
}

/** Pairs of row and packed gradient. */
export function listRows(m: PlainMemory, rows: number, packed: number, list: number): void {
  for (let r = 0; r < rows; r++) {
    m.u32[list / 4 + 2 * r] = r;
    m.u32[list / 4 + 2 * r + 1] = m.u32[packed / 4 + r];
  }
}

/** Parts the rows of one leaf tile by tile: the left ones from the front of a tile of `spare`, the others from its back. */
export function partList(
  m: PlainMemory,
  list: number,
  spare: number,
  start: number,
  count: number,
  feature: number,
  table: number,
  counts: number,
  side: number,
): void {
  const { u8, u32, i32, tile } = m;
  for (let t = 0; t * tile < count; t++) {
    const from = start + t * tile;
    const size = Math.min(tile, count - t * tile);
    let left = from;
    let right = from + size - 1;
    for (let i = from; i < from + size; i++) {
      const row = m.bins + u32[list / 4 + 2 * i] * m.stride;
      const goesLeft = u8[table + u8[row + feature]];
      const to = spare / 4 + 2 * (goesLeft ? left++ : right--);
      u32[to] = u32[list / 4 + 2 * i];
      u32[to + 1] = u32[list / 4 + 2 * i + 1];
      if (side < 2 && goesLeft !== side) addRow(m, row, m.privates, i32[list / 4 + 2 * i + 1]);
    }
    u32[counts / 4 + t] = left - from;
  }
}

/** Adds all rows of a list to the first histogram. */
export function addList(m: PlainMemory, list: number, start: number, count: number): void {
  for (let i = start; i < start + count; i++)
    addRow(m, m.bins + m.u32[list / 4 + 2 * i] * m.stride, m.privates, m.i32[list / 4 + 2 * i + 1]);
}

/** Adds the value of every leaf (start, count, value) to the scores of its rows. */
export function addByList(
  m: PlainMemory,
  list: number,
  leaves: number,
  leafCount: number,
  scores: number,
): void {
  for (let leaf = leaves / 4; leaf < leaves / 4 + leafCount * 4; leaf += 4) {
    const value = m.f32[leaf + 2];
    const end = m.u32[leaf] + m.u32[leaf + 1];
    for (let i = m.u32[leaf]; i < end; i++) m.f32[scores / 4 + m.u32[list / 4 + 2 * i]] += value;
  }
}

/** Walks rows down a tree of nodes (column or -1, left, right, value) by a table of 256 bytes each. */
export function addByWalk(
  m: PlainMemory,
  rowsAt: number,
  rows: number,
  stride: number,
  tree: number,
  tables: number,
  scores: number,
): void {
  const { u8, i32, f32 } = m;
  for (let r = 0; r < rows; r++) {
    let node = 0;
    while (i32[tree / 4 + node * 4] >= 0) {
      const at = tree / 4 + node * 4;
      node = u8[tables + node * 256 + u8[rowsAt + r * stride + i32[at]]] ? i32[at + 1] : i32[at + 2];
    }
    f32[scores / 4 + r] += f32[tree / 4 + node * 4 + 3];
  }
}

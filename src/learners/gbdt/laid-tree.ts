import type { BinLayout } from "./bins.js";
import type { BinnedRows } from "./boost.js";
import type { Grown } from "./grow.js";
import { writeChildren } from "./split.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Workspace } from "./workspace.js";

/** A grown tree in the kernel's memory, laid out for rows of one layout to walk down: nodes, and for each 256 bytes that say left or right. */
export interface LaidTree {
  nodes: number;
  at: number;
  tables: number;
  /** Its leaves, by place, and their values. */
  leaves: readonly { place: number; value: number }[];
}

export function layTree(
  workspace: Workspace,
  layout: BinLayout,
  builder: TreeBuilder,
  { first, leaves, branches }: Grown,
): LaidTree {
  const { kernel } = workspace;
  const nodes = leaves.length * 2 - 1;
  const at = kernel.alloc(nodes * 16);
  const tables = kernel.alloc(nodes * 256);
  const words = kernel.i32(at, nodes * 4);
  for (const [node, { split, left, right }] of branches) {
    words.set([layout.byteOf[split.feature], left - first, right - first], (node - first) * 4);
    writeChildren(workspace.memory.u8, tables + (node - first) * 256, layout, split, 1, 0);
  }
  for (const { node } of leaves) words[(node - first) * 4] = -1;
  return {
    nodes,
    at,
    tables,
    leaves: leaves.map(({ node }) => ({ place: node - first, value: builder.valueOf(node) })),
  };
}

/** Adds a tree's values, times a factor, to the scores of binned rows. */
export function addTree(
  workspace: Workspace,
  { nodes, at, tables, leaves }: LaidTree,
  { at: rowsAt, rows, layout }: BinnedRows,
  scores: number,
  factor = 1,
): void {
  const values = workspace.kernel.f32(at, nodes * 4);
  for (const { place, value } of leaves) values[place * 4 + 3] = value * factor;
  workspace.phase("addByWalk", rowsAt, rows, layout.stride, at, tables, scores);
}

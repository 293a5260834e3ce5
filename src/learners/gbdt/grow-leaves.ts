import { Growth, type GrowAsk, type Grown, type Leaf } from "./grow.js";
import { writeChildren } from "./split.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Gather, Job, Scales } from "./workspace.js";

export interface ListRows {
  /** Rows in the list: all, or those that were drawn. */
  rows: number;
  /** Pairs of row and packed gradient, and room for as many. */
  list: number;
  spare: number;
  /** Whether the root's histogram was added when gradients were packed. */
  rootAdded: boolean;
}

/** Kernel memory for one partition. */
export class LeafTables {
  readonly table: number;
  readonly counts: number;
  leaves: number;
  room: number;

  constructor(private readonly ask: GrowAsk) {
    const { kernel, rows, tile } = ask.workspace;
    this.table = kernel.alloc(256);
    this.counts = kernel.alloc((Math.ceil(rows / tile) + 1) * 4);
    this.room = 256;
    this.leaves = kernel.alloc(this.room * 16);
  }

  /** Room for a description of every leaf. */
  leavesFor(count: number): number {
    if (count > this.room) {
      this.room = count * 2;
      this.leaves = this.ask.workspace.kernel.alloc(this.room * 16);
    }
    return this.leaves;
  }
}

/**
 * Grows a tree leaf by leaf: every leaf has the list of its rows, a split parts it in two. The best leaf comes
 * first, or, level by level, the oldest; where the number of leaves is no limit, the latest, which holds the
 * fewest histograms at a time.
 */
export function growLeaves(
  ask: GrowAsk,
  scales: Scales,
  builder: TreeBuilder,
  totals: { G: number; H: number },
  rows: ListRows,
  tables: LeafTables,
): { grown: Grown } {
  const { workspace } = ask;
  const growth = new Growth(ask, scales, builder, totals, rows.rows);
  const { root } = growth;
  root.hist = workspace.takeHist();
  if (!rows.rootAdded) workspace.phase("addList", rows.list, 0, rows.rows);
  const [first] = workspace.findSplits(
    [{ hist: root.hist, parent: 0, slot: 0, small: growth.splittable(root) ? root : undefined }],
    scales,
    ask.rules,
  );
  if (first.small) growth.take(root, first.small);
  const waiting = [root];
  let open = 1;
  while (waiting.length > 0) {
    const leaf = waiting.splice(nextOf(waiting, ask, open), 1)[0];
    if (!leaf.split || open >= ask.leaves) {
      if (leaf.hist) workspace.giveHist(leaf.hist);
      growth.leaves.push(leaf);
      continue;
    }
    open++;
    const { left, right } = growth.split(leaf);
    writeChildren(workspace.memory.u8, tables.table, workspace.layout, leaf.split, 1, 0);
    const small = left.H <= right.H ? left : right;
    const large = small === left ? right : left;
    const room = open < ask.leaves;
    const wantSmall = room && growth.splittable(small);
    const wantLarge = room && growth.splittable(large);
    const search = wantSmall || wantLarge;
    const side = !search ? 2 : small === left ? 0 : 1;
    workspace.phase(
      "partList",
      rows.list,
      rows.spare,
      leaf.start,
      leaf.count,
      workspace.layout.byteOf[leaf.split.feature],
      tables.table,
      tables.counts,
      side,
    );
    const tiles = Math.ceil(leaf.count / workspace.tile);
    let lefts = 0;
    const { u32 } = workspace.memory;
    for (let t = 0; t < tiles; t++) lefts += u32[tables.counts / 4 + t];
    left.start = leaf.start;
    left.count = lefts;
    right.start = leaf.start + lefts;
    right.count = leaf.count - lefts;
    if (search) {
      small.hist = workspace.takeHist();
      large.hist = leaf.hist;
    } else workspace.giveHist(leaf.hist);
    const job: Job = {
      hist: small.hist,
      parent: large.hist,
      slot: 0,
      small: wantSmall ? small : undefined,
      large: wantLarge ? large : undefined,
    };
    const gather: Gather = {
      list: rows.list,
      spare: rows.spare,
      start: leaf.start,
      count: leaf.count,
      counts: tables.counts,
    };
    const [answers] = workspace.findSplits(search ? [job] : [], scales, ask.rules, gather);
    if (answers?.small) growth.take(small, answers.small);
    if (answers?.large) growth.take(large, answers.large);
    waiting.push(left, right);
  }
  return { grown: growth.done() };
}

function nextOf(waiting: readonly Leaf[], ask: GrowAsk, open: number): number {
  if (open >= ask.leaves || ask.leaves === Infinity) return waiting.length - 1;
  if (!ask.bestFirst) return 0;
  let best = 0;
  let most = -Infinity;
  for (let i = 0; i < waiting.length; i++) {
    const gain = waiting[i].split?.gain ?? -1;
    if (gain <= most) continue;
    most = gain;
    best = i;
  }
  return best;
}

import { Growth, type GrowAsk, type Grown, type Leaf } from "./grow.js";
import type { TreeBuilder } from "./tree-builder.js";
import { writeChildren } from "./split.js";
import type { Job, Scales } from "./workspace.js";

/** Rows carry the number of their node in a byte: that many nodes a level. */
export const deepestLevel = 8;

/** Histograms that one level adds: of the smaller of every two siblings. */
export function levelSlots(depth: number): number {
  return Math.max(1, 2 ** (depth - 2));
}

export interface LevelRows {
  rows: number;
  /** Packed gradients of the rows. */
  packed: number;
  /** A byte per row: its node. */
  nodes: number;
  /** Scores to which the values of leaves are added on the last step down; 0: not on the way. */
  scores: number;
}

/** Kernel memory for the tables of a level. */
export class LevelTables {
  readonly features: number;
  readonly tables: number;
  readonly slots: number;
  readonly values: number;

  constructor(private readonly ask: GrowAsk) {
    const { kernel } = ask.workspace;
    this.features = kernel.alloc(256 * 4);
    this.tables = kernel.alloc(256 * 256);
    this.slots = kernel.alloc(256 * 4);
    this.values = kernel.alloc(256 * 4);
  }

  /** Lays down the values of the leaves by their numbers. */
  setValues(leaves: readonly Leaf[], builder: TreeBuilder): void {
    const values = this.ask.workspace.kernel.f32(this.values, 256);
    leaves.forEach(({ node }, id) => (values[id] = builder.valueOf(node)));
  }
}

const noSlot = 0xffffffff;

/**
 * Grows a tree level by level: all rows stream by once a level, move on to their child and, while they are in
 * the cache, are added to the histograms of the smaller children. The root's histogram is there already.
 */
export function growLevels(
  ask: GrowAsk,
  scales: Scales,
  builder: TreeBuilder,
  totals: { G: number; H: number },
  rows: LevelRows,
  tables: LevelTables,
): { grown: Grown; current: Leaf[]; added: boolean } {
  const { workspace } = ask;
  const { kernel, layout } = workspace;
  const growth = new Growth(ask, scales, builder, totals, rows.rows);
  const { root } = growth;
  root.hist = workspace.takeHist();
  const [first] = workspace.findSplits(
    [{ hist: root.hist, parent: 0, slot: 0, small: growth.splittable(root) ? root : undefined }],
    scales,
    ask.rules,
  );
  if (first.small) growth.take(root, first.small);
  let current: Leaf[] = [root];
  let open = 1;
  let added = false;
  for (let level = 1; level <= ask.depth; level++) {
    const chosen = splitsOf(current, ask.leaves - open);
    if (chosen.size === 0) break;
    open += chosen.size;
    const next: Leaf[] = [];
    const jobs: (Job & { small?: Leaf; large?: Leaf })[] = [];
    const features = kernel.u32(tables.features, 256);
    const slots = kernel.u32(tables.slots, 256).fill(noSlot);
    current.forEach((leaf, id) => {
      const table = tables.tables + id * 256;
      if (!chosen.has(leaf)) {
        if (leaf.hist) workspace.giveHist(leaf.hist);
        leaf.hist = 0;
        leaf.split = undefined;
        features[id] = 0;
        workspace.memory.u8.fill(next.length, table, table + 256);
        next.push(leaf);
        return;
      }
      features[id] = layout.byteOf[leaf.split!.feature];
      const { left, right } = growth.split(leaf);
      const at = next.length;
      writeChildren(workspace.memory.u8, table, layout, leaf.split!, at, at + 1);
      next.push(left, right);
      const small = left.H <= right.H ? left : right;
      const large = small === left ? right : left;
      const [wantSmall, wantLarge] = [growth.splittable(small), growth.splittable(large)];
      if (!wantSmall && !wantLarge) return workspace.giveHist(leaf.hist);
      small.hist = workspace.takeHist();
      large.hist = leaf.hist;
      slots[small === left ? at : at + 1] = jobs.length;
      jobs.push({
        hist: small.hist,
        parent: large.hist,
        slot: jobs.length,
        small: wantSmall ? small : undefined,
        large: wantLarge ? large : undefined,
      });
    });
    added = rows.scores !== 0 && level === ask.depth;
    if (added) {
      tables.setValues(next, builder);
      workspace.phase(
        "addByRoute",
        rows.rows,
        rows.nodes,
        tables.features,
        tables.tables,
        tables.values,
        rows.scores,
      );
      current = next;
      break;
    }
    workspace.phase(
      "routeLevel",
      rows.rows,
      rows.nodes,
      rows.packed,
      tables.features,
      tables.tables,
      tables.slots,
      jobs.length,
    );
    if (jobs.length > 0)
      workspace.findSplits(jobs, scales, ask.rules).forEach((answers, i) => {
        if (answers.small) growth.take(jobs[i].small!, answers.small);
        if (answers.large) growth.take(jobs[i].large!, answers.large);
      });
    current = next;
  }
  for (const leaf of current) if (leaf.hist) workspace.giveHist(leaf.hist);
  growth.leaves.push(...current);
  return { grown: growth.done(), current, added };
}

/** The leaves to split: all that can be, or the best of them while there is room for more leaves. */
function splitsOf(current: readonly Leaf[], room: number): Set<Leaf> {
  const able = current.filter((leaf) => leaf.split !== undefined);
  if (able.length <= room) return new Set(able);
  return new Set(able.toSorted((a, b) => b.split!.gain - a.split!.gain).slice(0, Math.max(0, room)));
}

import type { ColumnChoice } from "./column-choice.js";
import { bestSplit, nodeStep, type Split } from "./split.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Scales, Sought, SplitRules, Workspace } from "./workspace.js";

/** What trees are grown with and how far. */
export interface GrowAsk {
  workspace: Workspace;
  rules: SplitRules;
  /** Least gain of a split. */
  gamma: number;
  /** Factor of the leaf values. */
  eta: number;
  /** Levels of splits. */
  depth: number;
  leaves: number;
  /** Split the best leaf first; else level by level. */
  bestFirst: boolean;
  /** +1, -1, 0 per column. */
  signs?: readonly number[];
  choice: ColumnChoice;
}

/** A node while its tree grows. */
export interface Leaf extends Sought {
  /** Its number in the builder. */
  node: number;
  depth: number;
  split?: Split;
  /** Columns split on above it, for interaction constraints. */
  path: readonly number[];
  /** Its rows, where leaves have lists of rows. */
  start: number;
  count: number;
}

/** A grown tree: its leaves, and for every inner node which bins go left, in the order of the builder's nodes. */
export interface Grown {
  first: number;
  leaves: Leaf[];
  branches: Map<number, { split: Split; left: number; right: number }>;
}

/** The growing of one tree, apart from how rows find their nodes. */
export class Growth {
  readonly leaves: Leaf[] = [];
  readonly branches: Grown["branches"] = new Map();
  readonly root: Leaf;
  private readonly first: number;

  constructor(
    readonly ask: GrowAsk,
    readonly scales: Scales,
    readonly builder: TreeBuilder,
    totals: { G: number; H: number },
    rows: number,
  ) {
    this.root = this.leafOf(totals, -Infinity, Infinity, 0, [], 1);
    this.root.count = rows;
    this.first = this.root.node;
  }

  /** Whether a split of the leaf is worth looking for. */
  splittable(leaf: Leaf): boolean {
    const h = leaf.H * (1 / this.scales.h);
    return leaf.depth < this.ask.depth && h >= 2 * this.ask.rules.childWeight && h > 0;
  }

  /** Takes the best of what the kernel answered for a leaf. */
  take(leaf: Leaf, answers: number): void {
    const { workspace, rules, gamma } = this.ask;
    leaf.split = bestSplit(workspace.memory, workspace.layout, answers, leaf, this.scales, rules, gamma);
  }

  /** Splits a leaf in two; which of them is the smaller is told by the hessian. */
  split(leaf: Leaf): { left: Leaf; right: Leaf } {
    const split = leaf.split!;
    const path = leaf.path.includes(split.feature) ? leaf.path : [...leaf.path, split.feature];
    const sums = { G: split.leftG, H: split.leftH };
    const rest = { G: leaf.G - split.leftG, H: leaf.H - split.leftH };
    // Where no row of the node lacks the value, missing values will follow the larger child.
    if (!split.sawMissing) split.missingLeft = sums.H >= rest.H;
    const { low, high, depth, salt } = leaf;
    // Monotone splits keep the values of their children on either side of the middle of the two.
    const sign = this.ask.signs?.[split.feature] ?? 0;
    const middle = sign === 0 ? NaN : this.middle(leaf, sums, rest);
    const left = this.leafOf(
      sums,
      sign < 0 ? middle : low,
      sign > 0 ? middle : high,
      depth + 1,
      path,
      salt * 2,
    );
    const right = this.leafOf(
      rest,
      sign > 0 ? middle : low,
      sign < 0 ? middle : high,
      depth + 1,
      path,
      salt * 2 + 1,
    );
    this.builder.split(leaf.node, split, left.node, right.node);
    this.branches.set(leaf.node, { split, left: left.node, right: right.node });
    return { left, right };
  }

  done(): Grown {
    return { first: this.first, leaves: this.leaves, branches: this.branches };
  }

  private leafOf(
    { G, H }: { G: number; H: number },
    low: number,
    high: number,
    depth: number,
    path: readonly number[],
    salt: number,
  ): Leaf {
    const { rules, eta, choice } = this.ask;
    const g = G * (1 / this.scales.g);
    const h = H * (1 / this.scales.h);
    const value = Math.fround(eta * nodeStep(g, h, rules, low, high));
    return {
      depth,
      low,
      high,
      path,
      salt,
      G,
      H,
      hist: 0,
      allowed: choice.allowed(path, depth, salt),
      node: this.builder.leaf(value, h),
      start: 0,
      count: 0,
    };
  }

  /** Of the values that two children of a node would have. */
  private middle(
    { low, high }: Leaf,
    left: { G: number; H: number },
    right: { G: number; H: number },
  ): number {
    const { rules } = this.ask;
    const stepOf = ({ G, H }: { G: number; H: number }): number =>
      nodeStep(G * (1 / this.scales.g), H * (1 / this.scales.h), rules, low, high);
    return (stepOf(left) + stepOf(right)) / 2;
  }
}

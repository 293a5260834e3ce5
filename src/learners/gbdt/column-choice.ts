import { seededRng } from "../../core/rng.js";

/** Which columns a node may be split on: shares drawn per tree and per node, groups that may interact. */
export class ColumnChoice {
  /** Features that the tree may use, of so many. */
  private readonly tree: number[];
  private readonly features: number;
  /** What every node may use, where that is the same for all. */
  private readonly everywhere?: Uint8Array;

  /**
   * @param featureOf the feature that each column belongs to: columns of one feature are drawn together
   * @param seed    of this tree's draws
   * @param shares  of the columns, drawn for the tree and anew for every node; 1: all
   * @param groups  features that may stand on one path together; none: any may
   */
  constructor(
    private readonly featureOf: Int32Array,
    private readonly seed: string,
    private readonly shares: { tree: number; node: number },
    private readonly groups: readonly (readonly number[])[] = [],
  ) {
    const all = Array.from({ length: (featureOf.at(-1) ?? -1) + 1 }, (_, f) => f);
    this.features = all.length;
    this.tree = shares.tree < 1 ? drawn(all, shares.tree, `${seed} tree`) : all;
    if (this.tree !== all && shares.node >= 1 && groups.length === 0) this.everywhere = this.mask(this.tree);
  }

  /** A byte per column, or undefined when all may be used, by the columns that are split on above. */
  allowed(path: readonly number[], depth: number, salt: number): Uint8Array | undefined {
    if (this.tree.length === this.features && this.shares.node >= 1 && this.groups.length === 0)
      return undefined;
    if (this.everywhere) return this.everywhere;
    let free = this.tree;
    if (this.groups.length > 0 && path.length > 0) {
      const above = path.map((column) => this.featureOf[column]);
      const open = this.groups.filter((group) => above.every((f) => group.includes(f)));
      const together = new Set([...above, ...open.flat()]);
      free = free.filter((f) => together.has(f));
    }
    if (this.shares.node < 1) free = drawn(free, this.shares.node, `${this.seed} node ${depth} ${salt}`);
    return this.mask(free);
  }

  private mask(features: readonly number[]): Uint8Array {
    const open = new Uint8Array(this.features);
    for (const f of features) open[f] = 1;
    return Uint8Array.from(this.featureOf, (f) => open[f]);
  }
}

/** A share of the columns, at least one. */
function drawn(columns: readonly number[], share: number, name: string): number[] {
  const count = Math.max(1, Math.round(columns.length * share));
  if (count >= columns.length) return [...columns];
  return seededRng(name)
    .shuffle([...columns])
    .slice(0, count);
}

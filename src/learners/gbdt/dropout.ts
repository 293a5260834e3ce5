import { seededRng } from "../../core/rng.js";
import type { BinLayout } from "./bins.js";
import type { BinnedRows } from "./boost.js";
import type { Grown } from "./grow.js";
import { addTree, layTree, type LaidTree } from "./laid-tree.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Workspace } from "./workspace.js";

export interface DropoutParams {
  /** Chance of every earlier round to be dropped. */
  rate: number;
  /** Chance of a round to drop none. */
  skip: number;
}

/** Rows with their scores, one pointer per output. */
export interface Scored {
  rows: BinnedRows;
  scores: readonly number[];
}

interface Tree {
  /** For every layout of the rows. */
  laid: ReadonlyMap<BinLayout, LaidTree>;
  output: number;
  /** What its values count, of what they were grown with. */
  weight: number;
  /** The largest of its values. */
  most: number;
}

/**
 * Dropout of trees: a round is grown as if some of the earlier ones were not there, then it and they are scaled to add up to
 * what they did together. Rashmi & Gilad-Bachrach (2015), "DART", AISTATS, algorithm 1; with a learning rate eta, of k dropped
 * rounds the new one counts 1 / (k + eta) and they k / (k + eta) of before, as in XGBoost's `normalize_type=tree`.
 */
export class Dropout {
  private readonly rounds: Tree[][] = [];
  private dropped: Tree[][] = [];
  private current: Tree[] = [];

  constructor(
    private readonly workspace: Workspace,
    private readonly params: DropoutParams & { eta: number; seed: number },
    /** What the trees are added to: the training rows, and those that are watched. */
    private readonly scored: readonly Scored[],
  ) {}

  /**
   * Takes the trees that a round drops out of the scores.
   *
   * @returns per output the most that a score has changed since the last round was grown, beside that round's trees
   */
  begin(outputs: number): Float64Array {
    const changed = new Float64Array(outputs);
    for (const tree of this.dropped.flat()) changed[tree.output] += tree.most * tree.weight;
    const { rate, skip, seed } = this.params;
    const rng = seededRng(`${seed} dropout ${this.rounds.length}`);
    this.dropped = rng.uniform() < skip ? [] : this.rounds.filter(() => rng.uniform() < rate);
    for (const tree of this.dropped.flat()) {
      this.add(tree, -tree.weight);
      changed[tree.output] += tree.most * tree.weight;
    }
    return changed;
  }

  /** Keeps a tree of the round, whose values have been added to the scores. */
  keep(grown: Grown, output: number, builder: TreeBuilder): void {
    const layouts = new Set(this.scored.map(({ rows }) => rows.layout));
    const laid = new Map(
      Array.from(layouts, (layout) => [layout, layTree(this.workspace, layout, builder, grown)]),
    );
    const most = Math.max(...grown.leaves.map(({ node }) => Math.abs(builder.valueOf(node))));
    this.current.push({ laid, output, weight: 1, most });
  }

  /** Ends a round: scales its trees and puts back those that were dropped, scaled. */
  end(): void {
    const k = this.dropped.length;
    const { eta } = this.params;
    if (k > 0) {
      for (const tree of this.current) {
        tree.weight = 1 / (k + eta);
        this.add(tree, tree.weight - 1);
      }
      for (const tree of this.dropped.flat()) {
        tree.weight *= k / (k + eta);
        this.add(tree, tree.weight);
      }
    }
    this.rounds.push(this.current);
    this.current = [];
  }

  /** Writes the weights into the trees that were built. */
  settle(builder: TreeBuilder): void {
    this.rounds.flat().forEach(({ weight }, tree) => builder.scale(tree, weight));
  }

  private add({ laid, output }: Tree, factor: number): void {
    for (const { rows, scores } of this.scored)
      addTree(this.workspace, laid.get(rows.layout)!, rows, scores[output], factor);
  }
}

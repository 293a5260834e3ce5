import { ShopaiError } from "../../../core/errors.js";
import type { Task } from "../../learner.js";
import type { TreeColumn, TreeEnsemble, TreeModel } from "../trees.js";

/** A model that another tool wrote, as our trees. */
export interface ForeignModel {
  model: TreeModel;
  task: Task;
  /** Classification: how many classes. */
  classes?: number;
  /** Tool and version as the file tells them: "xgboost 3.2.0". */
  tool: string;
  /** What our own export wrote beside the trees; absent in files of other makers. */
  passport?: Passport;
}

/** What a shopai model knows and the other tools' formats have no place for. */
export interface Passport {
  task: Task;
  columns: TreeColumn[];
  objective: string;
  target?: { name: string; type: string };
  features: { name: string; type: string }[];
  classes?: string[];
  positive?: string;
}

/** Reads the passport of a file that we wrote. */
export function passportOf(text: string | undefined, where: string): Passport | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Passport;
  } catch (cause) {
    throw damaged("what shopai wrote beside the trees is no JSON", where, cause);
  }
}

/** What stands at one node of another tool's tree. */
export type ForeignNode =
  | { value: number; cover: number }
  | {
      column: number;
      /** Less goes left. */
      threshold: number;
      missingLeft: boolean;
      /** Categorical split: words of the set of levels that go left. */
      set?: readonly number[];
      left: number;
      right: number;
      cover: number;
      gain: number;
    };

/** Gathers trees node by node into flat arrays; parents come before children whatever the other tool's order. */
export class Gathering {
  private readonly starts: number[] = [0];
  private readonly output: number[] = [];
  private readonly nodes = {
    feature: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    missingLeft: [] as number[],
    value: [] as number[],
    cover: [] as number[],
    gain: [] as number[],
    catStart: [] as number[],
    catCount: [] as number[],
  };
  private readonly words: number[] = [];
  private readonly base: Float64Array;

  constructor(base: ArrayLike<number>) {
    this.base = Float64Array.from(base);
  }

  /**
   * Adds a tree. One that is a leaf only goes to the base: it adds the same to every row.
   *
   * @param most nodes that the other tool's tree has; more are a circle
   */
  add(output: number, root: number, most: number, nodeOf: (id: number) => ForeignNode, where: string): void {
    const only = nodeOf(root);
    if ("value" in only) {
      this.base[output] += only.value;
      return;
    }
    const first = this.nodes.feature.length;
    const ids = [root];
    for (let at = 0; at < ids.length; at++) {
      const node = nodeOf(ids[at]);
      if ("value" in node) {
        this.push(-1, NaN, -1, -1, 0, node.value, node.cover, 0);
        continue;
      }
      if (ids.length + 2 > most) throw damaged("a tree whose nodes go round in a circle", where);
      const left = first + ids.length;
      ids.push(node.left, node.right);
      if (node.set) this.words.push(...node.set);
      const set = node.set?.length ?? 0;
      const threshold = node.set ? NaN : node.threshold;
      this.push(
        node.column,
        threshold,
        left,
        left + 1,
        node.missingLeft ? 1 : 0,
        0,
        node.cover,
        node.gain,
        set,
      );
    }
    this.meanValues(first);
    this.starts.push(this.nodes.feature.length);
    this.output.push(output);
  }

  private push(
    feature: number,
    threshold: number,
    left: number,
    right: number,
    missingLeft: number,
    value: number,
    cover: number,
    gain: number,
    set?: number,
  ): void {
    const { nodes } = this;
    nodes.feature.push(feature);
    nodes.threshold.push(threshold);
    nodes.left.push(left);
    nodes.right.push(right);
    nodes.missingLeft.push(missingLeft);
    nodes.value.push(value);
    nodes.cover.push(cover);
    nodes.gain.push(gain);
    nodes.catStart.push(set ? this.words.length - set : -1);
    nodes.catCount.push(set ?? 0);
  }

  /** Inner nodes add what their leaves add on average over the training rows. */
  private meanValues(first: number): void {
    const { left, right, value, cover } = this.nodes;
    for (let n = left.length - 1; n >= first; n--) {
      if (left[n] < 0) continue;
      const total = cover[left[n]] + cover[right[n]];
      const share = total > 0 ? cover[left[n]] / total : 0.5;
      value[n] = share * value[left[n]] + (1 - share) * value[right[n]];
    }
  }

  done(): TreeEnsemble {
    const { nodes } = this;
    return {
      outputs: this.base.length,
      base: this.base,
      starts: Int32Array.from(this.starts),
      output: Int32Array.from(this.output),
      feature: Int32Array.from(nodes.feature),
      threshold: Float64Array.from(nodes.threshold),
      left: Int32Array.from(nodes.left),
      right: Int32Array.from(nodes.right),
      missingLeft: Uint8Array.from(nodes.missingLeft),
      value: Float64Array.from(nodes.value),
      cover: Float64Array.from(nodes.cover),
      gain: Float64Array.from(nodes.gain),
      catStart: Int32Array.from(nodes.catStart),
      catCount: Int32Array.from(nodes.catCount),
      catWords: Uint32Array.from(this.words),
    };
  }
}

/** A set of levels as words of 32 bits; at least one word, so that a set is told from no set. */
export function setOf(levels: Iterable<number>): number[] {
  const words = [0];
  for (const level of levels) {
    while (words.length <= level >> 5) words.push(0);
    words[level >> 5] = (words[level >> 5] | (1 << (level & 31))) >>> 0;
  }
  return words;
}

/** The levels of a categorical split that go left. */
export function levelsLeft({ catStart, catCount, catWords }: TreeEnsemble, node: number): number[] {
  const levels: number[] = [];
  for (let level = 0; level < 32 * catCount[node]; level++)
    if ((catWords[catStart[node] + (level >> 5)] >>> (level & 31)) & 1) levels.push(level);
  return levels;
}

/** Columns as a file tells them. Categories whose levels have no names are numbers: the codes themselves. */
export function foreignColumns(
  names: readonly string[],
  levelsOf: (column: number) => string[] | undefined,
): TreeColumn[] {
  return names.map((name, column) => {
    const levels = levelsOf(column);
    return levels ? { kind: "category", name, levels } : { kind: "number", name };
  });
}

/**
 * How many levels every column has: 0 for numbers. Numbers that splits treat as codes of levels have as
 * many as the largest set of a split tells of.
 */
export function levelCounts({ columns, trees }: TreeModel): number[] {
  const counts = columns.map((column) => (column.kind === "category" ? column.levels.length : 0));
  trees.feature.forEach((column, n) => {
    if (column >= 0 && trees.catStart[n] >= 0 && columns[column].kind !== "category")
      counts[column] = Math.max(counts[column], 32 * trees.catCount[n]);
  });
  return counts;
}

/** Trees in rounds of one tree per output, in their order; -1 where an output has fewer. */
export function rounds({ outputs, output }: TreeEnsemble): number[][] {
  const byOutput = Array.from({ length: outputs }, () => [] as number[]);
  output.forEach((o, t) => byOutput[o].push(t));
  const most = byOutput.reduce((count, list) => Math.max(count, list.length), 0);
  return Array.from({ length: most }, (_, round) => byOutput.map((list) => list[round] ?? -1));
}

/** The file holds something that trees of ours cannot be. */
export function unsupported(what: string, where: string, advice: string): ShopaiError {
  return new ShopaiError("model", `the file holds ${what}, which shopai cannot run`, { where, try: advice });
}

/** The file is not what its maker wrote. */
export function damaged(what: string, where: string, cause?: unknown): ShopaiError {
  return new ShopaiError("model", `the file is damaged: ${what}`, {
    where,
    try: "saving it again with the tool that made it",
    cause,
  });
}

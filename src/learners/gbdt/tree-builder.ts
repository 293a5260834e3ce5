import { thresholdAfter, type BinLayout } from "./bins.js";
import type { Split } from "./split.js";
import type { TreeEnsemble } from "./trees.js";

export interface Branch {
  feature: number;
  missingLeft: boolean;
  gain: number;
  left: number;
  right: number;
  threshold?: number;
  levels?: readonly number[];
  levelCount?: number;
}

/** Collects trees node by node; parents come before their children. */
export class TreeBuilder {
  private readonly starts: number[] = [0];
  private readonly output: number[] = [];
  private readonly feature: number[] = [];
  private readonly threshold: number[] = [];
  private readonly left: number[] = [];
  private readonly right: number[] = [];
  private readonly missingLeft: number[] = [];
  private readonly value: number[] = [];
  private readonly cover: number[] = [];
  private readonly gain: number[] = [];
  private readonly catStart: number[] = [];
  private readonly catCount: number[] = [];
  private readonly catWords: number[] = [];

  constructor(private readonly layout: Pick<BinLayout, "columns" | "featureOf">) {}

  get trees(): number {
    return this.output.length;
  }

  /** Ends a tree: the nodes added since the last one. */
  endTree(output: number): void {
    this.output.push(output);
    this.starts.push(this.feature.length);
  }

  /** Adds a leaf and gives its number. */
  leaf(value: number, cover: number): number {
    this.feature.push(-1);
    this.threshold.push(NaN);
    this.left.push(-1);
    this.right.push(-1);
    this.missingLeft.push(0);
    this.value.push(value);
    this.cover.push(cover);
    this.gain.push(0);
    this.catStart.push(-1);
    this.catCount.push(0);
    return this.feature.length - 1;
  }

  /** Makes a leaf an inner node, by a split in bins. */
  split(node: number, split: Split, left: number, right: number): void {
    const { missingLeft, gain, set } = split;
    const column = this.layout.columns[split.feature];
    const levelCount = column.size - 1;
    this.branch(node, {
      feature: this.layout.featureOf[split.feature],
      missingLeft,
      gain,
      left,
      right,
      threshold: set ? undefined : thresholdAfter(column, split.bin),
      levels: set && levelsIn(set, levelCount),
      levelCount,
    });
  }

  /** Makes a leaf an inner node: by a threshold, or by the levels that go left. */
  branch(node: number, about: Branch): void {
    this.feature[node] = about.feature;
    this.left[node] = about.left;
    this.right[node] = about.right;
    this.missingLeft[node] = about.missingLeft ? 1 : 0;
    this.gain[node] = about.gain;
    if (about.threshold !== undefined) this.threshold[node] = about.threshold;
    if (!about.levels) return;
    const words = new Array<number>(Math.ceil(about.levelCount! / 32)).fill(0);
    for (const level of about.levels) words[level >> 5] |= 1 << (level & 31);
    this.catStart[node] = this.catWords.length;
    this.catCount[node] = words.length;
    this.catWords.push(...words);
  }

  valueOf(node: number): number {
    return this.value[node];
  }

  setValue(node: number, value: number): void {
    this.value[node] = value;
  }

  /** Multiplies the values of a tree's nodes. */
  scale(tree: number, factor: number): void {
    for (let node = this.starts[tree]; node < this.starts[tree + 1]; node++)
      this.value[node] = Math.fround(this.value[node] * factor);
  }

  ensemble(base: Float64Array): TreeEnsemble {
    return {
      outputs: base.length,
      base,
      starts: Int32Array.from(this.starts),
      output: Int32Array.from(this.output),
      feature: Int32Array.from(this.feature),
      threshold: Float64Array.from(this.threshold),
      left: Int32Array.from(this.left),
      right: Int32Array.from(this.right),
      missingLeft: Uint8Array.from(this.missingLeft),
      value: Float64Array.from(this.value),
      cover: Float64Array.from(this.cover),
      gain: Float64Array.from(this.gain),
      catStart: Int32Array.from(this.catStart),
      catCount: Int32Array.from(this.catCount),
      catWords: Uint32Array.from(this.catWords),
    };
  }
}

/** Levels of a set of bins: level c has bin c + 1. */
function levelsIn(set: Uint8Array, count: number): number[] {
  const levels: number[] = [];
  for (let bin = 1; bin <= count; bin++) if ((set[bin >> 3] >> (bin & 7)) & 1) levels.push(bin - 1);
  return levels;
}

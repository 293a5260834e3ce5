import { thresholdAfter, type BinLayout } from "./bins.js";
import type { Split } from "./split.js";
import type { TreeEnsemble } from "./trees.js";

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

  constructor(private readonly layout: BinLayout) {}

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

  /** Makes a leaf an inner node. */
  split(node: number, split: Split, left: number, right: number): void {
    const column = this.layout.columns[split.feature];
    this.feature[node] = split.feature;
    this.left[node] = left;
    this.right[node] = right;
    this.missingLeft[node] = split.missingLeft ? 1 : 0;
    this.gain[node] = split.gain;
    if (!split.set) this.threshold[node] = thresholdAfter(column, split.bin);
    else {
      // Level c has bin c + 1.
      const words = new Array<number>(Math.ceil((column.size - 1) / 32)).fill(0);
      for (let bin = 1; bin < column.size; bin++)
        if ((split.set[bin >> 3] >> (bin & 7)) & 1) words[(bin - 1) >> 5] |= 1 << ((bin - 1) & 31);
      this.catStart[node] = this.catWords.length;
      this.catCount[node] = words.length;
      this.catWords.push(...words);
    }
  }

  valueOf(node: number): number {
    return this.value[node];
  }

  setValue(node: number, value: number): void {
    this.value[node] = value;
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

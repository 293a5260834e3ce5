import { valueOf, type BinLayout } from "./bins.js";
import { answerBytes, type MemoryViews, type Scales, type SplitRules } from "./workspace.js";

/** How a node is split, in bins. */
export interface Split {
  feature: number;
  /** What the split saves: G_l²/(H_l + lambda) + G_r²/(H_r + lambda) - G²/(H + lambda), as XGBoost counts it. */
  gain: number;
  /** Numeric: bins up to this one go left. */
  bin: number;
  missingLeft: boolean;
  /** Whether a row of the node lacks the value. */
  sawMissing: boolean;
  /** Categorical: a bit for every bin that goes left. */
  set?: Uint8Array;
  /** Quantised sums of the left child. */
  leftG: number;
  leftH: number;
}

/** Value of a node before the learning rate: the minimum of the loss's second-order expansion, within bounds. */
export function nodeStep(g: number, h: number, rules: SplitRules, low: number, high: number): number {
  const { alpha, lambda, maxStep } = rules;
  const shrunk = g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
  let step = h + lambda > 0 ? -shrunk / (h + lambda) : 0;
  if (maxStep > 0) step = Math.min(maxStep, Math.max(-maxStep, step));
  return Math.min(high, Math.max(low, step));
}

/** Twice what a node's value saves of the loss. */
export function savedBy(g: number, h: number, rules: SplitRules, step: number): number {
  return -(2 * g * step + (h + rules.lambda) * step * step + 2 * rules.alpha * Math.abs(step));
}

/** The best of the columns' answers for one node; the first of equally good ones. */
export function bestSplit(
  { u8, u32, f64 }: MemoryViews,
  layout: BinLayout,
  answers: number,
  node: { G: number; H: number; low: number; high: number },
  scales: Scales,
  rules: SplitRules,
  gamma: number,
): Split | undefined {
  const columns = layout.columns.length;
  const gains = (answers + columns * answerBytes) >>> 3;
  let feature = -1;
  let best = -1;
  for (let f = 0; f < columns; f++) {
    const gain = f64[gains + f];
    if (gain > best) {
      best = gain;
      feature = f;
    }
  }
  if (feature < 0) return undefined;
  const g = node.G * (1 / scales.g);
  const h = node.H * (1 / scales.h);
  const before = savedBy(g, h, rules, nodeStep(g, h, rules, node.low, node.high));
  const gain = best - before;
  if (!(gain > gamma && gain > 1e-9 * Math.max(best, 1e-9))) return undefined;
  const at = answers + feature * answerBytes;
  const categorical = layout.columns[feature].column.kind === "category";
  return {
    feature,
    gain,
    bin: u32[at / 4 + 2],
    missingLeft: u32[at / 4 + 3] === 1,
    sawMissing: u32[at / 4 + 6] === 1,
    set: categorical ? Uint8Array.from(u8.subarray(at + 32, at + 64)) : undefined,
    leftH: u32[at / 4 + 4],
    leftG: u32[at / 4 + 5] | 0,
  };
}

/**
 * Writes, from `at` on, for each of 256 values of the column's byte where its rows go: one number for the left child, another for
 * the right.
 */
export function writeChildren(
  to: Uint8Array,
  at: number,
  layout: BinLayout,
  split: Split,
  left: number,
  right: number,
): void {
  const { set, feature } = split;
  const own = layout.stored[feature];
  if (own) {
    const sideOf = (bin: number): number =>
      (bin === 0 ? split.missingLeft : bin <= split.bin) ? left : right;
    to.fill(sideOf(own.usual), at, at + 256);
    for (let bin = 0; bin < layout.columns[feature].size; bin++) {
      const value = valueOf(layout, feature, bin);
      if (value > 0) to[at + value] = sideOf(bin);
    }
    return;
  }
  if (set) for (let bin = 0; bin < 256; bin++) to[at + bin] = (set[bin >> 3] >> (bin & 7)) & 1 ? left : right;
  else to.fill(right, at, at + 256).fill(left, at + 1, at + split.bin + 1);
  to[at] = split.missingLeft ? left : right;
}

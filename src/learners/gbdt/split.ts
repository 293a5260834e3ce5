import type { SharedKernel } from "../../engine/pool.js";
import type { BinLayout } from "./bins.js";
import { answerBytes, type Scales, type SplitRules } from "./workspace.js";

/** How a node is split, in bins. */
export interface Split {
  feature: number;
  /** What the split saves: G_l²/(H_l + lambda) + G_r²/(H_r + lambda) - G²/(H + lambda), as XGBoost counts it. */
  gain: number;
  /** Numeric: bins up to this one go left. */
  bin: number;
  missingLeft: boolean;
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
  kernel: SharedKernel,
  layout: BinLayout,
  answers: number,
  node: { G: number; H: number; low: number; high: number },
  scales: Scales,
  rules: SplitRules,
  gamma: number,
): Split | undefined {
  const columns = layout.columns.length;
  const gains = kernel.f64(answers, (columns * answerBytes) / 8);
  let feature = -1;
  let best = -1;
  for (let f = 0; f < columns; f++) {
    const gain = gains[f * 8];
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
  const words = kernel.u32(at, answerBytes / 4);
  const categorical = layout.columns[feature].column.kind === "category";
  return {
    feature,
    gain,
    bin: words[2],
    missingLeft: words[3] === 1,
    set: categorical ? kernel.u8(at + 32, 32).slice() : undefined,
    leftH: words[4],
    leftG: words[5] | 0,
  };
}

/** For every bin whether it goes left. */
export function leftBins(split: Split): Uint8Array {
  const left = new Uint8Array(256);
  if (split.set) for (let bin = 0; bin < 256; bin++) left[bin] = (split.set[bin >> 3] >> (bin & 7)) & 1;
  else left.fill(1, 1, split.bin + 1);
  left[0] = split.missingLeft ? 1 : 0;
  return left;
}

import type { SharedKernel } from "../../engine/pool.js";
import type { Grown } from "./grow.js";
import type { TreeBuilder } from "./tree-builder.js";
import type { Link } from "./trees.js";
import type { Workspace } from "./workspace.js";

/** Where an objective reads scores and leaves gradients: pointers into the kernel's memory. */
export interface GradientAsk {
  workspace: Workspace;
  /** The output whose gradients are wanted. */
  k: number;
  scores: readonly number[];
  g: number;
  h: number;
  partials: number;
}

export interface RenewAsk {
  grown: Grown;
  builder: TreeBuilder;
  eta: number;
  /** Rows of the i-th leaf. */
  rowsOf(leaf: number): Int32Array;
  /** Scores before the tree. */
  score: number;
}

/** A loss to be minimised over raw scores. */
export interface Objective {
  name: string;
  outputs: number;
  link: Link;
  /** Scores before the first tree. */
  base: Float64Array;
  /** Before the trees of a round. */
  begin?(scores: readonly number[]): void;
  /** Writes gradients, hessians, and per block of 4,096 rows in four lanes: sums of |g| and h, largest |g| and h. */
  gradients(ask: GradientAsk): void;
  /** Sets better values of the leaves than the second-order step. */
  renew?(ask: RenewAsk): void;
}

/** Logistic loss; labels 0 and 1. */
export function binary(kernel: SharedKernel, labels: number, weights: number, rows: number): Objective {
  const y = kernel.f32(labels, rows);
  const w = weights ? kernel.f32(weights, rows) : undefined;
  let positive = 0;
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const weight = w ? w[r] : 1;
    positive += weight * y[r];
    total += weight;
  }
  return {
    name: "binary",
    outputs: 1,
    link: "logistic",
    base: Float64Array.of(Math.fround(Math.log(positive / (total - positive)))),
    gradients({ workspace, scores, g, h, partials }) {
      workspace.phase("binaryGradients", rows, scores[0], labels, weights, g, h, partials);
    },
  };
}

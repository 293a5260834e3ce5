import { seededRng } from "../../core/rng.js";
import type { SharedKernel } from "../../engine/pool.js";
import { writeGradients } from "./gradients.js";
import type { Objective } from "./objectives.js";

export interface ForestRows {
  kernel: SharedKernel;
  rows: number;
  /** Numbers of classes, or the target itself. */
  labels: Float32Array;
  /** Outputs: one, or one per class. */
  classes: number;
  weights?: Float32Array;
  /** Draw rows with replacement for every tree. */
  bootstrap: boolean;
  seed: number;
}

/**
 * Trees that do not build on each other: every one is grown on the target itself, so that its leaves hold the mean
 * target of their rows. The gradient of the squared error at 0 is minus the target, and its hessian the weight.
 */
export function meanOfTargets({
  kernel,
  rows,
  labels,
  classes,
  weights,
  bootstrap,
  seed,
}: ForestRows): Objective {
  const times = new Float32Array(rows).fill(1);
  let tree = 0;
  return {
    outputs: classes,
    base: new Float64Array(classes),
    begin() {
      if (bootstrap) {
        const rng = seededRng(seed, `bootstrap ${tree}`);
        times.fill(0);
        for (let i = 0; i < rows; i++) times[rng.integer(rows)]++;
      }
      tree++;
    },
    gradients: ({ k, g, h, partials }) =>
      writeGradients(
        kernel,
        rows,
        g,
        h,
        partials,
        weights,
        classes === 1 ? (r) => -labels[r] * times[r] : (r) => (labels[r] === k ? -times[r] : 0),
        (r) => times[r],
      ),
    loss: () => 0,
  };
}

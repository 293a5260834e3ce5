import type { Device } from "../engine/device.js";
import { openCpu } from "./cpu.js";
import { tf } from "./tf.js";
import type { Weights } from "./weights.js";

/** Weights that can be computed with and read at once. */
export interface Answering {
  weights: Weights;
  /** Runs work with them. */
  on<T>(work: () => T): T;
}

/**
 * Weights for answers that are due at once: those of the device, or, since a GPU cannot be read from at
 * once, a copy on the CPU beside it.
 *
 * @param blank declares the same weights again
 */
export async function answering(device: Device, weights: Weights, blank: () => Weights): Promise<Answering> {
  if (device.backend !== "webgpu") return { weights, on: (work) => work() };
  const values = await weights.joined();
  await openCpu();
  const cpu = tf.getBackend();
  const copy = blank();
  copy.assign(values);
  await tf.setBackend(device.backend);
  return {
    weights: copy,
    on(work) {
      // Both are open: switching takes effect before the promise is settled.
      void tf.setBackend(cpu);
      try {
        return work();
      } finally {
        void tf.setBackend(device.backend);
      }
    },
  };
}

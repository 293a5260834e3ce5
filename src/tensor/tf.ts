import { createRequire } from "node:module";
import type * as Tf from "@tensorflow/tfjs";

/**
 * TensorFlow.js. It takes 0.2 s to load, so whatever imports this module is itself imported only when a
 * neural learner is used. Every backend package finds the same copy, beside which its kernels are listed.
 */
export const tf = createRequire(import.meta.url)("@tensorflow/tfjs") as typeof Tf;
// No checks of every op, and no advice on stderr to install another backend.
tf.enableProdMode();

export type { Tf };
export type Tensor = Tf.Tensor;

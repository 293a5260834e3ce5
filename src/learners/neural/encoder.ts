import type { Tensor } from "../../tensor/tf.js";
import type { Weights } from "../../tensor/weights.js";
import type { SequenceBatch } from "./sequences.js";

/** A network over sequences: from the vectors of items to what is to be expected next. */
export interface Encoder {
  /** Declares its weights. */
  declare(weights: Weights): void;
  /**
   * @param x     vectors of the items, [count, length, factors]
   * @param batch whose `places` give the distance to the end
   * @param seed  of dropout; none outside of training
   * @returns the same shape: at every step, the vector that the next item should be like
   */
  encode(weights: Weights, x: Tensor, batch: SequenceBatch, seed?: number): Tensor;
}

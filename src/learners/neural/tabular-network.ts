import type { Tensor } from "../../tensor/tf.js";
import type { Weights } from "../../tensor/weights.js";
import type { Run } from "../../engine/run.js";
import type { TrainingData } from "../learner.js";
import type { Encoding } from "./encodings.js";
import type { EncodedRows } from "./encoded-rows.js";

/** What a network over columns is fed with. */
export interface TabularShape {
  /** Columns of numbers. */
  numbers: number;
  /** Columns of categories, and the levels of all together. */
  fields: number;
  levels: number;
  /** Numbers that it gives per row. */
  outputs: number;
}

/** Layers of rectified units. */
export interface DeepParams {
  layers: number;
  width: number;
  dropout: number;
}
/** The same over vectors of levels. */
export interface VectorParams extends DeepParams {
  factors: number;
}
/** The same beside products of columns. */
export interface CrossParams extends VectorParams {
  crosses: number;
}

export interface TabularNetwork {
  /** Numbers of a row in the largest tensor of a step: how many rows fit in memory at once follows from it. */
  widest: number;
  /** Declares its weights. */
  declare(weights: Weights): void;
  /**
   * @param rows the arrays behind a batch
   * @param seed of dropout; none outside of training
   * @returns [rows, outputs], before any sigmoid or softmax
   */
  forward(weights: Weights, rows: EncodedRows, seed?: number): Tensor;
}

export type TabularNetworkOf<P> = (params: P, shape: TabularShape) => TabularNetwork;

/** What makes a learner of rows: how they are encoded, and what they go through. */
export interface TabularParts<P> {
  fitEncoding(data: TrainingData, params: P, run: Run): Promise<Encoding>;
  network: TabularNetworkOf<P>;
}

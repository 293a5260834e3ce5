import {
  declareDeep,
  declareInputs,
  declareOutput,
  deep,
  inputWidth,
  joinedInputs,
  output,
} from "./tabular-layers.js";
import type { VectorParams, TabularNetworkOf } from "./tabular-network.js";

/** Numbers and vectors of levels through layers of rectified units. */
export const mlpNetwork: TabularNetworkOf<VectorParams> = (params, shape) => ({
  declare(weights) {
    declareInputs(weights, shape, params.factors);
    const last = declareDeep(weights, "deep", inputWidth(shape, params.factors), params);
    declareOutput(weights, last, shape.outputs);
  },
  forward: (weights, rows, seed) =>
    output(weights, deep(weights, "deep", joinedInputs(weights, shape, rows, params.factors), params, seed)),
});

import {
  declareDeep,
  declareInputs,
  declareOutput,
  deep,
  inputWidth,
  joinedInputs,
  output,
  widestOf,
} from "./tabular-layers.js";
import { fitColumns } from "./columns-encoding.js";
import type { VectorParams, TabularNetworkOf, TabularParts } from "./tabular-network.js";

/** Numbers and vectors of levels through layers of rectified units. */
const network: TabularNetworkOf<VectorParams> = (params, shape) => ({
  widest: widestOf(shape, params),
  declare(weights) {
    declareInputs(weights, shape, params.factors);
    const last = declareDeep(weights, "deep", inputWidth(shape, params.factors), params);
    declareOutput(weights, last, shape.outputs);
  },
  forward: (weights, rows, seed) =>
    output(weights, deep(weights, "deep", joinedInputs(weights, shape, rows, params.factors), params, seed)),
});

export const mlp: TabularParts<VectorParams & { levels: number }> = {
  fitEncoding: ({ relation, features }, { levels }, run) => fitColumns(relation, features, levels, run),
  network,
};

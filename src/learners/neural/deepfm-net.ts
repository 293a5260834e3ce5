import { embed } from "../../tensor/ops.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import {
  codeInputs,
  declareDeep,
  declareLinear,
  declareOutput,
  deep,
  linear,
  numberInputs,
  output,
  widestOf,
} from "./tabular-layers.js";
import { fitColumns } from "./columns-encoding.js";
import type { VectorParams, TabularNetworkOf, TabularParts } from "./tabular-network.js";

/**
 * Guo et al. (2017): a factorisation machine (eq. 2, its pairs as in Rendle 2010) and a deep part over
 * the same vectors, added up. A number is a field whose vector is multiplied by its value.
 */
const network: TabularNetworkOf<VectorParams> = (params, shape) => {
  const fields = shape.numbers + shape.fields;
  const { factors } = params;
  return {
    widest: Math.max(fields * factors, widestOf(shape, params)),
    declare(weights) {
      declareLinear(weights, shape);
      if (shape.numbers > 0) weights.add("number-vectors", [shape.numbers, factors], { normal: 0.05 });
      if (shape.levels > 0) weights.add("levels", [shape.levels, factors], { normal: 0.05 });
      const last = declareDeep(weights, "deep", fields * factors, params);
      declareOutput(weights, last, shape.outputs);
      weights.add("pairs", [factors, shape.outputs], "ones");
    },
    forward(weights, rows, seed) {
      const parts: Tensor[] = [];
      if (shape.numbers > 0)
        parts.push(numberInputs(rows, shape.numbers).expandDims(2).mul(weights.get("number-vectors")));
      if (shape.fields > 0) parts.push(embed(weights.get("levels"), codeInputs(rows, shape.fields)));
      const vectors = parts.length === 1 ? parts[0] : tf.concat(parts, 1);
      // Sum over pairs of <v_i, v_j>, by factor; the weights of the factors start at 1, the paper's.
      const pairs = vectors.sum(1).square().sub(vectors.square().sum(1)).mul(0.5);
      const hidden = deep(weights, "deep", vectors.reshape([rows.rows, fields * factors]), params, seed);
      return tf.addN([
        output(weights, hidden),
        tf.matMul(pairs as never, weights.get("pairs") as never),
        ...linear(weights, shape, rows),
      ]);
    },
  };
};

export const deepfm: TabularParts<VectorParams & { levels: number }> = {
  fitEncoding: ({ relation, features }, { levels }, run) => fitColumns(relation, features, levels, run),
  network,
};

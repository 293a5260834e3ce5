import { dense } from "../../tensor/ops.js";
import { tf } from "../../tensor/tf.js";
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
import type { CrossParams, TabularNetworkOf, TabularParts } from "./tabular-network.js";

/** Wang et al. (2021), eq. 1: x_{l+1} = x_0 ⊙ (W x_l + b) + x_l beside a deep part, side by side into the output. */
const network: TabularNetworkOf<CrossParams> = (params, shape) => {
  const width = inputWidth(shape, params.factors);
  return {
    widest: width + widestOf(shape, params),
    declare(weights) {
      declareInputs(weights, shape, params.factors);
      for (let layer = 0; layer < params.crosses; layer++) {
        weights.add(`cross/${layer}`, [width, width], "glorot");
        weights.add(`cross/${layer}-bias`, [width], "zeros");
      }
      const last = declareDeep(weights, "deep", width, params);
      declareOutput(weights, width + last, shape.outputs);
    },
    forward(weights, rows, seed) {
      const first = joinedInputs(weights, shape, rows, params.factors);
      let x = first;
      for (let layer = 0; layer < params.crosses; layer++)
        x = first.mul(dense(x, weights.get(`cross/${layer}`), weights.get(`cross/${layer}-bias`))).add(x);
      return output(weights, tf.concat([x, deep(weights, "deep", first, params, seed)], 1));
    },
  };
};

export const dcn: TabularParts<CrossParams & { levels: number }> = {
  fitEncoding: ({ relation, features }, { levels }, run) => fitColumns(relation, features, levels, run),
  network,
};

import { dense } from "../../tensor/ops.js";
import { fitColumns } from "./columns-encoding.js";
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
import type { TabularParts, VectorParams } from "./tabular-network.js";

export interface AutoencoderParams extends VectorParams {
  code: number;
  levels: number;
}

/** Columns through a narrow layer and back. */
export const autoencoder: TabularParts<AutoencoderParams> = {
  fitEncoding: ({ relation, features }, { levels }, run) => fitColumns(relation, features, levels, run),
  network: (params, shape) => ({
    widest: widestOf(shape, params),
    declare(weights) {
      declareInputs(weights, shape, params.factors);
      const narrow = declareDeep(weights, "encoder", inputWidth(shape, params.factors), params);
      weights.add("code", [narrow, params.code], "glorot");
      weights.add("code-bias", [params.code], "zeros");
      declareOutput(weights, declareDeep(weights, "decoder", params.code, params), shape.outputs);
    },
    forward(weights, rows, seed) {
      const inner = deep(
        weights,
        "encoder",
        joinedInputs(weights, shape, rows, params.factors),
        params,
        seed,
      );
      const code = dense(inner, weights.get("code"), weights.get("code-bias")).tanh();
      return output(weights, deep(weights, "decoder", code, params, seed === undefined ? seed : ~seed));
    },
  }),
};

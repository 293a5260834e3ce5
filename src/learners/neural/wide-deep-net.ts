import { embed } from "../../tensor/ops.js";
import { tf } from "../../tensor/tf.js";
import type { EncodedRows } from "./encoded-rows.js";
import {
  declareDeep,
  declareInputs,
  declareLinear,
  declareOutput,
  deep,
  inputWidth,
  joinedInputs,
  linear,
  output,
  widestOf,
} from "./tabular-layers.js";
import { fitColumns } from "./columns-encoding.js";
import type { CrossParams, TabularNetworkOf, TabularParts } from "./tabular-network.js";

/** Cheng et al. (2016), eq. 3: a linear model over levels and pairs of levels beside a deep one, added up. */
const network: TabularNetworkOf<CrossParams> = (params, shape) => {
  const pairs = (shape.fields * (shape.fields - 1)) / 2;
  const crossed = pairs > 0 && params.crosses > 0;
  return {
    widest: Math.max(pairs * shape.outputs, widestOf(shape, params)),
    declare(weights) {
      declareInputs(weights, shape, params.factors);
      const last = declareDeep(weights, "deep", inputWidth(shape, params.factors), params);
      declareOutput(weights, last, shape.outputs);
      declareLinear(weights, shape);
      if (crossed) weights.add("crosses", [params.crosses, shape.outputs], "zeros");
    },
    forward(weights, rows, seed) {
      const hidden = deep(weights, "deep", joinedInputs(weights, shape, rows, params.factors), params, seed);
      const parts = [output(weights, hidden), ...linear(weights, shape, rows)];
      if (crossed) {
        const ids = tf.tensor2d(crossCodes(rows, shape.fields, params.crosses), [rows.rows, pairs], "int32");
        parts.push(embed(weights.get("crosses"), ids).sum(1));
      }
      return parts.length === 1 ? parts[0] : tf.addN(parts);
    },
  };
};

/** Every pair of levels of a row, hashed to a bucket: the cross-product transformations of the paper. */
function crossCodes({ rows, codes }: EncodedRows, fields: number, buckets: number): Int32Array {
  const crosses = new Int32Array((rows * fields * (fields - 1)) / 2);
  let at = 0;
  for (let r = 0; r < rows; r++)
    for (let a = 0; a < fields; a++)
      for (let b = a + 1; b < fields; b++) {
        let h =
          Math.imul(codes[r * fields + a] + 1, 0x9e3779b1) ^ Math.imul(codes[r * fields + b] + 1, 0x85ebca6b);
        h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
        crosses[at++] = ((h ^ (h >>> 16)) >>> 0) % buckets;
      }
  return crosses;
}

export const wideDeep: TabularParts<CrossParams & { levels: number }> = {
  fitEncoding: ({ relation, features }, { levels }, run) => fitColumns(relation, features, levels, run),
  network,
};

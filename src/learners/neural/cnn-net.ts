import { dense, dropout } from "../../tensor/ops.js";
import { tf, type Tf } from "../../tensor/tf.js";
import { fitImages, holdPaths } from "./images-encoding.js";
import { fitPixels } from "./pixels-encoding.js";
import { declareOutput, numberInputs, output } from "./tabular-layers.js";
import type { TabularParts } from "./tabular-network.js";

export interface CnnParams {
  side: number;
  filters: number;
  stages: number;
  width: number;
  dropout: number;
}

/** LeCun et al. (1998) with rectified units (Krizhevsky et al. 2012): stages of a convolution and a pooling by 2, twice the filters at each. */
export const cnn: TabularParts<CnnParams> = {
  fitEncoding: async ({ relation, features }, { side }) =>
    holdPaths(features) ? fitImages(relation, features, side) : fitPixels(relation, features),
  network({ filters, stages, width, dropout: rate }, shape) {
    // Three times a square is no square.
    const channels = Number.isInteger(Math.sqrt(shape.numbers)) ? 1 : 3;
    const side = Math.sqrt(shape.numbers / channels);
    /** Sides after every stage, as long as there is something to pool. */
    const sides = Array.from({ length: stages }, (_, stage) => side >> stage).filter((from) => from >= 2);
    const last = sides.length > 0 ? sides[sides.length - 1] >> 1 : side;
    const depth = sides.length > 0 ? filters << (sides.length - 1) : channels;
    return {
      widest: Math.max(shape.numbers, ...sides.map((from, stage) => from * from * (filters << stage))),
      declare(weights) {
        sides.forEach((_, stage) => {
          const from = stage === 0 ? channels : filters << (stage - 1);
          weights.add(`filter/${stage}`, [3, 3, from, filters << stage], "he");
          weights.add(`filter/${stage}-bias`, [filters << stage], "zeros");
        });
        weights.add("dense", [last * last * depth, width], "he");
        weights.add("dense-bias", [width], "zeros");
        declareOutput(weights, width, shape.outputs);
      },
      forward(weights, rows, seed) {
        let x = numberInputs(rows, shape.numbers).reshape([rows.rows, side, side, channels]) as Tf.Tensor4D;
        sides.forEach((_, stage) => {
          x = tf.conv2d(x, weights.get(`filter/${stage}`) as unknown as Tf.Tensor4D, 1, "same");
          x = x.add(weights.get(`filter/${stage}-bias`)).relu();
          x = tf.maxPool(x, 2, 2, "valid");
        });
        let flat = x.reshape([rows.rows, last * last * depth]) as Tf.Tensor;
        if (seed !== undefined) flat = dropout(flat, rate, seed | 0);
        const hidden = dense(flat, weights.get("dense"), weights.get("dense-bias")).relu();
        return output(weights, seed === undefined ? hidden : dropout(hidden, rate, ~seed | 0));
      },
    };
  },
};

import { dropout, embed } from "../../tensor/ops.js";
import { tf, type Tf, type Tensor } from "../../tensor/tf.js";
import { codeInputs, declareOutput, output } from "./tabular-layers.js";
import type { TabularParts } from "./tabular-network.js";
import { fitTokens } from "./tokens-encoding.js";

export interface TextCnnParams {
  factors: number;
  filters: number;
  length: number;
  levels: number;
  dropout: number;
}

/** Tokens that a filter covers; fewer where texts are shorter. */
const widths = [2, 3, 4];

/** Kim (2014), section 2: filters over neighbouring tokens, the largest answer of each over the text. */
export const textCnn: TabularParts<TextCnnParams> = {
  fitEncoding: ({ relation, features }, { length, levels }) => fitTokens(relation, features, length, levels),
  network({ factors, filters, dropout: rate }, shape) {
    const spans = widths.filter((width) => width <= shape.fields);
    if (spans.length === 0) spans.push(shape.fields);
    return {
      widest: shape.fields * Math.max(factors, filters),
      declare(weights) {
        weights.add("tokens", [shape.levels, factors], { normal: 0.1 });
        for (const span of spans) {
          weights.add(`filter/${span}`, [1, span, factors, filters], "he");
          weights.add(`filter/${span}-bias`, [filters], "zeros");
        }
        declareOutput(weights, spans.length * filters, shape.outputs);
      },
      forward(weights, rows, seed) {
        const ids = codeInputs(rows, shape.fields);
        // Padding is all zeros, whatever its vector has become.
        const mask = ids.greater(0).toFloat().expandDims(2);
        const vectors = embed(weights.get("tokens"), ids).mul(mask);
        const x = vectors.reshape([rows.rows, 1, shape.fields, factors]) as Tf.Tensor4D;
        const answers = spans.map((span): Tensor => {
          const filter = weights.get(`filter/${span}`) as unknown as Tf.Tensor4D;
          return tf
            .conv2d(x, filter, 1, "valid")
            .add(weights.get(`filter/${span}-bias`))
            .relu()
            .max([1, 2]);
        });
        const joined = answers.length === 1 ? answers[0] : tf.concat(answers, 1);
        return output(weights, seed === undefined ? joined : dropout(joined, rate, seed | 0));
      },
    };
  },
};

import type { Field } from "../engine/engine.js";
import type { Frame } from "../engine/frame.js";
import { addRow, type DesignMatrix } from "../kernels/design.js";
import { encode, type Encoding } from "./design-matrix.js";
import type { Explainer } from "./explanation.js";

/**
 * The exact contributions of a linear score: of each feature the sum over its columns of the matrix of
 * weight times (value - mean of the training rows). They are the Shapley values of the score where
 * features are independent (Štrumbelj & Kononenko 2014, Knowledge and Information Systems 41:647-665,
 * eq. 13). Missing values count as the mean, so what contributes there is the indicator beside them.
 *
 * @param weights    outputs x (width + 1): of the columns of the matrix, then the intercept
 * @param background rows whose means are taken instead of those of the training rows
 */
export function linearExplainer(
  features: readonly Field[],
  encoding: Encoding,
  weights: Float64Array,
  background: Frame | undefined,
  unit?: Explainer["unit"],
): Explainer {
  const stride = encoding.width + 1;
  const outputs = weights.length / stride;
  const names = features.map(({ name }) => name);
  const owner = new Int32Array(encoding.width);
  encoding.numbers.forEach(({ name, missing }, at) => {
    owner[at] = names.indexOf(name);
    if (missing !== undefined) owner[missing] = owner[at];
  });
  for (const { name, start, levels, missing } of encoding.categories) {
    owner.fill(names.indexOf(name), start, start + levels.length);
    if (missing !== undefined) owner[missing] = names.indexOf(name);
  }
  const means = background ? meansOf(encode(background, features, encoding)) : trainingMeans(encoding);
  /** Contributions of a row whose numbers are 0 in the matrix and whose levels are none. */
  const none = new Float64Array(outputs * names.length);
  const expected = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    expected[o] = weights[o * stride + encoding.width];
    for (let c = 0; c < encoding.width; c++) {
      none[o * names.length + owner[c]] -= weights[o * stride + c] * means[c];
      expected[o] += weights[o * stride + c] * means[c];
    }
  }
  const of = (frame: Frame) => {
    const { numberWidth, numbers, starts, ones } = encode(frame, features, encoding);
    return (from: number, to: number): Float64Array => {
      const out = new Float64Array((to - from) * none.length);
      for (let r = from; r < to; r++) {
        const at = (r - from) * none.length;
        out.set(none, at);
        for (let o = 0; o < outputs; o++) {
          const row = at + o * names.length;
          for (let c = 0; c < numberWidth; c++)
            out[row + owner[c]] += weights[o * stride + c] * numbers[r * numberWidth + c];
          for (let p = starts[r]; p < starts[r + 1]; p++)
            out[row + owner[ones[p]]] += weights[o * stride + ones[p]];
        }
      }
      return out;
    };
  };
  return { names, outputs, expected, unit, of };
}

/** Means of the columns of the matrix over the training rows: 0 for numbers, shares for indicators. */
function trainingMeans({ numbers, categories, width }: Encoding): Float64Array {
  const means = new Float64Array(width);
  for (const { missing, missingShare } of numbers) if (missing !== undefined) means[missing] = missingShare!;
  for (const { start, shares, missing, missingShare } of categories) {
    means.set(shares, start);
    if (missing !== undefined) means[missing] = missingShare!;
  }
  return means;
}

function meansOf(x: DesignMatrix): Float64Array {
  const means = new Float64Array(x.width);
  for (let r = 0; r < x.rows; r++) addRow(x, r, 1 / x.rows, means);
  return means;
}

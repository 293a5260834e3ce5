import { dense, dropout, embed } from "../../tensor/ops.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import type { Weights } from "../../tensor/weights.js";
import type { EncodedRows } from "./encoded-rows.js";
import type { DeepParams, TabularShape, VectorParams } from "./tabular-network.js";

/** Numbers of a batch: [rows, numbers]. */
export function numberInputs({ rows, numbers }: EncodedRows, width: number): Tensor {
  return tf.tensor2d(numbers, [rows, width]);
}

/** Codes of a batch: [rows, fields]. */
export function codeInputs({ rows, codes }: EncodedRows, fields: number): Tensor {
  return tf.tensor2d(codes, [rows, fields], "int32");
}

/** One vector per level, side by side with the numbers: [rows, numbers + fields * factors]. */
export function declareInputs(weights: Weights, { levels }: TabularShape, factors: number): void {
  if (levels > 0) weights.add("levels", [levels, factors], { normal: 0.05 });
}

export function joinedInputs(
  weights: Weights,
  shape: TabularShape,
  rows: EncodedRows,
  factors: number,
): Tensor {
  const parts: Tensor[] = [];
  if (shape.numbers > 0) parts.push(numberInputs(rows, shape.numbers));
  if (shape.fields > 0)
    parts.push(
      embed(weights.get("levels"), codeInputs(rows, shape.fields)).reshape([
        rows.rows,
        shape.fields * factors,
      ]),
    );
  return parts.length === 1 ? parts[0] : tf.concat(parts, 1);
}

export const inputWidth = ({ numbers, fields }: TabularShape, factors: number): number =>
  numbers + fields * factors;

/** Numbers of a row in the largest tensor of inputs, layers and outputs. */
export const widestOf = (shape: TabularShape, { factors, layers, width }: VectorParams): number =>
  Math.max(inputWidth(shape, factors), layers > 0 ? width : 0, shape.outputs);

/** Layers of rectified units, declared under a name. @returns the width of the last */
export function declareDeep(
  weights: Weights,
  name: string,
  into: number,
  { layers, width }: DeepParams,
): number {
  let from = into;
  for (let layer = 0; layer < layers; layer++) {
    weights.add(`${name}/${layer}`, [from, width], "he");
    weights.add(`${name}/${layer}-bias`, [width], "zeros");
    from = width;
  }
  return from;
}

export function deep(
  weights: Weights,
  name: string,
  x: Tensor,
  { layers, dropout: rate }: DeepParams,
  seed?: number,
): Tensor {
  for (let layer = 0; layer < layers; layer++) {
    x = dense(x, weights.get(`${name}/${layer}`), weights.get(`${name}/${layer}-bias`)).relu();
    if (seed !== undefined) x = dropout(x, rate, (seed + Math.imul(layer + 1, 0x9e3779b9)) | 0);
  }
  return x;
}

export function declareOutput(weights: Weights, into: number, outputs: number): void {
  weights.add("output", [into, outputs], "glorot");
  weights.add("output-bias", [outputs], "zeros");
}

export function output(weights: Weights, x: Tensor): Tensor {
  return dense(x, weights.get("output"), weights.get("output-bias"));
}

/** A linear model over numbers and levels: what is wide. */
export function declareLinear(weights: Weights, { numbers, levels, outputs }: TabularShape): void {
  if (numbers > 0) weights.add("linear-numbers", [numbers, outputs], "zeros");
  if (levels > 0) weights.add("linear-levels", [levels, outputs], "zeros");
}

export function linear(weights: Weights, shape: TabularShape, rows: EncodedRows): Tensor[] {
  const parts: Tensor[] = [];
  if (shape.numbers > 0) parts.push(dense(numberInputs(rows, shape.numbers), weights.get("linear-numbers")));
  if (shape.fields > 0)
    parts.push(embed(weights.get("linear-levels"), codeInputs(rows, shape.fields)).sum(1));
  return parts;
}

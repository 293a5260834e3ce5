import { tf, type Tensor } from "../tf.js";
import { lanes, rowSum, type Gpu, type Program } from "./gpu.js";

const parts = 256;

/** Sums of squares of every 256th stretch of 64 numbers. */
const squares: Program = {
  name: "squares",
  inputs: ["x"],
  uniforms: { rows: "i32", count: "i32" },
  per: "row",
  module: rowSum,
  body: `
    var sum = 0.0;
    for (var at = row * ${lanes} + lane; at < uniforms.count; at = at + ${parts * lanes}) {
      sum = sum + x[at] * x[at];
    }
    sum = rowSum(lane, sum);
    if (lane == 0 && row < uniforms.rows) { result[row] = sum; }`,
};

/** What gradients are multiplied by so that their norm is `clip` at most. */
const clipping: Program = {
  name: "clipping",
  inputs: ["sums"],
  uniforms: { rows: "i32", clip: "f32" },
  per: "row",
  module: rowSum,
  body: `
    var sum = 0.0;
    for (var at = lane; at < ${parts}; at = at + ${lanes}) { sum = sum + sums[at]; }
    sum = rowSum(lane, sum);
    if (lane == 0 && row < uniforms.rows) { result[0] = min(1.0, uniforms.clip / max(sqrt(sum), 1e-12)); }`,
};

const first: Program = {
  name: "adamFirst",
  inputs: ["gradient", "factor"],
  uniforms: { beta: "f32" },
  per: "element",
  body: `
    result[index] = uniforms.beta * result[index] + (1.0 - uniforms.beta) * gradient[index] * factor[0];`,
};

const second: Program = {
  name: "adamSecond",
  inputs: ["gradient", "factor"],
  uniforms: { beta: "f32" },
  per: "element",
  body: `
    let scaled = gradient[index] * factor[0];
    result[index] = uniforms.beta * result[index] + (1.0 - uniforms.beta) * scaled * scaled;`,
};

const moving: Program = {
  name: "adamStep",
  // Numbers that are others in every step: the rate by the first correction, the second, the decay.
  inputs: ["first", "second", "about"],
  uniforms: { offset: "i32", epsilon: "f32", decays: "f32" },
  per: "element",
  body: `
    let at = uniforms.offset + index;
    let along = about[0] * first[at] / (sqrt(about[1] * second[at]) + uniforms.epsilon);
    result[index] = result[index] * (1.0 - uniforms.decays * about[2]) - along;`,
};

export interface AdamState {
  /** Running means of the gradients and of their squares, all weights one after the other. */
  first: Tensor;
  second: Tensor;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** What the means are multiplied by, because they started from 0. */
  corrections: readonly [number, number];
}

/**
 * One step of Adam in place.
 *
 * @param weights with their gradients, in the order of the state; one without stays
 * @param clip    largest norm of all gradients together; 0 for no limit
 */
export function adamOn(
  gpu: Gpu,
  weights: readonly { weight: Tensor; gradient?: Tensor; decays: boolean }[],
  state: AdamState,
  { rate, clip, decay }: { rate: number; clip: number; decay: number },
): void {
  const joined = tf.concat(
    weights.map(({ weight, gradient }) => (gradient ?? tf.zerosLike(weight)).flatten()),
  );
  const factor =
    clip > 0
      ? gpu.run(clipping, [1], {
          inputs: [
            gpu.run(squares, [parts], { inputs: [joined], uniforms: [parts, joined.size], rows: parts }),
          ],
          uniforms: [1, clip],
          rows: 1,
        })
      : tf.ones([1]);
  gpu.update(first, state.first, { inputs: [joined, factor], uniforms: [state.beta1] });
  gpu.update(second, state.second, { inputs: [joined, factor], uniforms: [state.beta2] });
  const about = tf.tensor1d([state.corrections[0] * rate, state.corrections[1], decay * rate]);
  let from = 0;
  for (const { weight, gradient, decays } of weights) {
    if (gradient)
      gpu.update(moving, weight, {
        inputs: [state.first, state.second, about],
        uniforms: [from, state.epsilon, decays ? 1 : 0],
      });
    from += weight.size;
  }
}

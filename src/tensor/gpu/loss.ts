import { tf, type Tf, type Tensor } from "../tf.js";
import { lanes, rowMax, rowSum, type Gpu, type Program } from "./gpu.js";

/** Logits of a row as they count: another candidate that stands for the same as the target is no negative. */
const counted = (byIds: boolean): string => `
  fn counted(row : i32, c : i32) -> f32 {
    let logit = logits[row * uniforms.width + c] + shift[c];
    ${byIds ? "if (c != truth[row] && ids[c] == owner[row]) { return -3.4e38; }" : ""}
    return logit;
  }`;

const sums = `
    let own = min(row, uniforms.rows - 1);
    var top = -3.4e38;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) { top = max(top, counted(own, c)); }
    top = rowMax(lane, top);
    var sum = 0.0;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) { sum = sum + exp(counted(own, c) - top); }
    sum = rowSum(lane, sum);`;

const lossOf = (byIds: boolean): Program => ({
  name: byIds ? "lossByIds" : "loss",
  inputs: ["logits", "shift", "truth", "weight", ...(byIds ? ["ids", "owner"] : [])],
  uniforms: { rows: "i32", width: "i32" },
  per: "row",
  module: `${rowSum}${rowMax}${counted(byIds)}`,
  body: `${sums}
    if (lane == 0 && row < uniforms.rows) {
      result[row] = weight[row] * (log(sum) + top - counted(row, truth[row]));
    }`,
});

const lossBackOf = (byIds: boolean): Program => ({
  name: byIds ? "lossByIdsBack" : "lossBack",
  inputs: ["logits", "shift", "truth", "weight", "dy", ...(byIds ? ["ids", "owner"] : [])],
  uniforms: { rows: "i32", width: "i32" },
  per: "row",
  module: `${rowSum}${rowMax}${counted(byIds)}`,
  body: `${sums}
    if (row < uniforms.rows) {
      let by = weight[row] * dy[0];
      for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
        let share = exp(counted(row, c) - top) / sum;
        result[row * uniforms.width + c] = by * (share - select(0.0, 1.0, c == truth[row]));
      }
    }`,
});

const [loss, lossByIds] = [lossOf(false), lossOf(true)];
const [lossBack, lossByIdsBack] = [lossBackOf(false), lossBackOf(true)];

/**
 * Cross-entropy of softmax(h candidatesᵀ + shift), the logits stored once.
 *
 * @param weight [n]: what every row counts, summing to 1
 * @param same   ids of the candidates [m] and of every row's target [n]
 */
export function softmaxLossOn(
  gpu: Gpu,
  h: Tensor,
  candidates: Tensor,
  {
    target,
    shift,
    weight,
    same,
  }: {
    target: Int32Array;
    shift: Float32Array;
    weight: Float32Array;
    same?: { ids: Int32Array; owner: Int32Array };
  },
): Tf.Scalar {
  const call = { uniforms: [h.shape[0], candidates.shape[0]], rows: h.shape[0] };
  return tf.customGrad((...args) => {
    const [from, rows, save] = args as unknown as [Tf.Tensor2D, Tf.Tensor2D, Tf.GradSaveFunc];
    const logits = tf.matMul(from, rows, false, true);
    const ids = same ? [tf.tensor1d(same.ids, "int32"), tf.tensor1d(same.owner, "int32")] : [];
    const about = [tf.tensor1d(shift), tf.tensor1d(target, "int32"), tf.tensor1d(weight)];
    save([from, rows, logits, ...about, ...ids]);
    const each = gpu.run(same ? lossByIds : loss, [h.shape[0]], {
      inputs: [logits, ...about, ...ids],
      ...call,
    });
    return {
      value: each.sum(),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [left, right, scores, ...told] = saved;
        const back = gpu.run(same ? lossByIdsBack : lossBack, scores.shape, {
          inputs: [scores, ...told.slice(0, 3), dy, ...told.slice(3)],
          ...call,
        }) as Tf.Tensor2D;
        return [tf.matMul(back, right as Tf.Tensor2D), tf.matMul(back, left as Tf.Tensor2D, true, false)];
      },
    };
  })(h, candidates) as Tf.Scalar;
}

import { tf, type Tf, type Tensor } from "../tf.js";
import { lanes, rowMax, rowSum, type Gpu, type Program } from "./gpu.js";

const columnSum = (name: string, inputs: string[], module: string, term: string): Program => ({
  name,
  inputs,
  uniforms: { rows: "i32", width: "i32" },
  per: "row",
  module: `${rowSum}${module}`,
  // A workgroup for every column: its threads take every 64th row.
  body: `
    let column = min(row, uniforms.width - 1);
    var sum = 0.0;
    for (var r = lane; r < uniforms.rows; r = r + ${lanes}) {
      let at = r * uniforms.width + column;
      sum = sum + ${term};
    }
    sum = rowSum(lane, sum);
    if (lane == 0 && row < uniforms.width) { result[row] = sum; }`,
});

const columnSums = columnSum("columnSums", ["x"], "", "x[at]");

function sumOfColumns(gpu: Gpu, x: Tensor, width: number): Tensor {
  return gpu.run(columnSums, [width], { inputs: [x], uniforms: [x.size / width, width], rows: width });
}

/** x W + b of rows, the gradient of b in one program. @param x [rows, in] */
export function denseOn(gpu: Gpu, x: Tensor, w: Tensor, b: Tensor): Tensor {
  return tf.customGrad((...args) => {
    const [from, weights, shift, save] = args as unknown as [Tensor, Tensor, Tensor, Tf.GradSaveFunc];
    save([from, weights]);
    return {
      value: tf.fused.matMul({ a: from as Tf.Tensor2D, b: weights as Tf.Tensor2D, bias: shift }),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [input, by] = saved as Tf.Tensor2D[];
        const back = dy as Tf.Tensor2D;
        return [
          tf.matMul(back, by, false, true),
          tf.matMul(input, back, true, false),
          sumOfColumns(gpu, dy, by.shape[1]),
        ];
      },
    };
  })(x, w, b);
}

const dropping: Program = {
  name: "dropout",
  // The seed is another in every step: what programs are told besides is kept on the GPU.
  inputs: ["x", "seed"],
  uniforms: { dropped: "i32", scale: "f32" },
  per: "element",
  body: `
    var h = (u32(index) * 0x9e3779b1u) ^ bitcast<u32>(seed[0]);
    h = (h ^ (h >> 16u)) * 0x85ebca6bu;
    h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
    h = h ^ (h >> 16u);
    result[index] = select(0.0, x[index] * uniforms.scale, (h >> 1u) >= u32(uniforms.dropped));`,
};

/** @param dropped what half a hash must reach to be kept */
export function dropoutOn(gpu: Gpu, x: Tensor, rate: number, seed: number, dropped: number): Tensor {
  const run = (from: Tensor, by: Tensor): Tensor =>
    gpu.run(dropping, from.shape, { inputs: [from, by], uniforms: [dropped, 1 / (1 - rate)] });
  return tf.customGrad((...args) => {
    const [from, save] = args as unknown as [Tensor, Tf.GradSaveFunc];
    const by = tf.tensor1d([seed | 0], "int32");
    save([by]);
    return { value: run(from, by), gradFunc: (dy: Tensor, saved: Tensor[]) => run(dy, saved[0]) };
  })(x);
}

/** Mean and inverse deviation of every row. */
const spread: Program = {
  name: "spread",
  inputs: ["x"],
  uniforms: { rows: "i32", width: "i32", epsilon: "f32" },
  per: "row",
  module: rowSum,
  body: `
    let start = min(row, uniforms.rows - 1) * uniforms.width;
    var sum = 0.0;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) { sum = sum + x[start + c]; }
    let mean = rowSum(lane, sum) / f32(uniforms.width);
    var squares = 0.0;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
      let off = x[start + c] - mean;
      squares = squares + off * off;
    }
    let variance = rowSum(lane, squares) / f32(uniforms.width);
    if (lane == 0 && row < uniforms.rows) {
      result[2 * row] = mean;
      result[2 * row + 1] = inverseSqrt(variance + uniforms.epsilon);
    }`,
};

const normal = `
  fn normal(at : i32) -> f32 {
    let r = at / uniforms.width;
    return (x[at] - spread[2 * r]) * spread[2 * r + 1];
  }`;

const normed: Program = {
  name: "layerNorm",
  inputs: ["x", "spread", "gamma", "beta"],
  uniforms: { width: "i32" },
  per: "element",
  module: normal,
  body: `
    let column = index % uniforms.width;
    result[index] = normal(index) * gamma[column] + beta[column];`,
};

const normedBack: Program = {
  name: "layerNormBack",
  inputs: ["x", "spread", "gamma", "dy"],
  uniforms: { rows: "i32", width: "i32" },
  per: "row",
  module: `${rowSum}${normal}`,
  body: `
    let own = min(row, uniforms.rows - 1);
    let start = own * uniforms.width;
    var plain = 0.0;
    var along = 0.0;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
      let scaled = dy[start + c] * gamma[c];
      plain = plain + scaled;
      along = along + scaled * normal(start + c);
    }
    plain = rowSum(lane, plain) / f32(uniforms.width);
    along = rowSum(lane, along) / f32(uniforms.width);
    if (row < uniforms.rows) {
      for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
        let scaled = dy[start + c] * gamma[c];
        result[start + c] = spread[2 * own + 1] * (scaled - plain - normal(start + c) * along);
      }
    }`,
};

const gammaBack = columnSum("layerNormGamma", ["x", "spread", "dy"], normal, "dy[at] * normal(at)");

/** Layer normalisation over the last axis. @param gamma, beta [width] */
export function layerNormOn(gpu: Gpu, x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor {
  const width = gamma.size;
  const rows = x.size / width;
  return tf.customGrad((...args) => {
    const [from, g, b, save] = args as unknown as [Tensor, Tensor, Tensor, Tf.GradSaveFunc];
    const about = gpu.run(spread, [rows, 2], { inputs: [from], uniforms: [rows, width, epsilon], rows });
    save([from, about, g]);
    return {
      value: gpu.run(normed, from.shape, { inputs: [from, about, g, b], uniforms: [width] }),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [input, spreads, scale] = saved;
        return [
          gpu.run(normedBack, dy.shape, {
            inputs: [input, spreads, scale, dy],
            uniforms: [rows, width],
            rows,
          }),
          gpu.run(gammaBack, [width], { inputs: [input, spreads, dy], uniforms: [rows, width], rows: width }),
          sumOfColumns(gpu, dy, width),
        ];
      },
    };
  })(x, gamma, beta);
}

const softmaxed: Program = {
  name: "causalSoftmax",
  inputs: ["x"],
  uniforms: { rows: "i32", width: "i32", scale: "f32" },
  per: "row",
  module: `${rowSum}${rowMax}`,
  body: `
    let own = min(row, uniforms.rows - 1);
    let start = own * uniforms.width;
    let last = own % uniforms.width;
    var top = -3.4e38;
    for (var c = lane; c <= last; c = c + ${lanes}) { top = max(top, uniforms.scale * x[start + c]); }
    top = rowMax(lane, top);
    var sum = 0.0;
    for (var c = lane; c <= last; c = c + ${lanes}) { sum = sum + exp(uniforms.scale * x[start + c] - top); }
    sum = rowSum(lane, sum);
    if (row < uniforms.rows) {
      for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
        result[start + c] = select(0.0, exp(uniforms.scale * x[start + c] - top) / sum, c <= last);
      }
    }`,
};

const softmaxedBack: Program = {
  name: "causalSoftmaxBack",
  inputs: ["y", "dy"],
  uniforms: { rows: "i32", width: "i32", scale: "f32" },
  per: "row",
  module: rowSum,
  body: `
    let start = min(row, uniforms.rows - 1) * uniforms.width;
    var along = 0.0;
    for (var c = lane; c < uniforms.width; c = c + ${lanes}) { along = along + y[start + c] * dy[start + c]; }
    along = rowSum(lane, along);
    if (row < uniforms.rows) {
      for (var c = lane; c < uniforms.width; c = c + ${lanes}) {
        result[start + c] = uniforms.scale * y[start + c] * (dy[start + c] - along);
      }
    }`,
};

/** Softmax over the places up to each row's own. @param scores [..., length, length] */
export function causalSoftmaxOn(gpu: Gpu, scores: Tensor, scale: number): Tensor {
  const width = scores.shape[scores.shape.length - 1];
  const rows = scores.size / width;
  const call = { uniforms: [rows, width, scale], rows };
  return tf.customGrad((...args) => {
    const [from, save] = args as unknown as [Tensor, Tf.GradSaveFunc];
    const value = gpu.run(softmaxed, from.shape, { inputs: [from], ...call });
    save([value]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        gpu.run(softmaxedBack, dy.shape, { inputs: [saved[0], dy], ...call }),
    };
  })(scores);
}

/** Adds every row of x to the row of the result that its id names. */
const rowsAdded: Program = {
  name: "segmentSum",
  inputs: ["x", "ids"],
  uniforms: { count: "i32", width: "i32", segments: "i32" },
  per: "row",
  atomic: true,
  body: `
    if (index < uniforms.count) {
      let id = ids[index / uniforms.width];
      if (id >= 0 && id < uniforms.segments) { add(id * uniforms.width + index % uniforms.width, x[index]); }
    }`,
};

/** Rows of a table, their gradients added up in one program: tfjs transposes to it and back. */
export function embedOn(gpu: Gpu, table: Tensor, ids: Tensor): Tensor {
  return tf.customGrad((...args) => {
    const [rows, save] = args as unknown as [Tensor, Tf.GradSaveFunc];
    save([ids]);
    return {
      value: tf.gather(rows, ids as Tf.Tensor1D),
      gradFunc: (dy: Tensor, [at]: Tensor[]) => {
        const [segments, width] = table.shape;
        const sums = tf.fill(table.shape, 0);
        gpu.update(rowsAdded, sums, {
          inputs: [dy, at],
          uniforms: [dy.size, width!, segments],
          rows: Math.ceil(dy.size / lanes),
        });
        return sums;
      },
    };
  })(table);
}

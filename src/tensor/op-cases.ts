import { Adam } from "./adam.js";
import {
  causalSoftmax,
  dense,
  dropout,
  embed,
  layerNorm,
  logisticLoss,
  softmaxLoss,
  squaredLoss,
} from "./ops.js";
import { tf, type Tf, type Tensor } from "./tf.js";
import { Weights } from "./weights.js";

/** An op that our networks use, with inputs small enough for the plain CPU backend. */
export interface OpCase {
  name: string;
  /** Shapes of the inputs that have gradients; values are seeded, normal. */
  inputs: number[][];
  /** The op over them. */
  run(...inputs: Tensor[]): Tensor;
  /** There is no gradient of it. */
  forwardOnly?: boolean;
}

const ids = (values: number[], shape: number[] = [values.length]): Tensor =>
  tf.tensor(values, shape, "int32");

const unary: Record<string, (x: Tensor) => Tensor> = {
  relu: (x) => x.relu(),
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  exp: (x) => x.exp(),
  log1p: (x) => x.abs().log1p(),
  abs: (x) => x.abs(),
  square: (x) => x.square(),
  sqrt: (x) => x.square().add(1).sqrt(),
  rsqrt: (x) => tf.rsqrt(x.square().add(1)),
  neg: (x) => x.neg(),
  reshape: (x) => x.reshape([-1]).square(),
  "transpose 0 2 1": (x) => x.transpose([0, 2, 1]).mul(2),
  "sum of the last axis": (x) => x.sum(-1),
  "sum of the first axes": (x) => x.sum([0, 1]),
  "sum of the first axis": (x) => x.sum(0),
  "sum of all": (x) => x.square().sum(),
  "mean of all": (x) => x.square().mean(),
  "mean of an axis": (x) => x.mean(1),
  "max of an axis": (x) => x.max(1),
  moments: (x) => tf.moments(x, -1, true).variance,
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
  slice: (x) => x.slice([0, 1, 0], [-1, 2, -1]).square(),
  concat: (x) => tf.concat([x, x.mul(2)], 1),
  split: (x) => tf.split(x, 2, 2)[1].square(),
  stack: (x) => tf.stack(tf.unstack(x, 1), 0).square(),
  pad: (x) =>
    x
      .pad([
        [0, 0],
        [1, 2],
        [0, 0],
      ])
      .square(),
  tile: (x) => x.tile([1, 2, 1]),
  "clip by value": (x) => x.clipByValue(-0.5, 0.5),
  "expand dims": (x) => x.expandDims(1).mul(3),
};

const binary: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b.square().add(1)),
};

const onCases = <F>(
  cases: Record<string, F>,
  inputs: number[][],
  run: (op: F) => (...inputs: Tensor[]) => Tensor,
  suffix = "",
): OpCase[] =>
  Object.entries(cases).map(([name, op]) => ({ name: `${name}${suffix}`, inputs, run: run(op) }));

const products: OpCase[] = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
].flatMap(([left, right]) =>
  [
    [7, 5, 9],
    [33, 64, 18],
    [4, 300, 8],
  ].flatMap(([m, k, n]): OpCase[] => {
    const a = left ? [k, m] : [m, k];
    const b = right ? [n, k] : [k, n];
    const name = `matMul${left ? " Aᵀ" : ""}${right ? " Bᵀ" : ""} ${m} x ${k} x ${n}`;
    const run = (x: Tensor, y: Tensor): Tensor => tf.matMul(x, y, left, right);
    return [
      { name, inputs: [a, b], run },
      {
        name: `${name}, batch of 3`,
        inputs: [
          [3, ...a],
          [3, ...b],
        ],
        run,
      },
    ];
  }),
);

const convolutions: OpCase[] = (
  [
    ["same", 1],
    ["valid", 1],
    ["same", 2],
    ["valid", 2],
  ] as const
).map(([pad, stride]) => ({
  name: `conv2d ${pad}, stride ${stride}`,
  inputs: [
    [2, 7, 6, 3],
    [3, 3, 3, 5],
  ],
  run: (x, filter) => tf.conv2d(x as Tf.Tensor4D, filter as Tf.Tensor4D, stride, pad),
}));

const own: OpCase[] = [
  { name: "dense", inputs: [[3, 4, 6], [6, 5], [5]], run: (x, w, b) => dense(x, w, b) },
  { name: "embed", inputs: [[6, 5]], run: (table) => embed(table, ids([0, 5, 2, 2, 5, 5], [2, 3])) },
  { name: "gather of rows of 1", inputs: [[6, 1]], run: (table) => embed(table, ids([3, 3, 0])) },
  { name: "dropout", inputs: [[5, 7]], run: (x) => dropout(x, 0.4, 77) },
  { name: "dropout with a negative seed", inputs: [[3, 5]], run: (x) => dropout(x, 0.1, -123456789) },
  { name: "layerNorm", inputs: [[3, 4, 6], [6], [6]], run: (x, gamma, beta) => layerNorm(x, gamma, beta) },
  {
    name: "layerNorm of wide rows",
    inputs: [[70, 130], [130], [130]],
    run: (x, gamma, beta) => layerNorm(x, gamma, beta),
  },
  { name: "dense of many rows", inputs: [[150, 3], [3, 2], [2]], run: (x, w, b) => dense(x, w, b) },
  { name: "causalSoftmax", inputs: [[2, 5, 5]], run: (scores) => causalSoftmax(scores, 0.7) },
  { name: "causalSoftmax of length 70", inputs: [[1, 70, 70]], run: (scores) => causalSoftmax(scores, 0.5) },
  { name: "causalSoftmax of length 9", inputs: [[3, 9, 9]], run: (scores) => causalSoftmax(scores, 1) },
  {
    name: "softmaxLoss",
    inputs: [
      [70, 6],
      [9, 6],
    ],
    run: (h, rows) =>
      softmaxLoss(h, rows, { target: Int32Array.from({ length: 70 }, (_, i) => (i * 5) % 9) }),
  },
  {
    name: "softmaxLoss with shift, weights and ids",
    inputs: [
      [5, 4],
      [7, 4],
    ],
    run: (h, rows) =>
      softmaxLoss(h, rows, {
        target: Int32Array.of(0, 3, 6, 2, 2),
        shift: Float32Array.of(0.1, -0.4, 0.3, 0, 1, -1, 0.2),
        weight: Float32Array.of(1, 0, 2, 0.5, 1),
        ids: Int32Array.of(4, 1, 9, 4, 9, 2, 1),
      }),
  },
  {
    name: "softmaxLoss of many candidates",
    inputs: [
      [3, 4],
      [150, 4],
    ],
    run: (h, rows) => softmaxLoss(h, rows, { target: Int32Array.of(149, 0, 77) }),
  },
  {
    name: "logisticLoss",
    inputs: [[6]],
    run: (z) => logisticLoss(z, Float32Array.of(1, 0, 1, 1, 0, 0.5), Float32Array.of(1, 2, 0, 1, 1, 3)),
  },
  {
    name: "squaredLoss",
    inputs: [[4]],
    run: (z) => squaredLoss(z, tf.tensor1d([1, 2, -1, 0]), Float32Array.of(1, 2, 0, 1)),
  },
  {
    name: "maxPool",
    inputs: [[2, 6, 4, 3]],
    run: (x) => tf.maxPool(x as Tf.Tensor4D, 2, 2, "valid"),
  },
  {
    name: "maxPool same, overlapping",
    inputs: [[1, 5, 5, 2]],
    run: (x) => tf.maxPool(x as Tf.Tensor4D, 3, 2, "same"),
  },
  {
    name: "maxPool of negative windows",
    inputs: [[1, 4, 4, 2]],
    run: (x) => tf.maxPool(x.abs().neg().sub(1) as Tf.Tensor4D, 2, 2, "valid"),
  },
];

/** Steps of the optimizer with both of its limits, on weights of several programs' size. */
const steps: OpCase = {
  name: "Adam",
  inputs: [[90, 3], [3], [2, 2]],
  forwardOnly: true,
  run(...starts) {
    const weights = new Weights();
    starts.forEach((start, i) => weights.add(String(i), start.shape, "zeros").assign(start.add(0)));
    const adam = new Adam(weights, { clip: 0.5, decay: 0.1 });
    for (const rate of [0.1, 0.05])
      adam.step(
        Object.fromEntries(["0", "1"].map((name) => [name, weights.get(name).square().sub(0.5)])),
        rate,
      );
    const after = tf.concat(Array.from(weights.entries(), ([, weight]) => weight.flatten()));
    adam.dispose();
    weights.dispose();
    return after;
  },
};

/** Every op that our networks use. */
export const opCases: readonly OpCase[] = [
  ...onCases(unary, [[2, 3, 4]], (op) => (x) => op(x)),
  ...onCases(
    binary,
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    (op) => (a, b) => op(a, b),
  ),
  ...onCases(binary, [[2, 3, 4], [4]], (op) => (a, b) => op(a, b), " of a row"),
  ...onCases(
    binary,
    [
      [3, 1],
      [3, 4],
    ],
    (op) => (a, b) => op(a, b),
    " of a column",
  ),
  ...products,
  ...convolutions,
  ...own,
  steps,
];

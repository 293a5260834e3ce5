import { tf, type Tf, type Tensor } from "./tf.js";
import { ownGpu } from "./gpu/gpu.js";
import { causalSoftmaxOn, denseOn, dropoutOn, embedOn, layerNormOn } from "./gpu/layers.js";
import { softmaxLossOn } from "./gpu/loss.js";
import { ownHeap } from "./wasm-kernels.js";

/*
 * What our networks are made of beside the plain ops of TensorFlow.js. Each runs as one kernel of
 * heap-kernels.as.ts where the WASM backend is in use, as one or two programs of gpu/ on WebGPU, and as a
 * handful of plain ops elsewhere; the self-test holds them against each other.
 */

/** A tensor that a kernel of ours wrote. */
function made(info: Tf.TensorInfo): Tensor {
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** The rows of everything but the last axis: [2, 3, d] counts 6. */
const rowsOf = (x: Tensor): number => x.size / x.shape[x.shape.length - 1];

/** x W + b over the last axis. @param x [..., in] @param w [in, out] @param b [out] */
export function dense(x: Tensor, w: Tensor, b?: Tensor): Tensor {
  const width = x.shape[x.shape.length - 1];
  const rows = x.reshape([-1, width]) as Tf.Tensor2D;
  const gpu = ownGpu();
  const flat = gpu && b ? denseOn(gpu, rows, w, b) : plainDense(rows, w as Tf.Tensor2D, b);
  return flat.reshape([...x.shape.slice(0, -1), w.shape[1]!]);
}

function plainDense(rows: Tf.Tensor2D, w: Tf.Tensor2D, b?: Tensor): Tensor {
  const product = tf.matMul(rows, w);
  return b ? product.add(b) : product;
}

/** Rows of an embedding table. @param table [levels, d] @param ids int32 of any shape @returns [..., d] */
export function embed(table: Tensor, ids: Tensor): Tensor {
  const gpu = ownGpu();
  const flat = ids.flatten() as Tf.Tensor1D;
  return (gpu ? embedOn(gpu, table, flat) : tf.gather(table, flat)).reshape([...ids.shape, table.shape[1]!]);
}

/** Whether the element of an index is kept: the plain twin of `hashed` in heap/layers.as.ts. */
export function dropoutMask(length: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(length);
  const dropped = droppedBelow(rate);
  const scale = 1 / (1 - rate);
  for (let i = 0; i < length; i++) {
    let h = Math.imul(i, 0x9e3779b1) ^ seed;
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
    mask[i] = h >>> 1 >= dropped ? scale : 0;
  }
  return mask;
}

const droppedBelow = (rate: number): number => Math.min(2147483647, Math.floor(rate * 2147483648));

/**
 * Sets a share of the values to 0 and divides the others by what is left (Srivastava et al. 2014). The
 * same seed and shape drop the same places on every device.
 *
 * @param rate in [0, 1)
 */
export function dropout(x: Tensor, rate: number, seed: number): Tensor {
  if (rate === 0) return x;
  const gpu = ownGpu();
  if (gpu) return dropoutOn(gpu, x, rate, seed, droppedBelow(rate));
  const heap = ownHeap();
  if (!heap) return x.mul(tf.tensor(dropoutMask(x.size, rate, seed), x.shape));
  const run = (from: Tensor): Tensor => {
    const out = heap.make(from.shape);
    heap.call(
      "dropout",
      from.size,
      heap.at(from),
      heap.at(out),
      seed | 0,
      droppedBelow(rate),
      1 / (1 - rate),
    );
    return made(out);
  };
  return tf.customGrad((from) => ({
    value: run(from as Tensor),
    gradFunc: (dy: Tensor) => run(dy),
  }))(x);
}

const epsilon = 1e-5;

/**
 * Layer normalisation over the last axis (Ba, Kiros & Hinton 2016).
 * @param gamma, beta [d]
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor): Tensor {
  const gpu = ownGpu();
  if (gpu) return layerNormOn(gpu, x, gamma, beta, epsilon);
  const heap = ownHeap();
  if (!heap) {
    const { mean, variance } = tf.moments(x, -1, true);
    return x
      .sub(mean)
      .mul(tf.rsqrt(variance.add(epsilon)))
      .mul(gamma)
      .add(beta);
  }
  const rows = rowsOf(x);
  const d = gamma.size;
  return tf.customGrad((...args) => {
    const [from, g, b, save] = args as unknown as [Tensor, Tensor, Tensor, Tf.GradSaveFunc];
    const out = heap.make(from.shape);
    const normal = heap.make(from.shape);
    const spread = heap.make([rows]);
    heap.call(
      "layerNorm",
      ...[rows, d, heap.at(from), heap.at(g), heap.at(b), epsilon],
      ...[heap.at(out), heap.at(normal), heap.at(spread)],
    );
    save([made(normal), made(spread), g]);
    return {
      value: made(out),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [unit, inverse, scale] = saved;
        const dx = heap.make(dy.shape);
        const dgamma = heap.make([d]);
        const dbeta = heap.make([d]);
        heap.call(
          "layerNormBack",
          ...[rows, d, heap.at(dy), heap.at(unit), heap.at(inverse), heap.at(scale)],
          ...[heap.at(dx), heap.at(dgamma), heap.at(dbeta)],
        );
        return [made(dx), made(dgamma), made(dbeta)];
      },
    };
  })(x, gamma, beta);
}

/**
 * Softmax of scale * scores over the places up to each row's own: what a causal self-attention weighs with.
 * @param scores [batch, length, length] @returns the same shape, 0 above the diagonal
 */
export function causalSoftmax(scores: Tensor, scale: number): Tensor {
  const gpu = ownGpu();
  if (gpu) return causalSoftmaxOn(gpu, scores, scale);
  const heap = ownHeap();
  const length = scores.shape[scores.shape.length - 1];
  if (!heap) {
    const later = new Float32Array(length * length);
    for (let i = 0; i < length; i++) for (let j = i + 1; j < length; j++) later[i * length + j] = -1e30;
    return tf.softmax(scores.mul(scale).add(tf.tensor2d(later, [length, length])));
  }
  const rows = rowsOf(scores);
  return tf.customGrad((...args) => {
    const [from, save] = args as unknown as [Tensor, Tf.GradSaveFunc];
    const out = heap.make(from.shape);
    const top = heap.scratch(16);
    heap.call("causalSoftmax", rows, length, scale, heap.at(from), heap.at(out), top);
    const value = made(out);
    save([value]);
    return {
      value,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const dx = heap.make(dy.shape);
        heap.call("causalSoftmaxBack", rows, length, scale, heap.at(saved[0]), heap.at(dy), heap.at(dx));
        return made(dx);
      },
    };
  })(scores);
}

/** What is to be told apart from what, for `softmaxLoss`. */
export interface Candidates {
  /** [n]: the candidate of every row that is right. */
  target: Int32Array;
  /** [m], added to the logits: minus the log of how often a candidate is drawn (Bengio & Senécal 2008). */
  shift?: Float32Array;
  /** [n]: what every row counts; its sum is divided by. 1 each by default. */
  weight?: Float32Array;
  /** [m]: what the candidates stand for: another candidate that stands for the same as the target is no negative. */
  ids?: Int32Array;
}

/**
 * Mean cross-entropy of softmax(h candidatesᵀ + shift): the loss of sampled and of full softmax, and of
 * in-batch negatives. On WebAssembly the n x m logits are never stored.
 *
 * @param h [n, d] @param candidates [m, d]
 * @returns a scalar
 */
export function softmaxLoss(h: Tensor, candidates: Tensor, about: Candidates): Tf.Scalar {
  const heap = ownHeap();
  const [n, d] = h.shape;
  const m = candidates.shape[0];
  const weight = about.weight ?? new Float32Array(n).fill(1);
  const counted = weight.reduce((sum, value) => sum + value, 0) || 1;
  const shift = about.shift ?? new Float32Array(m);
  const owner = about.ids && Int32Array.from(about.target, (at) => about.ids![at]);
  const gpu = ownGpu();
  if (gpu)
    return softmaxLossOn(gpu, h, candidates, {
      target: about.target,
      shift,
      weight: weight.map((value) => value / counted),
      same: owner && { ids: about.ids!, owner },
    });
  if (!heap) return plainSoftmaxLoss(h, candidates, about, { weight, counted, shift, owner });
  return tf.customGrad((...args) => {
    const [from, rows, save] = args as unknown as [Tensor, Tensor, Tf.GradSaveFunc];
    const arrays = [
      tf.tensor1d(shift),
      tf.tensor1d(about.target, "int32"),
      tf.tensor1d(weight.map((value) => value / counted)),
      ...(owner ? [tf.tensor1d(about.ids!, "int32"), tf.tensor1d(owner, "int32")] : []),
    ];
    const dh = heap.make([n, d]);
    const drows = heap.make([m, d]);
    const parts = made(heap.make([n, 3]));
    const scratch = heap.scratch(heap.call("lossScratch", m));
    const [shiftAt, targetAt, weightAt, idsAt = 0, ownerAt = 0] = arrays.map(heap.at);
    heap.call(
      "softmaxLoss",
      ...[n, m, d, heap.at(from), heap.at(rows), shiftAt, targetAt, weightAt, idsAt, ownerAt],
      ...[heap.at(dh), heap.at(drows), heap.at(parts), scratch],
    );
    const [own, most, sum] = [0, 1, 2].map((column) => parts.dataSync().filter((_, i) => i % 3 === column));
    let loss = 0;
    for (let r = 0; r < n; r++) loss += weight[r] * (Math.log(sum[r]) + most[r] - own[r]);
    save([made(dh), made(drows)]);
    return {
      value: tf.scalar(loss / counted),
      gradFunc: (dy: Tensor, saved: Tensor[]) => saved.map((gradient) => gradient.mul(dy)),
    };
  })(h, candidates) as Tf.Scalar;
}

function plainSoftmaxLoss(
  h: Tensor,
  candidates: Tensor,
  { target, ids }: Candidates,
  about: { weight: Float32Array; counted: number; shift: Float32Array; owner?: Int32Array },
): Tf.Scalar {
  const m = candidates.shape[0];
  const hot = tf.oneHot(tf.tensor1d(target, "int32"), m).toFloat();
  let logits: Tensor = tf.matMul(h as Tf.Tensor2D, candidates as Tf.Tensor2D, false, true).add(about.shift);
  if (ids) {
    const same = tf
      .equal(tf.tensor2d(about.owner!, [target.length, 1], "int32"), tf.tensor2d(ids, [1, m], "int32"))
      .toFloat();
    logits = logits.sub(same.sub(hot).mul(1e30));
  }
  const own = tf.logSoftmax(logits).mul(hot).sum(1);
  return own.mul(tf.tensor1d(about.weight)).sum().div(-about.counted) as Tf.Scalar;
}

/**
 * Mean logistic loss of logits against truths in [0, 1], weighted.
 * @param logits [n] @returns a scalar
 */
export function logisticLoss(logits: Tensor, truth: Float32Array, weight?: Float32Array): Tf.Scalar {
  const counted = weight ? weight.reduce((sum, value) => sum + value, 0) || 1 : truth.length;
  return tf.customGrad((...args) => {
    const [z, save] = args as unknown as [Tensor, Tf.GradSaveFunc];
    const y = tf.tensor1d(truth);
    const w = weight ? tf.tensor1d(weight) : tf.onesLike(y);
    save([z, y, w]);
    const each = z.relu().sub(z.mul(y)).add(z.abs().neg().exp().log1p());
    return {
      value: each.mul(w).sum().div(counted),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [at, is, by] = saved;
        return at.sigmoid().sub(is).mul(by).mul(dy.div(counted));
      },
    };
  })(logits) as Tf.Scalar;
}

/** Mean squared error, weighted. @param predicted [n] */
export function squaredLoss(predicted: Tensor, truth: Tensor, weight?: Float32Array): Tf.Scalar {
  const off = predicted.sub(truth).square();
  if (!weight) return off.mean();
  const counted = weight.reduce((sum, value) => sum + value, 0) || 1;
  return off.mul(tf.tensor1d(weight)).sum().div(counted);
}

import { seededRng } from "../core/rng.js";
import type { Device } from "../engine/device.js";
import { Adam } from "./adam.js";
import { dense, embed, logisticLoss } from "./ops.js";
import { tf, type Tf, type Tensor } from "./tf.js";
import { Weights } from "./weights.js";

/** What a device did in a second or so of each. */
export interface Speed {
  /** Product of two square matrices (of 1024 on a CPU, 2048 on a GPU), in 10^9 operations a second. */
  matmul_gflops: number;
  /** Rows of a table of 100,000 x 64 looked up and learned from, per second. */
  embedding_rows_per_s: number;
  /** Rows of 30 numbers that a network of 128 and 64 units learns from, per second. */
  training_rows_per_s: number;
}

/** Measures the backend in use, with less work where it is software that plays a GPU. */
export async function measureSpeed({ name, software }: Pick<Device, "name" | "software">): Promise<Speed> {
  const side = software ? 256 : name === "cpu" ? 1024 : 2048;
  return {
    matmul_gflops: rounded(((await matmulRate(side)) * 2 * side * side * side) / 1e9),
    embedding_rows_per_s: rounded((await embeddingRate(software ? 2000 : 100_000)) * 4096),
    training_rows_per_s: rounded((await trainingRate()) * 1024),
  };
}

const rounded = (value: number): number => Number(value.toPrecision(3));

/** Rounds per second, after two that compile pipelines and fill caches. */
async function rate(round: () => Tensor): Promise<number> {
  const once = async (times: number): Promise<number> => {
    const began = performance.now();
    let last: Tensor | undefined;
    for (let i = 0; i < times; i++) {
      last?.dispose();
      last = round();
    }
    // Work is queued on a GPU: a value of the last result is awaited.
    const value = tf.tidy(() => last!.flatten().slice([0], [1]));
    await value.data();
    tf.dispose([value, last!]);
    return (performance.now() - began) / 1000;
  };
  await once(2);
  let times = 1;
  for (;;) {
    const seconds = await once(times);
    if (seconds > 0.3 || times >= 4096) return times / seconds;
    times *= 2;
  }
}

async function matmulRate(side: number): Promise<number> {
  const [a, b] = ["a", "b"].map((name) => normal(name, [side, side]));
  const result = await rate(() => tf.matMul(a, b));
  tf.dispose([a, b]);
  return result;
}

async function embeddingRate(rows: number): Promise<number> {
  const weights = new Weights((name) => seededRng(1, name));
  const table = weights.add("table", [rows, 64], { normal: 0.1 });
  const rng = seededRng(1, "ids");
  const ids = Int32Array.from({ length: 4096 }, () => rng.integer(rows));
  return learning(weights, () => embed(table, tf.tensor1d(ids, "int32")).square().mean() as Tf.Scalar);
}

async function trainingRate(): Promise<number> {
  const weights = new Weights((name) => seededRng(1, name));
  const sizes = [30, 128, 64, 1];
  for (let layer = 0; layer < 3; layer++) {
    weights.add(`w${layer}`, [sizes[layer], sizes[layer + 1]], "he");
    weights.add(`b${layer}`, [sizes[layer + 1]], "zeros");
  }
  const rng = seededRng(1, "rows");
  const inputs = Float32Array.from({ length: 1024 * 30 }, () => rng.normal());
  const truth = Float32Array.from({ length: 1024 }, () => rng.integer(2));
  return learning(weights, () => {
    let x: Tensor = tf.tensor2d(inputs, [1024, 30]);
    for (let layer = 0; layer < 3; layer++) {
      x = dense(x, weights.get(`w${layer}`), weights.get(`b${layer}`));
      if (layer < 2) x = x.relu();
    }
    return logisticLoss(x.flatten(), truth);
  });
}

async function learning(weights: Weights, loss: () => Tf.Scalar): Promise<number> {
  const adam = new Adam(weights, { clip: 0, decay: 0 });
  const result = await rate(() =>
    tf.tidy(() => {
      const step = weights.gradients(loss);
      adam.step(step.gradients, 1e-3);
      return step.loss;
    }),
  );
  adam.dispose();
  weights.dispose();
  return result;
}

function normal(name: string, shape: [number, number]): Tf.Tensor2D {
  const rng = seededRng(1, name);
  return tf.tensor2d(
    Float32Array.from({ length: shape[0] * shape[1] }, () => rng.normal()),
    shape,
  );
}

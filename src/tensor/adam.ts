import { power } from "../core/power.js";
import { adamOn } from "./gpu/adam.js";
import { ownGpu, type Gpu } from "./gpu/gpu.js";
import { tf, type Tensor } from "./tf.js";
import type { Weights } from "./weights.js";
import { ownHeap } from "./wasm-kernels.js";

export interface AdamAsk {
  /** Largest norm that the gradients of a step may have together; 0 for no limit. */
  clip: number;
  /** Decoupled weight decay per unit of rate; weights of rank 1 (biases, norms) are spared. */
  decay: number;
}

const beta1 = 0.9;
const beta2 = 0.999;
const epsilon = 1e-8;

/**
 * Adam (Kingma & Ba 2015) with decoupled decay (Loshchilov & Hutter 2019) and clipping by the norm of
 * all gradients (Pascanu et al. 2013). One pass over every weight where kernels of ours run, on WebAssembly
 * and on WebGPU; elsewhere plain ops over all weights joined.
 */
export class Adam {
  #steps = 0;
  /** Running means of the gradients and of their squares, all weights one after the other. */
  #first: Tensor;
  #second: Tensor;
  /** 1 where weights decay. */
  readonly #decaying: Tensor;

  constructor(
    readonly weights: Weights,
    readonly ask: AdamAsk,
  ) {
    this.#first = tf.keep(tf.zeros([weights.size]));
    this.#second = tf.keep(tf.zeros([weights.size]));
    const decaying = new Float32Array(weights.size);
    weights.split(decaying, (_, part, shape) => part.fill(shape.length > 1 ? 1 : 0));
    this.#decaying = tf.keep(tf.tensor1d(decaying));
  }

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /** One step along gradients by name of their weight; a weight without one stays. */
  step(gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    this.#steps++;
    const gpu = ownGpu();
    if (ownHeap()) this.#onHeap(gradients, rate);
    else if (gpu) tf.tidy(() => this.#onGpu(gpu, gradients, rate));
    else tf.tidy(() => this.#joined(gradients, rate));
  }

  #onHeap(gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    const heap = ownHeap()!;
    let factor = 1;
    if (this.ask.clip > 0) {
      let squares = 0;
      for (const gradient of Object.values(gradients))
        squares += heap.call("squares", gradient.size, heap.at(gradient));
      factor = Math.min(1, this.ask.clip / Math.max(Math.sqrt(squares), 1e-12));
    }
    const [c1, c2] = this.#corrections();
    let offset = 0;
    for (const [name, weight] of this.weights.entries()) {
      const gradient = gradients[name];
      // In place: nothing but our own kernels reads weights, and those keep no copies.
      if (gradient)
        heap.call(
          "adam",
          ...[weight.size, heap.at(weight), heap.at(gradient)],
          ...[heap.at(this.#first) + offset, heap.at(this.#second) + offset],
          ...[rate, beta1, beta2, epsilon, c1, c2, factor, weight.rank > 1 ? this.ask.decay * rate : 0],
        );
      offset += 4 * weight.size;
    }
  }

  #onGpu(gpu: Gpu, gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    adamOn(
      gpu,
      Array.from(this.weights.entries(), ([name, weight]) => ({
        weight,
        gradient: gradients[name],
        decays: weight.rank > 1,
      })),
      {
        first: this.#first,
        second: this.#second,
        ...{ beta1, beta2, epsilon },
        corrections: this.#corrections(),
      },
      { rate, ...this.ask },
    );
  }

  #joined(gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    const weights = [...this.weights.entries()];
    const raw = tf.concat(
      weights.map(([name, weight]) => (gradients[name] ?? tf.zerosLike(weight)).flatten()),
    );
    const norm = this.ask.clip > 0 ? tf.maximum(raw.square().sum().sqrt(), 1e-12) : undefined;
    const gradient = norm ? raw.mul(tf.minimum(1, tf.div(this.ask.clip, norm))) : raw;
    const [c1, c2] = this.#corrections();
    const first = this.#first.mul(beta1).add(gradient.mul(1 - beta1));
    const second = this.#second.mul(beta2).add(gradient.square().mul(1 - beta2));
    const step = first.mul(c1 * rate).div(second.mul(c2).sqrt().add(epsilon));
    const before = tf.concat(weights.map(([, weight]) => weight.flatten()));
    const kept = this.ask.decay > 0 ? before.mul(this.#decaying.mul(-this.ask.decay * rate).add(1)) : before;
    const after = kept.sub(step);
    let at = 0;
    for (const [name, weight] of weights) {
      if (gradients[name]) weight.assign(after.slice([at], [weight.size]).reshape(weight.shape));
      at += weight.size;
    }
    this.#replace(first, second);
  }

  #replace(first: Tensor, second: Tensor): void {
    tf.dispose([this.#first, this.#second]);
    this.#first = tf.keep(first);
    this.#second = tf.keep(second);
  }

  #corrections(): [number, number] {
    return [1 / (1 - power(beta1, this.#steps)), 1 / (1 - power(beta2, this.#steps))];
  }

  /** Everything that the next step depends on, for a checkpoint. */
  async state(): Promise<{ steps: number; first: Float32Array; second: Float32Array }> {
    const [first, second] = await Promise.all([this.#first.data(), this.#second.data()]);
    return { steps: this.#steps, first: first as Float32Array, second: second as Float32Array };
  }

  restore({ steps, first, second }: { steps: number; first: Float32Array; second: Float32Array }): void {
    this.#steps = steps;
    this.#replace(tf.tensor1d(first), tf.tensor1d(second));
  }

  dispose(): void {
    tf.dispose([this.#first, this.#second, this.#decaying]);
  }
}

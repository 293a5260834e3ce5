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
 * all gradients (Pascanu et al. 2013). One pass over every weight where our kernels run.
 */
export class Adam {
  #steps = 0;
  readonly #first = new Map<string, Tensor>();
  readonly #second = new Map<string, Tensor>();

  constructor(
    readonly weights: Weights,
    readonly ask: AdamAsk,
  ) {
    for (const [name, weight] of weights.entries()) {
      this.#first.set(name, tf.keep(tf.zerosLike(weight)));
      this.#second.set(name, tf.keep(tf.zerosLike(weight)));
    }
  }

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /** One step along gradients by name of their weight; a weight without one stays. */
  step(gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    this.#steps++;
    if (ownHeap()) this.#onHeap(gradients, rate);
    else tf.tidy(() => this.#plain(gradients, rate));
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
    for (const [name, weight] of this.weights.entries()) {
      const gradient = gradients[name];
      if (!gradient) continue;
      // In place: nothing but our own kernels reads weights, and those keep no copies.
      heap.call(
        "adam",
        ...[weight.size, heap.at(weight), heap.at(gradient)],
        ...[heap.at(this.#first.get(name)!), heap.at(this.#second.get(name)!)],
        ...[rate, beta1, beta2, epsilon, c1, c2, factor, weight.rank > 1 ? this.ask.decay * rate : 0],
      );
    }
  }

  #plain(gradients: Readonly<Record<string, Tensor>>, rate: number): void {
    const factor =
      this.ask.clip > 0
        ? tf.minimum(1, tf.div(this.ask.clip, tf.maximum(normOf(Object.values(gradients)), 1e-12)))
        : undefined;
    const [c1, c2] = this.#corrections();
    for (const [name, weight] of this.weights.entries()) {
      const raw = gradients[name];
      if (!raw) continue;
      const gradient = factor ? raw.mul(factor) : raw;
      const first = this.#first.get(name)!;
      const second = this.#second.get(name)!;
      const newFirst = first.mul(beta1).add(gradient.mul(1 - beta1));
      const newSecond = second.mul(beta2).add(gradient.square().mul(1 - beta2));
      const step = newFirst.mul(c1 * rate).div(newSecond.mul(c2).sqrt().add(epsilon));
      const decayed = weight.rank > 1 ? weight.mul(1 - this.ask.decay * rate) : weight;
      weight.assign(decayed.sub(step));
      this.#replace(this.#first, name, newFirst);
      this.#replace(this.#second, name, newSecond);
    }
  }

  #replace(of: Map<string, Tensor>, name: string, value: Tensor): void {
    of.get(name)!.dispose();
    of.set(name, tf.keep(value));
  }

  #corrections(): [number, number] {
    return [1 / (1 - beta1 ** this.#steps), 1 / (1 - beta2 ** this.#steps)];
  }

  /** Everything that the next step depends on, for a checkpoint. */
  async state(): Promise<{ steps: number; first: Float32Array; second: Float32Array }> {
    return {
      steps: this.#steps,
      first: await this.weights.joined((name) => this.#first.get(name)!),
      second: await this.weights.joined((name) => this.#second.get(name)!),
    };
  }

  restore(state: { steps: number; first: Float32Array; second: Float32Array }): void {
    this.#steps = state.steps;
    for (const [of, values] of [
      [this.#first, state.first],
      [this.#second, state.second],
    ] as const)
      this.weights.split(values, (name, part, shape) => {
        of.get(name)!.dispose();
        of.set(name, tf.keep(tf.tensor(part, [...shape])));
      });
  }

  dispose(): void {
    for (const tensor of [...this.#first.values(), ...this.#second.values()]) tensor.dispose();
  }
}

function normOf(gradients: readonly Tensor[]): Tensor {
  // Not addN: one program may read no more than eight buffers on WebGPU.
  return gradients
    .map((gradient) => gradient.square().sum())
    .reduce((sum, squares) => sum.add(squares))
    .sqrt();
}

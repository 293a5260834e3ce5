import { ShopaiError } from "../core/errors.js";
import type { Rng } from "../core/rng.js";
import { isOutOfMemory } from "./out-of-memory.js";
import { tf, type Tf, type Tensor } from "./tf.js";

/** How a weight starts. */
export type Start =
  | "zeros"
  | "ones"
  /** Uniform with variance 2 / (in + out): Glorot & Bengio 2010. */
  | "glorot"
  /** Normal with variance 2 / in: He et al. 2015. */
  | "he"
  /** Normal with this deviation. */
  | { normal: number };

/** Name and shape of a weight, as in a tfjs weights manifest. */
export interface WeightAbout {
  name: string;
  shape: number[];
  dtype: "float32";
}

/** The weights of a network by name, in the order they were declared. */
export class Weights {
  readonly #held = new Map<string, Tf.Variable>();

  /** @param rng a random stream of its own for every name: a new weight never shifts another's start; zeros without */
  constructor(private readonly rng?: (name: string) => Rng) {}

  /** Declares a weight. @throws ShopaiError "engine" when the device has no memory for it */
  add(name: string, shape: readonly number[], start: Start): Tf.Variable {
    const values = startValues(shape, start, this.rng && (() => this.rng!(name)));
    // Without a name of ours tfjs numbers it, and equal models would differ.
    const weight = tf.tidy(() => {
      try {
        return tf.variable(tf.tensor(values, [...shape]), true);
      } catch (cause) {
        if (!isOutOfMemory(String((cause as Error).message))) throw cause;
        throw new ShopaiError(
          "engine",
          `out of memory: weights "${name}" of ${shape.join(" x ")} do not fit`,
          {
            try: "a smaller network: fewer units, factors or levels",
            cause,
          },
        );
      }
    });
    this.#held.set(name, weight);
    return weight;
  }

  get(name: string): Tf.Variable {
    const weight = this.#held.get(name);
    if (!weight) throw new TypeError(`the network has no weight ${name}`);
    return weight;
  }

  entries(): IterableIterator<[string, Tf.Variable]> {
    return this.#held.entries();
  }

  /** Numbers in all weights together. */
  get size(): number {
    return [...this.#held.values()].reduce((sum, weight) => sum + weight.size, 0);
  }

  /** Loss and gradients by name. */
  gradients(loss: () => Tf.Scalar): { loss: Tf.Scalar; gradients: Record<string, Tensor> } {
    const { value, grads } = tf.variableGrads(loss, [...this.#held.values()]);
    return {
      loss: value,
      gradients: Object.fromEntries(
        [...this.#held].flatMap(([name, weight]) => {
          const gradient = grads[weight.name];
          return gradient ? [[name, gradient]] : [];
        }),
      ),
    };
  }

  manifest(): WeightAbout[] {
    return [...this.#held].map(([name, { shape }]) => ({ name, shape: [...shape], dtype: "float32" }));
  }

  /** One array of all weights, one after the other. */
  async joined(): Promise<Float32Array> {
    const all = new Float32Array(this.size);
    let at = 0;
    for (const weight of this.#held.values()) {
      const values = (await weight.data()) as Float32Array;
      all.set(values, at);
      at += values.length;
    }
    return all;
  }

  /** Cuts such an array to the parts of every weight. */
  split(all: Float32Array, give: (name: string, part: Float32Array, shape: readonly number[]) => void): void {
    let at = 0;
    for (const [name, weight] of this.#held) {
      give(name, all.subarray(at, at + weight.size), weight.shape);
      at += weight.size;
    }
  }

  /** Takes values over from `joined`. */
  assign(all: Float32Array): void {
    this.split(all, (name, part, shape) => tf.tidy(() => this.get(name).assign(tf.tensor(part, [...shape]))));
  }

  dispose(): void {
    for (const weight of this.#held.values()) weight.dispose();
    this.#held.clear();
  }
}

function startValues(shape: readonly number[], start: Start, rng?: () => Rng): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  const values = new Float32Array(size);
  if (start === "zeros" || !rng) return values;
  if (start === "ones") return values.fill(1);
  const draws = rng();
  const out = shape[shape.length - 1];
  const into = size / out;
  // A filter reaches all places of its window: fan-out counts them, too.
  const fanOut = out * shape.slice(0, -2).reduce((product, length) => product * length, 1);
  if (start === "glorot") {
    const limit = Math.sqrt(6 / (into + fanOut));
    return values.map(() => (2 * draws.uniform() - 1) * limit);
  }
  const deviation = start === "he" ? Math.sqrt(2 / into) : start.normal;
  return values.map(() => draws.normal() * deviation);
}

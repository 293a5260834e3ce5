import { seededRng } from "../core/rng.js";
import { opCases, type OpCase } from "./op-cases.js";
import { tf, type Tf, type Tensor } from "./tf.js";

/** What a device may differ from the plain CPU backend, as a share of the largest value of a result. */
export const tolerance = 2e-4;

export interface SelfTest {
  /** Results compared: forward and one per gradient. */
  compared: number;
  /** The largest difference found, and where. */
  worst: { what: string; difference: number };
  failed: { what: string; why: string }[];
}

/**
 * Runs every op that our networks use, forward and gradient, on the backend in use and on tfjs's plain
 * CPU backend, and compares.
 */
export async function selfTest(cases: readonly OpCase[] = opCases): Promise<SelfTest> {
  const backend = tf.getBackend();
  const result: SelfTest = { compared: 0, worst: { what: "", difference: 0 }, failed: [] };
  for (const one of cases) {
    let found: Float32Array[];
    let expected: Float32Array[];
    try {
      found = await results(one);
      tf.setBackend("cpu");
      expected = await results(one);
    } catch (cause) {
      result.failed.push({ what: one.name, why: (cause as Error).message || String(cause) });
      continue;
    } finally {
      tf.setBackend(backend);
    }
    found.forEach((values, i) => {
      const what = i === 0 ? one.name : `${one.name}, gradient ${i}`;
      const difference = differenceOf(values, expected[i]);
      result.compared++;
      if (!(difference <= tolerance))
        result.failed.push({ what, why: `differs by ${difference.toExponential(1)}` });
      if (!(difference <= result.worst.difference)) result.worst = { what, difference };
    });
  }
  return result;
}

/** The result, then the gradient of its weighted sum in every input. */
async function results({ name, inputs, run, forwardOnly }: OpCase): Promise<Float32Array[]> {
  const rng = seededRng(7, name);
  const given = inputs.map((shape) =>
    tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
      shape,
    ),
  );
  const outputs = tf.tidy(() => {
    const value = run(...given);
    if (forwardOnly) return [value];
    const weights = tf.tensor(
      Float32Array.from({ length: value.size }, () => 0.5 + rng.uniform()),
      value.shape,
    );
    const gradients = tf.grads(
      (...args: Tensor[]) =>
        run(...args)
          .mul(weights)
          .sum() as Tf.Scalar,
    )(given);
    return [value, ...gradients];
  });
  const values = await Promise.all(outputs.map(async (tensor) => (await tensor.data()) as Float32Array));
  tf.dispose([given, outputs]);
  return values;
}

function differenceOf(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Infinity;
  let scale = 1e-3;
  for (const value of expected) scale = Math.max(scale, Math.abs(value));
  let most = 0;
  for (let i = 0; i < found.length; i++) {
    const off = Math.abs(found[i] - expected[i]) / scale;
    if (!(off <= most)) most = off;
  }
  return most;
}

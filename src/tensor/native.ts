import { createRequire } from "node:module";
import { looseTolerance, type Device } from "../engine/device.js";
import { tf } from "./tf.js";

/**
 * The native library behind @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu.
 *
 * @returns undefined where the package is not installed, or another stands under its name (danfojs-node
 * is told to take plain @tensorflow/tfjs for it)
 */
export async function startNative(
  name: "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu",
): Promise<Device | undefined> {
  const require = createRequire(import.meta.url);
  try {
    if ((require(`${name}/package.json`) as { name: string }).name !== name) return undefined;
    require(name);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw cause;
  }
  if (!(await tf.setBackend("tensorflow"))) return undefined;
  const { binding } = tf.backend() as unknown as { binding: { TF_Version?: string } };
  const gpu = name.endsWith("-gpu");
  return {
    name: gpu ? "cuda" : "cpu",
    backend: "tensorflow",
    adapter: `TensorFlow ${binding.TF_Version ?? ""}${gpu ? " on CUDA" : ""}`.replace("  ", " "),
    software: false,
    tolerance: looseTolerance,
    failure: () => undefined,
    close: async () => undefined,
  };
}

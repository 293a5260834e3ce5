import { createRequire } from "node:module";
import { ShopaiError } from "../core/errors.js";
import type { Device } from "../engine/device.js";
import { startNative } from "./native.js";
import { tf } from "./tf.js";
import { installWasmKernels } from "./wasm-kernels.js";

/** The CPU: @tensorflow/tfjs-node where a user installed it, else WebAssembly with kernels of our own. */
export async function openCpu(): Promise<Device> {
  return (await startNative("@tensorflow/tfjs-node")) ?? openWasm();
}

async function openWasm(): Promise<Device> {
  createRequire(import.meta.url)("@tensorflow/tfjs-backend-wasm");
  if (!(await tf.setBackend("wasm")))
    throw new ShopaiError("engine", "the WebAssembly backend of TensorFlow.js does not start here", {
      try: "a Node with WebAssembly SIMD, 20.19 or later",
    });
  const own = installWasmKernels();
  return {
    name: "cpu",
    backend: "wasm",
    // The threads of this backend are off on Node (tfjs issue 3830).
    adapter: own ? "WebAssembly SIMD, one thread" : "WebAssembly, kernels of TensorFlow.js, one thread",
    software: false,
    // Its memory ends at 4 GiB, and several tensors of a step are there at once.
    largestTensor: 2 ** 29,
    failure: () => undefined,
    close: async () => undefined,
  };
}

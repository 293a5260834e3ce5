import { createRequire } from "node:module";
import { beforeAll, expect, test } from "vitest";
import { selfTest, tolerance } from "../../src/tensor/self-test.js";
import { tf } from "../../src/tensor/tf.js";
import { installWasmKernels } from "../../src/tensor/wasm-kernels.js";

beforeAll(async () => {
  createRequire(import.meta.url)("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend("wasm");
  expect(installWasmKernels()).toBe(true);
});

test("every op, forward and gradient, is the plain CPU backend's on WebAssembly", async () => {
  const found = await selfTest();
  expect(found.failed).toEqual([]);
  expect(found.worst.difference).toBeLessThan(tolerance);
});

import { expect, test } from "vitest";
import { learnerNamed } from "../../src/learners/registry.js";
import { trainModel } from "../../src/learners/training.js";
import { openDevice } from "../../src/tensor/open-device.js";
import { tf } from "../../src/tensor/tf.js";
import { relationFrom } from "../learners/rows.js";
import { testRun } from "../support/test-run.js";

const run = testRun();

// In a file of its own: the memory is not given back.
test("memory of the device that runs out while training is exit 5 with a batch to try", async () => {
  await openDevice({ name: "cpu" });
  const { wasm } = tf.backend() as unknown as {
    wasm: { _malloc(bytes: number): number; _free(pointer: number): void };
  };
  const left = wasm._malloc(2 ** 24);
  // Reserved and never touched: it costs no memory of the machine.
  for (let bytes = 2 ** 28; bytes >= 2 ** 18;)
    try {
      wasm._malloc(bytes);
    } catch {
      bytes /= 2;
    }
  wasm._free(left);
  const rows = 4096;
  const table = await relationFrom(await run.engine(), {
    x: Array.from({ length: rows }, (_, row) => row % 17),
    y: Array.from({ length: rows }, (_, row) => (row % 2 ? "a" : "b")),
  });
  const params = { batch: 4096, epochs: 1, patience: 0, width: 512 };
  const mlp = await learnerNamed("mlp");
  const ask = { roles: { target: "y" }, params };
  const large = { ...ask, params: { ...params, width: 2048 } };
  await expect(trainModel(mlp, table, large, run)).rejects.toMatchObject({
    kind: "engine",
    message: 'out of memory: weights "deep/1" of 2048 x 2048 do not fit',
  });
  await expect(trainModel(mlp, table, ask, run)).rejects.toMatchObject({
    kind: "engine",
    message: "mlp: out of memory on WebAssembly SIMD, one thread with batch=4096",
    try: "--param batch=1024",
  });
});

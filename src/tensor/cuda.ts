import { ShopaiError } from "../core/errors.js";
import type { Device } from "../engine/device.js";
import { startNative } from "./native.js";
import { nvidiaDriver, tooOld } from "./nvidia-driver.js";
import { tf } from "./tf.js";

/**
 * Opens an NVIDIA GPU through TensorFlow's library. A broken driver can hang or abort the process:
 * src/tensor/probe.ts tries in another one first.
 *
 * @throws ShopaiError "engine" when the package is missing or falls back to its CPU
 */
export async function startCuda(): Promise<Device> {
  const device = await startNative("@tensorflow/tfjs-node-gpu");
  if (!device)
    throw new ShopaiError("engine", "CUDA needs @tensorflow/tfjs-node-gpu, which is not installed", {
      try: "npm install @tensorflow/tfjs-node-gpu (Node 22 or older, CUDA 11.2 and cuDNN 8), or --device webgpu",
    });
  // The library loads without a GPU as well, and then computes on the CPU.
  const { isUsingGpuDevice } = tf.backend() as unknown as { isUsingGpuDevice?: boolean };
  if (!isUsingGpuDevice)
    throw new ShopaiError(
      "engine",
      tooOld("cuda", nvidiaDriver()) ?? "TensorFlow found no CUDA device and would compute on the CPU",
      {
        try: "a driver of NVIDIA from 450.80 on, CUDA 11.2 and cuDNN 8 on LD_LIBRARY_PATH (shopai doctor tells more), or --device webgpu",
      },
    );
  return device;
}

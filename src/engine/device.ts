import type { ShopaiError } from "../core/errors.js";

export type DeviceName = "cpu" | "webgpu" | "cuda";

/** The `tolerance` of devices that add in an order of their own. */
export const looseTolerance = 0.01;

/** What is asked for: a device by name, or the first that passes its self-test. */
export interface DeviceAsk {
  name: "auto" | DeviceName;
  /** Whether a WebGPU adapter may be software (SwiftShader, llvmpipe); never taken by `auto`. */
  allowSoftware?: boolean;
}

/** Where neural learners run. One is open at a time; src/tensor opens it. */
export interface Device {
  readonly name: DeviceName;
  /** The TensorFlow.js backend behind it. */
  readonly backend: "wasm" | "webgpu" | "tensorflow";
  /** What computes: "NVIDIA H100 PCIe", "WebAssembly SIMD, one thread". */
  readonly adapter: string;
  /** Driver and its version, where the device tells. */
  readonly driver?: string;
  /** Whether the adapter only pretends to be a GPU. */
  readonly software: boolean;
  /**
   * How far the metrics of a training may be from those of the same training elsewhere, as a share of the
   * metric, or of 1 for smaller ones; absent where the bytes are the same.
   */
  readonly tolerance?: number;
  /** The most bytes that one tensor may have, where there is a limit. */
  readonly largestTensor?: number;
  /** What became of it, when it was lost while in use. */
  failure(): ShopaiError | undefined;
  /** Releases it, so that it does not hold the process. */
  close(): Promise<void>;
}

/** Where a training keeps what it needs to go on after a kill. */
export interface Checkpoint {
  path: string;
  /** Go on from what is there. */
  resume: boolean;
}

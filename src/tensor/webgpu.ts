import { createRequire } from "node:module";
import { ShopaiError } from "../core/errors.js";
import { looseTolerance, type Device } from "../engine/device.js";
import { nvidiaDriver, tooOld } from "./nvidia-driver.js";
import { keepLayouts, keepUniforms, uploadByQueue } from "./gpu/backend.js";
import { tf, type Tf } from "./tf.js";

/* The part of WebGPU that is used here: TypeScript declares it for browsers only. */
interface GpuDevice {
  lost: Promise<{ reason: string; message: string }>;
  destroy(): void;
  createComputePipeline(about: object): { getBindGroupLayout(group: number): object };
  addEventListener(name: "uncapturederror", heard: (event: Refused) => void): void;
}
interface Refused {
  error: { message: string };
  /** Keeps it from being printed on stdout. */
  preventDefault(): void;
}
interface GpuAdapter {
  features: Set<string>;
  limits: Record<string, number>;
  info: {
    vendor: string;
    architecture: string;
    device: string;
    description: string;
    isFallbackAdapter?: boolean;
  };
  requestDevice(about: object): Promise<GpuDevice>;
}
interface Gpu {
  requestAdapter(about: object): Promise<GpuAdapter | null>;
}
interface Dawn {
  create(options: string[]): Gpu;
  globals: object;
}

const packages = "npm install webgpu @tensorflow/tfjs-backend-webgpu";

/** Limits that tfjs asks for, at their largest. */
const limits = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
];

/**
 * Opens a GPU through Dawn (the npm package `webgpu`): Vulkan, Metal or Direct3D, whatever is there.
 * A broken driver can abort the process: src/tensor/probe.ts tries in another one first.
 *
 * @throws ShopaiError "engine" when packages or adapter are missing, or the adapter is software and may not be
 */
export async function startWebGpu(allowSoftware: boolean): Promise<Device> {
  const gpu = await dawn();
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter)
    throw new ShopaiError(
      "engine",
      tooOld("webgpu", nvidiaDriver()) ?? "WebGPU finds no graphics adapter here",
      {
        try:
          process.platform === "linux"
            ? "installing the driver of the GPU and libvulkan1, then shopai doctor"
            : "installing the driver of the GPU, then shopai doctor",
      },
    );
  const { vendor, architecture, device: model, description, isFallbackAdapter } = adapter.info;
  const name =
    [model, vendor, architecture].find((text) => text && !/^0x/.test(text)) ?? "an adapter without a name";
  const software =
    isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(`${name} ${description}`);
  if (software && !allowSoftware)
    throw new ShopaiError("engine", `the only WebGPU adapter here is software (${name})`, {
      try: "--device cpu, which is faster, or --allow-software-gpu for a test",
    });
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])),
  });
  let lost: ShopaiError | undefined;
  let closing = false;
  void device.lost.then(({ reason, message }) => {
    if (!closing)
      lost = new ShopaiError("engine", `the GPU was lost${message ? `: ${message}` : ""}`, {
        where: `${name}${reason ? ` (${reason})` : ""}`,
      });
  });
  // A command that is refused leaves its result as it was: what follows would be wrong without a word.
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    lost ??= new ShopaiError("engine", `the GPU refused a command: ${event.error.message.split("\n")[0]}`, {
      where: name,
      try: "--device cpu",
    });
  });
  const { WebGPUBackend } = backendPackage();
  // The package registers a device of its own, which we could neither watch nor release.
  if (tf.engine().registryFactory.webgpu) tf.removeBackend("webgpu");
  keepLayouts(device);
  tf.registerBackend(
    "webgpu",
    () => {
      const backend = new WebGPUBackend(device, adapter.info);
      uploadByQueue(backend);
      keepUniforms(backend);
      return backend;
    },
    3,
  );
  if (!(await tf.setBackend("webgpu")))
    throw new ShopaiError("engine", "the WebGPU backend of TensorFlow.js does not start", { where: name });
  return {
    name: "webgpu",
    backend: "webgpu",
    adapter: name,
    driver: description || undefined,
    software,
    tolerance: looseTolerance,
    largestTensor: Math.min(adapter.limits.maxBufferSize, adapter.limits.maxStorageBufferBindingSize),
    failure: () => lost,
    async close() {
      closing = true;
      tf.removeBackend("webgpu");
      device.destroy();
    },
  };
}

async function dawn(): Promise<Gpu> {
  let loaded: Dawn;
  try {
    loaded = (await import("webgpu")) as unknown as Dawn;
  } catch (cause) {
    throw new ShopaiError("engine", `WebGPU is not installed: ${firstLine(cause)}`, { try: packages, cause });
  }
  Object.assign(globalThis, loaded.globals);
  const gpu = loaded.create([]);
  const holder = globalThis as unknown as { navigator?: object };
  if (!holder.navigator) Object.defineProperty(holder, "navigator", { value: {}, configurable: true });
  Object.defineProperty(holder.navigator, "gpu", { value: gpu, configurable: true });
  return gpu;
}

function backendPackage(): { WebGPUBackend: new (device: GpuDevice, info: object) => Tf.KernelBackend } {
  try {
    return createRequire(import.meta.url)("@tensorflow/tfjs-backend-webgpu");
  } catch (cause) {
    throw new ShopaiError("engine", `WebGPU is not installed: ${firstLine(cause)}`, { try: packages, cause });
  }
}

const firstLine = (cause: unknown): string =>
  String((cause as Error).message)
    .split("\n")[0]
    .replace(/ imported from .*/, "");

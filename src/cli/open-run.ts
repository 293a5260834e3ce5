import { availableParallelism } from "node:os";
import { ShopaiError } from "../core/errors.js";
import { parseBytes } from "../core/quantity.js";
import { seededRng } from "../core/rng.js";
import type { Device, DeviceAsk } from "../engine/device.js";
import type { Engine } from "../engine/engine.js";
import type { Run } from "../engine/run.js";
import { openPool } from "../kernels/pool.js";

export interface OpenRun {
  run: Run;
  /** Ends the threads and closes the engine, if one was opened. */
  close(): Promise<void>;
}

interface OpenOptions {
  seed: number;
  threads?: number;
  memory?: string;
  engine: string;
  device: DeviceAsk["name"];
  allowSoftwareGpu: boolean;
}

/** What one command (or one stage of a pipeline) works with; its engine is opened when first asked for and stops when `signal` does. */
export function openRun(
  options: OpenOptions,
  talk: Pick<Run, "progress" | "warn">,
  signal: AbortSignal,
): OpenRun {
  let opened: Promise<Engine> | undefined;
  let device: Promise<Device> | undefined;
  const interrupt = (): void => void opened?.then((engine) => engine.interrupt()).catch(() => undefined);
  signal.addEventListener("abort", interrupt);
  const threads = options.threads ?? availableParallelism();
  const pool = openPool({ threads, plain: process.env.SHOPAI_KERNELS === "plain", warn: talk.warn });
  return {
    run: {
      seed: options.seed,
      threads,
      pool,
      engine: () => (opened ??= openEngine(options)),
      device: () => (device ??= openDevice(options, talk)),
      rng: (stream) => seededRng(options.seed, stream),
      progress: talk.progress,
      warn: talk.warn,
      signal,
    },
    async close() {
      signal.removeEventListener("abort", interrupt);
      await pool.close();
      await device?.then((one) => one.close()).catch(() => undefined);
      await opened?.then((engine) => engine.close()).catch(() => undefined);
    },
  };
}

/** TensorFlow.js is loaded here, and not before. */
async function openDevice(
  { device: name, allowSoftwareGpu: allowSoftware }: OpenOptions,
  talk: Pick<Run, "progress" | "warn">,
): Promise<Device> {
  const { openDevice } = await import("../tensor/open-device.js");
  return openDevice({ name, allowSoftware }, talk);
}

async function openEngine(options: { engine: string; threads?: number; memory?: string }): Promise<Engine> {
  if (options.engine !== "duckdb")
    throw new ShopaiError("engine", `the engine ${options.engine} cannot be reached`, {
      try: "--engine duckdb",
    });
  const { openDuckDb } = await import("../engine/duckdb.js");
  return openDuckDb({
    threads: options.threads,
    memory: options.memory === undefined ? undefined : parseBytes(options.memory),
  });
}

import { ShopaiError } from "../core/errors.js";
import type { Device, DeviceAsk, DeviceName } from "../engine/device.js";
import type { Run } from "../engine/run.js";
import { openCpu } from "./cpu.js";
import { mustPass, probe, type Probed } from "./probe.js";

/**
 * Opens the device asked for. `auto` takes the first of cuda, webgpu and cpu that is there and passes
 * its self-test, and says which; a device that was named is opened or refused.
 *
 * @throws ShopaiError "engine" with what to install or change
 */
export async function openDevice(ask: DeviceAsk, talk?: Pick<Run, "progress">): Promise<Device> {
  if (ask.name === "cpu") return openCpu();
  if (ask.name !== "auto") return openTested(ask.name, ask.allowSoftware ?? false);
  talk?.progress.stage("device");
  const refused: string[] = [];
  for (const name of ["cuda", "webgpu"] as const)
    try {
      const device = await openTested(name, false);
      talk?.progress.done(`${name}, ${device.adapter}`);
      return device;
    } catch (cause) {
      if (!(cause instanceof ShopaiError)) throw cause;
      refused.push(cause.message);
    }
  const device = await openCpu();
  talk?.progress.done(`cpu, ${device.adapter} (${refused.join("; ")})`);
  return device;
}

const start: Record<Probed, (allowSoftware: boolean) => Promise<Device>> = {
  cuda: async () => (await import("./cuda.js")).startCuda(),
  webgpu: async (allowSoftware) => (await import("./webgpu.js")).startWebGpu(allowSoftware),
};

async function openTested(name: Exclude<DeviceName, "cpu">, allowSoftware: boolean): Promise<Device> {
  const known = await probe(name, allowSoftware);
  mustPass(name, known);
  const device = await start[name](allowSoftware);
  if (device.adapter === known.found!.adapter && device.driver === known.found!.driver) return device;
  // Another adapter than the one that was tested: two GPUs, or one that was changed.
  const fresh = await probe(name, allowSoftware, true);
  mustPass(name, fresh);
  return device;
}

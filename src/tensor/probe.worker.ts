// Opens a device, tests it, tells what it found as one line of JSON and ends, whatever the driver leaves running.
import type { ShopaiError } from "../core/errors.js";
import type { Device, DeviceName } from "../engine/device.js";
import { openCpu } from "./cpu.js";
import { startCuda } from "./cuda.js";
import { measureSpeed } from "./measure.js";
import type { Probe } from "./probe.js";
import { selfTest } from "./self-test.js";
import { startWebGpu } from "./webgpu.js";

const [name, allowSoftware, measure] = process.argv.slice(2);

const start: Record<DeviceName, () => Promise<Device>> = {
  cpu: openCpu,
  cuda: startCuda,
  webgpu: () => startWebGpu(allowSoftware === "true"),
};

async function probed(): Promise<Omit<Probe, "seconds">> {
  let device: Device;
  try {
    device = await start[name as DeviceName]();
  } catch (cause) {
    const { message, where, try: advice } = cause as ShopaiError;
    return { refused: { message, where, try: advice } };
  }
  const tested = await selfTest();
  const speed = measure === "true" ? await measureSpeed(device) : undefined;
  const failed = device.failure();
  if (failed) tested.failed.push({ what: "the device", why: failed.message });
  const { backend, adapter, driver, software, largestTensor } = device;
  return {
    found: { name: device.name, backend, adapter, driver, software, largestTensor },
    selfTest: tested,
    speed,
  };
}

const answer = JSON.stringify(await probed());
process.stdout.write(`${answer}\n`, () => process.exit(0));

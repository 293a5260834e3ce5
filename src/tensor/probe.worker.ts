// Opens a device, tests it, tells what it found as one line of JSON and ends, whatever the driver leaves running.
import { ShopaiError } from "../core/errors.js";
import type { Device } from "../engine/device.js";
import { startCuda } from "./cuda.js";
import type { Probe } from "./probe.js";
import { selfTest } from "./self-test.js";
import { startWebGpu } from "./webgpu.js";

const [name, allowSoftware] = process.argv.slice(2);

async function probed(): Promise<Omit<Probe, "seconds">> {
  let device: Device;
  try {
    device = name === "cuda" ? await startCuda() : await startWebGpu(allowSoftware === "true");
  } catch (cause) {
    const { message, where, try: advice } = cause as ShopaiError;
    return { refused: { message, where, try: advice } };
  }
  const { backend, adapter, driver, software, largestTensor } = device;
  return {
    found: { name: device.name, backend, adapter, driver, software, largestTensor },
    selfTest: await selfTest(),
  };
}

const answer = JSON.stringify(await probed());
process.stdout.write(`${answer}\n`, () => process.exit(0));

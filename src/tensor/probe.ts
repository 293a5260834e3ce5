import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFile } from "../core/bundle-file.js";
import { ShopaiError } from "../core/errors.js";
import { sha256, stableJson } from "../core/hash.js";
import { version } from "../core/version.js";
import type { Device, DeviceName } from "../engine/device.js";
import { writeAtomically } from "../table/atomic.js";
import { writeFile } from "node:fs/promises";
import type { Speed } from "./measure.js";
import type { SelfTest } from "./self-test.js";

/** What another process found when it opened a device and ran its self-test. */
export interface Probe {
  /** Undefined when the device could not be opened. */
  found?: Pick<Device, "name" | "backend" | "adapter" | "driver" | "software" | "largestTensor">;
  selfTest?: SelfTest;
  /** When it was asked for. */
  speed?: Speed;
  refused?: { message: string; where?: string; try?: string };
  seconds: number;
}

export type Probed = "cuda" | "webgpu";

/** Tests a device and measures it, in another process, whatever is kept; what it found is kept then. */
export async function examine(name: DeviceName, allowSoftware: boolean): Promise<Probe> {
  const found = await ask(name, allowSoftware, true);
  if (name !== "cpu") await keep(probeKey(name, allowSoftware), found);
  return found;
}

/** How long a probe may take: a software adapter compiles its pipelines slowly, and a hung driver never ends. */
const limitMs = { hardware: 120_000, software: 600_000 };

/**
 * Opens a device in another process and tests it there: a broken driver may hang or abort that one. The
 * answer is kept under a hash of driver, packages and versions.
 *
 * @param fresh ask again, whatever is kept
 */
export async function probe(name: Probed, allowSoftware: boolean, fresh = false): Promise<Probe> {
  const key = probeKey(name, allowSoftware);
  const kept = fresh ? undefined : readKept()[key];
  if (kept) return kept;
  const found = await ask(name, allowSoftware, false);
  await keep(key, found);
  return found;
}

/** @throws ShopaiError "engine" when a probe says that the device is not to be used */
export function mustPass(name: DeviceName, { refused, selfTest, found }: Probe): void {
  if (refused) throw new ShopaiError("engine", refused.message, refused);
  const failed = selfTest?.failed ?? [];
  if (failed.length > 0)
    throw new ShopaiError(
      "engine",
      `${name} computes wrongly here: ${failed.length} of ${selfTest!.compared + failed.length} results of its self-test, the first ${failed[0].what} (${failed[0].why})`,
      {
        where: [found?.adapter, found?.driver].filter(Boolean).join(", "),
        try: "another driver, or --device cpu",
      },
    );
}

function ask(name: DeviceName, allowSoftware: boolean, measure: boolean): Promise<Probe> {
  const began = performance.now();
  const script = fileURLToPath(bundleFile("probe.worker"));
  const timeout = allowSoftware ? limitMs.software : limitMs.hardware;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [script, name, String(allowSoftware), String(measure)],
      { timeout, killSignal: "SIGKILL", maxBuffer: 16e6 },
      (error, stdout, stderr) => {
        const seconds = Math.round((performance.now() - began) / 100) / 10;
        const line = stdout.split("\n").find((text) => text.startsWith("{"));
        if (line) return resolve({ ...(JSON.parse(line) as Probe), seconds });
        const why = error?.killed
          ? `did not answer within ${timeout / 1000} s`
          : `broke down (${error?.signal ?? `exit ${error?.code}`}): ${stderr.trim().split("\n").at(-1) ?? ""}`;
        resolve({
          refused: { message: `${name} ${why}`, try: "another driver, or --device cpu" },
          seconds,
        });
      },
    );
  });
}

function keptFile(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "shopai", "devices.json");
}

function readKept(): Record<string, Probe> {
  try {
    return JSON.parse(readFileSync(keptFile(), "utf8")) as Record<string, Probe>;
  } catch {
    return {};
  }
}

/** A cache that cannot be written costs time, nothing else. */
async function keep(key: string, found: Probe): Promise<void> {
  try {
    mkdirSync(dirname(keptFile()), { recursive: true });
    const all = { ...readKept(), [key]: found };
    await writeAtomically(keptFile(), (temporary) => writeFile(temporary, `${stableJson(all, 1)}\n`));
  } catch {
    return;
  }
}

/** A hash of all that can change the answer: driver, adapter files, packages, versions and what steers them. */
function probeKey(name: Probed, allowSoftware: boolean): string {
  const steering = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"];
  return sha256(
    stableJson({
      name,
      allowSoftware,
      version,
      node: process.version,
      platform: [process.platform, process.arch],
      packages: [
        "@tensorflow/tfjs",
        "@tensorflow/tfjs-backend-webgpu",
        "webgpu",
        "@tensorflow/tfjs-node-gpu",
      ].map(packageVersion),
      driver: contentOf("/proc/driver/nvidia/version"),
      adapters: ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].map(listing),
      environment: steering.map((variable) => process.env[variable]),
    }),
  );
}

function packageVersion(name: string): string | undefined {
  let folder: string | undefined;
  try {
    folder = dirname(createRequire(import.meta.url).resolve(name));
  } catch {
    return undefined;
  }
  for (; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version?: string }).version;
  }
  return undefined;
}

function contentOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function listing(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

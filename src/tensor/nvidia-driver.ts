import { existsSync, readFileSync } from "node:fs";

/** The oldest drivers that can do what is asked of them, by NVIDIA's release notes. */
const oldest = {
  /** CUDA 11.2 by minor-version compatibility (CUDA 11.2 release notes, table 2). */
  cuda: [450, 80],
  /** Vulkan 1.1, which Dawn needs (NVIDIA Vulkan driver support). */
  webgpu: [390, 0],
} as const;

/** What the kernel module tells of itself, on Linux; undefined where there is none. */
export function nvidiaDriver(): string | undefined {
  const file = "/proc/driver/nvidia/version";
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/**
 * @param told text of /proc/driver/nvidia/version
 * @returns what to say of a driver that is too old, with the version that is needed; undefined for one that is not
 */
export function tooOld(use: keyof typeof oldest, told: string | undefined): string | undefined {
  const found = /\b(\d{2,4})\.(\d+)(?:\.\d+)?\b/.exec(told ?? "");
  if (!found) return undefined;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  const [needMajor, needMinor] = oldest[use];
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return undefined;
  return `the NVIDIA driver ${found[0]} is too old: ${use === "cuda" ? "CUDA 11.2" : "Vulkan 1.1"} needs ${needMajor}.${String(needMinor).padStart(2, "0")} or later`;
}

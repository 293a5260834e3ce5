import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run-cli.js";

/** The path of a public data set kept beside the project, or undefined where it is absent: such tests skip. */
export function sharedData(path: string): string | undefined {
  const full = join(root, "../shared/data", path);
  return existsSync(full) ? full : undefined;
}

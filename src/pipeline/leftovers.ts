import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Stage } from "./plan.js";
import { isAlive } from "./process.js";

/**
 * Removes what a killed run left beside the outputs: temporaries of atomic writes, and old outputs that
 * stood aside for a shell command; those come back where nothing took their place. The caller holds the
 * pipeline's lock.
 */
export function sweepLeftovers(stages: readonly Stage[]): void {
  const listings = new Map<string, string[]>();
  for (const path of stages.flatMap(({ writes, result }) => [...writes, result])) {
    const folder = dirname(path);
    if (!listings.has(folder)) listings.set(folder, existsSync(folder) ? hiddenIn(folder) : []);
    for (const name of listings.get(folder)!) {
      const left = leftoverOf(name, basename(path));
      if (left === undefined || left.pid === process.pid || isAlive(left.pid)) continue;
      const place = join(folder, name);
      if (left.old && !existsSync(path)) renameSync(place, path);
      else rmSync(place, { recursive: true, force: true });
    }
  }
}

const hiddenIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith("."))
    .sort();

/** `.out.csv.123.tmp`, `.out.csv.123.tmp.old` (a folder being replaced), `.out.csv.123.kept`. */
function leftoverOf(name: string, output: string): { pid: number; old: boolean } | undefined {
  if (!name.startsWith(`.${output}.`)) return undefined;
  const match = /^(\d+)\.(tmp|tmp\.old|kept)$/.exec(name.slice(output.length + 2));
  return match ? { pid: Number(match[1]), old: match[2] !== "tmp" } : undefined;
}

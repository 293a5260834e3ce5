import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { markOf, stillRuns, type ProcessMark } from "./process.js";
import { makeFolderFor } from "../table/atomic.js";

/**
 * Takes down which process a stage started, so that the next run can end it if this one is killed: what
 * goes on writing would spoil the outputs of the next.
 *
 * @returns forgets it
 */
export function rememberChild(path: string, pid: number): () => void {
  makeFolderFor(dirname(path));
  writeFileSync(path, JSON.stringify(markOf(pid)));
  return () => rmSync(path, { force: true });
}

/**
 * Ends what stages of a killed run left running. The caller holds the pipeline's lock.
 * @param lock the lock of the pipeline: the children stand beside it
 */
export function endOrphans(lock: string): number {
  const start = `${basename(lock).replace(/\.lock$/, "")}.`;
  let ended = 0;
  for (const name of existsSync(dirname(lock)) ? readdirSync(dirname(lock)) : []) {
    if (!name.startsWith(start) || !name.endsWith(".child")) continue;
    const path = join(dirname(lock), name);
    try {
      const mark = JSON.parse(readFileSync(path, "utf8")) as ProcessMark;
      if (stillRuns(mark)) {
        process.kill(-mark.pid, "SIGKILL");
        ended++;
      }
    } catch {
      // Half written, or gone by itself meanwhile.
    }
    rmSync(path, { force: true });
  }
  return ended;
}

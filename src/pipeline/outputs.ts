import { existsSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { forgetLeftover, rememberLeftover } from "../core/leftovers.js";
import { makeFolderFor, syncTree } from "../table/atomic.js";

/**
 * For work that writes its outputs in place (a shell command): the old ones step aside and come back
 * when it fails, so that a half output never stays.
 *
 * @throws ShopaiError "data" when an output was not written
 */
export async function withOutputsAside(outputs: readonly string[], work: () => Promise<void>): Promise<void> {
  const aside = new Map<string, string>();
  for (const path of outputs) {
    makeFolderFor(dirname(path));
    if (!existsSync(path)) continue;
    const kept = join(dirname(path), `.${basename(path)}.${process.pid}.kept`);
    renameSync(path, kept);
    aside.set(path, kept);
  }
  try {
    for (const path of outputs) rememberLeftover(path);
    await work();
    for (const path of outputs)
      if (!existsSync(path))
        throw new ShopaiError("data", `the stage ended without writing ${path}`, {
          where: path,
          try: "the path that it does write as out",
        });
    for (const path of outputs) syncTree(path);
  } catch (error) {
    for (const path of outputs) {
      rmSync(path, { recursive: true, force: true });
      const kept = aside.get(path);
      if (kept !== undefined) renameSync(kept, path);
    }
    throw error;
  } finally {
    for (const path of outputs) forgetLeftover(path);
    for (const kept of aside.values()) rmSync(kept, { recursive: true, force: true });
  }
}

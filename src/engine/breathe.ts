import type { Run } from "./run.js";

/**
 * Lets signals and timers in between two pieces of long work, so that Ctrl-C is heard.
 *
 * @throws the reason of the abort, when the run was interrupted
 */
export async function breathe(run: Run): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  run.signal.throwIfAborted();
}

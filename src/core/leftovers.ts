import { rmSync } from "node:fs";

const pending = new Set<string>();

/** Remembers a temporary file or folder, so that an interrupted run removes it. */
export function rememberLeftover(path: string): void {
  pending.add(path);
}

/** Forgets a temporary that was renamed into place or removed. */
export function forgetLeftover(path: string): void {
  pending.delete(path);
}

/** Removes every temporary still known: called once, when the program ends for any reason. */
export function removeLeftovers(): void {
  for (const path of pending) rmSync(path, { recursive: true, force: true });
  pending.clear();
}

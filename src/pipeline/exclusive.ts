import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ShopaiError } from "../core/errors.js";

interface Holder {
  pid: number;
  host: string;
  /** When the process and the machine started, so that a reused process id is not taken for the holder. */
  born: string;
}

/** A lock without a holder in it is one being written; past this age its writer died. */
const unwrittenMs = 10_000;

/**
 * Holds a lock file for as long as a process works. A holder that died is recognised (by process id and
 * start time) and its lock taken over.
 *
 * @param path    the lock file
 * @param timeout seconds to wait for another holder
 * @returns gives the lock back
 * @throws ShopaiError "locked" when somebody else holds it past the timeout
 */
export async function holdLock(
  path: string,
  what: string,
  timeout: number,
  signal: AbortSignal,
  said: (message: string) => void = () => undefined,
): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), born: birthOf(process.pid) ?? "" });
  const until = performance.now() + timeout * 1000;
  for (let tries = 0; ; tries++) {
    if (taken(path, mine)) return () => released(path, mine);
    const text = readOrEmpty(path);
    const holder = holderIn(text);
    if (text !== undefined && isDead(path, holder)) {
      removeDead(path, text);
      continue;
    }
    if (performance.now() >= until)
      throw new ShopaiError(
        "locked",
        `${what} is running already${holder ? ` (process ${holder.pid} on ${holder.host})` : ""}`,
        {
          where: path,
          try: "--lock-timeout 600 to wait for it",
        },
      );
    if (tries === 0) said(`waiting for another run of ${what}${holder ? ` (process ${holder.pid})` : ""}`);
    await sleep(Math.min(100, Math.max(1, until - performance.now())), undefined, { signal });
  }
}

function taken(path: string, mine: string): boolean {
  try {
    writeFileSync(path, mine, { flag: "wx" });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new ShopaiError("data", `${dirname(path)} is not writable`, {
      where: path,
      try: "a project folder that you may write to",
      cause,
    });
  }
}

function released(path: string, mine: string): void {
  if (readOrEmpty(path) === mine) rmSync(path, { force: true });
}

function readOrEmpty(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function holderIn(text: string | undefined): Holder | undefined {
  try {
    return JSON.parse(text ?? "") as Holder;
  } catch {
    return undefined;
  }
}

function isDead(path: string, holder: Holder | undefined): boolean {
  if (!holder) return ageOf(path) > unwrittenMs;
  if (holder.host !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  const born = birthOf(holder.pid);
  return born !== undefined && holder.born !== "" && born !== holder.born;
}

const ageOf = (path: string): number => {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

/** Boot of the machine and start of a process, where the system tells (Linux). */
function birthOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The 22nd field; the second may hold spaces and brackets.
    return `${boot}/${status.slice(status.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

/** Two may see the same dead holder: what was moved away is looked at again, and put back if it was a new one. */
function removeDead(path: string, text: string): void {
  const grave = `${path}.${process.pid}`;
  try {
    renameSync(path, grave);
    if (readOrEmpty(grave) === text) rmSync(grave);
    else renameSync(grave, path);
  } catch {
    // Somebody else removed it first.
  }
}

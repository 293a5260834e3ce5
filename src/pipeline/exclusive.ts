import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ShopaiError } from "../core/errors.js";
import { ownMark, stillRuns, type ProcessMark } from "./process.js";
import { makeFolderFor } from "../table/atomic.js";

/** A lock without a holder in it is one being written; past this age its writer died. */
const unwrittenMs = 10_000;
/** A holder touches its lock so often. */
const beatMs = 10_000;
/** Where a process cannot be looked up (another machine, another container, before a restart), so long without a beat means that it died. */
const silentMs = 120_000;

/**
 * Holds a lock file for as long as a process works. A holder that died is recognised (by process number,
 * start time and boot where it can be looked up, else by its heartbeat) and its lock taken over.
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
  makeFolderFor(dirname(path));
  const mine = JSON.stringify(ownMark());
  const until = performance.now() + timeout * 1000;
  for (let tries = 0; ; tries++) {
    if (taken(path, mine)) {
      const stop = heartbeat(path);
      return () => {
        stop();
        released(path, mine);
      };
    }
    const text = readOrEmpty(path);
    const holder = holderIn(text);
    if (text !== undefined && isDead(path, holder)) {
      removeDead(path, text);
      if (readOrEmpty(path) === undefined) continue;
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

/** Touches the lock now and then, from a thread of its own: a long kernel keeps the main one busy. */
function heartbeat(path: string): () => void {
  let beating: Worker | undefined;
  const start = setTimeout(() => {
    const code = `const { utimesSync } = require("node:fs");
setInterval(() => { try { const now = new Date(); utimesSync(require("node:worker_threads").workerData, now, now); } catch {} }, ${beatMs});`;
    beating = new Worker(code, { eval: true, workerData: path });
    beating.unref();
  }, beatMs);
  start.unref();
  return () => {
    clearTimeout(start);
    void beating?.terminate();
  };
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

function holderIn(text: string | undefined): ProcessMark | undefined {
  try {
    return JSON.parse(text ?? "") as ProcessMark;
  } catch {
    return undefined;
  }
}

function isDead(path: string, holder: ProcessMark | undefined): boolean {
  if (!holder) return ageOf(path) > unwrittenMs;
  const runs = stillRuns(holder);
  return runs === undefined ? ageOf(path) > silentMs : !runs;
}

const ageOf = (path: string): number => {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

/**
 * Two may see the same dead holder, and the slower one must not remove the lock that the faster one took:
 * only who made the guard removes, after a second look.
 */
function removeDead(path: string, text: string): void {
  const guard = `${path}.takeover`;
  try {
    writeFileSync(guard, "", { flag: "wx" });
  } catch {
    if (ageOf(guard) > unwrittenMs) rmSync(guard, { force: true });
    return;
  }
  try {
    if (readOrEmpty(path) === text) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Who a process is, so that its number, used again by another one, is not taken for it. */
export interface ProcessMark {
  pid: number;
  host: string;
  /** The machine's boot; empty where it is not known. */
  boot: string;
  /** The space of process numbers (a container has its own); empty where it is not known. */
  space: string;
  /** When the process started, in ticks since the boot; empty where it is not known. */
  start: string;
}

/** This process. */
export function ownMark(): ProcessMark {
  return { pid: process.pid, ...placeMark(), start: startOf(process.pid) ?? "" };
}

export function markOf(pid: number): ProcessMark {
  return { pid, ...placeMark(), start: startOf(pid) ?? "" };
}

function placeMark(): Pick<ProcessMark, "host" | "boot" | "space"> {
  return {
    host: hostname(),
    boot: firstLine("/proc/sys/kernel/random/boot_id"),
    space: linkOr("/proc/self/ns/pid"),
  };
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function linkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** The start of a process (the 22nd field of its stat; the second may hold spaces and brackets); undefined where the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return status.slice(status.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Whether a process still runs: known only where its numbers can be looked up, that is on this machine and in this space. */
export function stillRuns(mark: ProcessMark): boolean | undefined {
  const here = placeMark();
  if (mark.host !== here.host || mark.boot !== here.boot || mark.space !== here.space) return undefined;
  if (!isAlive(mark.pid)) return false;
  const start = startOf(mark.pid);
  return start === undefined || mark.start === "" || start === mark.start;
}

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { dirname } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256 } from "../core/hash.js";

/** One thing that happened to a model's versions. Every entry holds the hash of the one before it. */
export interface AuditEntry {
  time: string;
  by: string;
  action: "register" | "promote" | "refuse" | "rollback";
  version: number;
  /** The champion before, and after. */
  from: number | null;
  to: number | null;
  reasons: string[];
  previous: string;
}

/** Appends an entry and makes sure that it is on the disk. The caller holds the registry's lock. */
export function appendAudit(path: string, entry: Omit<AuditEntry, "time" | "by" | "previous">): void {
  mkdirSync(dirname(path), { recursive: true });
  const lines = linesOf(path);
  const full: AuditEntry = {
    time: new Date().toISOString(),
    by: `${userName()}@${hostname()}`,
    ...entry,
    previous: sha256(lines.at(-1) ?? ""),
  };
  const whole = lines.length === 0 || readFileSync(path, "utf8").endsWith("\n");
  const descriptor = openSync(path, "a");
  try {
    writeSync(descriptor, `${whole ? "" : "\n"}${JSON.stringify(full)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * All entries, the oldest first.
 * @throws ShopaiError "data" when an entry was changed or taken out after it was written
 */
export function readAudit(path: string): AuditEntry[] {
  const lines = linesOf(path);
  let before = "";
  return lines.map((line, i) => {
    const entry = parsed(line);
    if (entry?.previous !== sha256(before))
      throw new ShopaiError("data", "the audit log was changed after it was written", {
        where: `${path}:${i + 1}`,
        try: "a copy of the log from a backup",
      });
    before = line;
    return entry;
  });
}

/** Whole lines: one that a killed process left half written at the end does not count, nor does what is no JSON. */
function linesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => parsed(line) !== undefined);
}

function parsed(line: string): AuditEntry | undefined {
  try {
    return JSON.parse(line) as AuditEntry;
  } catch {
    return undefined;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

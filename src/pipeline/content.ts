import type { BigIntStats } from "node:fs";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { sha256, sha256OfFile } from "../core/hash.js";
import { writeAtomically } from "../table/atomic.js";
import { sourceFiles } from "../table/source.js";

interface Known {
  size: string;
  mtime: string;
  ctime: string;
  inode: string;
  sha256: string;
}

/** How many files are read at once. */
const lanes = 4;
/** A file may change twice within one tick of the file system's clock: what is younger is not remembered. */
const tickMs = 20n;

/**
 * Content hashes of files and folders. A file is read again only when its size, times or inode moved
 * since the last run; what was learned is kept in a file that may be deleted at any time.
 */
export interface Contents {
  /** sha256 of what is at a path: a file, a folder (its files by name), a glob (the files it matches); undefined when nothing is there. */
  of(path: string): Promise<string | undefined>;
  /** Keeps what was learned for the next run. */
  save(): Promise<void>;
}

export function openContents(cacheFile: string): Contents {
  const before = readCache(cacheFile);
  const now = new Map<string, Known>(before);
  const seen = new Set<string>();
  let changed = false;
  const queue = laneQueue(lanes);

  const ofFile = async (path: string, about: BigIntStats): Promise<string> => {
    const shape = {
      size: String(about.size),
      mtime: String(about.mtimeNs),
      ctime: String(about.ctimeNs),
      inode: `${about.dev}:${about.ino}`,
    };
    seen.add(path);
    const known = now.get(path);
    if (
      known &&
      known.size === shape.size &&
      known.mtime === shape.mtime &&
      known.ctime === shape.ctime &&
      known.inode === shape.inode
    )
      return known.sha256;
    const hash = await queue(() => sha256OfFile(path));
    now.set(path, { ...shape, sha256: hash });
    changed = true;
    return hash;
  };

  const ofFolder = async (path: string, above: readonly string[]): Promise<string> => {
    const entries = (await readdir(path)).filter((name) => !name.startsWith(".")).sort();
    const lines = await Promise.all(
      entries.map(async (name) => `${name}\u0000${(await ofPath(join(path, name), above)) ?? ""}`),
    );
    return sha256(lines.join("\n"));
  };

  const ofPath = async (path: string, above: readonly string[]): Promise<string | undefined> => {
    const about = await stat(path, { bigint: true }).catch(() => undefined);
    if (!about) return undefined;
    if (!about.isDirectory()) return ofFile(path, about);
    const inode = `${about.dev}:${about.ino}`;
    // A link to a folder that it lies in would never end.
    return above.includes(inode) ? "loop" : ofFolder(path, [...above, inode]);
  };

  return {
    async of(path) {
      const plain = await ofPath(path, []);
      if (plain !== undefined || !/[*?[{]/.test(path)) return plain;
      const files = matched(path);
      if (files.length === 0) return undefined;
      const lines = await Promise.all(
        files.map(async (file) => `${file}\u0000${(await ofPath(file, [])) ?? ""}`),
      );
      return sha256(lines.join("\n"));
    },
    async save() {
      if (!changed) return;
      const settled = BigInt(Date.now()) * 1_000_000n - tickMs * 1_000_000n;
      const entries = [...now].filter(
        ([path, known]) => BigInt(known.ctime) < settled && (seen.has(path) || existsSync(path)),
      );
      const text = JSON.stringify(Object.fromEntries(entries));
      await writeAtomically(cacheFile, async (temporary) => writeFileSync(temporary, text));
    },
  };
}

function matched(glob: string): string[] {
  try {
    return sourceFiles([glob], "csv").map((file) => file.path);
  } catch {
    return [];
  }
}

function readCache(path: string): Map<string, Known> {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, Known>));
  } catch {
    return new Map();
  }
}

/** Runs at most `width` pieces of work at a time. */
function laneQueue(width: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

import type { BigIntStats } from "node:fs";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { sha256 } from "../core/hash.js";
import { yamlMeaning } from "../core/yaml-meaning.js";
import type { Pool } from "../engine/pool.js";
import { writeAtomically } from "../table/atomic.js";
import { sourceFiles } from "../table/source.js";
import hashFile, { type HashAnswer } from "./hash.tasks.js";

interface Known {
  size: string;
  mtime: string;
  ctime: string;
  inode: string;
  sha256: string;
}

/** What is remembered of contents by their hash, to say later how they changed. */
export interface ContentFacts {
  bytes: number;
  rows?: number;
  /** Of a folder or a glob: hashes by file. */
  files?: Record<string, string>;
  /** Of a YAML file read by meaning: its entries. */
  options?: Record<string, string>;
  /** The hash of that meaning. */
  meaning?: string;
}

interface StateFile {
  files: Record<string, Known>;
  facts: Record<string, ContentFacts>;
}

/** A file may change twice within one tick of the file system's clock: what is younger is not remembered. */
const tickMs = 20n;
/** Files above this are read on the threads of the pool. */
const smallBytes = 256n * 1024n;
/** YAML files above this count by their bytes. */
const mostMeaning = 256 * 1024;
/** Contents that are remembered at most, the newest. */
const mostFacts = 20_000;

/**
 * Content hashes of files and folders. A file is read again only when its size, times or inode moved
 * since the last run; what was learned is kept in a file that may be deleted at any time.
 */
export interface Contents {
  /** sha256 of what is at a path: a file, a folder (its files by name), a glob (the files it matches); undefined when nothing is there. */
  of(path: string): Promise<string | undefined>;
  /** The same, but of a YAML file what it says: comments and layout change nothing. */
  meaningOf(path: string): Promise<string | undefined>;
  /** What is known of contents that were read once, now or in an earlier run. */
  facts(hash: string): ContentFacts | undefined;
  /** Takes a file's hash as known, after a link to it moved its times. */
  trust(path: string, hash: string): void;
  /** Keeps what was learned for the next run. */
  save(): Promise<void>;
}

/** @param pool threads that read large files; without them they are read one after the other */
export function openContents(cacheFile: string, pool?: Pick<Pool, "map">): Contents {
  const before = readState(cacheFile);
  const known = new Map(Object.entries(before.files));
  const facts = new Map(Object.entries(before.facts));
  const learned = new Set<string>();
  let changed = false;
  const read = reader(pool);

  const remember = (hash: string, fact: ContentFacts): void => {
    if (facts.has(hash)) return;
    facts.set(hash, fact);
    changed = true;
  };

  const learn = (path: string, about: BigIntStats, hash: string): void => {
    known.set(path, { ...shapeOf(about), sha256: hash });
    learned.add(path);
    changed = true;
  };

  const ofFile = async (path: string, about: BigIntStats): Promise<string | undefined> => {
    const last = known.get(path);
    if (last && sameShape(last, about)) return last.sha256;
    const answer = await read(path, about.size);
    if ("code" in answer) {
      if (answer.code === "ENOENT") return undefined;
      throw new ShopaiError("data", `the file cannot be read (${answer.code})`, {
        where: path,
        try: "chmod +r, or another file",
      });
    }
    learn(path, about, answer.sha256);
    remember(answer.sha256, { bytes: answer.bytes, rows: answer.rows });
    return answer.sha256;
  };

  const ofFiles = async (
    files: readonly (readonly [name: string, path: string])[],
    above: readonly string[],
  ) => {
    const hashes = await Promise.all(
      files.map(async ([name, path]) => [name, (await ofPath(path, above)) ?? ""] as const),
    );
    const hash = sha256(hashes.map(([name, one]) => `${name}\u0000${one}`).join("\n"));
    const bytes = hashes.reduce((sum, [, one]) => sum + (facts.get(one)?.bytes ?? 0), 0);
    remember(hash, { bytes, files: Object.fromEntries(hashes) });
    return hash;
  };

  const ofPath = async (path: string, above: readonly string[]): Promise<string | undefined> => {
    const about = await stat(path, { bigint: true }).catch(() => undefined);
    if (!about) return undefined;
    if (!about.isDirectory()) return ofFile(path, about);
    const inode = `${about.dev}:${about.ino}`;
    // A link to a folder that it lies in would never end.
    if (above.includes(inode)) return "loop";
    const names = (await readdir(path)).filter((name) => !name.startsWith(".")).sort();
    return ofFiles(
      names.map((name) => [name, join(path, name)] as const),
      [...above, inode],
    );
  };

  const of = async (path: string): Promise<string | undefined> => {
    const plain = await ofPath(path, []);
    if (plain !== undefined || !/[*?[{]/.test(path)) return plain;
    const files = matched(path);
    if (files.length === 0) return undefined;
    return ofFiles(
      files.map((file) => [file, file] as const),
      [],
    );
  };

  return {
    of,
    async meaningOf(path) {
      const bytes = await of(path);
      const fact = bytes === undefined ? undefined : facts.get(bytes);
      if (!/\.ya?ml$/i.test(path) || !fact || fact.files || fact.bytes > mostMeaning) return bytes;
      if (fact.meaning !== undefined) return fact.meaning;
      const options = yamlMeaning(readFileSync(path, "utf8"));
      fact.meaning = options ? sha256(JSON.stringify(Object.entries(options))) : bytes!;
      if (options) remember(fact.meaning, { bytes: fact.bytes, options });
      changed = true;
      return fact.meaning;
    },
    facts: (hash) => facts.get(hash),
    trust: (path, hash) => learn(path, statSync(path, { bigint: true }), hash),
    async save() {
      if (!changed) return;
      const settled = BigInt(Date.now()) * 1_000_000n - tickMs * 1_000_000n;
      // Another pipeline of the project may have learned something meanwhile.
      const others = readState(cacheFile);
      for (const [path, one] of Object.entries(others.files)) if (!learned.has(path)) known.set(path, one);
      const files = [...known].filter(
        ([path, one]) => BigInt(one.ctime) < settled && (learned.has(path) || existsSync(path)),
      );
      const kept = [...Object.entries(others.facts), ...facts].slice(-mostFacts);
      const text = JSON.stringify({
        files: Object.fromEntries(files),
        facts: Object.fromEntries(kept),
      } satisfies StateFile);
      await writeAtomically(cacheFile, async (temporary) => writeFileSync(temporary, text));
      changed = false;
    },
  };
}

const shapeOf = (about: BigIntStats): Omit<Known, "sha256"> => ({
  size: String(about.size),
  mtime: String(about.mtimeNs),
  ctime: String(about.ctimeNs),
  inode: `${about.dev}:${about.ino}`,
});

function sameShape(known: Known, about: BigIntStats): boolean {
  const { size, mtime, ctime, inode } = shapeOf(about);
  return known.size === size && known.mtime === mtime && known.ctime === ctime && known.inode === inode;
}

/** Reads small files at once, and large ones side by side on the threads of the pool. */
function reader(pool: Pick<Pool, "map"> | undefined): (path: string, size: bigint) => Promise<HashAnswer> {
  let waiting: { path: string; settle(answer: HashAnswer): void; fail(error: unknown): void }[] = [];
  let reading = false;
  const readAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      let at = 0;
      try {
        const answers = pool!.map<{ path: string }, HashAnswer>(
          "hash.tasks",
          batch.map(({ path }) => ({ path })),
        );
        for await (const answer of answers) batch[at++].settle(answer);
      } catch (error) {
        for (const one of batch.slice(at)) one.fail(error);
      }
    }
    reading = false;
  };
  return async (path, size) => {
    if (size <= smallBytes || !pool) return hashFile({ path });
    return new Promise((settle, fail) => {
      waiting.push({ path, settle, fail });
      if (reading) return;
      reading = true;
      // All that is asked for in this turn goes into one batch.
      setImmediate(() => void readAll());
    });
  };
}

function matched(glob: string): string[] {
  try {
    return sourceFiles([glob], "csv").map((file) => file.path);
  } catch {
    return [];
  }
}

function readState(path: string): StateFile {
  try {
    const { files, facts } = JSON.parse(readFileSync(path, "utf8")) as Partial<StateFile>;
    return { files: files ?? {}, facts: facts ?? {} };
  } catch {
    return { files: {}, facts: {} };
  }
}

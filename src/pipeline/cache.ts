import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { sha256, stableJson } from "../core/hash.js";
import { writeAtomically } from "../table/atomic.js";
import type { Contents } from "./content.js";
import { linkTree, sizeOfTree } from "./link-tree.js";
import type { Measured, StageNow } from "./lock.js";
import type { Stage } from "./plan.js";
import { isAlive } from "./process.js";
import { cacheFolder } from "./state.js";

/** What a stage wrote when it once ran, kept in a folder with a name that people can read: `<pipeline>/<stage>/<id>`. */
export interface CacheEntry {
  pipeline: string;
  stage: string;
  /** The first digits of the stage's identity. */
  id: string;
  /** What the stage was told, in a line. */
  about: string;
  /** By path: sha256, and under which name of the entry's folder it is kept. */
  outputs: Record<string, { sha256: string; name: string }>;
  bytes: number;
  /** Seconds that the stage took: what a hit saves. */
  seconds: number;
  /** Grows with every use: the smallest goes first. A clock may go backwards, this does not. */
  used: number;
  measured: Measured;
}

export interface Made {
  outputs: Record<string, string>;
  seconds: number;
  measured: Measured;
}

/** The outputs of earlier states. All of it may be deleted at any time. */
export interface Cache {
  /** Puts the outputs back that a stage wrote when it was this; undefined when they are not here, or not whole. */
  restore(stage: Stage, now: StageNow): Promise<CacheEntry | undefined>;
  /** Keeps what a stage has just written. */
  keep(stage: Stage, now: StageNow, made: Made): Promise<void>;
  /** Drops what was not used for longest until the rest fits. */
  trim(): void;
}

const entryFile = "entry.json";

/** @param limit bytes that all entries together may take; 0 keeps nothing and gives nothing back */
export function openCache(pipeline: string, contents: Contents, limit: number): Cache {
  let uses: number | undefined;
  let grew = false;
  const nextUse = (): number => {
    uses ??= Math.max(0, ...cacheEntries().map(({ used }) => used));
    return (uses += 1);
  };
  const folderOf = (stage: Stage, now: StageNow): string =>
    join(cacheFolder, pipeline, stage.name, identity(stage, now));

  return {
    async restore(stage, now) {
      if (limit === 0) return undefined;
      const folder = folderOf(stage, now);
      const entry = readEntry(folder);
      if (!entry) return undefined;
      for (const { sha256: hash, name } of Object.values(entry.outputs))
        if ((await contents.of(join(folder, name))) !== hash) {
          removeEntry(folder);
          return undefined;
        }
      for (const [path, { name }] of Object.entries(entry.outputs)) {
        const kept = join(folder, name);
        const trust = await trusting(contents, kept, path);
        await writeAtomically(path, async (temporary) => void linkTree(kept, temporary));
        trust();
      }
      writeEntry(folder, { ...entry, used: nextUse() });
      return entry;
    },
    async keep(stage, now, { outputs, seconds, measured }) {
      const paths = Object.keys(outputs);
      if (limit === 0 || paths.length === 0) return;
      const bytes = paths.reduce((sum, path) => sum + sizeOfTree(path), 0);
      if (bytes > limit) return;
      const folder = folderOf(stage, now);
      const temporary = `${folder}.${process.pid}.tmp`;
      rmSync(temporary, { recursive: true, force: true });
      mkdirSync(temporary, { recursive: true });
      const named = paths.map((path, i) => [path, `${i + 1}-${path.split("/").at(-1)!}`] as const);
      const trusts = [];
      for (const [path, name] of named) {
        trusts.push(await trusting(contents, path, join(folder, name)));
        linkTree(path, join(temporary, name));
      }
      writeEntry(temporary, {
        pipeline,
        stage: stage.name,
        id: identity(stage, now),
        about: aboutOf(now),
        outputs: Object.fromEntries(named.map(([path, name]) => [path, { sha256: outputs[path], name }])),
        bytes,
        seconds,
        used: nextUse(),
        measured,
      });
      rmSync(folder, { recursive: true, force: true });
      renameSync(temporary, folder);
      for (const trust of trusts) trust();
      grew = true;
    },
    trim() {
      if (grew) trimCache(limit);
    },
  };
}

/** A link moves the times of what it links to: what is known of both sides is taken down again after it. */
async function trusting(contents: Contents, from: string, to: string): Promise<() => void> {
  const files = filesBelow(from, to);
  const hashes = await Promise.all(files.map(([file]) => contents.of(file)));
  return () =>
    files.forEach((pair, i) => {
      const hash = hashes[i];
      if (hash !== undefined) for (const path of pair) contents.trust(path, hash);
    });
}

function filesBelow(from: string, to: string): [from: string, to: string][] {
  try {
    return readdirSync(from, { withFileTypes: true }).flatMap((entry) =>
      entry.isSymbolicLink() ? [] : filesBelow(join(from, entry.name), join(to, entry.name)),
    );
  } catch {
    return [[from, to]];
  }
}

function identity(stage: Stage, now: StageNow): string {
  return sha256(stableJson({ ...now, writes: stage.writes })).slice(0, 16);
}

function aboutOf({ run, options, in: inputs }: StageNow): string {
  const told = Object.entries(options).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : stableJson(value)}`,
  );
  return [run, ...inputs, ...told].join(" ").slice(0, 300);
}

function readEntry(folder: string): CacheEntry | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, entryFile), "utf8")) as CacheEntry;
  } catch {
    return undefined;
  }
}

function writeEntry(folder: string, entry: CacheEntry): void {
  const file = join(folder, entryFile);
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(entry, undefined, 1)}\n`);
  renameSync(temporary, file);
}

function removeEntry(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  try {
    rmdirSync(dirname(folder));
  } catch {
    // Other entries of the stage are still there.
  }
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

function entryFolders(): string[] {
  return namesIn(cacheFolder).flatMap((pipeline) =>
    namesIn(join(cacheFolder, pipeline)).flatMap((stage) =>
      namesIn(join(cacheFolder, pipeline, stage)).map((id) => join(cacheFolder, pipeline, stage, id)),
    ),
  );
}

/** Every entry of the project, the one used last first. */
export function cacheEntries(): CacheEntry[] {
  return entryFolders()
    .map(readEntry)
    .filter((entry) => entry !== undefined)
    .sort((a, b) => b.used - a.used || (a.id < b.id ? -1 : 1));
}

/**
 * Drops entries, those first that were not used for longest, until the rest fits; and what a process that
 * died left half written.
 *
 * @param limit  bytes
 * @param chosen entries that may be dropped; all by default
 */
export function trimCache(limit: number, chosen: (entry: CacheEntry) => boolean = () => true): CacheEntry[] {
  for (const folder of entryFolders()) {
    const pid = /\.(\d+)\.tmp$/.exec(folder)?.[1];
    if (pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid)))
      rmSync(folder, { recursive: true, force: true });
  }
  const dropped: CacheEntry[] = [];
  const entries = cacheEntries();
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  for (const entry of entries.reverse()) {
    if (bytes <= limit) break;
    if (!chosen(entry)) continue;
    removeEntry(join(cacheFolder, entry.pipeline, entry.stage, entry.id));
    bytes -= entry.bytes;
    dropped.push(entry);
  }
  return dropped;
}

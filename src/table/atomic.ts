import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { forgetLeftover, rememberLeftover } from "../core/leftovers.js";

/**
 * Writes a file or a folder beside its place and renames it there when it is whole: readers see the
 * old one or the new one, never a half. What `write` leaves at the temporary path is synced first.
 *
 * @param path  where the result goes; missing parent folders are made
 * @param write gets the temporary path (same folder) and creates a file or folder there
 * @throws ShopaiError "data" when the folder cannot be written, or a file would replace a folder
 */
export async function writeAtomically<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  try {
    makeFolder(dirname(target));
  } catch (cause) {
    throw writeFailure(cause, path);
  }
  rememberLeftover(temporary);
  try {
    const result = await write(temporary);
    syncTree(temporary);
    moveIntoPlace(temporary, target);
    return result;
  } catch (cause) {
    removeQuietly(temporary);
    throw writeFailure(cause, path);
  } finally {
    forgetLeftover(temporary);
  }
}

/**
 * Refuses an output that cannot be written, before the work that would be lost: the nearest folder above
 * it that is there must be a folder, and writable.
 *
 * @throws ShopaiError "data"
 */
export function checkWritable(path: string): void {
  let folder = dirname(resolve(path));
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    if (!statSync(folder).isDirectory())
      throw Object.assign(new Error(`${folder} is a file`), { code: "ENOTDIR" });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw writeFailure(cause, path);
  }
}

/** Makes a folder that something will be written to. @throws ShopaiError "data" when it cannot be made */
export function makeFolderFor(path: string): void {
  try {
    makeFolder(path);
  } catch (cause) {
    throw writeFailure(cause, path);
  }
}

/** Makes a folder and those above it. (Node's own recursive mkdir never ends below /proc and its like.) */
export function makeFolder(path: string): void {
  if (existsSync(path)) {
    if (statSync(path).isDirectory()) return;
    throw Object.assign(new Error(`${path} is a file`), { code: "ENOTDIR" });
  }
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (cause) {
    // Another process may have made it meanwhile.
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
  }
}

/** Removes what may not even have a place to be; the error that led here is the one to tell. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOTDIR") throw cause;
  }
}

/** Makes sure that a file, or a folder with all below it, is on the disk before something is built on it. */
export function syncTree(path: string): void {
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) syncTree(join(path, name));
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A file is replaced in one step; a folder cannot be, so the old one steps aside first. */
function moveIntoPlace(temporary: string, target: string): void {
  if (existsSync(target) && statSync(target).isDirectory()) {
    if (!statSync(temporary).isDirectory())
      throw Object.assign(new Error(`${target} is a folder`), { code: "EISDIR" });
    const aside = `${temporary}.old`;
    rememberLeftover(aside);
    renameSync(target, aside);
    renameSync(temporary, target);
    rmSync(aside, { recursive: true, force: true });
    forgetLeftover(aside);
  } else {
    renameSync(temporary, target);
    // Two links to one file: renaming one to the other does nothing, and leaves both (POSIX).
    rmSync(temporary, { force: true });
  }
  const folder = openSync(dirname(target), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const reasons: Record<string, [string, string]> = {
  EACCES: ["is not writable", "another folder, or other rights"],
  EPERM: ["is not writable", "another folder, or other rights"],
  EROFS: ["is on a read-only file system", "another folder"],
  ENOSPC: ["does not fit: the disk is full", "freeing room, or another disk"],
  EDQUOT: ["does not fit: the quota is used up", "freeing room, or another disk"],
  EFBIG: ["does not fit: files may not grow so large here", "another limit (ulimit -f), or another disk"],
  ENOTDIR: ["has a file where its folder should be", "another path"],
  EEXIST: ["has a file where its folder should be", "another path"],
  EISDIR: ["is a folder", "a file's name"],
  ENOENT: ["is in a folder that cannot be made", "another folder"],
};

/** What the engine says when it cannot write, as the system's own code. */
const spoken: [RegExp, string][] = [
  [/No space left on device/, "ENOSPC"],
  [/Permission denied/, "EACCES"],
  [/Read-only file system/, "EROFS"],
  [/Not a directory/, "ENOTDIR"],
  [/No such file or directory/, "ENOENT"],
  [/Disk quota exceeded/, "EDQUOT"],
  [/File too large/, "EFBIG"],
];

/** The error to tell when an output could not be written. */
export function writeFailure(cause: unknown, path: string): unknown {
  const message = (cause as Error).message ?? "";
  const aboutOutput =
    cause instanceof ShopaiError && message.includes(`.${basename(path)}.${process.pid}.tmp`);
  const code = aboutOutput
    ? spoken.find(([pattern]) => pattern.test(message))?.[1]
    : (cause as NodeJS.ErrnoException).code;
  const known = reasons[code ?? ""];
  return known
    ? new ShopaiError("data", `${path} ${known[0]}`, { where: path, try: known[1], cause })
    : cause;
}

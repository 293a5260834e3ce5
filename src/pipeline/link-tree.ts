import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

/**
 * A file or folder at another place without its bytes being written again where the file system allows it:
 * a clone that shares blocks until one side is written (btrfs, XFS, APFS), else a hard link, else a copy.
 *
 * @returns the files, each with its new place
 */
export function linkTree(from: string, to: string): [from: string, to: string][] {
  const about = lstatSync(from);
  if (about.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
    return [];
  }
  if (about.isDirectory()) {
    mkdirSync(to);
    return readdirSync(from).flatMap((name) => linkTree(join(from, name), join(to, name)));
  }
  linkFile(from, to);
  return [[from, to]];
}

function linkFile(from: string, to: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch {
    try {
      linkSync(from, to);
    } catch {
      copyFileSync(from, to);
    }
  }
}

/** Bytes of a file, or of all files below a folder. */
export function sizeOfTree(path: string): number {
  const about = lstatSync(path);
  if (!about.isDirectory()) return about.size;
  return readdirSync(path).reduce((sum, name) => sum + sizeOfTree(join(path, name)), 0);
}

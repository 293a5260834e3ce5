import { existsSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeFolderFor } from "../table/atomic.js";

/** Where everything that may be deleted at any time is kept, in the project folder: hashes, results, logs, locks, the cache, the history of runs. */
export const stateFolder = ".shopai";

/** The project folder of a pipeline: the nearest folder above its file that has `.shopai/`, else the working directory. */
export function projectFolder(pipeline: string): string {
  for (let folder = dirname(resolve(pipeline)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, stateFolder))) return folder;
    if (folder === dirname(folder)) return process.cwd();
  }
}

/** Makes the state folder, hidden from git. */
export function makeStateFolder(): void {
  makeFolderFor(stateFolder);
  const file = join(stateFolder, ".gitignore");
  if (!existsSync(file)) writeFileSync(file, "*\n");
}

/** The lock of a pipeline, beside it and kept in git: `nightly.yaml` has `nightly.lock.yaml`. */
export function lockPath(pipeline: string): string {
  return `${pipeline.replace(/\.ya?ml$/i, "")}.lock.yaml`;
}

/** The Result of a stage as JSON: `{command, stage, result}`. */
export const resultPath = (pipeline: string, stage: string): string =>
  `${stateFolder}/results/${pipeline}/${stage}.json`;

/** Where a stage's words go: what a script or a shell command printed, and the steps of a command. */
export const logPath = (pipeline: string, stage: string): string =>
  `${stateFolder}/logs/${pipeline}/${stage}.log`;

/** What a process holds while it runs a pipeline. */
export const runLockPath = (pipeline: string): string => `${stateFolder}/locks/${pipeline}.lock`;

/** What is known of files that were hashed before. */
export const hashesPath = `${stateFolder}/files.json`;

/** Outputs of earlier states, by pipeline and stage. */
export const cacheFolder = `${stateFolder}/cache`;

/** What every run did: one file a run, numbered. */
export const runsFolder = (pipeline: string): string => `${stateFolder}/runs/${pipeline}`;

/** The process that a stage started, while it runs. */
export const childPath = (pipeline: string, stage: string): string =>
  `${stateFolder}/locks/${pipeline}.${stage}.child`;

import { stableJson } from "../core/hash.js";
import { version } from "../core/version.js";

/** One input of a command as recorded in its outputs: the bytes that were read. */
export interface InputRecord {
  path: string;
  sha256: string;
  /** Rows read from it, when known. */
  rows?: number;
}

/** What an output tells of its making (design 1.1). No clock time, so that equal runs give equal bytes. */
export interface Provenance {
  command: string;
  version: string;
  options: Record<string, unknown>;
  seed: number;
  inputs: InputRecord[];
  created_by: string;
}

/** The metadata key in Parquet and Arrow files. */
export const provenanceKey = "shopai";

/** Provenance of a command's outputs. Options that cannot change the bytes (threads, memory, loudness) are left out by the caller. */
export function provenanceOf(
  command: string,
  options: Record<string, unknown>,
  seed: number,
  inputs: readonly InputRecord[],
): Provenance {
  return { command, version, options, seed, inputs: [...inputs], created_by: `shopai ${version}` };
}

/** Provenance as it is stored: one line of JSON with sorted keys. */
export function provenanceText(provenance: Provenance): string {
  return stableJson(provenance);
}

import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { stableJson } from "../../core/hash.js";
import { writeAtomically } from "../../table/atomic.js";
import type { Trial } from "./study.js";

/** Trials on disk, so that a tuning that was cut short goes on where it was. */
export interface StudyStore {
  /** Trials of a study that are known, in order. */
  done(study: string): Trial[];
  add(study: string, trial: Trial): void;
}

/**
 * Opens the file of trials: a first line with what they depend on, then one line a trial. Trials that
 * depend on something else (other rows, parameters, version) are dropped; a line cut short by a crash too.
 *
 * @param key everything that the scores depend on beside study and trial
 * @param dropped told when a file of other trials was there
 */
export async function openStore(
  path: string,
  key: Readonly<Record<string, unknown>>,
  dropped: (differs: string) => void,
): Promise<StudyStore> {
  const head = stableJson({ shopai: "tune", ...key });
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const known = lines[0] === head;
  if (!known) {
    if (lines[0]) dropped(difference(lines[0], head));
    await writeAtomically(path, async (temporary) => writeFileSync(temporary, `${head}\n`));
  }
  const stored: { study: string; trial: Trial }[] = [];
  let whole = Buffer.byteLength(head) + 1;
  if (known) {
    for (const line of lines.slice(1, -1)) {
      try {
        stored.push(JSON.parse(line) as (typeof stored)[number]);
      } catch {
        // A crash can leave bytes of a line: what was whole before it counts.
        break;
      }
      whole += Buffer.byteLength(line) + 1;
    }
    truncateSync(path, whole);
  }
  return {
    done: (study) => stored.filter((entry) => entry.study === study).map((entry) => entry.trial),
    add(study, trial) {
      const file = openSync(path, "a");
      appendFileSync(file, `${stableJson({ study, trial })}\n`);
      fsyncSync(file);
      closeSync(file);
    },
  };
}

/** Names of the keys that differ. */
function difference(before: string, now: string): string {
  try {
    const [a, b] = [before, now].map((text) => JSON.parse(text) as Record<string, unknown>);
    return Object.keys({ ...a, ...b })
      .filter((name) => stableJson(a[name]) !== stableJson(b[name]))
      .join(", ");
  } catch {
    return "form";
  }
}

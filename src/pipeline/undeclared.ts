import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Stage } from "./plan.js";

/**
 * Watches the folders that a stage of the user's works in (its outputs' and the project folder itself, not
 * what lies deeper) for files that it writes without saying so.
 *
 * @param expected paths that may change: what the stages of the pipeline write
 * @returns gives the files that are new or changed since
 */
export function watchUndeclared(stage: Stage, expected: ReadonlySet<string>): () => string[] {
  const folders = [...new Set([".", ...stage.writes.map((path) => dirname(path))])];
  const above = [...expected];
  const ignored = (path: string): boolean =>
    expected.has(path) || stage.reads.includes(path) || above.some((one) => one.startsWith(`${path}/`));
  const look = (): Map<string, string> =>
    new Map(
      folders.flatMap((folder) =>
        namesIn(folder)
          .map((name) => (folder === "." ? name : join(folder, name)))
          .filter((path) => !ignored(path))
          .flatMap((path) => {
            const mark = markOf(path);
            return mark === undefined ? [] : [[path, mark] as const];
          }),
      ),
    );
  const before = look();
  return () =>
    [...look()]
      .filter(([path, mark]) => before.get(path) !== mark)
      .map(([path]) => path)
      .sort();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

/** Changes when a file is written; folders stay as they are, since what lies in them is not looked at. */
function markOf(path: string): string | undefined {
  const about = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (!about) return undefined;
  return about.isDirectory() ? `folder ${about.ino}` : `${about.ino} ${about.size} ${about.mtimeNs}`;
}

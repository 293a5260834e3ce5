import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { root, runCli, type Outcome } from "../support/run-cli.js";
import { temporaryFolder } from "../support/temporary.js";

interface Ran {
  stages: { stage: string; status: string; why: string[] }[];
}

export interface Shipped {
  folder: string;
  /** `shopai run pipelines/<name>.yaml …` in the project folder. */
  run(...words: string[]): Promise<Outcome>;
  /** The same, which must end well: every stage's status. */
  states(...words: string[]): Promise<Record<string, string>>;
  lock(): string;
  /** The result of a stage, as it is kept for reports. */
  result<T>(stage: string): T;
  file(path: string): string;
}

/** A temporary project folder with a copy of `pipelines/` (and of the small shop, where asked). */
export function shipped(name: string, options: { shop?: boolean } = {}): Shipped {
  const folder = temporaryFolder();
  cpSync(join(root, "pipelines"), join(folder, "pipelines"), {
    recursive: true,
    filter: (path) => !path.endsWith(".lock.yaml"),
  });
  if (options.shop) cpSync(join(root, "fixtures/shop"), join(folder, "fixtures/shop"), { recursive: true });
  mkdirSync(join(folder, ".shopai"));
  const run = (...words: string[]): Promise<Outcome> =>
    runCli(["run", `pipelines/${name}.yaml`, ...words], { cwd: folder });
  const text = (path: string): string => readFileSync(join(folder, path), "utf8");
  return {
    folder,
    run,
    async states(...words) {
      const outcome = await run(...words, "--json");
      expect(outcome.code, outcome.stderr).toBe(0);
      return Object.fromEntries(outcome.json<Ran>().stages.map(({ stage, status }) => [stage, status]));
    },
    lock: () => text(`pipelines/${name}.lock.yaml`),
    result: <T>(stage: string) =>
      (JSON.parse(text(`.shopai/results/${name}/${stage}.json`)) as { result: T }).result,
    file(path) {
      expect(existsSync(join(folder, path)), path).toBe(true);
      return text(path);
    },
  };
}

export const statuses = (states: Record<string, string>): string[] => [...new Set(Object.values(states))];

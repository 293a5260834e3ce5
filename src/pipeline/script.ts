import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineCommand, option, type Command } from "./command.js";
import type { StageRun } from "./stage-run.js";

/** `run: script`: a function of the user's from tables to a table (docs/pipelines.md). */
export const script: Command = defineCommand({
  name: "script",
  summary: "run a JavaScript or TypeScript module on tables",
  inputs: {
    usage: "[table...]",
    min: 0,
    max: Infinity,
    help: "tables that the module's default export gets",
  },
  examples: [],
  options: {
    module: option.path("the module; its default export gets the tables and gives one back"),
    out: option.path("where the table (or the text) goes that the module gives back", { short: "o" }),
    frames: option.flag("give danfojs data frames instead of Arrow tables").default(false),
    param: option.pairs("values that the module gets as `params`").default({}),
    env: option
      .names("environment variables that it gets as `env`; their values stay out of lock and logs")
      .default([]),
  },
  reads: (o) => [...o.in, ...moduleFiles(o.module)],
  writes: (o) => [o.out],
  async run(o, run) {
    const { runScript } = await import("./run-script.js");
    return { json: await runScript(o, script, run as StageRun) };
  },
});

const imported = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)["'](\.{1,2}\/[^"']+)["']/g;
const endings = ["", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json", "/index.ts", "/index.js"];

/** A module and every file of the project that it imports, near or far: its code version. */
export function moduleFiles(path: string): string[] {
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch {
      return;
    }
    for (const [, target] of text.matchAll(imported)) {
      const plain = join(dirname(file), target);
      const candidates = [...endings.map((ending) => plain + ending), plain.replace(/\.([mc]?)js$/, ".$1ts")];
      const real = candidates.find((candidate) => isFile(candidate));
      if (real !== undefined) visit(real);
    }
  };
  visit(path);
  return [...found];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { ShopaiError } from "../core/errors.js";
import { forgetLeftover, rememberLeftover } from "../core/leftovers.js";
import { writeAtomically } from "../table/atomic.js";
import { openTable } from "../table/open.js";
import { provenanceOf, type InputRecord } from "../table/provenance.js";
import { missingFile } from "../table/source.js";
import { writeTable } from "../table/write.js";
import { telling, type Command } from "./command.js";
import { packageFor } from "./packages.js";
import type { ScriptAnswer, ScriptTask } from "./script.worker.js";
import type { StageRun } from "./stage-run.js";
import { stateFolder } from "./state.js";

export interface ScriptOptions {
  in: string[];
  module: string;
  out: string;
  frames: boolean;
  param: Record<string, string | number | boolean>;
  env: string[];
  seed: number;
}

/**
 * Gives a module its tables and writes what it gives back.
 * @throws ShopaiError "data" when the module fails, "engine" when a package is missing that it needs
 */
export async function runScript(o: ScriptOptions, command: Command, run: StageRun): Promise<object> {
  const engine = await run.engine();
  const options = telling(command, { ...o });
  const tables: string[] = [];
  const inputs: InputRecord[] = [];
  for (const [i, input] of o.in.entries()) {
    const relation = await openTable(engine, [input], { signal: run.signal });
    const path = join(engine.scratch, `input-${i}.arrow`);
    await writeTable(relation, path, provenanceOf(command.name, options, o.seed, []));
    tables.push(path);
    inputs.push(...relation.inputs);
  }
  const module = await runnableModule(o.module);
  const task: ScriptTask = {
    module: pathToFileURL(module).href,
    source: resolve(o.module),
    tables,
    frames: o.frames,
    params: o.param,
    env: Object.fromEntries(o.env.map((name) => [name, process.env[name] ?? ""])),
    seed: o.seed,
    out: join(engine.scratch, "output.arrow"),
  };
  const answer = await inWorker(task, run.log, run.signal).finally(() => dropMade(module, o.module));
  switch (answer.kind) {
    case "failed":
      throw new ShopaiError(answer.missing ? "engine" : "data", answer.message, {
        where: o.module,
        try: answer.missing ? `npm install ${answer.missing}` : "the stack in the stage's log",
      });
    case "text":
      await writeAtomically(o.out, async (temporary) => writeFileSync(temporary, answer.text));
      return { module: o.module, out: o.out, bytes: Buffer.byteLength(answer.text) };
    case "table": {
      const made = await openTable(engine, [answer.path]);
      const { rows } = await writeTable(made, o.out, provenanceOf(command.name, options, o.seed, inputs));
      return { module: o.module, out: o.out, rows };
    }
  }
}

/** Runs a module apart from our own thread: what it prints goes to the log, and it can be ended. */
function inWorker(task: ScriptTask, log: (text: string) => void, signal: AbortSignal): Promise<ScriptAnswer> {
  return new Promise((settle, fail) => {
    const worker = new Worker(workerFile(), { workerData: task, stdout: true, stderr: true });
    const stop = (): void => void worker.terminate();
    signal.addEventListener("abort", stop, { once: true });
    let answer: ScriptAnswer | undefined;
    worker.stdout.on("data", (chunk: Buffer) => log(chunk.toString()));
    worker.stderr.on("data", (chunk: Buffer) => log(chunk.toString()));
    worker.on("message", (message: ScriptAnswer) => (answer = message));
    worker.on("error", (error) => (answer = { kind: "failed", message: error.message }));
    worker.on("exit", (code) => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted) return fail(new ShopaiError("interrupted", "interrupted"));
      settle(
        answer ?? {
          kind: "failed",
          message: `the module ended the thread with ${code} and gave nothing back`,
        },
      );
    });
  });
}

/** The worker's bundle: beside the program's entry, also when this file runs from its source. */
function workerFile(): string {
  const bundled = import.meta.url.endsWith(".ts")
    ? "../../dist/bin/script.worker.js"
    : "../bin/script.worker.js";
  return fileURLToPath(new URL(bundled, import.meta.url));
}

/**
 * The module as this Node can load it: itself, or, for TypeScript on a Node that cannot read it, what
 * esbuild makes of it.
 */
async function runnableModule(path: string): Promise<string> {
  const file = resolve(path);
  if (!existsSync(file)) throw missingFile(path);
  const { typescript } = process.features as { typescript?: string | false };
  if (!/^\.[mc]?ts$/.test(extname(file)) || typescript) return file;
  const esbuild = packageFor<{ build(options: object): Promise<unknown> }>(file, "esbuild");
  if (!esbuild)
    throw new ShopaiError("engine", `Node ${process.versions.node} cannot read TypeScript by itself`, {
      where: path,
      try: "Node 22.18 or newer, npm install esbuild, or a .mjs module",
    });
  // Inside the project, so that the module's packages are found from there.
  const made = resolve(stateFolder, "modules", `${basename(file)}.${process.pid}.mjs`);
  rememberLeftover(made);
  await esbuild.build({
    entryPoints: [file],
    outfile: made,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "silent",
    packages: "external",
  });
  return made;
}

function dropMade(module: string, source: string): void {
  if (module === resolve(source)) return;
  rmSync(module, { force: true });
  forgetLeftover(module);
}

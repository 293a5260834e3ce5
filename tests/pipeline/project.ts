import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll } from "vitest";
import { seededRng } from "../../src/core/rng.js";
import { looseTolerance, type Device } from "../../src/engine/device.js";
import { openPool } from "../../src/kernels/pool.js";
import { defineCommand, option, type Command } from "../../src/pipeline/command.js";
import { readPipeline } from "../../src/pipeline/document.js";
import { runPipeline, type RunAsk, type StageOutcome } from "../../src/pipeline/execute.js";
import type { Outside } from "../../src/pipeline/perform.js";
import { planPipeline, type CommandListing, type Plan } from "../../src/pipeline/plan.js";
import { lockPath } from "../../src/pipeline/state.js";
import { writeAtomically } from "../../src/table/atomic.js";
import { temporaryFolder } from "../support/temporary.js";

/** A command that joins its inputs' texts, for plans and runs without an engine. */
const concat = defineCommand({
  name: "concat",
  summary: "join texts",
  inputs: { usage: "<file...>", min: 1, max: 4, help: "texts" },
  examples: [],
  options: {
    out: option.path("where it goes", { short: "o" }),
    suffix: option.text("text at the end").default(""),
    times: option.integer("how often", { min: 1, max: 9 }).default(1),
    mode: option.choice("how", ["plain", "upper"]).default("plain"),
    rejects: option.path("a second output").optional(),
    by: option.names("names").optional(),
  },
  reads: (o) => o.in,
  writes: (o) => [o.out, ...(o.rejects ? [o.rejects] : [])],
  async run(o, run) {
    const text = o.in.map((path) => readFileSync(path, "utf8")).join("") + o.suffix;
    if (text.includes("FAIL")) throw new Error("told to fail");
    const made = (o.mode === "upper" ? text.toUpperCase() : text).repeat(o.times);
    run.progress.stage("joining");
    if (o.rejects) await writeAtomically(o.rejects, async (path) => writeFileSync(path, "refused\n"));
    await writeAtomically(o.out, async (path) => writeFileSync(path, made));
    return { json: { length: made.length, big: 2n ** 60n } };
  },
});
/** A command that writes nothing: only its result counts. */
const gate = defineCommand({
  name: "gate",
  summary: "count",
  inputs: { usage: "<file>", min: 1, max: 1, help: "a text" },
  examples: [],
  options: {},
  reads: (o) => o.in,
  writes: () => [],
  run: async (o) => ({ json: { size: readFileSync(o.in[0]).length } }),
});
/** A command that trains on a GPU: other bytes each time, and metrics within a hair of the same. */
const train = defineCommand({
  name: "train",
  summary: "train",
  inputs: { usage: "<file>", min: 1, max: 1, help: "a text" },
  examples: [],
  options: { out: option.path("where it goes", { short: "o" }) },
  reads: (o) => o.in,
  writes: (o) => [o.out],
  async run(o, run) {
    await run.device();
    const noise = Number(process.hrtime.bigint() % 1000n) * 1e-6;
    await writeAtomically(o.out, async (path) => writeFileSync(path, String(noise)));
    return { json: { metrics: { auc: Number(readFileSync(o.in[0], "utf8")) + noise } } };
  },
});
const loader = (command: Command) => ({ load: async () => ({ default: command }) });
export const stubs: CommandListing = {
  concat: loader(concat),
  gate: loader(gate),
  train: loader(train),
  run: loader(gate),
};

export interface Project {
  folder: string;
  write(path: string, text: string): void;
  read(path: string): string;
  has(path: string): boolean;
  plan(params?: string[]): Promise<Plan>;
  run(ask?: Partial<RunAsk>, params?: string[]): Promise<StageOutcome[]>;
  /** `stage: status` of every stage of a run. */
  states(ask?: Partial<RunAsk>, params?: string[]): Promise<Record<string, string>>;
  warnings: string[];
}

/** A temporary project folder that becomes the working directory, with a pipeline in `flow.yaml`. */
export function project(yaml: string, files: Record<string, string> = {}): Project {
  const folder = temporaryFolder();
  const before = process.cwd();
  process.chdir(folder);
  afterAll(() => process.chdir(before));
  const warnings: string[] = [];
  const it: Project = {
    folder,
    warnings,
    write(path, text) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    },
    read: (path) => readFileSync(join(folder, path), "utf8"),
    has: (path) => existsSync(join(folder, path)),
    plan: async (params) =>
      planPipeline(readPipeline("flow.yaml", params), stubs, folder, {
        seed: 42,
        device: "auto",
        engine: "duckdb",
      }),
    async run(ask, params) {
      return runPipeline(
        await it.plan(params),
        {
          lockFile: resolve(lockPath("flow.yaml")),
          names: [],
          dryRun: false,
          frozen: false,
          force: false,
          keepGoing: false,
          jobs: 1,
          cacheBytes: 1e9,
          ...ask,
        },
        outsideOf(it),
      );
    },
    async states(ask, params) {
      const outcomes = await it.run(ask, params);
      return Object.fromEntries(outcomes.map(({ stage, status }) => [stage, status]));
    },
  };
  it.write("flow.yaml", yaml);
  for (const [path, text] of Object.entries(files)) it.write(path, text);
  return it;
}

const gpu: Device = {
  name: "webgpu",
  backend: "webgpu",
  adapter: "none",
  software: false,
  tolerance: looseTolerance,
  failure: () => undefined,
  close: async () => undefined,
};

/** What stages of a project get from outside: no engine, no noise; warnings are kept. */
export function outsideOf(it: Pick<Project, "warnings">): Outside {
  return {
    open: (options, talk) => ({
      run: {
        seed: options.seed,
        threads: 1,
        pool: openPool({ threads: 1 }),
        engine: () => Promise.reject(new Error("no engine is needed")),
        device: async () => gpu,
        rng: (name) => seededRng(options.seed, name),
        signal: new AbortController().signal,
        ...talk,
      },
      close: async () => undefined,
    }),
    progress: { stage: () => undefined, update: () => undefined, done: () => undefined },
    warn: (message) => void it.warnings.push(message),
    say: () => undefined,
    signal: new AbortController().signal,
  };
}

import { ShopaiError } from "../src/core/errors.js";
import { parseBytes } from "../src/core/quantity.js";
import { defineCommand, option } from "../src/pipeline/command.js";
import type { StageOutcome } from "../src/pipeline/execute.js";
import { lockPath, runLockPath } from "../src/pipeline/state.js";
import { listing } from "./listing.js";
import { outcomeBlocks } from "../src/cli/outcome-blocks.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "run",
  summary: summaries.run,
  inputs: {
    usage: "<pipeline.yaml> [stage...]",
    min: 1,
    max: Infinity,
    help: "a pipeline, and the stages to bring up to date (default: all)",
  },
  examples: [
    "shopai run pipelines/quickstart.yaml",
    "shopai run nightly.yaml forecast --param horizon=14",
    "shopai run nightly.yaml --dry-run",
    "shopai run nightly.yaml --frozen",
  ],
  options: {
    param: option
      .repeated("value of a parameter of the pipeline, over its default", { arg: "<k=v>" })
      .default([]),
    dryRun: option.flag("say what would run, why and for how long, and run nothing").default(false),
    frozen: option.flag("fail (exit 6) if anything is not exactly as the lock says").default(false),
    force: option.flag("run the named stages (default: all) even if they are fresh").default(false),
    keepGoing: option.flag("run what does not depend on a failed stage").default(false),
    jobs: option
      .integer("stages that run side by side, sharing threads and memory", { min: 1, max: 64 })
      .default(1),
    lockTimeout: option
      .real("seconds to wait for another run of this pipeline (default: 0 on a terminal, 600 elsewhere)", {
        min: 0,
        arg: "<seconds>",
      })
      .optional(),
    cacheSize: option
      .text(
        "room for the outputs of earlier states in .shopai/cache, those unused for longest go first; 0 for none",
        {
          arg: "<size>",
        },
      )
      .default("10GB"),
    allowOutside: option.flag("let stages write outside the project folder").default(false),
  },
  reads: (o) => o.in.slice(0, 1),
  writes: (o) => [lockPath(o.in[0])],
  async run(o, run) {
    if (o.frozen && o.force)
      throw new ShopaiError("usage", "--frozen and --force exclude each other", { try: "one of them" });
    const cacheBytes = parseBytes(o.cacheSize);
    // YAML and all that runs stages are loaded here, so that a usage error is said at once.
    const [{ openRun }, { openPipeline }, { holdLock }, { runPipeline }, { tellFailure }] = await Promise.all(
      [
        import("../src/cli/open-run.js"),
        import("../src/pipeline/open.js"),
        import("../src/pipeline/exclusive.js"),
        import("../src/pipeline/execute.js"),
        import("../src/pipeline/hook.js"),
      ],
    );
    const [file, ...names] = o.in;
    const { plan, lockFile, project } = await openPipeline(file, o.param, listing, o);
    const outside = {
      open: (options: Parameters<typeof openRun>[0], talk: Parameters<typeof openRun>[1]) =>
        openRun(options, talk, run.signal),
      progress: run.progress,
      warn: run.warn,
      say: (line: string) => {
        if (!o.quiet) process.stderr.write(`${line}\n`);
      },
      signal: run.signal,
      pool: run.pool,
    };
    const worked = async (): Promise<StageOutcome[]> => {
      const ask = { ...o, names, lockFile, cacheBytes };
      if (o.dryRun) return runPipeline(plan, ask, outside);
      const timeout = o.lockTimeout ?? (process.stderr.isTTY ? 0 : 600);
      const what = `the pipeline ${plan.name}`;
      const release = await holdLock(runLockPath(plan.name), what, timeout, run.signal, run.warn);
      try {
        return await runPipeline(plan, ask, outside);
      } finally {
        release();
      }
    };
    const stages = await worked().catch(async (error: unknown) => {
      if (!o.dryRun) await tellFailure(plan, error, run.signal, run.warn);
      throw error;
    });
    const planned = new Map(plan.stages.map((stage) => [stage.name, stage]));
    return {
      json: {
        pipeline: plan.name,
        project,
        lock: lockFile,
        stages: stages.map((outcome) => ({
          ...outcome,
          result: planned.get(outcome.stage)!.result,
          outputs: planned.get(outcome.stage)!.writes,
        })),
      },
      blocks: outcomeBlocks(stages, o.dryRun),
    };
  },
});

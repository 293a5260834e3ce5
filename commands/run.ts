import { resolve } from "node:path";
import { ShopaiError } from "../src/core/errors.js";
import { defineCommand, option } from "../src/pipeline/command.js";
import type { StageOutcome } from "../src/pipeline/execute.js";
import { lockPath, projectFolder, runLockPath } from "../src/pipeline/state.js";
import { listing } from "./listing.js";
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
    dryRun: option.flag("say what would run and why, and run nothing").default(false),
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
  },
  reads: (o) => o.in.slice(0, 1),
  writes: (o) => [lockPath(o.in[0])],
  async run(o, run) {
    if (o.frozen && o.force)
      throw new ShopaiError("usage", "--frozen and --force exclude each other", { try: "one of them" });
    // YAML and all that runs stages are loaded here, so that a usage error is said at once.
    const [{ openRun }, { readPipeline }, { holdLock }, { planPipeline }, { runPipeline }] =
      await Promise.all([
        import("../src/cli/open-run.js"),
        import("../src/pipeline/document.js"),
        import("../src/pipeline/exclusive.js"),
        import("../src/pipeline/plan.js"),
        import("../src/pipeline/execute.js"),
      ]);
    const [file, ...names] = o.in;
    const document = readPipeline(file, o.param);
    const lockFile = resolve(lockPath(file));
    const project = projectFolder(file);
    process.chdir(project);
    const plan = await planPipeline(document, listing, project, {
      seed: o.seed,
      threads: o.threads,
      memory: o.memory,
      device: o.device,
      allowSoftwareGpu: o.allowSoftwareGpu,
      engine: o.engine,
    });
    const release = o.dryRun
      ? undefined
      : await holdLock(
          runLockPath(plan.name),
          `the pipeline ${plan.name}`,
          o.lockTimeout ?? (process.stderr.isTTY ? 0 : 600),
          run.signal,
          run.warn,
        );
    try {
      const stages = await runPipeline(
        plan,
        { ...o, names, lockFile },
        {
          open: (options, talk) => openRun(options, talk, run.signal),
          progress: run.progress,
          warn: run.warn,
          say: (line) => {
            if (!o.quiet) process.stderr.write(`${line}\n`);
          },
          signal: run.signal,
        },
      );
      return {
        json: {
          pipeline: plan.name,
          project,
          lock: lockFile,
          stages: stages.map((outcome) => ({
            ...outcome,
            result: plan.stages.find(({ name }) => name === outcome.stage)!.result,
            outputs: plan.stages.find(({ name }) => name === outcome.stage)!.writes,
          })),
        },
        blocks: [
          {
            kind: "table",
            head: ["stage", "command", "status", "seconds", "why"],
            rows: stages.map((one) => [
              one.stage,
              one.command,
              one.status,
              rounded(one.seconds),
              whyText(one),
            ]),
          },
        ],
      };
    } finally {
      release?.();
    }
  },
});

const rounded = (seconds: number | undefined): string => (seconds === undefined ? "" : seconds.toFixed(1));

/** At most three reasons a stage: the whole list is in `--json`. */
function whyText({ why }: StageOutcome): string {
  return why.length <= 3 ? why.join("; ") : `${why.slice(0, 3).join("; ")}; and ${why.length - 3} more`;
}

import { defineCommand, option } from "../src/pipeline/command.js";
import { runLockPath } from "../src/pipeline/state.js";
import { listing } from "./listing.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "verify",
  summary: summaries.verify,
  inputs: {
    usage: "<pipeline.yaml> [stage...]",
    min: 1,
    max: Infinity,
    help: "a pipeline, and the stages to verify (default: all)",
  },
  examples: ["shopai verify nightly.yaml --rerun 10%", "shopai verify nightly.yaml forecast --rerun 100%"],
  options: {
    param: option
      .repeated("value of a parameter of the pipeline, over its default", { arg: "<k=v>" })
      .default([]),
    rerun: option
      .text("share or number of stages to run again and compare with the lock, drawn by --seed", {
        arg: "<share>",
      })
      .default("10%"),
    lockTimeout: option
      .real("seconds to wait for a run of this pipeline (default: 0 on a terminal, 600 elsewhere)", {
        min: 0,
        arg: "<seconds>",
      })
      .optional(),
    allowOutside: option.flag("let stages write outside the project folder").default(false),
  },
  reads: (o) => o.in.slice(0, 1),
  writes: () => [],
  async run(o, run) {
    const [{ openRun }, { openPipeline }, { holdLock }, { verifyPipeline }] = await Promise.all([
      import("../src/cli/open-run.js"),
      import("../src/pipeline/open.js"),
      import("../src/pipeline/exclusive.js"),
      import("../src/pipeline/verify.js"),
    ]);
    const [file, ...names] = o.in;
    const { plan, lockFile } = await openPipeline(file, o.param, listing, { ...o, seed: 42 });
    const timeout = o.lockTimeout ?? (process.stderr.isTTY ? 0 : 600);
    const what = `the pipeline ${plan.name}`;
    const release = await holdLock(runLockPath(plan.name), what, timeout, run.signal, run.warn);
    try {
      const ask = { lockFile, names, rerun: o.rerun, seed: o.seed };
      const stages = await verifyPipeline(plan, ask, {
        open: (options, talk) => openRun(options, talk, run.signal),
        progress: run.progress,
        warn: run.warn,
        say: () => undefined,
        signal: run.signal,
        pool: run.pool,
      });
      const again = (wanted: string): number => stages.filter(({ status }) => status === wanted).length;
      const within = again("within");
      const near = within === 0 ? "" : `, ${within} within the tolerance that the lock states`;
      return {
        json: { pipeline: plan.name, lock: lockFile, stages },
        blocks: [
          {
            kind: "table",
            head: ["stage", "command", "status", "seconds"],
            rows: stages.map(({ stage, command, status, seconds }) => [
              stage,
              command,
              status,
              seconds === undefined ? "" : seconds.toFixed(1),
            ]),
          },
          {
            kind: "line",
            text: `all ${stages.length} stages are as the lock says; ${again("rerun")} of them were run again and gave the same bytes${near}`,
          },
        ],
      };
    } finally {
      release();
    }
  },
});

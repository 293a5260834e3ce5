import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { duration, outcomeBlocks, outlook } from "../src/cli/outcome-blocks.js";
import { ShopaiError } from "../src/core/errors.js";
import { defineCommand, option, type Block } from "../src/pipeline/command.js";
import type { StageOutcome } from "../src/pipeline/execute.js";
import type { RunRecord } from "../src/pipeline/history.js";
import { lockPath } from "../src/pipeline/state.js";
import { listing } from "./listing.js";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "status",
  summary: summaries.status,
  inputs: {
    usage: "[pipeline.yaml...]",
    min: 0,
    max: Infinity,
    help: "pipelines (default: those in this folder and in pipelines/ that have a lock)",
  },
  examples: ["shopai status", "shopai status nightly.yaml --param horizon=14"],
  options: {
    param: option
      .repeated("value of a parameter of the pipeline, over its default", { arg: "<k=v>" })
      .default([]),
    allowOutside: option.flag("let stages write outside the project folder").default(false),
  },
  reads: (o) => o.in,
  writes: () => [],
  async run(o, run) {
    const [{ openPipeline }, { foreseePipeline }, { readRun, runNumbers }] = await Promise.all([
      import("../src/pipeline/open.js"),
      import("../src/pipeline/execute.js"),
      import("../src/pipeline/history.js"),
    ]);
    const files = (o.in.length > 0 ? o.in : lockedPipelines()).map((path) => ({ path, full: resolve(path) }));
    if (files.length === 0)
      throw new ShopaiError("data", "no pipeline with a lock is here", {
        where: process.cwd(),
        try: "shopai status <pipeline.yaml>",
      });
    const home = process.cwd();
    const pipelines = [];
    for (const { path, full } of files) {
      process.chdir(home);
      const { plan, lockFile } = await openPipeline(full, o.param, listing, o);
      const stages = await foreseePipeline(plan, lockFile, run.pool);
      const last = runNumbers(plan.name).at(-1);
      pipelines.push({
        pipeline: plan.name,
        file: path,
        stages,
        last: last === undefined ? undefined : readRun(plan.name, last),
      });
    }
    return {
      json: pipelines.map(({ last, ...one }) => ({
        ...one,
        last_run: last && {
          run: last.run,
          began: last.began,
          seconds: last.seconds,
          error: last.error ?? null,
        },
      })),
      blocks: pipelines.flatMap((one) => pipelineBlocks(one.file, one.stages, one.last)),
    };
  },
});

function lockedPipelines(): string[] {
  return [".", "pipelines"].flatMap((folder) =>
    (existsSync(folder) ? readdirSync(folder) : [])
      .filter((name) => /\.ya?ml$/i.test(name) && !/\.lock\.yaml$/.test(name))
      .map((name) => (folder === "." ? name : join(folder, name)))
      .filter((path) => existsSync(lockPath(path)))
      .sort(),
  );
}

function pipelineBlocks(file: string, stages: readonly StageOutcome[], last: RunRecord | undefined): Block[] {
  const stale = stages.filter(({ status }) => status !== "fresh");
  const fresh = stages.length - stale.length;
  return [
    { kind: "title", text: `${file}: ${fresh} of ${stages.length} stages fresh, ${outlook(stages)}` },
    ...(last ? [{ kind: "line", text: lastText(last) } satisfies Block] : []),
    ...(stale.length > 0 ? outcomeBlocks(stale, true).slice(0, 1) : []),
  ];
}

const lastText = ({ run, began, seconds, error }: RunRecord): string =>
  `  run ${run} at ${began.slice(0, 16).replace("T", " ")} UTC took ${duration(seconds)}${error === undefined ? "" : ` and failed: ${error}`}`;

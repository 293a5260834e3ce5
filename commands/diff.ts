import { blocksMarkdown } from "../src/cli/blocks-markdown.js";
import { defineCommand, option, type Block, type Cell } from "../src/pipeline/command.js";
import type { Comparison } from "../src/pipeline/diff.js";
import { hashesPath, projectFolder } from "../src/pipeline/state.js";
import { join } from "node:path";
import { summaries } from "./summaries.js";

export default defineCommand({
  name: "diff",
  summary: summaries.diff,
  inputs: {
    usage: "<before> [after]",
    min: 1,
    max: 2,
    help: "metrics files, locks, pipelines (their locks), runs (nightly#12, nightly#last), git revisions (main, HEAD~1:metrics.json); after is the working tree by default",
  },
  examples: [
    "shopai diff main",
    "shopai diff main --md",
    "shopai diff old-metrics.json metrics.json",
    "shopai diff 'nightly#41' 'nightly#42'",
    "shopai diff HEAD~1:nightly.lock.yaml nightly.lock.yaml",
  ],
  options: {
    md: option.flag("print Markdown, for a pull request").default(false),
    all: option.flag("show metrics that are equal, too").default(false),
  },
  reads: (o) => o.in,
  writes: () => [],
  async run(o) {
    const [{ readSide, workingSide }, { compared }, { openContents }] = await Promise.all([
      import("../src/pipeline/compared.js"),
      import("../src/pipeline/diff.js"),
      import("../src/pipeline/content.js"),
    ]);
    const before = readSide(o.in[0]);
    const after = o.in.length > 1 ? readSide(o.in[1]) : workingSide(before);
    const { facts } = openContents(join(projectFolder("pipeline.yaml"), hashesPath));
    const comparison = compared(before, after, facts);
    const blocks = blocksOf(comparison, o.all);
    return { json: comparison, blocks, text: o.md ? blocksMarkdown(blocks) : undefined };
  },
});

function blocksOf({ before, after, stages, metrics }: Comparison, all: boolean): Block[] {
  const shown = metrics.filter(({ verdict }) => all || verdict !== "equal");
  const blocks: Block[] = [{ kind: "title", text: `${before} → ${after}` }];
  if (shown.length > 0)
    blocks.push({
      kind: "table",
      head: ["of", "metric", "before", "after", "difference", "95 % from", "to", ""],
      rows: shown.map(({ of, metric, before: old, after: now, difference, interval, verdict }): Cell[] => [
        of,
        metric,
        old?.[0] ?? null,
        now?.[0] ?? null,
        difference,
        ...(interval ?? [null, null]),
        verdict,
      ]),
    });
  if (stages.length > 0)
    blocks.push({
      kind: "table",
      head: ["stage", "change", "what"],
      rows: stages.map(({ lock, stage, change, what }): Cell[] => [
        lock === undefined ? stage : `${lock}: ${stage}`,
        change,
        what.join("; "),
      ]),
    });
  if (blocks.length === 1) blocks.push({ kind: "line", text: "no difference" });
  return blocks;
}

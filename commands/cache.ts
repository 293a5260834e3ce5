import { ShopaiError } from "../src/core/errors.js";
import { parseBytes } from "../src/core/quantity.js";
import { defineCommand, option, type Block } from "../src/pipeline/command.js";
import { cacheFolder, projectFolder } from "../src/pipeline/state.js";
import { cacheEntries, trimCache, type CacheEntry } from "../src/pipeline/cache.js";
import { summaries } from "./summaries.js";

const actions = ["ls", "gc"];

export default defineCommand({
  name: "cache",
  summary: summaries.cache,
  inputs: { usage: "<ls|gc>", min: 1, max: 1, help: "ls lists, gc makes room", choices: actions },
  examples: [
    "shopai cache ls",
    "shopai cache gc --size 2GB",
    "shopai cache gc --size 0 --pipeline quickstart",
  ],
  options: {
    size: option
      .text("gc: room that the rest may take; what was not used for longest goes first", { arg: "<size>" })
      .default("10GB"),
    pipeline: option.text("only entries of this pipeline", { arg: "<name>" }).optional(),
  },
  reads: () => [],
  writes: () => [],
  async run(o) {
    const [action] = o.in;
    if (!actions.includes(action))
      throw new ShopaiError("usage", `cache takes ls or gc, got ${action}`, { try: "shopai cache ls" });
    const limit = parseBytes(o.size);
    process.chdir(projectFolder("pipeline.yaml"));
    const chosen = (entry: CacheEntry): boolean => o.pipeline === undefined || entry.pipeline === o.pipeline;
    const entries = action === "ls" ? cacheEntries().filter(chosen) : trimCache(limit, chosen);
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    return {
      json: { action, folder: cacheFolder, bytes, entries },
      blocks: [
        ...(entries.length > 0 ? [tableOf(entries)] : []),
        {
          kind: "line",
          text: `${action === "ls" ? "" : "dropped "}${entries.length} entries, ${sizeText(bytes)}`,
        },
      ],
    };
  },
});

const tableOf = (entries: readonly CacheEntry[]): Block => ({
  kind: "table",
  head: ["pipeline", "stage", "id", "size", "took", "told"],
  rows: entries.map(({ pipeline, stage, id, bytes, seconds, about }) => [
    pipeline,
    stage,
    id,
    sizeText(bytes),
    `${seconds.toFixed(1)} s`,
    about.length > 80 ? `${about.slice(0, 79)}…` : about,
  ]),
});

function sizeText(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

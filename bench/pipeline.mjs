// What a pipeline with nothing to do costs: 50 stages over 10 GB of inputs against a bare node, medians of wall time.
// Usage: node bench/pipeline.mjs [rounds]
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const rounds = Number(process.argv[2] ?? 10);
const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
const stages = 50;
const bytes = 200_000_000;

try {
  mkdirSync(join(folder, "raw"));
  for (let i = 0; i < stages; i++) {
    const path = join(folder, `raw/${i}.bin`);
    writeFileSync(path, Buffer.alloc(1_000_000, i + 1));
    // Zeros that take no room on the disk, and as long to hash as any other bytes.
    truncateSync(path, bytes);
  }
  const lines = Array.from(
    { length: stages },
    (_, i) =>
      `  s${i}: { run: shell, with: { in: [raw/${i}.bin${i > 0 ? `, work/${i - 1}.txt` : ""}], command: "wc -c raw/${i}.bin > work/${i}.txt", out: work/${i}.txt } }`,
  );
  writeFileSync(join(folder, "flow.yaml"), `stages:\n${lines.join("\n")}\n`);

  const timed = (words) => {
    const began = performance.now();
    const { status, stderr } = spawnSync(process.execPath, words, { cwd: folder });
    if (status !== 0) throw new Error(stderr.toString());
    return performance.now() - began;
  };
  console.log(
    `first run       ${timed([binary, "run", "flow.yaml", "--jobs", "4"]).toFixed(0).padStart(6)} ms`,
  );
  const bare = [];
  const fresh = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(timed(["-e", "0"]));
    fresh.push(timed([binary, "run", "flow.yaml"]));
  }
  const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];
  console.log(`node -e 0       ${median(bare).toFixed(0).padStart(6)} ms`);
  console.log(
    `nothing to do   ${median(fresh).toFixed(0).padStart(6)} ms  +${(median(fresh) - median(bare)).toFixed(0)} ms (${stages} stages, ${(stages * bytes) / 1e9} GB, median of ${rounds}, node ${process.version})`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// What one reading for all folds saves: CPU seconds of --cv 5 and of a search of ten trials with 100 and with 20 trees, beside folds that
// read for themselves, interleaved. Usage: node bench/folds.mjs [rows] [rounds]; SHOPAI_PYTHON is a Python with pandas and pyarrow.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const python = process.env.SHOPAI_PYTHON ?? "python3";
const [rows = "200000", rounds = "2"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
const bundle = fileURLToPath(new URL("../dist/bin/bench-folds.mjs", import.meta.url));
const peers = fileURLToPath(new URL("tabular_peers.py", import.meta.url));

function run(command, words) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}\n${stderr}`);
  return stdout.trim();
}

const entry = `
import { openDuckDb } from "./src/engine/duckdb.js";
import { openPool } from "./src/kernels/pool.js";
import { seededRng } from "./src/core/rng.js";
import { openTable } from "./src/table/open.js";
import gbdt from "./src/learners/gbdt/gbdt.js";
import { crossValidated } from "./src/learners/cross-validation.js";
import { tuned } from "./src/learners/tune/tuned.js";
const [path, how, what] = process.argv.slice(2);
const quiet = () => undefined;
const engine = await openDuckDb({ threads: 2 });
const pool = openPool({ threads: 2 });
const run = {
  seed: 42, threads: 2, engine: async () => engine, pool, rng: (of) => seededRng(42, of),
  progress: { stage: quiet, update: quiet, done: quiet }, warn: quiet, signal: new AbortController().signal,
};
const learner = how === "shared" ? gbdt : { ...gbdt, share: undefined };
const table = await openTable(engine, [path], {});
const ask = { roles: { target: "y" }, params: { trees: what === "cv" ? 100 : 20, eta: 0.1 } };
const before = process.cpuUsage();
if (what === "cv") await crossValidated(learner, table, ask, { folds: 5 }, run);
else await tuned(learner, table, ask, { trials: 10, by: "random", folds: { folds: 3 } }, run);
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1e6);
await pool.close();
await engine.close();
`;

try {
  await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
    outfile: bundle,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    banner: { js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);' },
    logLevel: "warning",
  });
  run(python, [peers, "data", folder, "table", rows, "1", "0"]);
  const path = join(folder, "table.parquet");
  for (const what of ["cv", "tune"]) {
    const found = { shared: [], each: [] };
    for (let round = 0; round < Number(rounds); round++)
      for (const how of ["shared", "each"])
        found[how].push(Number(run(process.execPath, [bundle, path, how, what])));
    const [shared, each] = [Math.min(...found.shared), Math.min(...found.each)];
    console.log(
      `${what}: read once ${shared.toFixed(2)} CPU s, every fold for itself ${each.toFixed(2)} CPU s, ratio ${(each / shared).toFixed(2)}x`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

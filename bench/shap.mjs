// Exact Shapley values of 100 trees against XGBoost's pred_contribs on the same model and rows, two threads each.
// Goal: at least 1.0 times its speed. PYTHON=python3 node bench/shap.mjs (its Python needs xgboost)
import { build } from "esbuild";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const python = process.env.PYTHON ?? "python3";
const threads = 2;
const rounds = 5;
const peerRows = 2000;
const here = fileURLToPath(new URL(".", import.meta.url));
const peer = join(here, "shap_xgboost.py");
if (spawnSync(python, ["-c", "import xgboost"]).status !== 0) {
  console.log(`skipped: ${python} has no xgboost (PYTHON=<path> names another)`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
// Bundles find the pool's worker and the kernels beside them.
const bundles = join(here, "../dist/bin");
mkdirSync(bundles, { recursive: true });
const bundle = join(bundles, "bench-shap.mjs");
await build({
  stdin: {
    resolveDir: here,
    contents: `
      export { pathContributions } from "../src/learners/gbdt/explain/contributions.ts";
      export { readXgboost } from "../src/learners/gbdt/exchange/xgboost-in.ts";
      export { openPool } from "../src/kernels/pool.ts";`,
  },
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
});
const { pathContributions, readXgboost, openPool } = await import(pathToFileURL(bundle).href);
const pool = openPool({ threads });
try {
  execFileSync(python, [peer, "train", folder, String(threads)], { stdio: "inherit" });
  const bytes = readFileSync(join(folder, "rows"));
  const rows = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const names = ["depth 6", "63 leaves"];
  const explainers = [];
  for (const name of names) {
    const { model } = readXgboost(readFileSync(join(folder, `${name}.json`)), name);
    explainers.push(await pathContributions(model.trees, 20, pool));
  }
  const speeds = names.map(() => ({ own: [], peer: [] }));
  let worst = 0;
  for (let round = 0; round < rounds; round++) {
    const times = execFileSync(python, [peer, "explain", folder, String(threads), String(peerRows)], {
      encoding: "utf8",
    });
    const seconds = times.trim().split("\n").map(Number);
    explainers.forEach(({ of }, i) => {
      const begin = performance.now();
      const values = of(rows);
      speeds[i].own.push(rows.length / 20 / ((performance.now() - begin) / 1000));
      speeds[i].peer.push(peerRows / seconds[i]);
      const content = readFileSync(join(folder, `${names[i]}.values`));
      for (let r = 0; r < peerRows; r++)
        for (let c = 0; c < 20; c++)
          worst = Math.max(worst, Math.abs(content.readDoubleLE(8 * (r * 21 + c)) - values[r * 20 + c]));
    });
  }
  const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  names.forEach((name, i) => {
    const { own, peer: other } = speeds[i];
    const ratio = median(own.map((speed, round) => speed / other[round]));
    console.log(
      `100 trees, ${name}: shopai ${Math.round(median(own))} rows/s, XGBoost ${Math.round(median(other))} rows/s: ${ratio.toFixed(1)} times as fast (goal 1.0)`,
    );
  });
  console.log(
    `largest difference of a contribution: ${worst.toExponential(1)} (XGBoost adds float32 numbers)`,
  );
} finally {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
  rmSync(bundle, { force: true });
}

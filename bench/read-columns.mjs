// Three numeric columns of 5 million rows, Parquet to typed arrays. Goal: 5 million rows a second.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const rows = 5_000_000;
const bundle = new URL("../dist/bench-engine.mjs", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
try {
  // The engine has no entry of its own in dist/.
  await build({
    entryPoints: ["src/engine/duckdb.ts"],
    outfile: fileURLToPath(bundle),
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["@duckdb/*"],
    logLevel: "warning",
  });
  const { openDuckDb } = await import(bundle.href);
  const engine = await openDuckDb();
  const path = join(folder, "numbers.parquet");
  await engine.run(
    `COPY (SELECT range AS id, (range * 7919 % 100003)::DOUBLE / 7 AS price, (range % 97)::INTEGER AS quantity FROM range(${rows})) TO '${path}' (FORMAT parquet)`,
  );
  const asks = [
    { name: "id", as: "i64" },
    { name: "price", as: "f64" },
    { name: "quantity", as: "i32" },
  ];
  const seconds = [];
  const cpu = process.cpuUsage();
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const frame = await engine.frame(`SELECT * FROM '${path}'`, asks);
    seconds.push((performance.now() - start) / 1000);
    if (frame.rows !== rows) throw new Error(`${frame.rows} rows`);
  }
  const { user, system } = process.cpuUsage(cpu);
  await engine.close();
  seconds.sort((a, b) => a - b);
  const median = seconds[2];
  console.log(
    JSON.stringify({
      bench: "read-columns",
      rows,
      seconds: Number(median.toFixed(3)),
      cpu_seconds: Number(((user + system) / 5e6).toFixed(3)),
      rows_per_second: Math.round(rows / median),
      goal: 5_000_000,
    }),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
  rmSync(bundle, { force: true });
}

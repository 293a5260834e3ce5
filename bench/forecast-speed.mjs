// Series per CPU second of one core beside statsforecast (PYTHON=...) and R's forecast (RSCRIPT=...), turn by turn on the same series.
// Usage: node bench/forecast-speed.mjs [--rounds 3] [--every 6]; M4's weekly series in ../shared/data, or where SHOPAI_DATA says.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { build } from "esbuild";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, every: { type: "string", default: "6" } },
});
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const data = process.env.SHOPAI_DATA ?? here("../../shared/data");
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));

/** Daily sales of two years, all above zero, so that every form is tried: level, week, year, trend, noise. */
function daily(count, days = 730) {
  let state = 42;
  const uniform = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: count }, () => {
    const [level, week, year, growth] = [50 + 200 * uniform(), uniform() / 2, uniform() / 3, uniform() - 0.4];
    return Array.from({ length: days }, (_, t) => {
      const season = (1 + week * [0, -0.1, -0.1, 0, 0.2, 0.6, 0.4][t % 7]) * (1 + year * Math.sin(t / 58));
      return Math.max(5, level * season * (1 + (growth * t) / days) * (1 + 0.1 * normal()));
    });
  });
}

function weekly() {
  const file = join(data, "m4/Weekly-train.csv.gz");
  if (!existsSync(file)) return undefined;
  const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n").slice(1);
  return lines.map((line) =>
    line
      .replaceAll('"', "")
      .trim()
      .split(",")
      .slice(1)
      .filter((value) => value !== "")
      .map(Number),
  );
}

/** Fits in this process, as the program's threads do it; the first series warm the compiler up. */
async function ours() {
  const entry = join(folder, "ours.mjs");
  await build({
    stdin: {
      contents: `import { readyModels } from "./src/forecast/registry.js";
        export function fitAll(series, model, params, season, horizon) {
          const [ready] = readyModels([model], params);
          for (const values of series) {
            const fit = ready.fit({ values: Float64Array.from(values), season, seasons: [season] });
            fit.mean(horizon);
            fit.spread(horizon);
          }
        }`,
      resolveDir: here(".."),
      loader: "ts",
    },
    outfile: entry,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "error",
  });
  const { fitAll } = await import(pathToFileURL(entry));
  return (series, { model, params = {}, season, horizon }) => {
    fitAll(series.slice(0, 5), model, params, season, horizon);
    const before = process.cpuUsage();
    fitAll(series, model, params, season, horizon);
    const { user, system } = process.cpuUsage(before);
    return (1e6 * series.length) / (user + system);
  };
}

function peer(command, script, series, { peer: model, season, horizon }) {
  const file = join(folder, "series.json");
  writeFileSync(file, JSON.stringify({ model, season, horizon, series }));
  const done = spawnSync(command, [here(script), file], {
    encoding: "utf8",
    maxBuffer: 1e8,
    env: { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" },
  });
  return done.status === 0 ? series.length / Number(done.stdout.trim().split("\n").pop()) : undefined;
}

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

try {
  const fit = await ours();
  const all = weekly();
  const some = all?.filter((_, i) => i % Number(options.every) === 0);
  const tasks = [
    { name: "weekly, ets (15 forms)", series: some, model: "ets", peer: "ets", season: 1, horizon: 13 },
    {
      name: "weekly, dynamic-theta",
      series: some,
      model: "dynamic-theta",
      peer: "dot",
      season: 1,
      horizon: 13,
    },
    {
      ...{ name: "daily, 730 values, ets (8 forms)", series: daily(60), model: "ets" },
      ...{ params: { form: "short" }, season: 7, horizon: 28 },
    },
  ].filter(({ series }) => series);
  const peers = [
    ["statsforecast", process.env.PYTHON, "forecast_peers.py"],
    ["R forecast", process.env.RSCRIPT, "forecast_peers.R"],
  ].filter(([, command]) => command);
  console.log("series per CPU second, medians of the rounds; how many times the peer's in brackets");
  for (const task of tasks) {
    const rates = new Map();
    const note = (name, rate) => rate && rates.set(name, [...(rates.get(name) ?? []), rate]);
    for (let round = 0; round < Number(options.rounds); round++) {
      note("shopai", fit(task.series, task));
      if (task.peer)
        for (const [name, command, script] of peers) note(name, peer(command, script, task.series, task));
    }
    const own = middle(rates.get("shopai"));
    const others = [...rates].filter(([name]) => name !== "shopai");
    console.log(
      task.name.padEnd(34),
      `${task.series.length} series`,
      `shopai ${own.toFixed(0)}/s`,
      ...others.map(
        ([name, found]) => `${name} ${middle(found).toFixed(1)}/s (${(own / middle(found)).toFixed(1)}x)`,
      ),
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

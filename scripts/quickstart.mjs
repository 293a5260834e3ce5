// npm run quickstart: a synthetic shop, from raw files to one report. Everything goes to work/.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const began = performance.now();

/** Runs shopai: its words go to the terminal, its JSON comes back. */
function shopai(...words) {
  console.error(`\n$ shopai ${words.join(" ")}`);
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "dist/bin/shopai.js"), ...words, "--json"],
    { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 },
  );
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.toString());
}

// Makes this the project folder, whatever lies above it.
mkdirSync(".shopai", { recursive: true });
shopai("generate", "shop", "-o", "work/shop");
const { stages } = shopai("run", "pipelines/quickstart.yaml", "--param", "shop=work/shop");

const resultOf = (stage) =>
  JSON.parse(readFileSync(stages.find((one) => one.stage === stage).result, "utf8")).result;
const withInterval = ({ metrics, intervals }, name) => {
  const [low, high] = intervals[name].map((value) => value.toFixed(3));
  return `${name} ${metrics[name].toFixed(3)} (95 %: ${low} to ${high})`;
};
const orders = resultOf("orders");
const segments = resultOf("segment-model").about.segments;
const forecast = resultOf("forecast");
const ran = stages.filter(({ status }) => status === "ran").length;
const rows = {
  orders: `${orders.rows_in} raw lines: ${orders.rows_out} clean, ${orders.rejected} refused, ${orders.duplicates} duplicates`,
  customers: `${segments.reduce((sum, { rows: n }) => sum + n, 0)} in ${segments.length} segments of ${segments.map(({ rows: n }) => n).join(", ")}`,
  forecast: `${forecast.series} products, ${forecast.horizon} ${forecast.word} ahead: rmsse ${forecast.metrics.auto.rmsse.toFixed(2)}, seasonal naive ${forecast.metrics["seasonal-naive"].rmsse.toFixed(2)}`,
  recommendations: `${withInterval(resultOf("recommender-metrics"), "ndcg@10")} on later clicks`,
  conversion: `${withInterval(resultOf("conversion-metrics"), "auc")} on visits held out`,
  stages: ran === 0 ? `nothing was out of date` : `${ran} of ${stages.length} ran`,
};

console.log("");
for (const [name, text] of Object.entries(rows)) console.log(`  ${name.padEnd(16)} ${text}`);
console.log(`
  The report       ${pathToFileURL(join(root, "work/quickstart/report.html")).href}
  took             ${((performance.now() - began) / 1000).toFixed(1)} s

Next:
  node dist/bin/shopai.js run pipelines/quickstart.yaml --param shop=work/shop --param horizon=28 --dry-run
  node dist/bin/shopai.js inspect work/quickstart/recommendations.parquet`);

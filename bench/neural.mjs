// Kernels of our own against tfjs WASM as it comes, and what the networks reach on public data.
// Usage: node bench/neural.mjs [--data]      (--data also trains on ../shared/data: ten minutes and more)
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const binary = place("../dist/bin/shopai.js");
const data = place("../../shared/data/");
const folder = mkdtempSync(join(tmpdir(), "shopai-neural-"));

/** The same step in a process of its own, CPU time each: stock and own kernels in turn, three rounds. */
function ratio(name, what) {
  const times = { stock: [], own: [] };
  for (let round = 0; round < 3; round++)
    for (const kernels of ["stock", "own"]) {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        [place("neural/steps.mjs"), what, kernels],
        {
          encoding: "utf8",
        },
      );
      if (status !== 0) throw new Error(stderr);
      times[kernels].push(Number(stdout));
    }
  const median = (values) => values.slice().sort((a, b) => a - b)[1];
  const [stock, own] = [median(times.stock), median(times.own)];
  console.log(
    `${name.padEnd(34)} stock ${stock.toFixed(1).padStart(7)} ms  own ${own.toFixed(1).padStart(6)} ms  ${(stock / own).toFixed(1)} x`,
  );
}

console.log("CPU time of one step of training");
ratio("embedding + MLP, 1024 rows", "mlp");
ratio("SASRec, 128 users, 700 steps", "sasrec");

function call(words) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [binary, ...words, "--device", "cpu", "--json"],
    {
      encoding: "utf8",
      maxBuffer: 64e6,
    },
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const figures = (metrics, names) => names.map((name) => `${name} ${metrics[name].toFixed(4)}`).join("  ");

function nextItem(learner, source, seed) {
  const table = join(folder, "sequences.csv");
  const rows = readFileSync(join(data, "s3rec-sequences", source), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [user, ...items] = line.split(" ");
      return items.map(
        (item, time) => `${user},${item},${time},${time === items.length - 1 ? "test" : "train"}`,
      );
    });
  writeFileSync(table, `user,item,time,split\n${rows.join("\n")}\n`);
  const model = join(folder, "model");
  call([
    ...["train", learner, table, "--user", "user", "--item", "item", "--time", "time"],
    ...["--where", "split = 'train'", "-o", model, "--seed", String(seed)],
  ]);
  const { metrics } = call(["evaluate", model, table, "--where", "split = 'test'", "--k", "10"]);
  console.log(`${source} ${learner} seed ${seed}: ${figures(metrics, ["hit_rate@10", "ndcg@10"])}`);
}

function folds(learner, table, target, more = []) {
  const { about } = call([
    ...["train", learner, table, "--target", target, "--cv", "5", "-o", join(folder, "model")],
    ...more,
  ]);
  const { metrics } = about.cv;
  const shown = ["auc", "pr_auc", "log_loss", "accuracy"].filter((name) => metrics[name]);
  console.log(
    `${learner}: ${shown.map((name) => `${name} ${metrics[name].mean?.toFixed(4)} ± ${metrics[name].std?.toFixed(4)}`).join("  ")}`,
  );
}

if (process.argv.includes("--data") && existsSync(data)) {
  console.log("\nNext item, leave-one-out, full ranking");
  for (const seed of [42, 43]) nextItem("sasrec", "Beauty.txt", seed);
  nextItem("sasrec", "LastFM.txt", 42);
  console.log("\nonline-shoppers, five folds");
  const visits = join(data, "online-shoppers/online_shoppers_intention.csv");
  for (const learner of ["logistic", "mlp", "wide-deep", "deepfm", "dcn"]) folds(learner, visits, "Revenue");
  console.log("\nmovielens-100k, three quarters to learn from");
  const ratings = join(data, "movielens-100k/interactions-split75.csv");
  for (const learner of ["two-tower", "ease"]) {
    const model = join(folder, "model");
    call([
      "train",
      learner,
      ratings,
      "--where",
      "split = 'train'",
      "--user",
      "user",
      "--item",
      "item",
      "-o",
      model,
    ]);
    const { metrics } = call(["evaluate", model, ratings, "--where", "split = 'test'", "--k", "10"]);
    console.log(`${learner}: ${figures(metrics, ["ndcg@10", "recall@10"])}`);
  }
  console.log("\nfashion-mnist-1000, five folds");
  const images = join(data, "fashion-mnist-1000/fashion-mnist_test.csv.gz");
  folds("logistic", images, "label", ["--features", "pixel*", "--param", "lambda=100"]);
  folds("cnn", images, "label", ["--features", "pixel*"]);
}
rmSync(folder, { recursive: true, force: true });

// What the networks reach on public data, beside what is simpler: same rows, same folds, no setting chosen on test parts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const binary = fileURLToPath(new URL("../../dist/bin/shopai.js", import.meta.url));
const counting = new URL("cpu-seconds.mjs", import.meta.url).href;

/**
 * @param data     folder of the data sets
 * @param only     names of trainings, or undefined for all
 * @param seeds    of the networks over sequences
 * @param learners names of learners, or undefined for all
 */
export function trainings(data, only, seeds, learners) {
  const asked = ([learner]) => !learners || learners.includes(learner);
  const folder = mkdtempSync(join(tmpdir(), "shopai-neural-"));
  const model = join(folder, "model");
  const place = (name) => join(folder, name);
  const seconds = place("seconds");

  function call(...words) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", counting, binary, ...words, "--device", "cpu", "--json"],
      { encoding: "utf8", maxBuffer: 256e6, env: { ...process.env, SHOPAI_CPU_SECONDS: seconds } },
    );
    if (status !== 0) throw new Error(`shopai ${words.join(" ")}\n${stdout}${stderr}`);
    return { ...JSON.parse(stdout), cpu: Number(readFileSync(seconds, "utf8")) };
  }

  const shown = (metrics, names) =>
    names
      .filter((name) => metrics[name] !== undefined)
      .map((name) => {
        const { mean, std } = metrics[name];
        return mean === undefined
          ? `${name} ${metrics[name].toFixed(4)}`
          : `${name} ${mean.toFixed(4)} ± ${std.toFixed(4)}`;
      })
      .join("  ");

  /** The last item of every user is the test; the learner holds out the one before by itself. */
  function nextItem(name, lines, chosen, beside = []) {
    const table = place("sequences.csv");
    const rows = lines.flatMap(([user, items]) =>
      items.map((item, time) => `${user},${item},${time},${time === items.length - 1 ? "test" : "train"}`),
    );
    writeFileSync(table, `user,item,time,split\n${rows.join("\n")}\n`);
    const roles = ["--user", "user", "--item", "item", "--time", "time"];
    for (const [learner, seed] of chosen.filter(asked)) {
      const began = performance.now();
      const { about, cpu } = call(
        ...["train", learner, table, ...roles, "--where", "split = 'train'"],
        ...["-o", model, "--seed", String(seed)],
      );
      const wall = (performance.now() - began) / 1000;
      const { metrics } = call(
        ...[
          "evaluate",
          model,
          table,
          "--where",
          "split = 'test'",
          "--k",
          "10",
          "--resamples",
          "0",
          ...beside,
        ],
      );
      console.log(
        `${name}  ${learner} seed ${seed}: ${shown(metrics, ["hit_rate@10", "ndcg@10"])}  (${about.epochs ?? 0} epochs, ${cpu.toFixed(0)} CPU s, ${wall.toFixed(0)} s)`,
      );
    }
  }

  const networks = seeds.map((seed) => ["sasrec", seed]);
  const linesOf = (path) =>
    readFileSync(join(data, path), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.trim().split(" "));

  function folds(table, target, chosen, more = []) {
    for (const [learner, ...params] of chosen.filter(asked)) {
      const { about, cpu } = call(
        ...["train", learner, table, "--target", target, "--cv", "5", "-o", model, ...more],
        ...["--task", "classification", ...params.flatMap((param) => ["--param", param])],
      );
      console.log(
        `${[learner, ...params].join(" ")}: ${shown(about.cv.metrics, ["auc", "pr_auc", "log_loss", "accuracy"])}  (${cpu.toFixed(0)} CPU s)`,
      );
    }
  }
  const tabular = [["logistic"], ["gbdt"], ["mlp"], ["wide-deep"], ["deepfm"], ["dcn"]];

  const parts = {
    beauty() {
      const lines = linesOf("s3rec-sequences/Beauty.txt").map(([user, ...items]) => [user, items]);
      nextItem("Beauty, all items ranked", lines, [["sequence", 42], ...networks]);
    },
    lastfm() {
      const lines = linesOf("s3rec-sequences/LastFM.txt").map(([user, ...items]) => [user, items]);
      const negatives = place("negatives.csv");
      const rows = linesOf("s3rec-sequences/LastFM_sample.txt").flatMap(([user, ...items]) =>
        items.map((item) => `${user},${item}`),
      );
      writeFileSync(negatives, `user,item\n${rows.join("\n")}\n`);
      nextItem(
        "LastFM, 99 given negatives",
        lines,
        [["sequence", 42], ...networks],
        ["--negatives", negatives],
      );
    },
    video() {
      const byUser = new Map();
      for (const line of gunzipSync(readFileSync(join(data, "sasrec-video/Video.txt.gz")))
        .toString()
        .trim()
        .split("\n")) {
        const [user, item] = line.split(" ");
        byUser.set(user, [...(byUser.get(user) ?? []), item]);
      }
      // As its authors do: users with fewer than three items have no test item.
      const lines = [...byUser].filter(([, items]) => items.length >= 3);
      nextItem("Video, 100 drawn negatives", lines, [["sequence", 42], ...networks], ["--negatives", "100"]);
    },
    shoppers() {
      console.log("online-shoppers, five folds");
      folds(join(data, "online-shoppers/online_shoppers_intention.csv"), "Revenue", tabular);
    },
    adult() {
      console.log("adult, both parts together, five folds");
      const table = place("adult.csv");
      const head =
        "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,capital_gain,capital_loss,hours,country,income";
      const rows =
        `${gunzipSync(readFileSync(join(data, "adult/adult.data.gz")))}\n${readFileSync(join(data, "adult/adult.test"))}`
          .split("\n")
          .filter((line) => line.includes(","))
          .map((line) => line.trim().replaceAll(", ", ",").replace(/\.$/, ""));
      writeFileSync(table, `${head}\n${rows.join("\n")}\n`);
      folds(table, "income", tabular);
    },
    movielens() {
      console.log("movielens-100k, three quarters to learn from");
      const ratings = join(data, "movielens-100k/interactions-split75.csv");
      for (const [learner] of [["two-tower"], ["ease"]].filter(asked)) {
        const { cpu } = call(
          ...["train", learner, ratings, "--where", "split = 'train'"],
          ...["--user", "user", "--item", "item", "-o", model],
        );
        const { metrics } = call("evaluate", model, ratings, "--where", "split = 'test'", "--k", "10");
        console.log(`${learner}: ${shown(metrics, ["ndcg@10", "recall@10"])}  (${cpu.toFixed(0)} CPU s)`);
      }
    },
    images() {
      console.log("fashion-mnist-1000, five folds");
      const images = join(data, "fashion-mnist-1000/fashion-mnist_test.csv.gz");
      folds(images, "label", [["logistic", "lambda=100"], ["cnn"]], ["--features", "pixel*"]);
    },
  };
  const unknown = (only ?? []).filter((name) => !(name in parts));
  if (unknown.length > 0)
    throw new Error(`no training ${unknown.join(", ")}: there are ${Object.keys(parts).join(", ")}`);
  try {
    for (const [name, part] of Object.entries(parts)) if (!only || only.includes(name)) part();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

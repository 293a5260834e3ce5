// Recommenders: speed beside implicit and NumPy (SHOPAI_PYTHON), memory with a million users, and figures on public data
// with settings chosen without the test parts; writes the tables of docs/recommenders.md.
// node bench/recommend.mjs [--data ../shared/data] [--only speed,scale,near,movielens,ratings,Beauty,LastFM,Video] [--dry]
//   [--cache <json>]: figures that were measured before are taken from there, so that an interrupted run goes on
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { near } from "./recommend/near.mjs";
import { scale } from "./recommend/scale.mjs";
import { speed } from "./recommend/speed.mjs";

const option = (name, usual) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};
const root = fileURLToPath(new URL("../", import.meta.url));
const data = option("data", join(root, "../shared/data"));
const only = option("only", "speed,scale,near,movielens,ratings,Beauty,LastFM,Video").split(",");
const dry = process.argv.includes("--dry");
const docs = join(root, "docs/recommenders.md");
const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));

/** One call of the program; gives its JSON. */
function shopai(...args) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "dist/bin/shopai.js"), ...args, "--json", "--quiet"],
    { encoding: "utf8", maxBuffer: 1e9 },
  );
  if (status !== 0) throw new Error(`shopai ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

const given = (params) => Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
const textOf = (params) =>
  Object.entries(params)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ") || "defaults";

const cache = option("cache", undefined);
const known = cache !== undefined && existsSync(cache) ? JSON.parse(readFileSync(cache, "utf8")) : {};

/** What is measured, remembered in the cache under its arguments. */
function figures(...asked) {
  const [{ learner, params = {}, more = [], roles }, ...rest] = asked;
  const key = JSON.stringify([learner, params, more, roles, ...rest]).replaceAll(folder, "");
  if (known[key]) return known[key];
  known[key] = measured(...asked);
  if (cache !== undefined) {
    writeFileSync(`${cache}.new`, JSON.stringify(known, undefined, 1));
    renameSync(`${cache}.new`, cache);
  }
  return known[key];
}

/** Trains and measures. `about`: learner, params, more (arguments of train), roles; rows by predicates over one table. */
function measured(about, table, train, test, k, beside = []) {
  const model = join(folder, "model");
  rmSync(model, { recursive: true, force: true });
  shopai(
    "train",
    about.learner,
    table,
    "--where",
    train,
    ...about.roles,
    ...given(about.params ?? {}),
    ...(about.more ?? []),
    "-o",
    model,
  );
  return shopai(
    "evaluate",
    model,
    table,
    "--where",
    test,
    ...(k === undefined ? [] : ["--k", k]),
    "--resamples",
    "0",
    ...beside,
  ).metrics;
}

/** The candidate whose figure on the validation rows is best. */
function chosen(candidates, measure, metric) {
  let best;
  for (const candidate of candidates) {
    const value = measure(candidate)[metric];
    console.log(
      `  ${candidate.learner} ${textOf(candidate.params ?? {})}: ${metric} ${value.toFixed(4)} (validation)`,
    );
    if (!best || value > best.value) best = { candidate, value };
  }
  return best.candidate;
}

const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
const digits = (value) => value.toFixed(4);

/** Puts a table between the marks of its section. */
function write(section, text) {
  console.log(`\n${text}\n`);
  if (dry) return;
  const old = readFileSync(docs, "utf8");
  const [from, to] = [`<!-- ${section} -->`, `<!-- /${section} -->`];
  const start = old.indexOf(from);
  const end = old.indexOf(to);
  if (start < 0 || end < 0) throw new Error(`docs/recommenders.md has no section ${section}`);
  writeFileSync(docs, `${old.slice(0, start + from.length)}\n\n${text}\n\n${old.slice(end)}`);
}

const topN = ["--user", "user", "--item", "item"];
const times = (learner, name, values, params = {}) =>
  values.map((value) => ({ learner, roles: topN, params: { ...params, [name]: value } }));

function movielens() {
  const full = join(data, "movielens-100k/interactions-split75.csv");
  const inner = join(folder, "inner.csv");
  const bare = join(folder, "train.csv");
  const [head, ...lines] = readFileSync(full, "utf8").trim().split("\n");
  const trainLines = lines.filter((line) => line.endsWith(",train"));
  writeFileSync(
    bare,
    `${[head, ...trainLines].map((line) => line.slice(0, line.lastIndexOf(","))).join("\n")}\n`,
  );
  shopai(
    "featurize",
    bare,
    "--split",
    "item",
    "--item",
    "item",
    "--ratio",
    "0.75,0.25",
    "--seed",
    "7",
    "-o",
    inner,
  );
  const lists = [
    times("ease", "lambda", [200, 300, 500]),
    [
      { learner: "slim", roles: topN },
      { learner: "slim", roles: topN, params: { lambda: 300, l1: 0.1 } },
      { learner: "slim", roles: topN, params: { lambda: 100, l1: 1 } },
    ],
    [
      { learner: "fm", roles: topN },
      { learner: "fm", roles: topN, params: { factors: 64, epochs: 50 } },
    ],
    [
      { learner: "item-knn", roles: topN },
      { learner: "item-knn", roles: topN, params: { weighting: "tf-idf", shrink: 50 } },
      { learner: "item-knn", roles: topN, params: { similarity: "asymmetric", alpha: 0.3 } },
    ],
    [
      { learner: "user-knn", roles: topN },
      { learner: "user-knn", roles: topN, params: { weighting: "tf-idf", shrink: 0 } },
    ],
    [
      { learner: "rp3beta", roles: topN, params: { beta: 0.4 } },
      { learner: "rp3beta", roles: topN, params: { alpha: 0.8, beta: 0.4 } },
    ],
    [{ learner: "als", roles: topN }, ...times("als", "alpha", [3, 5, 8], { lambda: 0.03, scaling: 1 })],
    [
      { learner: "two-stage", roles: topN },
      { learner: "two-stage", roles: topN, params: { ranker: "linear" } },
    ],
    [
      { learner: "bpr", roles: topN, params: { factors: 128, eta: 0.03, lambda: 0.03, epochs: 200 } },
      { learner: "bpr", roles: topN, params: { factors: 200, eta: 0.02, lambda: 0.01, epochs: 200 } },
      { learner: "bpr", roles: topN, params: { factors: 200, eta: 0.01, lambda: 0.01, epochs: 300 } },
    ],
  ];
  const train = "split = 'train'";
  const test = "split = 'test'";
  const rows = [];
  const add = (about) => {
    const m = figures(about, full, train, test, "10");
    rows.push([
      `\`${about.learner}\``,
      about.text ?? textOf(about.params ?? {}),
      ...["ndcg@10", "precision@10", "recall@10", "map@10"].map((name) => digits(m[name])),
    ]);
  };
  add({ learner: "ease", roles: topN, params: { lambda: 300 } });
  const best = Object.fromEntries(
    lists.map((list) => {
      const found = chosen(list, (about) => figures(about, inner, train, test, "10"), "ndcg@10");
      add(found);
      return [found.learner, found];
    }),
  );
  const parts = ["als", "ease", "item-knn"];
  const partParams = Object.fromEntries(
    parts.flatMap((part) =>
      Object.entries(best[part].params ?? {}).map(([name, value]) => [`${part}.${name}`, value]),
    ),
  );
  add({
    learner: "hybrid",
    roles: topN,
    params: partParams,
    more: ["--parts", parts.join(",")],
    text: `${parts.join(" + ")} as above`,
  });
  add({ learner: "popularity", roles: topN });
  write("movielens", table(["learner", "settings", "nDCG@10", "P@10", "R@10", "MAP@10"], rows));
}

function ratings() {
  const lines = readFileSync(join(data, "movielens-100k/u.data"), "utf8").trim().split("\n");
  const plain = join(folder, "ratings.csv");
  const folds = join(folder, "folds.csv");
  writeFileSync(
    plain,
    `user,item,rating,time\n${lines.map((line) => line.replaceAll("\t", ",")).join("\n")}\n`,
  );
  shopai("featurize", plain, "--split", "kfold", "--folds", "5", "--seed", "0", "-o", folds);
  const roles = [...topN, "--rating", "rating"];
  const published = {
    baseline: ".944 / .748",
    "knn-baseline": ".931 / .733",
    "slope-one": ".946 / .743",
    svd: ".934 / .737",
    "svd-pp": ".919 / .721",
    nmf: ".963 / .758",
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const overFolds = (about) => {
    const found = [0, 1, 2, 3, 4].map((fold) =>
      figures(about, folds, `fold <> ${fold}`, `fold = ${fold}`, undefined),
    );
    return [mean(found.map((m) => m.rmse)), mean(found.map((m) => m.mae))];
  };
  const rows = [];
  /** Learners that start by chance: means over these seeds. */
  const seeds = ["42", "1", "2"];
  for (const learner of ["baseline", "knn-baseline", "slope-one", "svd", "svd-pp", "nmf", "als-explicit"]) {
    const drawn = ["svd", "svd-pp"].includes(learner);
    const found = (drawn ? seeds : ["42"]).map((seed) =>
      overFolds({ learner, roles, more: ["--seed", seed] }),
    );
    const [rmses, maes] = [found.map(([rmse]) => rmse), found.map(([, mae]) => mae)];
    const spread = `${digits(Math.min(...rmses))} to ${digits(Math.max(...rmses))}`;
    rows.push([
      `\`${learner}\``,
      drawn ? `defaults, ${seeds.length} seeds: ${spread}` : "defaults",
      digits(mean(rmses)),
      digits(mean(maes)),
      published[learner] ?? "",
    ]);
    console.log(rows.at(-1).join(" "));
  }
  write("ratings", table(["learner", "settings", "RMSE", "MAE", "Surprise, published"], rows));
}

/** The sequences of a file as a table of user, item, position and part; every user's last item is test, the one before it valid. */
function sequenceTable(name) {
  const users = new Map();
  if (name === "Video")
    for (const line of gunzipSync(readFileSync(join(data, "sasrec-video/Video.txt.gz")))
      .toString()
      .trim()
      .split("\n")) {
      const [user, item] = line.split(" ");
      users.set(user, [...(users.get(user) ?? []), item]);
    }
  else
    for (const line of readFileSync(join(data, `s3rec-sequences/${name}.txt`), "utf8")
      .trim()
      .split("\n")) {
      const [user, ...items] = line.trim().split(" ");
      users.set(user, items);
    }
  const rows = ["user,item,position,part"];
  const valid = ["user,item,position"];
  for (const [user, items] of users)
    items.forEach((item, at) => {
      const left = items.length < 3 ? 3 : items.length - at;
      rows.push(`${user},${item},${at},${left === 1 ? "test" : left === 2 ? "valid" : "train"}`);
      if (left === 2) valid.push(`${user},${item},${at}`);
    });
  const paths = [join(folder, `${name}.csv`), join(folder, `${name}-valid.csv`)];
  writeFileSync(paths[0], `${rows.join("\n")}\n`);
  writeFileSync(paths[1], `${valid.join("\n")}\n`);
  return paths;
}

function sequences(name) {
  const [events, valid] = sequenceTable(name);
  const timed = [...topN, "--time", "position"];
  const sequence = (params) => ({ learner: "sequence", roles: timed, params });
  const negatives =
    name === "Beauty"
      ? []
      : name === "Video"
        ? ["--negatives", "100"]
        : ["--negatives", storedNegatives(name)];
  const lists = [
    [
      sequence({}),
      sequence({ shrink: 40 }),
      sequence({ shrink: 40, window: 20 }),
      sequence({ shrink: 80, window: 20 }),
    ],
    [
      { learner: "item-knn", roles: topN, params: { shrink: 2 } },
      { learner: "item-knn", roles: topN, params: { shrink: 10, k: 1000 } },
      { learner: "item-knn", roles: topN, params: { shrink: 20, k: 1000 } },
      { learner: "item-knn", roles: topN },
    ],
    [{ learner: "rp3beta", roles: topN }],
    [{ learner: "markov", roles: timed }],
    [{ learner: "fpmc", roles: timed }],
    [{ learner: "popularity", roles: topN }],
  ];
  const rows = lists.map((list) => {
    const found =
      list.length === 1
        ? list[0]
        : chosen(
            list,
            (about) => figures(about, events, "part = 'train'", "part = 'valid'", "5,10", negatives),
            "ndcg@10",
          );
    const m = figures(found, events, "part = 'train'", "part = 'test'", "5,10", [
      "--history",
      valid,
      ...negatives,
    ]);
    return [
      `\`${found.learner}\``,
      textOf(found.params ?? {}),
      ...["hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10"].map((metric) => digits(m[metric])),
    ];
  });
  write(name, table(["learner", "settings", "HR@5", "NDCG@5", "HR@10", "NDCG@10"], rows));
}

function storedNegatives(name) {
  const path = join(folder, `${name}-negatives.csv`);
  const rows = readFileSync(join(data, `s3rec-sequences/${name}_sample.txt`), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [user, ...items] = line.trim().split(" ");
      return items.map((item) => `${user},${item}`);
    });
  writeFileSync(path, `user,item\n${rows.join("\n")}\n`);
  return path;
}

try {
  if (only.includes("speed")) await speed();
  if (only.includes("scale")) await scale();
  if (only.includes("near")) await near();
  if (!existsSync(data)) {
    console.log(`skipped: no data at ${data} (--data <folder>)`);
  } else {
    if (only.includes("movielens")) movielens();
    if (only.includes("ratings")) ratings();
    for (const name of ["Beauty", "LastFM", "Video"]) if (only.includes(name)) sequences(name);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

// Checks a real GPU: doctor, then the same seeded trainings on the GPU and on the CPU, metrics and times
// side by side, a line of JSON for each.
// Usage: node bench/neural-gpu.mjs [--software] [--beauty sequences.txt] [--tiny]
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const flags = process.argv.slice(2);
const software = flags.includes("--software");
const tiny = flags.includes("--tiny");
const beauty = flags[flags.indexOf("--beauty") + 1];
const folder = mkdtempSync(join(tmpdir(), "shopai-gpu-"));
const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), XDG_RUNTIME_DIR: folder };
const gpu = ["--device", "webgpu", ...(software ? ["--allow-software-gpu"] : [])];

/** One call of the program: its JSON, the seconds of its stages, and what went wrong. */
function call(words, limit = 150) {
  const log = join(folder, "log");
  rmSync(log, { force: true });
  const began = performance.now();
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [binary, ...words, "--json", "--log", log],
    {
      env,
      encoding: "utf8",
      timeout: limit * 1000,
      killSignal: "SIGKILL",
      maxBuffer: 64e6,
    },
  );
  const seconds = (performance.now() - began) / 1000;
  const stages = existsSync(log)
    ? readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
        .filter(({ event }) => event === "stage")
        .map(({ what, result, seconds: took }) => ({ what, result, seconds: Number(took.toFixed(2)) }))
    : [];
  let json;
  try {
    json = JSON.parse(stdout);
  } catch {
    json = undefined;
  }
  return {
    status: status ?? signal,
    seconds: Number(seconds.toFixed(1)),
    json,
    stages,
    stderr: status === 0 && json ? undefined : `${stdout.slice(-300)}\n${stderr.slice(-1500)}`,
  };
}

const shell = (command) => spawnSync("sh", ["-c", command], { encoding: "utf8" }).stdout.trim();

/** A seeded stream, so that every machine makes the same tables. */
function stream(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Visits with numbers and categories; buying depends on products of both. */
function clicks(path, rows) {
  const draw = stream(1);
  const lines = ["n1,n2,n3,n4,n5,n6,c1,c2,c3,c4,bought,split"];
  for (let r = 0; r < rows; r++) {
    const n = Array.from({ length: 6 }, () => draw() + draw() + draw() - 1.5);
    const c = [20, 50, 200, 1000].map((levels) => Math.floor(draw() ** 2 * levels));
    const z = 2 * n[0] * n[1] + n[2] + ((c[0] * 7 + c[1] * 3) % 5) - 2 + (c[2] % 3 === 0 ? n[3] * 2 : -n[3]);
    lines.push(
      [
        ...n.map((x) => x.toFixed(4)),
        ...c.map((x, i) => `l${i}_${x}`),
        draw() < 1 / (1 + Math.exp(-z)) ? "yes" : "no",
        r % 5 === 0 ? "test" : "train",
      ].join(","),
    );
  }
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/** Sequences of items: those of a file (user item item …), else walks over a ring of items. */
function sequences(path, users) {
  const draw = stream(2);
  const rows = ["user,item,time,split"];
  const lists =
    beauty && existsSync(beauty)
      ? readFileSync(beauty, "utf8")
          .trim()
          .split("\n")
          .map((line) => line.split(" ").slice(1))
      : Array.from({ length: users }, () => {
          let at = Math.floor(draw() * 2000);
          return Array.from(
            { length: 5 + Math.floor(draw() * 15) },
            () => (at = (at + 1 + Math.floor(draw() * 3)) % 2000),
          );
        });
  lists.forEach((items, user) =>
    items.forEach((item, time) =>
      rows.push(`${user},${item},${time},${time === items.length - 1 ? "test" : "train"}`),
    ),
  );
  writeFileSync(path, `${rows.join("\n")}\n`);
}

const tables = { clicks: join(folder, "clicks.csv"), sequences: join(folder, "sequences.csv") };
clicks(tables.clicks, tiny ? 2000 : 60_000);
sequences(tables.sequences, tiny ? 100 : 5000);

const trainings = [
  {
    name: "mlp",
    words: ["mlp", tables.clicks, "--target", "bought"],
    params: { epochs: tiny ? 1 : 6, patience: 0, batch: 1024 },
  },
  {
    name: "deepfm",
    words: ["deepfm", tables.clicks, "--target", "bought"],
    params: { epochs: tiny ? 1 : 3, patience: 0, batch: 1024 },
  },
  {
    name: "sasrec",
    words: ["sasrec", tables.sequences, "--user", "user", "--item", "item", "--time", "time"],
    params: { epochs: tiny ? 1 : 2, patience: 0, batch: 512, ...(tiny ? { factors: 16, length: 10 } : {}) },
  },
  {
    name: "sasrec-large-batch",
    words: ["sasrec", tables.sequences, "--user", "user", "--item", "item", "--time", "time"],
    params: { epochs: tiny ? 1 : 2, patience: 0, batch: 4096, ...(tiny ? { factors: 16, length: 10 } : {}) },
  },
  {
    name: "mlp-wide",
    words: ["mlp", tables.clicks, "--target", "bought"],
    params: { epochs: tiny ? 1 : 2, patience: 0, batch: 4096, width: tiny ? 64 : 1024, layers: 3 },
  },
];

/** When the events of a TensorBoard file were: its start, then the end of every epoch. */
function eventTimes(where) {
  const file = readFileSync(join(where, readdirSync(where)[0]));
  const times = [];
  for (let at = 0; at < file.length; at += 16 + Number(file.readBigUInt64LE(at)))
    times.push(file.readDoubleLE(at + 13));
  return times;
}

function trained({ name, words, params }, device) {
  const curves = join(folder, `curves-${name}-${device[1]}`);
  const model = join(folder, `${name}-${device[1]}`);
  const training = call([
    "train",
    ...words,
    ...["--where", "split = 'train'", "-o", model, "--tensorboard", curves, ...device],
    ...Object.entries(params).flatMap(([key, value]) => ["--param", `${key}=${value}`]),
  ]);
  if (training.status !== 0 || !training.json) return { failed: training };
  const [began, first, ...later] = eventTimes(curves);
  const measured = call(["evaluate", model, words[1], "--where", "split = 'test'", ...device]);
  const metrics = measured.json?.metrics ?? {};
  const wanted = ["auc", "log_loss", "ndcg@10", "hit_rate@10"].filter((metric) => metric in metrics);
  return {
    seconds: training.seconds,
    // A GPU compiles its programs in the first.
    first_epoch: Number((first - began).toFixed(2)),
    later_epochs: later.length > 0 ? Number(((later.at(-1) - first) / later.length).toFixed(2)) : undefined,
    losses: training.json.about.curve.map(({ loss }) => loss),
    metrics: Object.fromEntries(wanted.map((metric) => [metric, metrics[metric]])),
    evaluation: measured.status === 0 ? measured.seconds : measured,
  };
}

/** The same model on both devices: the scores of its own device against those of the other. */
function crossed(name, table) {
  const scores = (model, device) => {
    const out = join(folder, `${name}-scores-${device[1]}.csv`);
    const told = call([
      "predict",
      join(folder, model),
      table,
      "--where",
      "split = 'test'",
      "-o",
      out,
      ...device,
    ]);
    if (told.status !== 0) return told.stderr;
    return readFileSync(out, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => Number(line.split(",")[1]));
  };
  const [here, there] = [scores(`${name}-webgpu`, gpu), scores(`${name}-webgpu`, ["--device", "cpu"])];
  if (typeof here === "string" || typeof there === "string") return { failed: [here, there] };
  return {
    rows: here.length,
    largest_difference: Math.max(...here.map((value, i) => Math.abs(value - there[i]))),
  };
}

mkdirSync(env.XDG_CACHE_HOME, { recursive: true });
/** At once: a machine that is lent by the minute may be gone before the end. */
const tell = (part) => console.log(JSON.stringify(part));
tell({
  node: process.version,
  nvidia: shell(
    "nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1 | head -4",
  ),
  libraries: shell(
    "ldconfig -p 2>/dev/null | grep -E 'libvulkan|libGLX_nvidia|libEGL_nvidia|libcuda\\.' | head -12",
  ),
  icd: shell("ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d 2>/dev/null"),
  steering: process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES,
});
const began = performance.now();
const passed = () => Number(((performance.now() - began) / 1000).toFixed(1));
const doctor = call(["doctor", ...(software ? ["--allow-software-gpu"] : [])], 120);
tell({ doctor: doctor.json ?? doctor, cuda: call(["doctor", "--device", "cuda"], 60).json });
if (doctor.json?.devices.some(({ device, usable }) => device === "webgpu" && usable)) {
  for (const training of trainings)
    for (const device of [gpu, ["--device", "cpu"]])
      // What is left of four minutes decides how much is compared.
      tell({
        training: training.name,
        device: device[1],
        ...(passed() > 190 ? { left_out: "no time" } : trained(training, device)),
      });
  tell({ same_model: crossed("mlp", tables.clicks), seconds: passed() });
}
rmSync(folder, { recursive: true, force: true });

// Kernels of the recommenders beside `implicit` and NumPy on two threads each, interleaved: 50,000 users, 20,000 items,
// 2,000,000 interactions; the inverse of ease for 10,000 items. Best of the rounds, ratios of wall clock and CPU.
// SHOPAI_PYTHON is a Python with implicit 0.7.3; without it there are our times alone.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const threads = 2;
const python = process.env.SHOPAI_PYTHON;
const root = fileURLToPath(new URL("../../", import.meta.url));
const bundle = join(root, "dist/bin/bench-recommend.mjs");

const entry = `
import { readFileSync } from "node:fs";
import { seededRng } from "./src/core/rng.js";
import { openPool } from "./src/kernels/pool.js";
import { sharedAls } from "./src/kernels/als.js";
import { sharedBpr } from "./src/kernels/bpr.js";
import { sharedInverse } from "./src/kernels/cholesky.js";
import { transposed } from "./src/kernels/csr.js";
import { nearestRows } from "./src/learners/nearness.js";
import { factorModel } from "./src/learners/factor-model.js";
import { neighbourModel } from "./src/learners/neighbour-model.js";
import { listsOf } from "./src/learners/list-batches.js";
const [what, folder, threads] = process.argv.slice(2);
const ints = (name) => { const b = readFileSync(folder + "/" + name + ".bin"); return new Int32Array(b.buffer.slice(b.byteOffset, b.byteOffset + b.length)); };
const starts = ints("starts"), columns = ints("columns");
const items = columns.reduce((most, item) => Math.max(most, item), 0) + 1;
const matrix = { rows: starts.length - 1, cols: items, starts, columns };
const pool = openPool({ threads: Number(threads) });
const quiet = () => undefined;
const run = { pool, progress: { stage: quiet, update: quiet, done: quiet }, warn: quiet, signal: new AbortController().signal };
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
async function timed(work, times = 1) {
  const before = [performance.now(), cpu()];
  await work();
  return { wall: (performance.now() - before[0]) / 1000 / times, cpu: (cpu() - before[1]) / times };
}
const ones = { ...matrix, values: new Float32Array(columns.length).fill(1) };
async function als(sweeps) {
  const solver = sharedAls(await pool.kernel("als"), {
    byUser: ones, byItem: transposed(ones), factors: 64, steps: 3,
    userPenalties: new Float32Array(matrix.rows).fill(0.01), itemPenalties: new Float32Array(items).fill(0.01),
  });
  const rng = seededRng(1, "als");
  for (const into of [solver.users, solver.items]) for (let i = 0; i < into.length; i++) into[i] = 0.0125 * rng.normal();
  const sweep = () => { solver.solveUsers(); solver.solveItems(); };
  sweep();
  const time = await timed(() => { for (let n = 0; n < sweeps; n++) sweep(); }, sweeps);
  return { time, model: { width: 64, users: solver.users, items: solver.items } };
}
const nearness = { similarity: "cosine", weighting: "none", k: 200, shrink: 0, alpha: 0.5, beta: 0.5 };
const nearest = () => nearestRows(transposed(matrix), nearness, run);
const catalogue = {
  users: Array.from({ length: matrix.rows }, (_, u) => String(u)), items: Array.from({ length: items }, (_, i) => String(i)),
  seen: matrix, popularity: new Float64Array(items),
};
const lists = (scorer) => timed(async () => {
  const people = { count: matrix.rows, person: (user) => ({ user }) };
  for await (const list of listsOf(catalogue, scorer, people, { k: 10 }, run)) if (list.items.length === 0) throw new Error("no list");
});
const work = {
  als: async () => (await als(5)).time,
  bpr: async () => {
    const trainer = sharedBpr(await pool.kernel("bpr"), { matrix, factors: 64, rate: 0.01, penalty: 0.01, rng: seededRng(1, "bpr") });
    trainer.epoch();
    return timed(() => { for (let n = 0; n < 5; n++) trainer.epoch(); }, 5);
  },
  "item-knn": () => timed(nearest),
  "top-als": async () => lists(factorModel(catalogue, (await als(4)).model).scorer),
  "top-item-knn": async () => lists(neighbourModel(catalogue, transposed(await nearest())).scorer),
  inverse: async () => timed(async () => { await sharedInverse(await pool.kernel("cholesky"), ones, transposed(ones), 300); }),
};
console.log(JSON.stringify({ ...(await work[what]()), peak_mb: process.resourceUsage().maxRSS / 1024 }));
await pool.close();
`;

/** Users of lognormal activity, items of a long tail, a bit more than half of the picks within a cluster of the user. */
function writeMatrix(folder, users, items, interactions) {
  let state = 7;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const weights = Array.from({ length: users }, () => Math.exp(normal()));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const clusters = 20;
  // The inverse of a distribution with density falling as place^-0.8.
  const tail = (count) => Math.min(count - 1, Math.floor(count * uniform() ** 5));
  const starts = new Int32Array(users + 1);
  const columns = [];
  weights.forEach((weight, user) => {
    const wanted = Math.min(items / 4, Math.max(1, Math.round((interactions * weight) / total)));
    const cluster = user % clusters;
    const own = new Set();
    for (let tries = 0; own.size < wanted && tries < 8 * wanted; tries++)
      own.add(
        uniform() < 0.6
          ? Math.min(items - 1, clusters * tail(Math.floor(items / clusters)) + cluster)
          : tail(items),
      );
    for (const item of [...own].sort((a, b) => a - b)) columns.push(item);
    starts[user + 1] = columns.length;
  });
  columns[columns.length - 1] = items - 1;
  writeFileSync(join(folder, "starts.bin"), starts);
  writeFileSync(join(folder, "columns.bin"), Int32Array.from(columns));
  return columns.length;
}

function timed(command, words) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${words[0]} ${words[1]}\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").pop());
}

const names = {
  als: "ALS, one sweep",
  bpr: "BPR, one epoch",
  "item-knn": "cosines of items, k 200",
  "top-als": "top 10 of 50k users, ALS",
  "top-item-knn": "top 10 of 50k users, item-knn",
  inverse: "inverse, 10,000 items",
};

/** Prints the table. @param rounds of everything but the inverse, which has one less */
export async function speed(rounds = 3, wanted = Object.keys(names)) {
  const folder = mkdtempSync(join(tmpdir(), "shopai-bench-"));
  try {
    await build({
      stdin: { contents: entry, resolveDir: root, loader: "ts" },
      outfile: bundle,
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
    });
    const large = writeMatrix(folder, 50_000, 20_000, 2_000_000);
    console.log(
      `\nSpeed, two threads each: ${large.toLocaleString("en")} interactions; best of ${rounds} rounds`,
    );
    console.log(
      `                                 ours: wall s   CPU s   MB      peer: wall s   CPU s     ratio: wall   CPU`,
    );
    for (const what of wanted) {
      if (what === "inverse") writeMatrix(folder, 50_000, 10_000, 2_000_000);
      const ours = [];
      const peers = [];
      for (let round = 0; round < Math.max(1, what === "inverse" ? rounds - 1 : rounds); round++) {
        ours.push(timed(process.execPath, [bundle, what, folder, `${threads}`]));
        if (python)
          peers.push(timed(python, [join(root, "bench/recommend/peers.py"), what, folder, `${threads}`]));
      }
      const least = (list, key) => Math.min(...list.map((one) => one[key]));
      const cells = [least(ours, "wall"), least(ours, "cpu")].map((value) => value.toFixed(2).padStart(8));
      const peak = least(ours, "peak_mb").toFixed(0).padStart(6);
      const beside = python
        ? [
            ...[least(peers, "wall"), least(peers, "cpu")].map((value) => value.toFixed(2).padStart(11)),
            ...["wall", "cpu"].map((key) => (least(ours, key) / least(peers, key)).toFixed(2).padStart(10)),
          ]
        : [];
      console.log(names[what].padEnd(34), ...cells, peak, ...beside);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

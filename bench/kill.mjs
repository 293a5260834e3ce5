// Kills a pipeline (and nothing of what it started) with SIGKILL at random moments, many times, and holds what the
// same command leaves after that against an undisturbed run: every output, result and the lock, byte for byte.
// Usage: node bench/kill.mjs [rounds] [seed]
import { createHash } from "node:crypto";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { clearTimeout, setTimeout } from "node:timers";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const rounds = Number(process.argv[2] ?? 200);
let state = Number(process.argv[3] ?? 1);
/** A random number in [0, 1): a linear congruential generator, so that a round can be told again by its seed. */
const random = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 0x7fffffff;
const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-kill-"));

const pipeline = `name: kill
params: { tail: 1 }
stages:
  orders: { run: clean, with: { in: raw/orders.csv, out: work/orders.parquet } }
  users: { run: featurize, with: { in: "\${stages.orders.out}", preset: rfm, user: user, order: id, time: day, value: amount, out: work/users.parquet } }
  folder: { run: shell, with: { in: raw/orders.csv, command: "mkdir -p work/parts; for i in 1 2 3 4 5 6; do head -n $((i * \${params.tail})) raw/orders.csv > work/parts/$i.csv; sleep 0.01; done", out: work/parts } }
  joined: { run: shell, with: { in: work/parts, command: "for f in work/parts/*.csv; do cat $f >> work/joined.txt; sleep 0.01; done", out: work/joined.txt } }
  each:
    foreach: [a, b, c]
    run: shell
    with: { in: work/joined.txt, command: "cat work/joined.txt > work/\${item}.txt; sleep 0.02; echo \${item} >> work/\${item}.txt", out: "work/\${item}.txt" }
  last: { run: script, with: { module: last.mjs, in: "\${stages.users.out}", out: work/last.csv } }
`;
const orders = ["id,user,day,amount"];
for (let i = 0; i < 400; i++)
  orders.push(`${i},u${i % 37},2024-0${1 + (i % 9)}-${10 + (i % 19)},${(i * 7) % 101}.50`);

/** Hashes of all that a run is judged by. */
function judged() {
  const found = {};
  const visit = (path) => {
    for (const name of readdirSync(join(folder, path)).sort()) {
      const inner = join(path, name);
      if (statSync(join(folder, inner)).isDirectory()) visit(inner);
      else
        found[inner] = createHash("sha256")
          .update(readFileSync(join(folder, inner)))
          .digest("hex");
    }
  };
  visit("work");
  visit(".shopai/results");
  found.lock = readFileSync(join(folder, "kill.lock.yaml"), "utf8");
  return found;
}

const words = (tail, cache) => [
  binary,
  "run",
  "kill.yaml",
  "--param",
  `tail=${tail}`,
  "--threads",
  "1",
  "--jobs",
  "2",
  "--cache-size",
  cache,
];

function whole(tail, cache = "0") {
  const { status, stderr } = spawnSync(process.execPath, words(tail, cache), { cwd: folder });
  if (status !== 0) throw new Error(stderr.toString());
}

async function killed(tail, cache, after) {
  const child = spawn(process.execPath, words(tail, cache), { cwd: folder, stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("close", resolve));
  const timer = setTimeout(() => child.kill("SIGKILL"), after);
  await ended;
  clearTimeout(timer);
}

try {
  mkdirSync(join(folder, "raw"));
  mkdirSync(join(folder, ".shopai"));
  writeFileSync(join(folder, "raw/orders.csv"), `${orders.join("\n")}\n`);
  writeFileSync(join(folder, "kill.yaml"), pipeline);
  writeFileSync(
    join(folder, "last.mjs"),
    "export default ([users]) => ({ n: Float64Array.of(users.numRows) });\n",
  );
  const wanted = {};
  let longest = 0;
  for (const tail of [1, 2]) {
    const began = performance.now();
    whole(tail);
    longest = Math.max(longest, performance.now() - began);
    wanted[tail] = JSON.stringify(judged());
  }
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    const seed = state;
    const tail = 1 + Math.floor(2 * random());
    const cache = random() < 0.5 ? "0" : "1GB";
    // From nothing, from the other state, and sometimes killed twice.
    if (random() < 0.5)
      for (const part of ["work", "kill.lock.yaml"])
        rmSync(join(folder, part), { recursive: true, force: true });
    for (let times = random() < 0.3 ? 2 : 1; times > 0; times--)
      await killed(tail, cache, random() * longest);
    whole(tail, cache);
    if (JSON.stringify(judged()) !== wanted[tail]) {
      wrong++;
      console.error(`round ${round} (seed ${seed}, tail ${tail}, cache ${cache}): other bytes`);
    }
  }
  console.log(
    `${rounds} kills, ${wrong} left another state behind (one run takes ${(longest / 1000).toFixed(1)} s)`,
  );
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

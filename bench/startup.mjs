// What starting costs: help and a usage error against a bare node, interleaved, medians of wall time.
// Usage: node bench/startup.mjs [rounds]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const rounds = Number(process.argv[2] ?? 20);
const binary = fileURLToPath(new URL("../dist/bin/shopai.js", import.meta.url));
const limit = 100;

const calls = {
  "node -e 0": ["-e", "0"],
  "shopai --help": [binary, "--help"],
  "shopai --version": [binary, "--version"],
  "shopai inspekt": [binary, "inspekt"],
  "shopai inspect --bad": [binary, "inspect", "--bad"],
  "shopai train --bad": [binary, "train", "--bad"],
  "shopai run": [binary, "run"],
  "shopai clean --help": [binary, "clean", "--help"],
};
const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
for (let round = 0; round < rounds; round++)
  for (const [name, words] of Object.entries(calls)) {
    const began = performance.now();
    spawnSync(process.execPath, words, { stdio: "ignore" });
    times[name].push(performance.now() - began);
  }

const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];
const bare = median(times["node -e 0"]);
let over = 0;
for (const [name, values] of Object.entries(times)) {
  const extra = median(values) - bare;
  over += extra > limit ? 1 : 0;
  console.log(`${name.padEnd(22)} ${median(values).toFixed(0).padStart(5)} ms  +${extra.toFixed(0)} ms`);
}
console.log(`limit: +${limit} ms, median of ${rounds}, node ${process.version}`);
process.exitCode = over > 0 ? 1 : 0;

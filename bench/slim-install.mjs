// Installs the packed program without optional packages, adds DuckDB's library, and trains a network on WebAssembly.
// Usage: node bench/slim-install.mjs      (needs the npm registry; half a minute)
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "shopai-slim-"));
const quick = ["--omit=optional", "--omit=peer", "--prefer-offline", "--no-audit", "--no-fund"];

function call(command, args, cwd = folder) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 64e6 });
  return { status, stdout, stderr };
}

function must(command, args, cwd) {
  const { status, stdout, stderr } = call(command, args, cwd);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`);
  return stdout;
}

const megabytes = (path) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0) / 1e6;

try {
  const [{ filename }] = JSON.parse(
    must("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], root),
  );
  writeFileSync(join(folder, "package.json"), '{ "name": "slim", "version": "1.0.0" }\n');
  writeFileSync(
    join(folder, "visits.csv"),
    `pages,bought\n${Array.from({ length: 200 }, (_, i) => `${i % 20},${i % 20 > 11 ? "yes" : "no"}`).join("\n")}\n`,
  );
  must("npm", ["install", ...quick, join(folder, filename)]);
  const shopai = join(folder, "node_modules/shopai/dist/bin/shopai.js");
  const train = ["train", "mlp", "visits.csv", "--target", "bought", "-o", "model", "--json"];
  const before = call(process.execPath, [shopai, ...train]);
  const advice = /npm install --no-save --omit=optional (\S+?),/.exec(before.stderr);
  if (before.status === 5 && advice) {
    console.log(`without DuckDB's library: exit 5, try ${advice[1]}`);
    must("npm", ["install", "--no-save", ...quick, advice[1]]);
  } else if (before.status !== 0) throw new Error(`no advice on what is missing: ${before.stderr}`);
  const { about } = JSON.parse(must(process.execPath, [shopai, ...train, "--param", "epochs=5"]));
  must(process.execPath, [shopai, "predict", "model", "visits.csv", "-o", "scores.csv"]);
  const scores = readFileSync(join(folder, "scores.csv"), "utf8").trim().split("\n").length - 1;
  console.log(`trained on ${about.device} (${about.backend}), ${scores} rows predicted`);
  const missing = call(process.execPath, [shopai, ...train, "--device", "webgpu"]);
  console.log(`--device webgpu: exit ${missing.status}, ${/error: (.+)/.exec(missing.stderr)?.[1]}`);
  if (about.backend !== "wasm" || scores !== 200 || missing.status !== 5)
    throw new Error("a slim install does not train");
  const [slim, whole] = [join(folder, "node_modules"), join(root, "node_modules")].map(megabytes);
  console.log(`${slim.toFixed(0)} MB installed; a clone with all packages has ${whole.toFixed(0)} MB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
